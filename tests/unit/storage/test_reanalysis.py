"""Full text of an older analysis is made anew on the first opening for writing, and a stop loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from babelens.errors import CollectionError
from babelens.storage import Catalog, fulltext, reanalysis
from tests.catalogs import text
from tests.old_catalogs import old_catalog


def test_a_catalog_of_the_old_analysis_is_brought_up_to_date(tmp_path: Path) -> None:
    old_catalog(tmp_path, 50)
    with pytest.raises(CollectionError, match="older") as caught:
        Catalog.open(tmp_path, read_only=True)
    assert "compact" in str(caught.value.hint)
    told: list[tuple[int, int | None]] = []
    with Catalog.open(
        tmp_path, progress=lambda done, total=None, note="": told.append((done, total))
    ) as catalog:
        assert told[-1] == (101, 101)
        assert len(catalog.search_words("zebra", k=100)) == 50
        assert catalog.verify() == []
        catalog.put_texts([text("i1", "a lion")])
        assert catalog.search_words("lions", k=1)[0].item_id == "i1"
    told.clear()
    with Catalog.open(tmp_path, progress=lambda done, total=None, note="": told.append((done, total))):
        assert told == []
    with Catalog.open(tmp_path, read_only=True) as reader:
        assert len(reader.search_words("zebra", k=100)) == 50


def test_a_later_analysis_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_catalog(tmp_path, 5)
    Catalog.open(tmp_path).close()
    monkeypatch.setattr(fulltext, "ANALYSIS", fulltext.ANALYSIS + 1)
    with pytest.raises(CollectionError, match="older"):
        Catalog.open(tmp_path, read_only=True)
    with Catalog.open(tmp_path) as catalog:
        assert catalog.verify() == []
        assert len(catalog.search_words("zebra", k=9)) == 5


class _StoppedError(Exception):
    pass


def test_an_interrupted_analysis_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_catalog(tmp_path, 50)
    monkeypatch.setattr(reanalysis, "_BATCH", 10)
    for batches in (1, 5, 8):  # in the texts twice, then among the file names

        def stop(done: int, total: int | None = None, note: str = "", batches: int = batches) -> None:
            if done >= 10 * batches:
                raise _StoppedError

        with pytest.raises(_StoppedError):
            Catalog.open(tmp_path, progress=stop)
        with pytest.raises(CollectionError, match="older"):
            Catalog.open(tmp_path, read_only=True)
    told: list[int] = []
    with Catalog.open(tmp_path, progress=lambda done, total=None, note="": told.append(done)) as catalog:
        assert told[0] > 80  # not from the beginning
        assert told[-1] == 101
        assert catalog.verify() == []
