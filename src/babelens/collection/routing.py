"""Measures whether another text tower in the same picture space finds the collection's pictures better, language by
language, and sets a route (:mod:`babelens.search.routes`) only where it does.

The queries are people's own captions, and what they should find is the picture each was written for. Both towers search
the collection as it is searched: through its index, among all of its pictures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..errors import CollectionError, EncoderMismatchError
from ..metrics.gate import Trial, compare
from ..metrics.ranking import Ranks, rank_lists
from ..models.catalog import read_catalog
from ..models.check import picture_agreement
from ..models.registry import load_encoder
from ..retrieval.calibration import trust
from ..search.routes import Gain, Route, read_routes, write_routes
from ..types import Progress
from ..vectors import Floats, Ids
from .space import Space, model_name

if TYPE_CHECKING:
    from ..indexes.exact import ExactIndex
    from ..indexes.live import LiveIndex
    from ..models.protocols import Encoder, TextEncoder
    from ..storage.catalog import Catalog

MIN_PICTURES: Final = 50  # with fewer, no gain that is not enormous can be told from luck
_K: Final = 10
_BATCH: Final = 64
_PAGE: Final = 2_000
# Towers of the same weights agree to 0.999; int8 may cost a little.
_SAME_PICTURES: Final = 0.98
_TRUST_SAMPLE: Final = 256


@dataclass(frozen=True, slots=True)
class RouteTrial:
    """One language through the text tower of ``model``. ``trial.earned`` is whether it is better."""

    language: str
    model: str
    trial: Trial


@dataclass(frozen=True, slots=True)
class RoutingReport:
    """What was measured, and the ``routes`` in force now. ``skipped`` says, by language, why nothing was measured.

    With ``dry_run`` the routes are those before.
    """

    trials: tuple[RouteTrial, ...]
    skipped: Mapping[str, str]
    routes: tuple[Route, ...]
    dry_run: bool
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Questions:
    """Captions, and row by row the sequence numbers of the pictures that each wording was written for.

    ``groups`` names a picture for each, so that captions of the same one are drawn together.
    """

    bodies: list[str] = field(default_factory=list)
    relevant: list[list[int]] = field(default_factory=list)

    @property
    def groups(self) -> Ids:
        return np.array([seqs[0] for seqs in self.relevant], dtype=np.int64)

    @property
    def pictures(self) -> int:
        return len(set(self.groups.tolist()))


def tune_routing(
    catalog: Catalog,
    space: Space,
    to: str | Path | Encoder | None,
    *,
    sample: int,
    seed: int,
    dry_run: bool,
    progress: Progress,
) -> RoutingReport:
    """See :meth:`Collection.tune_routing`."""
    started = time.monotonic()
    searcher = space.searcher()
    if searcher is None or not len(searcher.images):
        raise CollectionError("There is nothing to measure on: the collection is empty.")
    if not dry_run:
        with catalog.writing():  # better to hear now than at the end that another process is writing
            pass
    own, number = space.encoder(), searcher.encoder_number
    drawn = {
        language: _draw(catalog, number, language, sample=sample, seed=seed)
        for language in catalog.caption_languages()
    }
    enough = {language for language, questions in drawn.items() if questions.pictures >= MIN_PICTURES}
    if not enough:  # said before anything is fetched
        raise _too_few(drawn)
    models, encoders = _candidates(own, to, progress)
    asked = {language: drawn[language] for language in models if language in enough}
    skipped = {language: _lack(drawn.get(language)) for language in models if language not in asked}
    if not asked:
        raise _too_few({language: drawn.get(language, _Questions()) for language in models})
    for name in dict.fromkeys(models[language] for language in asked):
        encoders[name] = encoders.get(name) or load_encoder(name, progress=_fetching(name, progress))
        _check(own, encoders[name])
    steps = _Steps(progress, 2 * sum(len(questions.bodies) for questions in asked.values()))
    index = searcher.images.current()
    trials, earned = [], list[Route]()
    for language, questions in asked.items():
        other = encoders[models[language]]
        vectors = _encode(other, questions.bodies, steps)
        trial = compare(
            _ranks(index, _encode(own, questions.bodies, steps), questions),
            _ranks(index, vectors, questions),
            questions.groups,
            trials=len(asked),
            seed=seed,
        )
        trials.append(RouteTrial(language, models[language], trial))
        if trial.earned:
            knows = _trust(catalog, vectors, questions)
            earned.append(_route_of(trials[-1], other, knows))
    if not dry_run:
        for route in earned:
            space.keep(encoders[route.model])
        _set(catalog, space, number, own, [trial.language for trial in trials], earned)
    return RoutingReport(
        trials=tuple(trials),
        skipped=skipped,
        routes=tuple(read_routes(catalog, number).values()),
        dry_run=dry_run,
        seconds=time.monotonic() - started,
    )


def stop_routing(catalog: Catalog, space: Space) -> tuple[Route, ...]:
    """See :meth:`Collection.stop_routing`."""
    searcher = space.searcher()
    if searcher is None:
        return ()
    with catalog.transaction():
        routes = tuple(read_routes(catalog, searcher.encoder_number).values())
        write_routes(catalog, searcher.encoder_number, ())
    return routes


# -- which towers --------------------------------------------------------------------------------------------


def _candidates(
    own: Encoder, to: str | Path | Encoder | None, progress: Progress
) -> tuple[dict[str, str], dict[str, Encoder]]:
    """The model to try for each language, those of the catalogue or the one that was named; and, by name, encoders
    that are loaded already."""
    if to is not None:
        encoder = (
            load_encoder(to, progress=_fetching(str(to), progress)) if isinstance(to, str | Path) else to
        )
        name = model_name(to)
        return dict.fromkeys(encoder.languages, name), {name: encoder}
    row = read_catalog().get(own.fingerprint.name)
    if row is None or not row.routes:
        raise CollectionError(
            f"The catalogue names no other text tower in the picture space of {own.fingerprint.name}.",
            hint="Name a model that has the same picture tower with --to.",
        )
    return dict(row.routes), {}


def _fetching(name: str, progress: Progress) -> Progress:
    """Bytes are told apart from texts by a note."""

    def update(done: int, total: int | None = None, note: str = "") -> None:  # noqa: ARG001
        progress(done, total, f"fetching {name}")

    return update


def _check(own: Encoder, other: Encoder) -> None:
    """Raises :class:`EncoderMismatchError` when two encoders do not see alike."""
    agreement = picture_agreement(own, other)
    if agreement < _SAME_PICTURES:
        raise EncoderMismatchError(
            f"{other.fingerprint.name} has another picture tower than {own.fingerprint.name}: their vectors of the "
            f"same picture have a cosine of {agreement:.3f}.",
            hint="Only a text tower that shares the collection's picture space can be tried; `babelens reindex` "
            "changes the encoder altogether.",
        )


# -- the questions -------------------------------------------------------------------------------------------


def _draw(catalog: Catalog, encoder: int, language: str, *, sample: int, seed: int) -> _Questions:
    """Up to ``sample`` different captions in a language that people wrote for pictures that can be searched."""
    with catalog.snapshot():
        seqs = catalog.text_seqs_in(encoder, language)
        bodies: dict[str, str] = {}
        items: dict[str, list[str]] = {}
        for item_id, body in _captions(catalog, np.random.default_rng(seed).permutation(seqs)):
            key = " ".join(body.casefold().split())
            if key not in bodies and len(bodies) == sample:
                break
            bodies.setdefault(key, body)
            items.setdefault(key, []).append(item_id)
        pictures = _pictures(catalog, encoder, {item_id for found in items.values() for item_id in found})
    questions = _Questions()
    for key, body in bodies.items():
        relevant = sorted({seq for item_id in items[key] for seq in pictures.get(item_id, ())})
        if relevant:
            questions.bodies.append(body)
            questions.relevant.append(relevant)
    return questions


def _captions(catalog: Catalog, seqs: Ids) -> Iterator[tuple[str, str]]:
    """Items and captions that people wrote, in the order of the vectors given."""
    for start in range(0, len(seqs), _PAGE):
        page = seqs[start : start + _PAGE].tolist()
        owners = catalog.owners(page)
        texts = catalog.texts_by_row(
            owner.text_row for owner in owners.values() if owner.text_row is not None
        )
        for seq in page:
            text = texts.get(owners[seq].text_row or 0) if seq in owners else None
            if text is not None and text.origin == "human" and text.status == "ok":
                yield text.item_id, text.body


def _pictures(catalog: Catalog, encoder: int, item_ids: set[str]) -> dict[str, list[int]]:
    """The sequence numbers of items' pictures; copies of the same bytes are as good an answer."""
    copies = {item.id: [other.id for other in group] for group in catalog.duplicates() for item in group}
    wanted = item_ids | {other for item_id in item_ids for other in copies.get(item_id, ())}
    owners = catalog.owners(catalog.seqs_of_items(encoder, "image", wanted).tolist())
    seqs = {owner.item_id: seq for seq, owner in owners.items()}
    return {
        item_id: [seqs[other] for other in copies.get(item_id, [item_id]) if other in seqs]
        for item_id in item_ids
    }


# -- the measurement -----------------------------------------------------------------------------------------


class _Steps:
    """Counts texts for ``progress``."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)


def _encode(encoder: TextEncoder, bodies: Sequence[str], steps: _Steps) -> Floats:
    parts = []
    for start in range(0, len(bodies), _BATCH):
        parts.append(encoder.encode_texts(bodies[start : start + _BATCH]))
        steps(len(parts[-1]))
    return np.concatenate(parts)


def _ranks(index: ExactIndex | LiveIndex, vectors: Floats, questions: _Questions) -> Ranks:
    """Where the pictures stand in what a search gives, to the depth that is judged."""
    parts = [index.search(vectors[start : start + _BATCH], _K)[1] for start in range(0, len(vectors), _BATCH)]
    return rank_lists(np.concatenate(parts), questions.relevant, corpus=len(index))


def _trust(catalog: Catalog, vectors: Floats, questions: _Questions) -> float:
    """How well a tower knows the collection, as :mod:`babelens.search.trust` measures it for the own one."""
    first = [seqs[0] for seqs in questions.relevant[:_TRUST_SAMPLE]]
    with catalog.snapshot():
        here = sorted(catalog.owners(first))  # another process may have removed some
        pictures = catalog.vectors_by_seq(here)
    columns = {seq: place for place, seq in enumerate(here)}
    return trust(vectors[: len(first)] @ pictures.T, np.array([columns.get(seq, -1) for seq in first]))


def _route_of(tried: RouteTrial, encoder: Encoder, knows: float) -> Route:
    trial = tried.trial
    return Route(
        language=tried.language,
        model=tried.model,
        fingerprint=encoder.fingerprint,
        trust=round(knows, 4),
        gains={
            name: Gain(trial.before[name].value, trial.after[name].value, gain.low, gain.high)
            for name, gain in trial.gain.items()
        },
        captions=trial.queries,
        pictures=trial.groups,
        corpus=trial.corpus,
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _set(
    catalog: Catalog, space: Space, number: int, own: Encoder, measured: list[str], earned: list[Route]
) -> None:
    """Routes of languages that were measured are those that were earned; others stay."""
    with catalog.transaction():
        if space.recorded() != own.fingerprint:
            raise CollectionError(
                "The collection's encoder was changed while routes were measured; nothing was set.",
                hint="Run the same command again.",
            )
        kept = {name: route for name, route in read_routes(catalog, number).items() if name not in measured}
        write_routes(catalog, number, [*kept.values(), *earned])


def _lack(questions: _Questions | None) -> str:
    pictures = questions.pictures if questions is not None else 0
    return f"{pictures:,} pictures have captions that people wrote; at least {MIN_PICTURES} are needed"


def _too_few(drawn: Mapping[str, _Questions]) -> CollectionError:
    counts = ", ".join(f"{language} {questions.pictures:,}" for language, questions in drawn.items())
    return CollectionError(
        f"There are too few captions to measure on: at least {MIN_PICTURES} pictures need one in the same language, "
        f"written by a person (pictures now: {counts or 'none'}).",
        hint="Add captions with `babelens index FOLDER --captions FILE`.",
    )
