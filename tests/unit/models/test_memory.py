from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from babelens.models.memory import TranslationMemory, cache_folder


def memory(folder: Path, *, source: str = "en", target: str = "de", revision: str = "1") -> TranslationMemory:
    return TranslationMemory(source=source, target=target, model="m", revision=revision, folder=folder)


def test_what_was_kept_is_recalled(tmp_path: Path) -> None:
    memory(tmp_path).keep({"a dog": "ein Hund", "": "", "😀 \ud800": "x"})
    assert memory(tmp_path).recall(["a dog", "a cat", "", "😀 \ud800"]) == {
        "a dog": "ein Hund",
        "": "",
        "😀 \ud800": "x",
    }


def test_language_model_and_revision_are_part_of_the_key(tmp_path: Path) -> None:
    memory(tmp_path).keep({"a dog": "ein Hund"})
    for other in (
        memory(tmp_path, source="fr"),
        memory(tmp_path, target="es"),
        memory(tmp_path, revision="2"),
    ):
        assert other.recall(["a dog"]) == {}


def test_many_at_once(tmp_path: Path) -> None:
    texts = {f"text {number}": f"Text {number}" for number in range(1203)}
    memory(tmp_path).keep(texts)
    assert memory(tmp_path).recall(list(texts)) == texts


def test_a_damaged_file_is_moved_aside(tmp_path: Path) -> None:
    memory(tmp_path).keep({"a dog": "ein Hund"})
    (tmp_path / "translations.db").write_bytes(b"no database at all" * 100)
    later = memory(tmp_path)
    assert later.recall(["a dog"]) == {}
    assert "was damaged" in later.notes[0]
    assert len(list(tmp_path.glob("translations.db.damaged-*"))) == 1
    later.keep({"a dog": "ein Hund"})
    assert memory(tmp_path).recall(["a dog"]) == {"a dog": "ein Hund"}


def test_a_file_with_bad_pages_is_moved_aside(tmp_path: Path) -> None:
    memory(tmp_path).keep({f"text {number}": "x" * 500 for number in range(200)})
    path = tmp_path / "translations.db"
    pages = bytearray(path.read_bytes())
    pages[4096:] = b"\xff" * (len(pages) - 4096)
    path.write_bytes(pages)
    later = memory(tmp_path)
    assert later.recall(["text 1"]) == {}
    assert "damaged" in later.notes[0]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    blocked = memory(tmp_path / "file")
    blocked.keep({"a dog": "ein Hund"})
    assert blocked.recall(["a dog"]) == {}
    assert len(blocked.notes) == 1
    assert "cannot be used" in blocked.notes[0]


def test_an_older_file_begins_anew(tmp_path: Path) -> None:
    memory(tmp_path).keep({"a dog": "ein Hund"})
    with sqlite3.connect(tmp_path / "translations.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert memory(tmp_path).recall(["a dog"]) == {}
    assert memory(tmp_path).notes == []


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from babelens.models.memory import TranslationMemory
memory = TranslationMemory(source="en", target="de", model="m", revision="1", folder=Path(sys.argv[1]))
for number in range(60):
    memory.keep({f"{sys.argv[2]} {number}": "x"})
    assert memory.recall([f"{sys.argv[2]} {number}"])
print(memory.notes)
"""
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name], stdout=subprocess.PIPE, text=True)
        for name in "abcd"
    ]
    assert [worker.communicate(timeout=60)[0].strip() for worker in workers] == ["[]"] * 4
    everything = [f"{name} {number}" for name in "abcd" for number in range(60)]
    assert len(memory(tmp_path).recall(everything)) == 240


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BABELENS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("BABELENS_CACHE")
    assert "babelens" in cache_folder().parts
