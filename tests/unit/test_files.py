from __future__ import annotations

from pathlib import Path

import pytest

from babelens.files import replace_text, replacing


def test_what_is_whole_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    replace_text(file, "before")
    with replacing(file) as new:
        new.write(b"aft")
        assert file.read_text() == "before"
        new.write(b"er")
    assert file.read_text() == "after"
    assert list(tmp_path.iterdir()) == [file]


def test_what_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    replace_text(file, "before")

    def write_half() -> None:
        with replacing(file) as new:
            new.write(b"half of")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_lone_surrogates_are_written_as_the_caller_says(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    with pytest.raises(UnicodeEncodeError):
        replace_text(file, "\udce9")
    assert not list(tmp_path.iterdir())
    replace_text(file, "\udce9", errors="backslashreplace")
    assert file.read_bytes() == b"\\udce9"
