from __future__ import annotations

from pathlib import Path

from babelens.languages import LANGUAGES
from babelens.models.writers import choose_files, list_writers, name_of


def test_rows_are_whole() -> None:
    rows = list_writers()
    assert {row.kind for row in rows} == {"captioner", "translator"}
    assert [row.name for row in rows if not row.commercial] == ["nllb-200-600m"]
    for row in rows:
        assert row.repo.count("/") == 1
        assert "config.json" in row.patterns
        assert set(row.languages) <= set(LANGUAGES)
        assert bool(row.pairs) == (row.kind == "translator")


def test_names() -> None:
    assert name_of("blip-base", "captioner") == "blip-base"
    assert name_of("Salesforce/blip-image-captioning-base", "captioner") == "blip-base"
    assert name_of("someone/else", "captioner") == "someone/else"


def test_a_folder_goes_before_a_name_only_when_it_holds_a_model(tmp_path: Path) -> None:
    assert name_of(tmp_path / "mine", "captioner") == str(tmp_path / "mine")
    (tmp_path / "mine").mkdir()
    assert name_of(tmp_path / "mine", "captioner") == "mine"


PATTERNS = ("config.json", "tokenizer*.json")
OTHERS = ["README.md", "config.json", "flax_model.msgpack", "tokenizer.json", "tokenizer_config.json"]


def test_one_kind_of_weights_is_fetched_and_last() -> None:
    small = ["config.json", "tokenizer.json", "tokenizer_config.json"]
    both = [*OTHERS, "model.safetensors", "pytorch_model.bin"]
    assert choose_files(both, PATTERNS) == [*small, "model.safetensors"]
    assert choose_files([*OTHERS, "pytorch_model.bin"], PATTERNS) == [*small, "pytorch_model.bin"]
    parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    sharded = [*OTHERS, "model.safetensors.index.json", *parts]
    assert choose_files(sharded, PATTERNS) == [*small, *parts, "model.safetensors.index.json"]
