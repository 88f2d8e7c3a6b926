"""Data to fine-tune on, drawn once a session."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def _decoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _cache(_decoded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded pictures stay out of the user's cache, and are decoded once a session."""
    monkeypatch.setenv("BABELENS_CACHE", str(_decoded))
    monkeypatch.setenv("BABELENS_DEVICE", "cpu")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 drawings to train with, 24 to validate and 48 to test with, each with two captions in English and German."""
    pytest.importorskip("torch", reason="fine-tuning needs pip install 'babelens[torch]'")
    from tests import tuning

    return tuning.write_data(tmp_path_factory.mktemp("shapes"))
