"""``Collection.tune_index``: what is measured on a collection, what is kept of it, and who keeps to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from babelens.collection import Collection, IndexStudy, StudyPlan
from babelens.errors import CollectionError, InvalidQueryError
from babelens.indexes import files
from babelens.indexes.faiss import FaissIndex
from babelens.indexes.setting import Grid, Setting, Tuned
from babelens.search import upkeep
from babelens.search.tuned import read_tuned, write_tuned
from babelens.storage import Catalog
from babelens.types import Modality
from babelens.vectors import Floats, normalize
from tests.catalogs import text
from tests.conftest import FakeEncoder, OtherEncoder

N, DIM = 12_000, 51  # more than are searched from memory, fewer than get a graph by themselves
GRID = Grid(kinds=("hnsw",), m=(6,), ef_construction=(20,), ef_search=(48, 96))
PLAN = StudyPlan(grid=GRID, target=0.9, queries=60)


def rows(n: int, seed: int) -> Floats:
    """Few directions in a large space, as real vectors are. Shape: (n, DIM)."""
    basis = np.random.default_rng(99).normal(size=(6, DIM))
    return normalize(np.random.default_rng(seed).normal(size=(n, 6)) @ basis)


def fill(collection: Collection, n: int, *, texts: int = 0, seed: int = 0) -> None:
    collection._space.record(FakeEncoder().fingerprint, "fake")
    names = [f"/pictures/{seed}-{row}.png" for row in range(n)]
    collection.import_vectors(rows(n, seed), names, encoder="fake")
    items = [item.id for _, item in zip(range(texts), collection.items(), strict=False)]
    catalog = collection._catalog
    (encoder,) = catalog.encoders()
    with catalog.transaction():
        written = catalog.put_texts([text(item, f"text {number}") for number, item in enumerate(items)])
        if written:
            catalog.put_vectors(encoder, "text", written, rows(texts, seed + 1000))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "c"
    with Collection.open(path, model=FakeEncoder()) as collection:
        fill(collection, N, texts=80)
    return path


@pytest.fixture
def collection(filled: Path, tmp_path: Path) -> Iterator[Collection]:
    """A copy of the filled one."""
    import shutil

    shutil.copytree(filled, tmp_path / "c")
    with Collection.open(tmp_path / "c", model=FakeEncoder()) as opened:
        yield opened


def small(path: Path, n: int, *, texts: int = 0) -> Collection:
    opened = Collection.open(path, model=FakeEncoder())
    fill(opened, n, texts=texts)
    return opened


def stored(collection: Collection) -> FaissIndex:
    loaded = files.load(collection.path, "image")
    assert loaded is not None
    assert isinstance(loaded.index, FaissIndex)
    return loaded.index


def a_setting(*, vectors: int = 8) -> Tuned:
    return Tuned(Setting("hnsw", 4, 20, 32, None, None, 0.1, 0.2, 1.0, 1.0, 1), 0.99, vectors, "2026-01-01")


# -- measuring and setting ---------------------------------------------------------------------------------


def test_the_smallest_good_setting_becomes_the_collections(collection: Collection) -> None:
    assert collection.info().indexes["image"].name == "exact"
    study = collection.tune_index(replace(PLAN, grid=replace(GRID, kinds=("hnsw", "hnsw-fp16"))))
    assert (study.vectors, study.held_out, study.built, study.planned) == (N - 60, 60, 2, 2)
    assert study.queries == {"text": 60, "image": 60}
    assert study.applied
    chosen = study.chosen
    assert chosen is not None
    assert chosen.kind == "hnsw-fp16"  # half the memory of the other
    indexes = collection.info().indexes
    info = indexes["image"]
    assert info.name.startswith("hnsw-fp16(m=6, ef_construction=20")
    assert info.tuned is not None
    assert (info.tuned.setting, info.tuned.target, info.tuned.vectors) == (chosen, 0.9, N - 60)
    assert indexes["text"].tuned is None
    with Collection.open(collection.path, read_only=True, create=False, model=FakeEncoder()) as reader:
        hits = reader.search(vector=rows(N, 0)[7], mode="vector", k=1).hits
    assert hits[0].item.source.path == "/pictures/0-7.png"
    collection.compact()
    index = stored(collection)
    assert (index.kind, index.parameters.m, len(index)) == (chosen.kind, chosen.m, N)
    assert index.parameters.ef_search >= chosen.ef_search


def test_a_dry_run_changes_nothing(collection: Collection) -> None:
    before = collection.info().indexes["image"]
    study = collection.tune_index(PLAN, apply=False)
    assert study.chosen is not None
    assert not study.applied
    assert collection.info().indexes["image"] == before


def test_a_reset_brings_back_what_size_and_memory_choose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FILE_LIMIT", 5)
    with small(tmp_path / "c", 40) as collection:
        collection.tune_index(PLAN, apply=False)
        assert collection.reset_index() is False
        (encoder,) = collection._catalog.encoders()
        write_tuned(collection._catalog, encoder, "image", a_setting())
        collection.compact()
        assert stored(collection).kind == "hnsw"
        assert collection.reset_index() is True
        info = collection.info().indexes["image"]
        assert (info.name, info.tuned) == ("exact", None)
        assert collection.tune_index(PLAN, apply=False).resumed == 0


def test_texts_can_be_given(tmp_path: Path) -> None:
    given = replace(PLAN, texts=["red", " red ", "", "blue", "पीला"])
    with small(tmp_path / "c", 100) as collection:
        assert collection.tune_index(given).queries == {"text": 3, "image": 10}
        assert collection.tune_index(replace(given, queries=2)).queries == {"text": 2, "image": 2}


# -- going on where it was stopped -------------------------------------------------------------------------


def test_a_stopped_study_goes_on_from_the_last_finished_graph(tmp_path: Path) -> None:
    def stop(study: IndexStudy) -> None:
        if study.built == 1:
            raise KeyboardInterrupt

    plan = replace(PLAN, grid=replace(GRID, m=(6, 12)))
    with small(tmp_path / "c", 300) as collection:
        with pytest.raises(KeyboardInterrupt):
            collection.tune_index(plan, on_rows=stop)
        study = collection.tune_index(plan)
    assert (study.resumed, study.built, study.planned) == (1, 2, 2)
    assert [row.m for row in study.rows] == [0, 6, 6, 12, 12]


def test_a_wider_grid_builds_only_what_is_new(tmp_path: Path) -> None:
    heard = set[int | None]()
    with small(tmp_path / "c", 300) as collection:
        first = collection.tune_index(PLAN)
        study = collection.tune_index(
            replace(PLAN, grid=replace(GRID, m=(6, 8, 12))),
            progress=lambda done, total=None, note="": heard.add(total),
        )
    assert (study.resumed, study.built, study.planned) == (1, 3, 3)
    assert study.rows[1:3] == first.rows[1:]
    assert heard == {2 * study.vectors}


@pytest.mark.parametrize("change", ["nothing", "add", "remove", "seed", "damage"])
def test_what_was_measured_on_something_else_is_of_no_use(tmp_path: Path, change: str) -> None:
    plan = PLAN
    with small(tmp_path / "c", 300) as collection:
        collection.tune_index(plan)
        if change == "add":
            collection.import_vectors(rows(1, 5), ["new"], encoder="fake")
        elif change == "remove":
            collection.remove(next(collection.items()).id)
        elif change == "seed":
            plan = replace(plan, seed=1)
        elif change == "damage":
            (journal,) = (collection.path / "indexes").glob("study-*.json")
            journal.write_text(journal.read_text(encoding="utf-8")[:-40], encoding="utf-8")
        assert collection.tune_index(plan).resumed == (change == "nothing")


def test_a_journal_that_cannot_be_written_is_told_of_and_no_more(tmp_path: Path) -> None:
    with small(tmp_path / "c", 300) as collection:
        (collection.path / "indexes" / "study-image.json.partial").mkdir(parents=True)
        study = collection.tune_index(PLAN)
    assert study.built == 1
    assert any("is not kept" in note for note in study.notes)


def test_the_journal_is_no_index_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "FILE_LIMIT", 5)
    with small(tmp_path / "c", 300) as collection:
        collection.tune_index(PLAN, apply=False)
        collection.compact()
        journal = json.loads((collection.path / "indexes" / "study-image.json").read_text(encoding="utf-8"))
        assert len(journal["rows"]) == 2
        assert collection.verify().ok


# -- what a setting does not serve -------------------------------------------------------------------------


@pytest.mark.parametrize("n", [4, 30])
def test_exact_search_wins_on_small_collections(tmp_path: Path, n: int) -> None:
    """Fewer vectors than k, too."""
    with small(tmp_path / "c", n, texts=4) as collection:
        study = collection.tune_index(PLAN)
        assert study.chosen is None
        assert not study.applied
        assert "Exact search wins" in study.why
        assert all(row.recall_text is not None and row.recall_text.value == 1.0 for row in study.rows)
        assert collection.info().indexes["image"].tuned is None


def test_without_texts_pictures_are_asked_and_it_says_so(tmp_path: Path) -> None:
    with small(tmp_path / "c", 100) as collection:
        study = collection.tune_index(PLAN)
    assert study.queries == {"image": 10}
    assert study.rows[1].recall_text is None
    assert study.rows[1].recall_image is not None
    assert any("no texts" in note for note in study.notes)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_an_empty_collection_has_nothing_to_tune(tmp_path: Path, modality: Modality) -> None:
    with (
        Collection.open(tmp_path / "c", model=FakeEncoder()) as collection,
        pytest.raises(CollectionError, match="nothing to tune"),
    ):
        collection.tune_index(replace(PLAN, modality=modality))


def test_too_few_vectors_and_no_texts(tmp_path: Path) -> None:
    with small(tmp_path / "c", 5) as collection, pytest.raises(CollectionError, match="nothing to ask"):
        collection.tune_index(PLAN)


@pytest.mark.parametrize("wrong", [{"target": 0.0}, {"target": 1.1}, {"queries": 0}, {"texts": ["", " "]}])
def test_plans_that_make_no_sense(tmp_path: Path, wrong: dict[str, object]) -> None:
    with small(tmp_path / "c", 30) as collection, pytest.raises(InvalidQueryError):
        collection.tune_index(replace(PLAN, **wrong))  # type: ignore[arg-type]


def test_the_index_of_texts_is_asked_with_texts_that_are_not_in_it(tmp_path: Path) -> None:
    with small(tmp_path / "c", 90, texts=80) as collection:
        study = collection.tune_index(replace(PLAN, modality="text"))
    assert (study.vectors, study.held_out) == (72, 8)
    assert study.queries == {"text": 8, "image": 60}


def test_a_setting_that_another_process_made_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FILE_LIMIT", 5)
    with small(tmp_path / "c", 40) as collection:
        assert collection.info().indexes["image"].name == "exact"
        with Catalog.open(collection.path) as other:
            (encoder,) = other.encoders()
            write_tuned(other, encoder, "image", a_setting())
        collection.import_vectors(rows(1, 5), ["new"], encoder="fake")
        assert stored(collection).parameters.m == 4
        inode = next((collection.path / "indexes").glob("*.index")).name
        collection.import_vectors(rows(1, 6), ["newer"], encoder="fake")
        assert next((collection.path / "indexes").glob("*.index")).name == inode, (
            "it is not built again and again"
        )


def test_a_collection_that_has_shrunk_chooses_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FILE_LIMIT", 5)
    with small(tmp_path / "c", 40) as collection:
        (encoder,) = collection._catalog.encoders()
        write_tuned(collection._catalog, encoder, "image", a_setting(vectors=81))
        collection.compact()
        info = collection.info().indexes["image"]
    assert info.name == "exact"
    assert "81 vectors" in str(info.why)


# -- another encoder ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_old", [False, True])
def test_a_setting_belongs_to_one_encoder(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, keep_old: bool
) -> None:
    monkeypatch.setattr(upkeep, "FILE_LIMIT", 5)
    with Collection.open(tmp_path / "c", model=FakeEncoder()) as collection:
        collection.add(pictures)
        (encoder,) = collection._catalog.encoders()
        write_tuned(collection._catalog, encoder, "image", a_setting())
        collection.compact()
        assert collection.info().indexes["image"].name.startswith("hnsw(m=4")
        report = collection.reindex(OtherEncoder(), keep_old=keep_old)
        assert any("tune index" in note for note in report.notes)
        assert collection.info().indexes["image"].name == "exact"
        assert collection.info().indexes["image"].tuned is None
        assert (read_tuned(collection._catalog, encoder, "image") is not None) == keep_old
        collection.reindex(FakeEncoder())
        assert (collection.info().indexes["image"].tuned is not None) == keep_old
        assert collection.info().indexes["image"].name.startswith("hnsw" if keep_old else "exact")
