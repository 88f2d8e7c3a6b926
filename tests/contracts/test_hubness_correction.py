"""A correction of hubness changes the order of pictures for queries of words, where it is on, and nothing else.

What holds for one process holds for all that have the collection open, however they opened it.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from babelens.collection import Collection
from babelens.errors import CollectionError, CollectionLockedError, UnknownLanguageError
from babelens.search import CorrectionInfo, HubnessReport
from babelens.storage import Catalog
from babelens.types import SearchResult, Term
from tests.catalogs import text
from tests.conftest import OtherEncoder
from tests.hubs import HUBS, PICTURES, PlantedEncoder, body, plant


@pytest.fixture
def planted(tmp_path: Path) -> tuple[Path, PlantedEncoder]:
    return tmp_path / "c", plant(tmp_path / "c")


@pytest.fixture
def collection(planted: tuple[Path, PlantedEncoder]) -> Iterator[Collection]:
    with Collection.open(planted[0], model=planted[1]) as opened:
        yield opened


@pytest.fixture
def report(collection: Collection) -> HubnessReport:
    return collection.tune_hubness("en")


def names(result: SearchResult) -> list[str]:
    return [Path(hit.item.source.path).stem for hit in result.hits]


def firsts(collection: Collection, language: str | None, words: str = "en") -> list[str]:
    """What comes first for every tenth caption by meaning of the picture alone."""
    return [
        next(
            name
            for name, hit in zip(names(result), result.hits, strict=True)
            if hit.why[0].ranking == "image" and hit.why[0].rank == 1
        )
        for number in range(0, PICTURES, 10)
        for result in [collection.search(body(number, words), language=language, mode="vector", k=20)]
    ]


def hubs_first(collection: Collection, language: str | None, words: str = "en") -> int:
    return sum(name.startswith("hub") for name in firsts(collection, language, words))


def test_hubs_are_dethroned_where_it_is_on_and_only_there(collection: Collection) -> None:
    before = hubs_first(collection, "en")
    assert before > 8
    report = collection.tune_hubness("en")
    assert report.on
    assert report.correction.languages == ("en",)
    assert hubs_first(collection, "en") == 0
    # The same words, but not said to be English: "und" was not measured.
    assert hubs_first(collection, None) == before
    assert hubs_first(collection, "fr") == before
    assert collection.untune_hubness() is True
    assert hubs_first(collection, "en") == before
    assert collection.untune_hubness() is False


def test_the_report_measures_both_languages_and_queries_of_none(collection: Collection) -> None:
    report = collection.tune_hubness()
    gains = {gain.language: gain for gain in report.correction.gains}
    assert gains.keys() == {"en", "de", "und"}
    assert report.correction.languages == ("en", "und")
    assert gains["en"].gain_1.low > 0.5
    assert gains["de"].on is False
    assert gains["und"].n == gains["en"].n + gains["de"].n == PICTURES
    assert gains["en"].pictures == report.held_out_pictures == report.fit_pictures == PICTURES // 2
    assert report.searched == PICTURES + HUBS
    assert report.before.alarm is not None
    assert report.before.top_item_share > 5 * report.after.top_item_share
    assert report.hub is not None
    assert Path(collection.get(report.hub).source.path).stem.startswith("hub")
    assert hubs_first(collection, None) == 0


def test_scores_and_confidence_stay_those_of_cosines(collection: Collection) -> None:
    before = collection.search(body(5, "en"), language="en", mode="vector", k=PICTURES + HUBS)
    cosines = {hit.item.id: hit.score for hit in before.hits}
    collection.tune_hubness("en")
    after = collection.search(body(5, "en"), language="en", mode="vector", k=PICTURES + HUBS)
    assert {hit.item.id: hit.score for hit in after.hits} == pytest.approx(cosines)
    assert names(before) != names(after)
    for hit in after.hits:
        for reason in hit.why:
            if reason.ranking == "image":
                assert reason.score == pytest.approx(cosines[hit.item.id])


def test_pictures_vectors_and_mixtures_are_ranked_as_before(collection: Collection) -> None:
    item = next(collection.items())
    vector = np.ones(32)
    hub = next(item for item in collection.items() if "hub" in item.source.path)

    def results() -> list[list[str]]:
        return [
            names(collection.similar(item.id)),
            names(collection.search(vector=vector, language="en")),
            names(
                collection.search(body(1, "en"), minus=[Term(item_id=hub.id)], language="en", mode="vector")
            ),
            names(
                collection.search(body(1, "en"), plus=[Term(item_id=hub.id)], language="en", mode="vector")
            ),
            names(collection.search(body(1, "en"), minus=[body(2, "en")], language="en", mode="vector")),
            names(collection.search(body(1, "en"), language="en", mode="text")),
        ]

    before = results()
    assert collection.tune_hubness("en").on
    assert results() == before


def test_a_filter_acts_before_it_and_k_may_exceed_the_collection(
    collection: Collection, report: HubnessReport
) -> None:
    wanted = "path contains 'hub' or path contains 'p01'"
    result = collection.search(body(5, "en"), language="en", mode="vector", where=wanted, k=10_000)
    assert sorted(names(result)) == sorted(
        name for item in collection.items() if (name := Path(item.source.path).stem)[:3] in ("hub", "p01")
    )
    assert len(collection.search(body(5, "en"), language="en", k=10_000).hits) == PICTURES + HUBS
    assert len(collection.search(body(5, "en"), language="en", k=1).hits) == 1


def test_removed_and_added_pictures_are_no_trouble(collection: Collection, report: HubnessReport) -> None:
    result = collection.search(body(5, "en"), language="en", mode="vector", k=3)
    collection.remove(result.hits[0].item.id)
    assert names(collection.search(body(5, "en"), language="en", mode="vector", k=3))[0] != names(result)[0]
    vector = collection.encoder.encode_texts([body(7, "en")])
    collection.import_vectors(vector, ["/pictures/new.jpg"], encoder="planted")
    found = collection.search(body(7, "en"), language="en", mode="vector", k=PICTURES)
    (place,) = (hit.why[0] for hit in found.hits if hit.item.source.path == "/pictures/new.jpg")
    assert place.ranking == "image"
    assert place.rank <= 2


def _tune(folder: Path, on: bool) -> None:
    with Collection.open(folder) as collection:
        assert collection.tune_hubness("en").on if on else collection.untune_hubness()


@pytest.mark.parametrize("read_only", [False, True])
def test_another_process_turns_it_on_and_off(planted: tuple[Path, PlantedEncoder], read_only: bool) -> None:
    folder, encoder = planted
    processes = multiprocessing.get_context("spawn")
    with Collection.open(folder, model=encoder, read_only=read_only) as reader:
        before = firsts(reader, "en")
        for on in (True, False):
            process = processes.Process(target=_tune, args=(folder, on))
            process.start()
            process.join()
            assert process.exitcode == 0
            assert (firsts(reader, "en") == before) is not on
            assert (reader.info().hubness is not None) is on


def test_tuning_again_replaces_what_was_on(collection: Collection, report: HubnessReport) -> None:
    assert collection.tune_hubness("de").on is False
    assert collection.info().hubness is None
    assert hubs_first(collection, "en") > 8


def test_info_tells_what_was_measured(collection: Collection, report: HubnessReport) -> None:
    assert collection.info().hubness == report.correction


def test_the_same_seed_gives_the_same_and_another_another(collection: Collection) -> None:
    one, two, other = (collection.tune_hubness(seed=seed) for seed in (1, 1, 2))
    assert one.correction == two.correction
    assert (one.before, one.after) == (two.before, two.after)
    assert one.correction.gains != other.correction.gains


def test_another_encoder_does_not_use_it(collection: Collection, report: HubnessReport) -> None:
    """Not while it is on its way, and not after; the bank goes with its encoder."""
    with Catalog.open(collection.path, read_only=True) as catalog:
        (number,) = catalog.encoders()
        assert catalog.correction_number(number) is not None
        collection.reindex(OtherEncoder(), allow_missing=True, switch=False)
        assert hubs_first(collection, "en") == 0
        collection.reindex(OtherEncoder(), allow_missing=True)
        assert collection.info().hubness is None
        assert number not in catalog.encoders()
        assert catalog.correction_number(number) is None
        assert catalog.verify() == []


def test_it_is_there_again_when_a_kept_encoder_is(
    collection: Collection, planted: tuple[Path, PlantedEncoder]
) -> None:
    report = collection.tune_hubness("en")
    collection.reindex(OtherEncoder(), allow_missing=True, keep_old=True)
    assert collection.info().hubness is None
    collection.reindex(planted[1], allow_missing=True)
    assert collection.info().hubness == report.correction
    assert hubs_first(collection, "en") == 0


def test_nothing_is_turned_on_where_there_is_no_hub(tmp_path: Path) -> None:
    encoder = plant(tmp_path / "even", hubs=0)
    with Collection.open(tmp_path / "even", model=encoder) as collection:
        before = firsts(collection, "en")
        report = collection.tune_hubness()
        assert report.on is False
        assert report.correction.languages == ()
        assert report.before.alarm is None
        assert collection.info().hubness is None
        assert firsts(collection, "en") == before


def test_held_out_pictures_do_not_gain_from_having_no_caption_in_the_bank(tmp_path: Path) -> None:
    """If a picture paid for its own caption, the right answers, which have none in the bank, would all rise."""
    encoder = plant(tmp_path / "even", hubs=0, noise=1.5, pictures=1000)
    with Collection.open(tmp_path / "even", model=encoder) as collection:
        for seed in (2, 3):
            report = collection.tune_hubness(seed=seed)
            assert 0.5 < report.correction.gains[0].hit_rate_1 < 0.6
            assert report.on is False


def test_copies_of_a_picture_are_one_answer(tmp_path: Path) -> None:
    """Else a copy that comes first would count as a miss, and captions would count against the copy."""
    encoder = plant(tmp_path / "c")
    with Collection.open(tmp_path / "c", model=encoder) as collection:
        alone = collection.tune_hubness("de")
        assert alone.correction.gains[0].hit_rate_1 == 1.0
        with Catalog.open(collection.path) as catalog, catalog.transaction():
            (number,) = catalog.encoders()
            originals = [item for item in catalog.items() if "/p" in item.source.path[9:]]
            vectors = catalog.vectors_of(number, [item.id for item in originals])
            copies = [
                replace(
                    item, id=f"{item.id}-copy", source=replace(item.source, path=f"{item.source.path}.copy")
                )
                for item in originals
            ]
            catalog.put_items(copies)
            catalog.put_vectors(
                number, "image", [copy.id for copy in copies], np.stack([vectors[i.id] for i in originals])
            )
        again = collection.tune_hubness("de")
        assert again.searched == 2 * PICTURES + HUBS
        assert again.correction.gains[0].hit_rate_1 == 1.0


def test_what_cannot_be_measured_is_said(tmp_path: Path, collection: Collection) -> None:
    with pytest.raises(CollectionError, match="0 in hi"):
        collection.tune_hubness(["en", "hi"])
    with pytest.raises(UnknownLanguageError):
        collection.tune_hubness("klingon")
    with pytest.raises(ValueError, match="bank"):
        collection.tune_hubness(bank=1)
    plant(tmp_path / "small", pictures=30)
    with (
        Collection.open(tmp_path / "small") as small,
        pytest.raises(CollectionError, match=r"at least 50 .* 30 in en, 30 in de"),
    ):
        small.tune_hubness()
    with (
        Collection.open(tmp_path / "empty") as empty,
        pytest.raises(CollectionError, match="no vectors"),
    ):
        empty.tune_hubness()
    with Catalog.open(collection.path) as other, other.writing(), pytest.raises(CollectionLockedError):
        collection.tune_hubness("en")


def test_only_captions_of_people_that_are_ok_count(collection: Collection) -> None:
    with Catalog.open(collection.path) as catalog, catalog.transaction():
        (encoder,) = catalog.encoders()
        assert len(catalog.human_captions(encoder)) == 2 * PICTURES
        for texts in catalog.texts_of([item.id for item in catalog.items()], "de").values():
            catalog.put_texts([replace(one, status="failed", reason="looped") for one in texts])
        assert len(catalog.human_captions(encoder)) == PICTURES
    report = collection.tune_hubness()
    assert [gain.language for gain in report.correction.gains] == ["en", "und"]


def test_languages_with_few_captions_are_left_out_and_named(collection: Collection) -> None:
    with Catalog.open(collection.path) as catalog:
        (encoder,) = catalog.encoders()
        ids = [item.id for item in catalog.items()][:10]
        rows = catalog.put_texts([text(item_id, "mot", "fr") for item_id in ids])
        catalog.put_vectors(encoder, "text", rows, np.eye(32)[:10])
    report = collection.tune_hubness()
    assert report.left_out == {"fr": 10}
    assert "fr" not in [gain.language for gain in report.correction.gains]


def test_facts_survive_as_json(report: HubnessReport) -> None:
    assert CorrectionInfo.from_json(report.correction.to_json()) == report.correction
    assert json.loads(report.correction.to_json())["method"] == report.correction.method
