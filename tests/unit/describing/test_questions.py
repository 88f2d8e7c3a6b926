"""Questions translated by what is on this machine, laid out as the hub's cache is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from babelens.describing.questions import QuestionTranslator
from babelens.errors import WeightsUnavailableError
from babelens.models.translators import find_translator
from tests.hub import COMMIT

pytest.importorskip("torch", reason="needs pip install 'babelens[torch]'")
pytest.importorskip("transformers", reason="needs pip install 'babelens[torch]'")


@pytest.fixture
def cached(
    tmp_path: Path, writers: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Puts the small Marian into the cache under a repository's name."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("BABELENS_CACHE", str(tmp_path / "cache"))

    def put(repo: str) -> Path:
        home = tmp_path / "hub" / f"models--{repo.replace('/', '--')}"
        (home / "refs").mkdir(parents=True)
        (home / "refs" / "main").write_text(COMMIT)
        return shutil.copytree(writers("marian"), home / "snapshots" / COMMIT)

    return put


def test_only_what_is_here_translates(cached: Callable[[str], Path]) -> None:
    assert find_translator("en", "de") is None
    cached("Helsinki-NLP/opus-mt-en-de")
    assert find_translator("en", "de") == "opus-mt-en-de"
    assert find_translator("de", "en") is None
    translate = QuestionTranslator()
    assert translate("where is the fuse?", "de", "en") is None
    made = translate("where is the fuse?", "en", "de")
    assert made is not None
    assert (made.model, made.source, made.target) == ("opus-mt-en-de", "en", "de")
    assert made.status == "ok" or made.reason
    assert translate("where is the fuse?", "en", "de") == made


def test_a_model_for_any_pair_is_found_for_every_pair_but_none_that_must_be_named(
    cached: Callable[[str], Path],
) -> None:
    cached("facebook/nllb-200-distilled-600M")
    assert find_translator("ja", "en") is None
    cached("facebook/m2m100_418M")
    assert find_translator("ja", "en") == "m2m100-418m"
    cached("Helsinki-NLP/opus-mt-en-de")
    assert find_translator("en", "de") == "opus-mt-en-de", "the pair's own first"


def test_damaged_files_are_an_error_that_names_them(cached: Callable[[str], Path]) -> None:
    folder = cached("Helsinki-NLP/opus-mt-en-de")
    weights = next(folder.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(WeightsUnavailableError, match=COMMIT):
        QuestionTranslator()("where is the fuse?", "en", "de")
