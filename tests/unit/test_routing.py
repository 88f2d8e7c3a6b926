"""Queries that reach the pictures through another text tower: measured, turned on, searched with, dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from babelens.collection import Collection
from babelens.errors import CollectionError, EncoderMismatchError
from babelens.retrieval.calibration import CONFIDENT
from babelens.search import Route, Router
from babelens.search.routes import read_routes, write_routes
from babelens.storage import Catalog
from babelens.types import EncoderFingerprint, Hit, SearchResult
from babelens.vectors import Floats, normalize
from tests.conftest import FakeEncoder, OtherEncoder

N = 60


class Reader(FakeEncoder):
    """Reads a colour from ``"colour 12 200 30"``, but mishears it by ``deafness`` times noise that the text decides."""

    max_tokens = 64

    def __init__(self, name: str, *, deafness: float, languages: Sequence[str] = ("en", "de")) -> None:
        super().__init__(name)
        self._deafness = deafness
        self.languages = tuple(languages)  # type: ignore[assignment]

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        self.texts_encoded += len(texts)
        rows = []
        for text in texts:
            colour = np.array([float(word) for word in text.split() if word.isdigit()] or [0.0] * 3)
            clean = np.concatenate([np.tile(colour[:3] / 255 - 0.45, 16), np.full(3, 0.01)])
            noise = np.random.default_rng(sum(map(ord, text))).normal(size=3)
            rows.append(clean + self._deafness * np.concatenate([np.tile(noise, 16), np.zeros(3)]))
        return normalize(np.array(rows))


class Blind(Reader):
    """Its picture tower is another one, of as many numbers."""

    def encode_prepared(self, pixels: Sequence[np.ndarray]) -> Floats:
        return np.ascontiguousarray(super().encode_prepared(pixels)[:, ::-1])


@pytest.fixture
def own() -> Reader:
    return Reader("own", deafness=0.5)


@pytest.fixture
def other() -> Reader:
    return Reader("twin", deafness=0.0, languages=["en"])


@pytest.fixture
def collection(tmp_path: Path, own: Reader) -> Iterator[Collection]:
    random = np.random.default_rng(3)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, colour in enumerate(random.integers(0, 256, size=(N, 3))):
        red, green, blue = map(int, colour)
        Image.new("RGB", (16, 16), (red, green, blue)).save(folder / f"{number:02}.png")
        (folder / f"{number:02}.en.txt").write_text(f"colour {red} {green} {blue}")
    with Collection.open(tmp_path / "collection", model=own) as opened:
        opened.add(folder)
        yield opened


def caption(collection: Collection, item_id: str) -> str:
    return collection.texts(item_id)[0].body


def ranking(result: SearchResult, name: str) -> list[tuple[str, int, float]]:
    return [
        (hit.item.id, why.rank, why.score) for hit in result.hits for why in hit.why if why.ranking == name
    ]


def correct(collection: Collection, language: str | None = "en") -> int:
    """How many captions find their own picture first, by the picture."""
    return sum(
        _first(collection.search(caption(collection, item.id), language=language, mode="vector")) == item.id
        for item in collection.items()
    )


def _first(result: SearchResult) -> str:
    hits: list[Hit] = [
        hit for hit in result.hits if any(why.ranking == "image" and why.rank == 1 for why in hit.why)
    ]
    return hits[0].item.id if hits else ""


def scores_by_item(collection: Collection, encoder: Reader, text: str) -> dict[str, float]:
    """Cosines of a text's vector with the pictures that are stored."""
    with Catalog.open(collection.path, read_only=True) as catalog:
        ids = [item.id for item in catalog.items()]
        vectors = catalog.vectors_of(1, ids)
    query = encoder.encode_texts([text])[0]
    return {item_id: float(query @ vector) for item_id, vector in vectors.items()}


def test_it_is_off_until_it_was_measured(collection: Collection, own: Reader) -> None:
    result = collection.search("colour 250 10 10", language="en", mode="vector")
    assert result.notes == ()
    wanted = scores_by_item(collection, own, "colour 250 10 10")
    assert all(hit.score == pytest.approx(wanted[hit.item.id], abs=1e-6) for hit in result.hits)
    assert collection.info().routes == ()


def test_a_planted_gain_turns_it_on_and_queries_use_the_other_tower(
    collection: Collection, other: Reader
) -> None:
    before = correct(collection)
    report = collection.tune_routing(other)
    assert {trial.language: trial.trial.earned for trial in report.trials} == {"en": True}
    trial = report.trials[0].trial
    assert (trial.queries, trial.groups, trial.corpus) == (N, N, N)
    assert trial.before["hit_rate@1"].value == pytest.approx(before / N, abs=0.05)
    assert trial.gain["hit_rate@1"].low > 0
    assert [(route.language, route.model) for route in collection.info().routes] == [("en", "twin")]
    assert collection.info().routes == report.routes
    assert correct(collection) == round(trial.after["hit_rate@1"].value * N) > before
    text = "colour 250 10 10"
    wanted = scores_by_item(collection, other, text)
    result = collection.search(text, language="en", mode="vector")
    assert {hit.item.id: hit.score for hit in result.hits} == pytest.approx(
        {hit.item.id: wanted[hit.item.id] for hit in result.hits}, abs=1e-6
    )
    assert _first(result) == max(wanted, key=wanted.__getitem__)


def test_no_picture_is_encoded_again(collection: Collection, own: Reader, other: Reader) -> None:
    encoded = own.images_encoded
    collection.tune_routing(other)
    collection.search("colour 250 10 10", language="en")
    assert (
        other.images_encoded == own.images_encoded - encoded == 2
    )  # the fixed pictures that show they see alike


def test_captions_are_ranked_as_before(collection: Collection, other: Reader) -> None:
    before = collection.search("colour 250 10 10", language="en", k=N)
    collection.tune_routing(other)
    after = collection.search("colour 250 10 10", language="en", k=N)
    for name in ("caption", "words"):
        assert sorted(ranking(before, name)) == sorted(ranking(after, name)) != []
    assert sorted(ranking(before, "image")) != sorted(ranking(after, "image"))


@pytest.mark.parametrize("language", [None, "de"])
def test_queries_of_no_language_or_another_stay(
    collection: Collection, other: Reader, language: str | None
) -> None:
    before = collection.search("colour 250 10 10", language=language, k=N)
    collection.tune_routing(other)
    after = collection.search("colour 250 10 10", language=language, k=N)
    assert [(hit.item.id, hit.score) for hit in after.hits] == [
        (hit.item.id, hit.score) for hit in before.hits
    ]
    assert after.notes == ()


def test_pictures_words_and_given_vectors_stay(collection: Collection, other: Reader) -> None:
    item = next(collection.items())
    vector = np.ones(51, dtype=np.float32)
    asked: list[Callable[[], SearchResult]] = [
        lambda: collection.search("colour 250", language="en", mode="text"),
        lambda: collection.search(image=item.id, language="en"),
        lambda: collection.search(vector=vector, language="en"),
        lambda: collection.similar(item.id),
    ]
    before = [ask().hits for ask in asked]
    captions = collection.captions(item.id, language="en")
    collection.tune_routing(other)
    read = other.texts_encoded
    assert [ask().hits for ask in asked] == before
    assert collection.captions(item.id, language="en") == captions
    assert other.texts_encoded == read


def test_terms_that_push_away_go_the_same_way(collection: Collection, other: Reader) -> None:
    collection.tune_routing(other)
    item = next(collection.items())
    result = collection.search(
        "colour 250 10 10", image=item.id, minus=["colour 10 10 250"], language="en", mode="vector"
    )
    with Catalog.open(collection.path, read_only=True) as catalog:
        vectors = catalog.vectors_of(1, [hit.item.id for hit in result.hits] + [item.id])
    plus, minus = other.encode_texts(["colour 250 10 10", "colour 10 10 250"])
    target = normalize(plus + vectors[item.id] - minus)
    assert [hit.score for hit in result.hits] == pytest.approx(
        [float(target @ vectors[hit.item.id]) for hit in result.hits], abs=1e-5
    )


def test_a_term_that_only_pushes_away_needs_no_caption_vector(
    collection: Collection, own: Reader, other: Reader
) -> None:
    collection.tune_routing(other)
    item, read = next(collection.items()), own.texts_encoded
    result = collection.search(image=item.id, minus=["colour 10 10 250"], language="en", mode="vector")
    assert len(result.hits) == 10
    assert own.texts_encoded == read


def test_filters_and_k_hold(collection: Collection, other: Reader) -> None:
    collection.tune_routing(other)
    result = collection.search("colour 250 10 10", language="en", where="name startswith '1'", k=4)
    assert len(result.hits) == 4
    assert all(Path(hit.item.source.path).name.startswith("1") for hit in result.hits)


def test_a_note_says_once_where_queries_go(collection: Collection, other: Reader) -> None:
    collection.tune_routing(other)
    (note,) = collection.search("colour 250 10 10", language="en").notes
    assert "twin" in note
    assert collection.search("colour 10 10 10", language="en").notes == ()


@pytest.mark.parametrize("deafness", [0.5, 2.0])
def test_no_gain_leaves_it_off(collection: Collection, deafness: float) -> None:
    report = collection.tune_routing(Reader("twin", deafness=deafness))
    assert [trial.trial.earned for trial in report.trials] == [False]
    assert report.routes == collection.info().routes == ()


def test_a_route_that_is_no_longer_earned_goes(collection: Collection, other: Reader) -> None:
    collection.tune_routing(other)
    assert collection.tune_routing(Reader("deaf", deafness=2.0)).routes == ()
    assert collection.info().routes == ()


def test_a_dry_run_changes_nothing(collection: Collection, other: Reader) -> None:
    report = collection.tune_routing(other, dry_run=True)
    assert report.trials[0].trial.earned
    assert report.routes == collection.info().routes == ()


def test_the_same_seed_measures_the_same(collection: Collection, other: Reader) -> None:
    first, second = (collection.tune_routing(other, sample=55, seed=7, dry_run=True) for _ in range(2))
    assert first.trials == second.trials
    assert first.trials[0].trial.queries == 55


def test_stopping_takes_all_routes(collection: Collection, other: Reader) -> None:
    routes = collection.tune_routing(other).routes
    assert collection.stop_routing() == routes
    assert collection.stop_routing() == ()
    assert collection.search("colour 250 10 10", language="en").notes == ()


def test_reindexing_drops_routes_and_only_another_encoder_does(
    collection: Collection, own: Reader, other: Reader
) -> None:
    routes = collection.tune_routing(other).routes
    collection.reindex(own)
    assert collection.info().routes == routes
    collection.reindex(OtherEncoder(), keep_old=True)
    assert collection.info().routes == ()
    collection.reindex(own)
    assert collection.info().routes == ()


def test_weights_that_are_not_here_leave_the_own_tower_to_it(
    collection: Collection, own: Reader, other: Reader
) -> None:
    before = collection.search("colour 250 10 10", language="en", k=N)
    collection.tune_routing(other)
    with Collection.open(collection.path, model=own) as fresh:  # it has never seen the other encoder
        for _ in range(2):  # every result that is a makeshift says so
            after = fresh.search("colour 250 10 10", language="en", k=N)
            assert [hit.score for hit in after.hits] == [hit.score for hit in before.hits]
            (note,) = after.notes
            assert note.startswith("Fallback")
            assert "twin" in note


@pytest.fixture
def catalog(collection: Collection, other: Reader) -> Iterator[Catalog]:
    collection.tune_routing(other)
    with Catalog.open(collection.path, read_only=True) as opened:
        yield opened


def test_a_model_that_was_changed_since_is_not_used(catalog: Catalog, other: Reader) -> None:
    changed = Reader("twin", deafness=0.0)
    changed.fingerprint = replace(other.fingerprint, revision="2")
    notes: list[str] = []
    assert Router(catalog, 1, lambda _: changed).find("en", "red", notes) is None
    assert "another model now" in notes[0]


def test_weights_that_are_damaged_show_before_the_search(catalog: Catalog) -> None:
    class Damaged(Reader):
        def encode_texts(self, texts: Sequence[str]) -> Floats:
            raise CollectionError("The weights are damaged.")

    notes: list[str] = []
    assert Router(catalog, 1, lambda _: Damaged("twin", deafness=0.0)).find("en", "red", notes) is None
    assert "damaged" in notes[0]


def test_an_encoder_is_loaded_once_and_another_encoder_number_has_no_routes(
    catalog: Catalog, other: Reader
) -> None:
    loaded: list[Route] = []

    def load(route: Route) -> Reader:
        loaded.append(route)
        return other

    router, notes = Router(catalog, 1, load), list[str]()
    found = [router.find("en", "red", notes) for _ in range(3)]
    assert all(routed is not None and routed.encoder is other for routed in found)
    assert len(loaded) == 1
    assert router.find("de", "rot", notes) is None
    assert Router(catalog, 2, load).find("en", "red", notes) is None
    assert read_routes(catalog, 2) == {}
    assert notes == []


def test_too_few_captions_are_an_error_that_counts_them(
    tmp_path: Path, pictures: Path, own: Reader, other: Reader
) -> None:
    (pictures / "red.en.txt").write_text("colour 220 30 30")
    with Collection.open(tmp_path / "small", model=own) as small:
        with pytest.raises(CollectionError, match="empty"):
            small.tune_routing(other)
        small.add(pictures)
        with pytest.raises(CollectionError, match=r"at least 50 .* en 1"):
            small.tune_routing(other)


def test_captions_of_another_language_are_no_help(collection: Collection) -> None:
    with pytest.raises(CollectionError, match=r"fr 0"):
        collection.tune_routing(Reader("twin", deafness=0.0, languages=["fr"]))


def test_captions_that_no_person_wrote_do_not_count(tmp_path: Path, own: Reader, other: Reader) -> None:
    folder = tmp_path / "named"
    folder.mkdir()
    for number in range(N):
        word = "".join("bdfgklmn"[digit] + "aeiou"[digit % 5] for digit in (number // 8, number % 8))
        Image.new("RGB", (16, 16), (4 * number, 10, 10)).save(folder / f"{word}.png")
    with Collection.open(tmp_path / "named-collection", model=own) as named:
        named.add(folder, filename_captions=True, caption_language="en")
        assert named.info().origins == {"filename": N}
        assert len({caption(named, item.id) for item in named.items()}) == N
        with pytest.raises(CollectionError, match="too few captions"):
            named.tune_routing(other)


def test_a_model_that_sees_otherwise_is_refused(collection: Collection) -> None:
    with pytest.raises(EncoderMismatchError, match="another picture tower"):
        collection.tune_routing(Blind("blind", deafness=0.0))
    larger = Reader("larger", deafness=0.0)
    larger.fingerprint = EncoderFingerprint("larger", "1", "fake-8", 64)
    with pytest.raises(EncoderMismatchError, match="another picture tower"):
        collection.tune_routing(larger)
    assert collection.info().routes == ()


def test_an_encoder_that_shares_its_space_with_none_needs_a_name(collection: Collection) -> None:
    with pytest.raises(CollectionError, match="no other text tower"):
        collection.tune_routing()


def test_copies_of_a_picture_are_as_good_an_answer(
    tmp_path: Path, collection: Collection, other: Reader
) -> None:
    """Copies without captions come first, so a search gives them before the pictures that the captions belong to."""
    alone = collection.tune_routing(other, dry_run=True).trials[0].trial
    copies = tmp_path / "copies"
    copies.mkdir()
    for picture in (tmp_path / "pictures").glob("*.png"):
        (copies / picture.name).write_bytes(picture.read_bytes())
    with Collection.open(tmp_path / "both", model=collection.encoder) as both:
        both.add(copies)
        both.add(tmp_path / "pictures")
        trial = both.tune_routing(other, dry_run=True).trials[0].trial
    assert (trial.queries, trial.groups, trial.corpus) == (N, N, 2 * N)
    assert trial.after["hit_rate@1"].value == alone.after["hit_rate@1"].value > 0.9


def test_the_other_tower_is_judged_by_its_own_card_and_trust(collection: Collection) -> None:
    other = Reader("twin", deafness=0.1, languages=["en"])
    other.calibration = {"text_image.bias": 60.0}  # sure of everything
    (route,) = collection.tune_routing(other).routes
    assert 0.5 < route.trust < 1
    assert min(said_of_pictures(collection)) == pytest.approx(1.0)
    # One that hardly knows the collection is sure of nothing there, whatever its card says.
    with Catalog.open(collection.path) as catalog:
        (number,) = catalog.encoders()
        write_routes(catalog, number, [replace(route, trust=0.2)])
    assert max(said_of_pictures(collection)) < CONFIDENT


def said_of_pictures(collection: Collection) -> list[float]:
    result = collection.search("colour 250 10 10", language="en", mode="vector")
    return [why.confidence or 0.0 for hit in result.hits for why in hit.why if why.ranking == "image"]


def test_words_that_are_clearly_in_a_language_take_its_route(catalog: Catalog, other: Reader) -> None:
    router, notes = Router(catalog, 1, lambda _: other), list[str]()
    assert router.find(None, "the red one on the table", notes) is not None
    assert notes == ["The words were taken for English; --lang says otherwise."]
    assert router.find(None, "das rote Ding auf dem Tisch", notes) is None
    assert router.find(None, "ok", notes) is None
    assert router.find("de", "the red one on the table", notes) is None
    assert len(notes) == 1
