"""Every error that Babelens raises on purpose, in one tree.

    BabelensError
    ├── UnknownModelError          no such model; suggests near names
    ├── MissingExtraError          an optional dependency is needed; prints the install command
    ├── WeightsUnavailableError    the weights are not here and could not be fetched
    ├── ExportError                a model cannot be exported, or what was exported ranks otherwise
    ├── UnreadableFileError        a picture or data file cannot be read
    │   └── MalformedDataError     a data file breaks its format; names the line
    ├── DatasetError               a data set cannot be built or does not hold together
    ├── TrainingError              a training run cannot go on (NaN, wrong checkpoint)
    ├── GenerationError            a language model could not be asked, or what came back is no answer
    ├── InvalidQueryError          the query asks for something impossible
    │   ├── UnknownLanguageError   not one of the eight languages; suggests near tags
    │   ├── FilterError            a --where expression does not parse; points at the place
    │   └── UnknownItemError       no item has this id
    ├── EncoderMismatchError       vectors of two encoders would mix
    ├── ServiceError               the HTTP service cannot start as it was asked to, or cannot answer now
    └── CollectionError            a collection cannot be opened, read or written
        ├── CollectionNotFoundError
        ├── CollectionLockedError  another process is writing
        ├── CorruptCatalogError    the catalog is damaged; it is never overwritten
        ├── CorruptIndexError      a derived index file is damaged; it is rebuilt
        ├── IncompleteReindexError too many pictures have no vector of the new encoder
        └── StorageFullError       no space left; everything committed before is kept

The library raises these; only the command line and the HTTP service turn them into exit codes and statuses.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class BabelensError(Exception):
    """Base of all errors raised on purpose.

    The message says what happened and where; ``hint`` says what to do about it.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


def near(name: str, known: Iterable[str]) -> str | None:
    """A hint naming the known names closest to ``name``, or all of them when none is close."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Known: {', '.join(known)}." if known else None


class UnknownModelError(BabelensError):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"There is no model named {name!r}, nor a model folder there.", hint=near(name, known)
        )


class MissingExtraError(BabelensError):
    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"This needs the package {package!r}, which is not installed.",
            hint=f"Install it with: pip install 'babelens[{extra}]'",
        )


class WeightsUnavailableError(BabelensError):
    pass


class ExportError(BabelensError):
    pass


class UnreadableFileError(BabelensError):
    """``path`` cannot be read; ``reason`` is a short phrase that skip reports count by."""

    def __init__(self, path: str | Path, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = path
        self.reason = reason


class MalformedDataError(UnreadableFileError):
    def __init__(self, path: str | Path, line: int, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}, line {line}", reason, hint=hint)
        self.path = path
        self.line = line


class DatasetError(BabelensError):
    pass


class TrainingError(BabelensError):
    pass


class GenerationError(BabelensError):
    """``partial`` is what the model had written when it failed; empty when it had written nothing."""

    def __init__(self, message: str, *, hint: str | None = None, partial: str = "") -> None:
        super().__init__(message, hint=hint)
        self.partial = partial


class InvalidQueryError(BabelensError):
    pass


class UnknownLanguageError(InvalidQueryError):
    def __init__(self, tag: str, known: Iterable[str]) -> None:
        super().__init__(f"{tag!r} is not one of the languages Babelens knows.", hint=near(tag, known))


class FilterError(InvalidQueryError):
    """A filter expression does not parse. ``position`` counts characters from 0."""

    def __init__(self, expression: str, position: int, reason: str) -> None:
        super().__init__(
            f"The filter is not understood: {reason}.", hint=f"  {expression}\n  {' ' * position}^"
        )
        self.expression = expression
        self.position = position


class UnknownItemError(InvalidQueryError):
    pass


class EncoderMismatchError(BabelensError):
    pass


class ServiceError(BabelensError):
    pass


class CollectionError(BabelensError):
    pass


class CollectionNotFoundError(CollectionError):
    pass


class CollectionLockedError(CollectionError):
    pass


class CorruptCatalogError(CollectionError):
    pass


class CorruptIndexError(CollectionError):
    pass


class IncompleteReindexError(CollectionError):
    pass


class StorageFullError(CollectionError):
    pass
