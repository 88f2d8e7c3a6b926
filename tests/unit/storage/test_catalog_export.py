"""What people take away can be read without Babelens."""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from babelens.storage import Catalog
from babelens.storage.export import export_catalog
from babelens.types import Text
from tests.catalogs import DIM, ENCODER, fill, make_item, text


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    fill(catalog, ["a", "b", "c"])
    catalog.put_texts(
        [
            text("a", 'a "zebra", twice\nin two lines'),
            text("a", "second"),
            text("a", "シマウマ", "ja"),
            Text("b", "ja", "zebra", "translation", "wrong-script"),
        ]
    )
    catalog.put_items([make_item("d", path="/caf\udce9.jpg")])
    return catalog


def test_an_export(filled: Catalog, tmp_path: Path) -> None:
    out = tmp_path / "out"
    seen = []

    def write_index(path: Path, rows: np.ndarray) -> None:
        seen.append(rows.shape)
        path.write_bytes(b"index")

    report = export_catalog(filled, out, encoder=1, write_index=write_index, about={"version": "0"})
    assert (report.path, report.items, report.captions, report.vectors) == (out, 4, 3, 3)
    assert set(report.files) == {path.name for path in out.iterdir()}
    with (out / "captions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["id", "filename", "caption_en", "caption_ja"],
        ["a", "/pictures/a.jpg", 'a "zebra", twice\nin two lines', "シマウマ"],
        ["a", "/pictures/a.jpg", "second", ""],
        ["b", "/pictures/b.jpg", "", ""],
        ["c", "/pictures/c.jpg", "", ""],
        ["d", "/caf\\udce9.jpg", "", ""],
    ]
    vectors = np.load(out / "image_embeddings.npy")
    assert seen == [vectors.shape] == [(3, DIM)]
    assert vectors.dtype == np.float32
    ids = (out / "ids.txt").read_text().splitlines()
    for item_id, vector in filled.vectors_of(1, ids).items():
        np.testing.assert_array_equal(vectors[ids.index(item_id)], vector)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["encoder"]["name"] == ENCODER.name
    assert manifest["version"] == "0"
    for name, entry in manifest["files"].items():
        assert entry["sha256"] == hashlib.sha256((out / name).read_bytes()).hexdigest()


def test_a_zip(filled: Catalog, tmp_path: Path) -> None:
    report = export_catalog(filled, tmp_path / "out", encoder=1, as_zip=True)
    assert report.path == tmp_path / "out.zip"
    with zipfile.ZipFile(report.path) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(report.files)
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out.zip"]


def test_an_export_that_fails_leaves_the_last_one(filled: Catalog, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_catalog(filled, out, encoder=1)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    filled.remove_items(["a"])

    def broken(path: Path, rows: np.ndarray) -> None:
        raise RuntimeError("no index today")

    with pytest.raises(RuntimeError):
        export_catalog(filled, out, encoder=1, write_index=broken)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    export_catalog(filled, out, encoder=1)
    assert json.loads((out / "manifest.json").read_text())["items"] == 3
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "collection") == ["out"]


def test_an_empty_catalog_exports_too(catalog: Catalog, tmp_path: Path) -> None:
    encoder = catalog.encoder_id(ENCODER)
    report = export_catalog(catalog, tmp_path / "out", encoder=encoder)
    assert (report.items, report.vectors) == (0, 0)
    assert np.load(tmp_path / "out" / "image_embeddings.npy").shape == (0, DIM)
