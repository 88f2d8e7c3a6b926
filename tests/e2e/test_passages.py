"""Manuals and questions in different languages, as a user meets them: a hub, a miniature of E5, real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("onnxscript", reason="exporting the checkpoint needs pip install 'babelens[torch]'")
pytest.importorskip("torch", reason="the checkpoint needs pip install 'babelens[torch]'")
pytest.importorskip("transformers", reason="the checkpoint needs pip install 'babelens[torch]'")

from babelens.models.passages import DEFAULT_PASSAGE_MODEL, read_passage_catalog
from tests.checkpoints import passages
from tests.e2e.test_cli import Home
from tests.hub import Hub, running_hub
from tests.vocabulary import LANGUAGES, word

PART = read_passage_catalog()[DEFAULT_PASSAGE_MODEL].sources[0].part
OFFLINE = {"HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = passages.add_onnx(passages.thesaurus(tmp_path_factory.mktemp("published") / "thesaurus"))
    for decoy in ("onnx/model_O4.onnx", "pytorch_model.bin", "onnx/tokenizer.json"):
        (folder / decoy).write_bytes(b"not asked for")
    return folder


@pytest.fixture
def hub(published: Path) -> Iterator[Hub]:
    with running_hub() as server:
        server.repositories[PART.repo] = published
        server.commits[PART.repo] = PART.revision
        yield server


@pytest.fixture
def home(tmp_path: Path, hub: Hub) -> Home:
    """A German manual of which one passage alone is about a fuse, and a Japanese one of other things."""
    home = Home(tmp_path)
    home.environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
    home.environment |= {"BABELENS_CACHE": str(tmp_path / "cache"), "BABELENS_MODEL": "mini"}
    manuals = tmp_path / "manuals"
    manuals.mkdir()
    german = [
        ("fuse", "pump"),
        ("lamp", "battery"),
        ("coffee", "water"),
        ("wheel", "screw"),
        ("filter", "clean"),
    ]
    for language, pairs in (("de", german), ("ja", german[1:])):
        parts = [
            f"# {word(one, language)}\n\n{word(one, language)} {word(two, language)} ." for one, two in pairs
        ]
        (manuals / f"{language}.md").write_text("\n\n".join(parts), encoding="utf-8")
    return home


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_a_question_in_any_language_finds_the_german_passage(home: Home, runtime: str) -> None:
    home.environment["BABELENS_RUNTIME"] = runtime
    home.run("index", "manuals", "--passage-model", DEFAULT_PASSAGE_MODEL)
    (info,) = home.lines("info")
    assert (info["passages"]["encoded"], info["passages"]["total"]) == (9, 9)
    assert info["passages"]["encoder"]["revision"] == "catalogue"
    (verified,) = home.lines("verify")
    assert verified["ok"]
    home.environment |= OFFLINE
    for language in LANGUAGES:
        question = f"{word('fuse', language)} {word('pump', language)}"
        best, *_ = home.lines("search", question, "--lang", language, "--kinds", "passage")
        assert best["path"].endswith("de.md"), language
        assert "Sicherung Pumpe" in best["text"]
        assert "passage" in {reason["ranking"] for reason in best["why"]}
        assert best["confident"]


def test_a_model_that_is_here_is_used_without_being_asked_for(home: Home, hub: Hub) -> None:
    home.run("index", "manuals")
    assert home.lines("info")[0]["passages"] is None
    done = home.run("search", "फ्यूज पंप", "--kinds", "passage")
    assert "only passages in the question's own language" in done.stderr
    rows = {row["name"]: row for row in home.lines("models")}
    assert (rows[DEFAULT_PASSAGE_MODEL]["encodes"], rows[DEFAULT_PASSAGE_MODEL]["here"]) == (
        "passages",
        False,
    )
    (pulled,) = home.lines("models", "pull", DEFAULT_PASSAGE_MODEL)
    assert sorted(Path(pulled["folders"][0]).rglob("*.onnx")) == [
        Path(pulled["folders"][0]) / "onnx" / "model.onnx"
    ]
    named = {name for file in PART.files for name in file.removesuffix("?").split("|")}
    assert set(hub.fetched()) <= {Path(name).name for name in named}
    home.environment |= OFFLINE
    rows = {row["name"]: row for row in home.lines("models")}
    assert rows[DEFAULT_PASSAGE_MODEL]["here"]
    assert DEFAULT_PASSAGE_MODEL in home.run("models").stdout
    hub.requests.clear()
    (report,) = home.lines("index", "manuals")
    assert any("9 passages were encoded" in note for note in report["notes"])
    assert not hub.requests
    shown = home.run("search", "फ्यूज पंप", "--kinds", "passage")
    assert "only passages" not in shown.stderr
    assert "Sicherung Pumpe" in shown.stdout
    assert "passage" in home.run("info").stdout


def test_a_name_that_nobody_knows_changes_nothing(home: Home) -> None:
    done = home.run("index", "manuals", "--passage-model", "multilingual-e5-smal", code=1)
    assert DEFAULT_PASSAGE_MODEL in done.stderr
    home.run("info", code=1)


def test_without_a_hub_the_message_says_so(home: Home, hub: Hub) -> None:
    hub.broken = True
    done = home.run("index", "manuals", "--passage-model", DEFAULT_PASSAGE_MODEL, code=1)
    assert PART.repo in done.stderr
