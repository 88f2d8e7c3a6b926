from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from babelens.errors import UnknownModelError, WeightsUnavailableError
from babelens.languages import LANGUAGES
from babelens.models.passages import (
    DEFAULT_PASSAGE_MODEL,
    PassageRow,
    is_passage_encoder_here,
    list_passage_encoders,
    load_passage_encoder,
    pull_passage_encoder,
    read_passage_catalog,
)

ROWS = read_passage_catalog()
DOCS = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_rows_are_whole(row: PassageRow) -> None:
    assert set(row.languages) <= set(LANGUAGES)
    assert row.query_prefix != row.passage_prefix
    for source in row.sources:
        assert re.fullmatch("[0-9a-f]{40}", source.part.revision), "pinned"
        weights = "onnx/model.onnx" if source.runtime == "onnx" else "model.safetensors"
        assert {"modules.json", "tokenizer.json", "1_Pooling/config.json", weights} <= set(source.part.files)


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_the_table_in_the_docs_says_the_same(row: PassageRow) -> None:
    (line,) = [line for line in DOCS.splitlines() if line.startswith(f"| `{row.name}` |")]
    for value in (row.licence, row.dim, row.max_tokens):
        assert f"| {value} |" in line


@pytest.mark.usefixtures("empty_cache")
def test_what_is_not_here_is_said_to_be_missing_and_nobody_is_asked() -> None:
    assert not is_passage_encoder_here(DEFAULT_PASSAGE_MODEL)
    assert not is_passage_encoder_here("no-such-model")
    assert [row.here for row in list_passage_encoders()] == [False] * len(ROWS)
    with pytest.raises(WeightsUnavailableError) as error:
        load_passage_encoder(DEFAULT_PASSAGE_MODEL, fetch=False)
    assert f"models pull {DEFAULT_PASSAGE_MODEL}" in str(error.value.hint)


def test_unknown_names_suggest_known_ones() -> None:
    for load in (load_passage_encoder, pull_passage_encoder):
        with pytest.raises(UnknownModelError, match="multilingual-e5-smal") as error:
            load("multilingual-e5-smal")
        assert DEFAULT_PASSAGE_MODEL in f"{error.value.message} {error.value.hint}"


def test_a_folder_without_a_text_tower_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match="no model that Babelens knows"):
        load_passage_encoder(tmp_path)


def test_a_folder_says_its_prefixes_or_bears_the_name_of_a_model_that_has_some(
    passage_folder: Path, tmp_path: Path
) -> None:
    import shutil

    named = load_passage_encoder(passage_folder)
    assert (named.query_prefix, named.passage_prefix) == ("query: ", "passage: ")
    other = shutil.copytree(passage_folder, tmp_path / "other")
    plain = load_passage_encoder(other)
    assert (plain.query_prefix, plain.passage_prefix) == ("", "")
    text = "A red car in front of a house"
    np.testing.assert_array_equal(plain.encode_queries([text]), plain.encode_passages([text]))
    np.testing.assert_allclose(
        plain.encode_queries(["query: " + text]), named.encode_queries([text]), atol=1e-6
    )
    (other / "config_sentence_transformers.json").write_text(
        '{"prompts": {"query": "ask: ", "document": "told: "}}'
    )
    stated = load_passage_encoder(other)
    assert (stated.query_prefix, stated.passage_prefix) == ("ask: ", "told: ")
