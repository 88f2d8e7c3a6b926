"""From a query to hits: up to four rankings of the items, fused by rank, with the confidence of the best one.

    image    the pictures' vectors, nearest to the query's; pictures, pages and figures each in a ranking of their own
    caption  the texts' vectors, nearest to the query's words; an item stands where its best text stands
    passage  the vectors of what documents say, by the encoder of passages if there is one
    words    BM25 over texts and file names

Cosines of pictures and of texts are never sorted into one list: texts are nearer to texts than pictures are, whatever
they mean. Only ranks are mixed, each ranking weighted by how much it knows about this collection (its trust) and how
clearly its best hit stands out for this query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from ..errors import InvalidQueryError, UnknownItemError
from ..retrieval.calibration import CONFIDENT
from ..retrieval.filters import parse_filter
from ..retrieval.fusion import interleave_kinds, reciprocal_rank_fusion
from ..retrieval.query import combine_terms, words_of
from ..sources.captions import UNKNOWN_LANGUAGE
from ..types import (
    And,
    Caption,
    Comparison,
    Filter,
    Hit,
    Note,
    Progress,
    Query,
    Reason,
    SearchResult,
    Term,
    Text,
)
from ..vectors import Floats, Ids, normalize
from .clock import Clock
from .correction import PictureCorrection, candidates
from .documents import DocumentSearch
from .judging import Judging, Place, pair_of
from .kinds import PictureKind, PictureKinds
from .ranking import BLIND, Ranking, RankingName, places_of
from .routes import Routed, Router
from .trust import Trust
from .upkeep import FreshIndex

if TYPE_CHECKING:
    from ..indexes.faiss import Metric
    from ..models.protocols import Encoder
    from ..storage.catalog import Catalog

# How deep each ranking is read before they are fused, at least.
_DEPTH: Final = 100
_MAX_TEXTS_PER_ITEM: Final = 8
_PHOTO_FORMATS: Final = ("jpeg", "heif", "heic", "mpo")


class Searcher:
    """Answers queries over one catalog with one encoder. Safe to use from several threads.

    ``load`` gives the encoder when a query needs one; vectors, items and words do without. ``router`` knows the
    languages whose queries reach the pictures through another text tower, ``documents`` what documents say.
    """

    def __init__(
        self,
        catalog: Catalog,
        encoder_number: int,
        dim: int,
        load: Callable[[], Encoder],
        *,
        metric: Metric = "ip",
        router: Router | None = None,
        documents: DocumentSearch | None = None,
    ) -> None:
        self._catalog = catalog
        self.encoder_number = encoder_number
        self.metric: Metric = metric
        self.images = FreshIndex(catalog, encoder_number, dim, "image", metric=metric)
        self.texts = FreshIndex(catalog, encoder_number, dim, "text", metric=metric)
        self._load = load
        self._router = router
        self._judging = Judging(catalog, self.images, self.texts, load)
        self._trust = Trust(catalog, encoder_number, self.images, self.texts)
        self._correction = PictureCorrection(catalog, encoder_number)
        self._kinds = PictureKinds(catalog, encoder_number, load)
        self.documents = documents
        self._told: set[str] = set()

    @property
    def indexes(self) -> dict[str, FreshIndex]:
        """``image``, ``text``, and ``passage`` where passages have vectors."""
        passages = self.documents.passages.index() if self.documents is not None else None
        return {"image": self.images, "text": self.texts} | ({"passage": passages} if passages else {})

    def maintain(self, *, always: bool = False, progress: Progress | None = None) -> None:
        """Builds index files anew where that is due, or ``always``; tuned with texts, since that is what people search
        with. For the writer."""
        queries = self.texts.background() if len(self.texts) else None
        for index in (self.images, self.texts):
            index.maintain(queries, always=always, progress=progress)
        if self.documents is not None:
            self.documents.passages.maintain(always=always, progress=progress)

    # -- search --------------------------------------------------------------------------------------------

    def search(
        self, query: Query, *, vector: Floats | None = None, without: str | None = None
    ) -> SearchResult:
        """The hits of a query. ``vector`` stands in for encoding its terms; ``without`` is an item to leave out.

        Shape: vector (dim,). Raises :class:`InvalidQueryError` and what the encoder raises.
        """
        clock = Clock()
        notes: list[str] = []
        where = _filter_of(query)
        words = words_of(query) if query.mode in ("text", "hybrid") else ""
        routed = self._routed(query, notes) if vector is None else None
        target, meaning = (
            (None, None) if query.mode == "text" else self._query_vectors(query, vector, routed, notes)
        )
        clock.lap("encode")
        depth = query.k + (without is not None)
        if meaning is None and not words and target is not None:
            result = self._nearest(query, target, routed, where, depth, without, clock)
        else:
            deep = max(_DEPTH, 2 * depth)
            rankings = self._rankings(query, target, meaning, routed, words, where, deep)
            if self.documents is not None:
                rankings += self.documents.rankings(query, rankings, where, deep, notes, self._words_ranking)
            clock.lap("find")
            result = self._fused(query, target, rankings, without, clock)
        return replace(result, notes=(*notes, *self._remarks(result, routed)), timings=clock.laps())

    def _nearest(
        self,
        query: Query,
        target: Floats,
        routed: Routed | None,
        where: Filter | None,
        k: int,
        without: str | None,
        clock: Clock,
    ) -> SearchResult:
        """One ranking of pictures, the short way: one index search, one database query."""
        index = self.images.current()
        allowed = None if where is None else self._allowed("image", where)
        scores, seqs = index.search(target[None], k, allowed)
        clock.lap("find")
        pairs = [
            (seq, score) for seq, score in zip(seqs[0].tolist(), scores[0].tolist(), strict=True) if seq >= 0
        ]
        found = self._catalog.items_by_seq([seq for seq, _ in pairs])
        clock.lap("fetch")
        judge = self._judging.pictures(query, target, routed.encoder if routed else None)
        # Not there when another process removed it this very moment.
        shown = [(found[seq].item, seq, score) for seq, score in pairs if seq in found]
        shown = [row for row in shown if row[0].id != without][: query.k]
        judged = judge([Place(item.id, score, seq=seq) for item, seq, score in shown])
        hits = [
            Hit(item, rank, score, (Reason("image", rank, score, confidence=said),))
            for rank, ((item, _, score), said) in enumerate(zip(shown, judged, strict=True), start=1)
        ]
        best = hits[0].why[0].confidence if hits else None
        clock.lap("judge")
        return SearchResult(query, tuple(hits), best is not None and best >= CONFIDENT, best)

    def _rankings(
        self,
        query: Query,
        target: Floats | None,
        meaning: Floats | None,
        routed: Routed | None,
        words: str,
        where: Filter | None,
        depth: int,
    ) -> list[Ranking]:
        rankings = []
        if target is not None:
            by_words = meaning is not None
            allowed = None if where is None else self._allowed("image", where)
            for kind in self._kinds.current() or (None,):
                rankings.append(
                    self._picture_ranking(query, target, routed, kind, allowed, depth, by_words=by_words)
                )
        if meaning is not None and query.mode != "image" and len(self.texts):
            places = self._caption_places(meaning, where, depth)
            rankings.append(Ranking("caption", places, self._trust.caption, self._judging.captions(meaning)))
        if words:
            rankings.append(self._words_ranking(query, words, where, depth))
        return rankings

    def _fused(
        self,
        query: Query,
        target: Floats | None,
        rankings: list[Ranking],
        without: str | None,
        clock: Clock,
    ) -> SearchResult:
        ids = [[place.item_id for place in ranking.places] for ranking in rankings]
        weights = [ranking.weight for ranking in rankings]
        order = [item_id for item_id, _ in reciprocal_rank_fusion(ids, weights)]
        kinds = self._catalog.kinds_of(order)
        if len(set(kinds.values())) > 1:  # an item that is not among them was removed this very moment
            order = interleave_kinds([one for one in order if one in kinds], kinds, ids, weights)
        chosen = [item_id for item_id in order if item_id != without][: query.k]
        ranked = [
            {place.item_id: (rank, place) for rank, place in enumerate(ranking.places, start=1)}
            for ranking in rankings
        ]
        places: dict[RankingName, dict[str, tuple[int, Place]]] = {}
        for ranking, own in zip(rankings, ranked, strict=True):
            # Those of pictures, one for each kind, have no item in common.
            places.setdefault(ranking.name, {}).update(own)
        clock.lap("fuse")
        items = self._catalog.get_items(chosen)
        wanted = set(chosen)
        rows = {place.text_row for ranking in rankings for place in ranking.places if place.item_id in wanted}
        texts = self._catalog.texts_by_row([row for row in rows if row is not None])
        cosines = self._cosines(target, chosen, places)
        why: dict[str, list[Reason]] = {item_id: [] for item_id in chosen if item_id in items}
        for ranking, own in zip(rankings, ranked, strict=True):
            if not ranking.is_reason:
                continue
            shown = [own[item_id] for item_id in why if item_id in own]
            judged = ranking.confidences([place for _, place in shown])
            for (rank, place), said_of in zip(shown, judged, strict=True):
                text = None if place.text_row is None else texts.get(place.text_row)
                why[place.item_id].append(Reason(ranking.name, rank, place.score, text, said_of))
        hits = [
            Hit(items[item_id], rank, cosines.get(item_id), tuple(reasons))
            for rank, (item_id, reasons) in enumerate(why.items(), start=1)
        ]
        clock.lap("fetch")
        said = [reason.confidence for reason in hits[0].why if reason.confidence is not None] if hits else []
        best = max(said, default=None)
        clock.lap("judge")
        return SearchResult(query, tuple(hits), best is not None and best >= CONFIDENT, best)

    def _cosines(
        self,
        target: Floats | None,
        chosen: list[str],
        places: Mapping[RankingName, Mapping[str, tuple[int, Place]]],
    ) -> dict[str, float]:
        """The cosine of the query with each item: its picture's, or its best text's when it has no picture."""
        if target is None:
            return {}
        result = {item_id: place.score for item_id, (_, place) in places["image"].items()}
        missing = [item_id for item_id in chosen if item_id not in result]
        vectors = self._catalog.vectors_of(self.encoder_number, missing) if missing else {}
        result.update({item_id: float(target @ row) for item_id, row in vectors.items()})
        for item_id, (_, place) in places.get("caption", {}).items():
            result.setdefault(item_id, place.score)
        return result

    # -- rankings ------------------------------------------------------------------------------------------

    def _picture_ranking(
        self,
        query: Query,
        target: Floats,
        routed: Routed | None,
        kind: PictureKind | None,
        allowed: Ids | None,
        depth: int,
        *,
        by_words: bool,
    ) -> Ranking:
        """The pictures of a kind, or all where there is but one kind."""
        of_document = kind is not None and kind.of_document
        if kind is not None:
            allowed = kind.seqs if allowed is None else np.intersect1d(allowed, kind.seqs, assume_unique=True)
        # The bank is of the collection's own text tower, and says nothing about another one's queries.
        corrected = by_words and routed is None and not of_document
        if allowed is not None and not len(allowed):
            places = []
        else:
            places = self._image_places(query, target, allowed, depth, corrected=corrected)
        if not by_words or not places:
            trust = 1.0
        elif of_document:
            trust = self._kinds.document_trust()
        else:
            trust = routed.route.trust if routed else self._trust.image
        judge = self._judging.pictures(query, target, routed.encoder if routed else None, kind=kind)
        return Ranking("image", places, trust, judge)

    def _image_places(
        self, query: Query, target: Floats, allowed: Ids | None, depth: int, *, corrected: bool
    ) -> list[Place]:
        corrected = corrected and pair_of(query) == "text_image"
        correction = self._correction.active(query.language) if corrected else None
        index = self.images.current()
        if correction is None:
            return places_of(self._catalog, *index.search(target[None], depth, allowed), depth)
        found = index.search(target[None], max(depth, candidates(query.k)), allowed)
        return places_of(self._catalog, *correction.reorder(*found, depth), depth)

    def _caption_places(self, meaning: Floats, where: Filter | None, depth: int) -> list[Place]:
        index = self.texts.current()
        allowed = None if where is None else self._allowed("text", where)
        per_item = min(_MAX_TEXTS_PER_ITEM, 1 + len(index) // max(1, len(self.images)))
        scores, seqs = index.search(meaning[None], depth * per_item, allowed)
        return places_of(self._catalog, scores, seqs, depth)

    def _words_ranking(self, query: Query, words: str, where: Filter | None, depth: int) -> Ranking:
        """BM25. With a query language, texts of other languages do not count: shared spellings are accidents."""
        from .words import Coverage

        languages = None if query.language is None else [query.language, UNKNOWN_LANGUAGE]
        hits = self._catalog.search_words(words, k=depth, languages=languages, where=where)
        unwanted = [term.text for term in query.terms if term.text and term.weight < 0]
        coverage = Coverage(self._catalog, words, query.language)
        if unwanted:
            hits = [hit for hit in hits if not any(coverage.holds_all(hit, text) for text in unwanted)]
        places = [Place(hit.item_id, hit.score, hit.text_row) for hit in hits]

        def judge(places: Sequence[Place]) -> list[float | None]:
            return [coverage.of(place.item_id, place.text_row) for place in places]

        return Ranking("words", places, 1.0, judge)

    def _allowed(self, modality: Literal["image", "text"], where: Filter) -> Ids:
        return self._catalog.matching_seqs(where, self.encoder_number, modality)

    # -- query vectors -------------------------------------------------------------------------------------

    def _routed(self, query: Query, notes: list[str]) -> Routed | None:
        """The other text tower that the words of a query reach the pictures through, if there is one."""
        if self._router is None or query.mode == "text" or all(term.text is None for term in query.terms):
            return None
        return self._router.find(query.language, words_of(query), notes)

    def _query_vectors(
        self, query: Query, vector: Floats | None, routed: Routed | None, notes: list[str]
    ) -> tuple[Floats, Floats | None]:
        """The vector to search pictures with, and the one of the words alone to search texts with: a text is always
        compared with texts of its own tower."""
        if vector is not None:
            given = self._checked(vector)
            only_words = bool(query.terms) and all(term.text is not None for term in query.terms)
            return given, given if only_words else None
        texts = [term for term in query.terms if term.text is not None]
        sought = dict(
            zip(map(id, texts), self._encode_texts(texts, query.language, routed, notes), strict=True)
        )
        for term in query.terms:
            if term.text is None:
                sought[id(term)] = self._picture_vector(term)
        target = _combined(query.terms, sought)
        if not any(term.weight > 0 for term in texts):
            return target, None
        if routed is None and len(texts) == len(query.terms):
            return target, target
        if routed is None:
            return target, _combined(texts, sought)
        own = self._encode_texts(texts, query.language, None, notes)
        return target, _combined(texts, dict(zip(map(id, texts), own, strict=True)))

    def _encode_texts(
        self, terms: list[Term], language: str | None, routed: Routed | None, notes: list[str]
    ) -> list[Floats]:
        if not terms:
            return []
        encoder = routed.encoder if routed else self._load()
        name = encoder.fingerprint.name
        bodies = [term.text or "" for term in terms]
        for count in encoder.count_tokens(bodies):
            if count > encoder.max_tokens:
                cut = (
                    f"A text has {count} tokens, more than the {encoder.max_tokens} that the encoder takes: for its "
                    "meaning a part of them counts. The search for words uses all of it."
                )
                notes.append(Note(cut, "text-cut", model=name))
        if language is not None and language not in encoder.languages:
            said = f"{name} was not trained on the language {language!r}."
            notes.append(Note(said, "untrained-language", model=name, language=language))
        return list(encoder.encode_texts(bodies))

    def _picture_vector(self, term: Term) -> Floats:
        if term.item_id is not None:
            vector = self._catalog.vectors_of(self.encoder_number, [term.item_id]).get(term.item_id)
            if vector is None:
                raise UnknownItemError(f"No picture has the id {term.item_id!r}.")
            return vector
        if term.image is None:
            raise InvalidQueryError("A term is either a text, a picture or the id of an item.")
        from ..sources.images import to_rgb

        encoder = self._load()
        vectors: Floats = encoder.encode_prepared([encoder.prepare(to_rgb(term.image))])
        return np.asarray(vectors[0])

    def _checked(self, vector: Floats) -> Floats:
        dim = self.images.dim
        if vector.shape != (dim,):
            raise InvalidQueryError(
                f"The vector has shape {vector.shape}; this collection's vectors have {dim} numbers.",
                hint="Bring one vector, made with the collection's encoder (see `babelens info`).",
            )
        try:
            return normalize(vector)
        except ValueError as error:
            raise InvalidQueryError(f"The vector cannot be searched with: {error}.") from error

    # -- captions ------------------------------------------------------------------------------------------

    def captions(self, picture: Term, *, language: str, k: int) -> list[Caption]:
        """The texts in ``language`` nearest to a picture, each wording once."""
        vector = self._picture_vector(picture)
        allowed = self._catalog.text_seqs_in(self.encoder_number, language)
        depth = 4 * k
        while True:
            scores, seqs = self.texts.current().search(
                vector[None], min(depth, max(1, len(allowed))), allowed
            )
            captions = self._wordings(scores, seqs, k)
            if len(captions) == k or depth >= len(allowed):
                return captions
            depth *= 4

    def _wordings(self, scores: Floats, seqs: Ids, k: int) -> list[Caption]:
        found = seqs[0] >= 0
        owners = self._catalog.owners(seqs[0][found].tolist())
        rows = [owner.text_row for owner in owners.values() if owner.text_row is not None]
        texts = self._catalog.texts_by_row(rows)
        best: dict[str, tuple[Text, float]] = {}
        for seq, score in zip(seqs[0][found].tolist(), scores[0][found].tolist(), strict=True):
            owner = owners.get(seq)
            text = texts.get(owner.text_row) if owner is not None and owner.text_row is not None else None
            if text is not None:
                best.setdefault(" ".join(text.body.casefold().split()), (text, score))
        return [
            Caption(text, rank, score) for rank, (text, score) in enumerate(list(best.values())[:k], start=1)
        ]

    # -- remarks -------------------------------------------------------------------------------------------

    def _remarks(self, result: SearchResult, routed: Routed | None) -> list[Note]:
        """What the user should know about this collection, each once."""
        remarks = []
        if self.images.damage or self.texts.damage:
            damaged = "A damaged index file is not used; `babelens compact` builds it again."
            remarks.append(Note(damaged, "damaged-index"))
        if routed is not None:
            language, model = routed.route.language, routed.route.model
            ranked = (
                f"Pictures are ranked for {language!r} through the text tower of {model}, "
                "as `babelens tune routing` measured to be better here."
            )
            remarks.append(Note(ranked, "routed", model=model, language=language))
        by_text = any(term.text for term in result.query.terms) and result.query.mode != "text"
        if by_text and not self._load().photographs and self._cannot_see(result):
            name = self._load().fingerprint.name
            blind = f"{name} was not trained on photographs: words find these pictures by captions and file names only."
            remarks.append(Note(blind, "no-photographs", model=name))
        fresh = [remark for remark in remarks if remark not in self._told]
        self._told.update(fresh)
        return fresh

    def _cannot_see(self, result: SearchResult) -> bool:
        """Measured where pictures have captions; else guessed from what the files are. Documents are another matter."""
        pictures = [hit.item for hit in result.hits if hit.item.kind == "image"]
        if not pictures:
            return False
        if self._trust.image_measured:
            return self._trust.image < BLIND
        photographs = [item.metadata.get("format") in _PHOTO_FORMATS for item in pictures]
        return 2 * sum(photographs) > len(photographs)


def _combined(terms: Sequence[Term], vectors: Mapping[int, Floats]) -> Floats:
    """The direction of some terms, from the vectors of each by ``id``."""
    return combine_terms(np.stack([vectors[id(term)] for term in terms]), [term.weight for term in terms])


def _filter_of(query: Query) -> Filter | None:
    parts: list[Filter] = [parse_filter(query.where)] if query.where else []
    parts += [Comparison("kind", "in", query.kinds)] if query.kinds else []
    return None if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))
