"""The log of a training run, read back: one JSON object a line, of a validation each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import MalformedDataError, UnreadableFileError


def read_training_log(path: str | Path) -> list[dict[str, Any]]:
    """Entries by step, each with ``step``, ``train`` (values by name) and ``recall`` (by language, as shares with
    ``_low`` and ``_high``). A step that was done twice, by a run that was stopped and resumed, counts as it came last.

    Raises :class:`UnreadableFileError`, :class:`MalformedDataError` naming the line. The last line may be cut, as that
    of a run that was killed while it wrote.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableFileError(path, "not UTF-8") from error
    entries: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            if number == len(lines) and entries:
                break
            raise MalformedDataError(path, number, "not JSON") from error
        problem = _problem(entry)
        if problem:
            raise MalformedDataError(
                path, number, problem, hint="This reads the log.jsonl that `babelens train` writes."
            )
        entries[entry["step"]] = entry
    if not entries:
        raise UnreadableFileError(path, "holds no validation yet")
    return [entries[step] for step in sorted(entries)]


def _problem(entry: Any) -> str | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("step"), int):
        return "no step"
    if not isinstance(entry.get("train"), dict) or not all(map(_number, entry["train"].values())):
        return "no training values"
    recall = entry.get("recall")
    if not isinstance(recall, dict) or not recall:
        return "no recall by language"
    for language, row in recall.items():
        for direction in ("text_to_image", "image_to_text"):
            for key in ("n", f"{direction}_1", f"{direction}_1_low", f"{direction}_1_high"):
                if not isinstance(row, dict) or not _number(row.get(key)):
                    return f"recall in {language!r} lacks {key}"
    return None


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
