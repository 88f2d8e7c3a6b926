"""Captions in JSON: a record per line, or one document such as COCO's captions and Karpathy's splits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import MalformedDataError, UnreadableFileError
from .crossmodal import is_crossmodal, plain_fields
from .records import KNOWN_FORMATS, OnError, Record, from_fields


def json_lines(path: str | Path, file: Iterable[bytes], report: OnError) -> Iterator[Record]:
    for number, raw in enumerate(file, start=1):
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            if text:
                yield _from_record(json.loads(text), number)
        except UnicodeDecodeError:
            report(MalformedDataError(path, number, "not UTF-8 text"))
        except json.JSONDecodeError as error:
            report(MalformedDataError(path, number, f"not JSON: {error.msg} at column {error.colno}"))
        except RecursionError:
            report(MalformedDataError(path, number, "not JSON: nested too deeply"))
        except ValueError as error:
            report(MalformedDataError(path, number, str(error)))


def json_document(path: str | Path, file: Iterable[bytes], report: OnError) -> Iterator[Record]:
    """COCO (``images`` and ``annotations``), Karpathy's splits (``images`` with ``sentences``), or plain records."""
    try:
        document = json.loads(b"".join(file).decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise MalformedDataError(path, error.lineno, f"not JSON: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise MalformedDataError(path, 1, "not JSON in UTF-8") from error
    records = document if isinstance(document, list) else _coco_records(path, document, report)
    for number, record in enumerate(records, start=1):
        try:
            yield _from_record(record, number)
        except ValueError as error:
            report(MalformedDataError(path, 1, f"record {number}: {error}"))


def _from_record(fields: object, line: int) -> Record:
    return from_fields(plain_fields(fields) if is_crossmodal(fields) else fields, line)


def _coco_records(path: str | Path, document: Any, report: OnError) -> Iterator[Mapping[str, Any]]:
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, list):
        raise UnreadableFileError(path, "not a captions file that Babelens knows", hint=KNOWN_FORMATS)
    notes = [
        note for note in document.get("annotations") or [] if isinstance(note, dict) and "caption" in note
    ]
    bodies: dict[str, list[Any]] = {}
    for note in notes:
        bodies.setdefault(repr(note.get("image_id")), []).append(note["caption"])
    names: dict[str, set[str | None]] = {}
    for image in images:
        if isinstance(image, dict):
            names.setdefault(repr(image.get("id")), set()).add(_name_of(image))
    for key, captions in bodies.items():
        if key not in names:
            report(
                MalformedDataError(
                    path, 1, f"captions for a picture that is not listed: id {key} ({len(captions)})"
                )
            )
        elif len(names[key]) > 1:
            report(MalformedDataError(path, 1, f"the id {key} stands for {len(names[key])} pictures"))
    for image in images:
        if not isinstance(image, dict):
            yield {}
            continue
        key = repr(image.get("id"))
        own = bodies.get(key, []) if len(names[key]) == 1 else []
        sentences = [row.get("raw") for row in image.get("sentences") or [] if isinstance(row, dict)]
        split = {"split": image["split"]} if "split" in image else {}
        yield {"image": _name_of(image), "captions": own + sentences, **split}


def _name_of(image: Mapping[str, Any]) -> str | None:
    """COCO's ``file_name``, or Karpathy's ``filename`` below a ``filepath``."""
    name = image.get("file_name") or image.get("filename")
    if isinstance(name, str) and isinstance(image.get("filepath"), str):
        return f"{image['filepath']}/{name}"
    return name if isinstance(name, str) else None
