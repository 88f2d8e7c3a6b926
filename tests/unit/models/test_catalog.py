"""The catalogue as data: complete, and what it says of the bundled encoder is true."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from babelens.errors import WeightsUnavailableError
from babelens.languages import LANGUAGES
from babelens.models.catalog import CatalogRow, read_catalog
from babelens.models.registry import list_models, load_encoder

ROWS = read_catalog()
DOCS = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_names_are_those_that_were_promised() -> None:
    assert list(ROWS) == [
        "clip-multilingual",
        "clip-b32",
        "clip-l14",
        "openclip-b32-laion2b",
        "xlmr-b32-laion5b",
        "mclip-xlmr-b32",
        "siglip-multilingual",
        "siglip2-b32",
        "siglip2-b16",
        "mini",
    ]


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_row_is_complete(row: CatalogRow) -> None:
    assert row.description.endswith(".")
    assert set(row.languages) <= set(LANGUAGES)
    assert row.dim in (256, 512, 768)
    assert row.cut in ("end", "thinned")
    assert row.bundled == (not row.sources)
    for source in row.sources:
        assert source.runtime in ("onnx", "torch")
        assert source.bytes > 100_000_000
        for part in source.repositories:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+", part.repo)
            assert re.fullmatch(r"[0-9a-f]{40}|", part.revision)
            assert not all(file.endswith("?") for file in part.files)


@pytest.mark.parametrize("name", ["clip-b32", "nobody/nothing"])
def test_what_is_not_here_is_not_fetched_against_the_callers_will(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsUnavailableError, match="not on this machine") as error:
        load_encoder(name, fetch=False)
    assert f"models pull {name}" in str(error.value.hint)


def test_a_key_that_nobody_reads_is_an_error() -> None:
    table = tomllib.loads((resources.files("babelens.models") / "catalog.toml").read_text(encoding="utf-8"))
    known = {"name", *CatalogRow.__dataclass_fields__}
    for name, raw in table.items():
        assert set(raw) <= known, name


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_route_leads_to_a_model_with_the_same_picture_tower(row: CatalogRow) -> None:
    def towers(row: CatalogRow) -> set[tuple[str, str]]:
        return {(source.image.repo, source.image.revision) for source in row.sources if source.image.revision}

    for language, name in row.routes.items():
        other = ROWS[name]
        assert other is not row
        assert language in other.languages
        assert other.dim == row.dim
        assert towers(row) & towers(other)


def test_what_it_says_of_mini_is_what_mini_is() -> None:
    mini = load_encoder("mini")
    row = ROWS["mini"]
    assert (row.dim, row.image_size, row.max_tokens) == (
        mini.fingerprint.dim,
        mini.image_size,
        mini.max_tokens,
    )
    assert row.languages == mini.languages
    assert row.photographs == mini.photographs
    (info,) = [info for info in list_models() if info.name == "mini"]
    assert info.here
    assert info.folder is not None


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_the_table_in_the_docs_says_the_same(row: CatalogRow) -> None:
    (line,) = [line for line in DOCS.splitlines() if line.startswith(f"| `{row.name}` |")]
    assert row.licence.split(" (")[0] in line
    assert f"| {row.dim} |" in line
    assert f"| {row.image_size} |" in line
