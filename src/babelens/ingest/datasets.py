"""Captions files of data sets: which pictures they name, and what they say about those in the collection."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import MalformedDataError
from ..sources.captions import CaptionedImage, Locator, read_captions
from ..storage.catalog import Catalog
from ..types import Skip
from .decode import SIDECAR
from .report import Tally, pictures
from .texts import TextWriter, Wish

_CHUNK: Final = 1000


class DataSets:
    """Finds the pictures beside a captions file, below ``roots``, and by name among the known files there."""

    def __init__(
        self, catalog: Catalog, texts: TextWriter, roots: Sequence[str], *, language: str | None
    ) -> None:
        self._catalog = catalog
        self._texts = texts
        self._roots = roots
        self._language = language

    def pictures_of(self, files: Sequence[str]) -> list[str]:
        """The pictures that captions files name, as far as they are there."""
        found: dict[str, None] = {}
        for file in files:
            locator = Locator(file, self._roots, dict)
            for row in read_captions(file, on_error=_ignore):
                path = locator.find(row.image)
                if path is not None:
                    found[path] = None
        return list(found)

    def read(
        self, files: Sequence[str], tally: Tally, report: Callable[[int, int | None, str], None]
    ) -> None:
        """Gives the captions to their pictures, and notes which of either are without the other."""
        counts = _Counts()
        for file in files:
            errors: list[Skip] = []
            locator = Locator(file, self._roots, self._paths_by_name)
            rows = read_captions(file, language=self._language, on_error=_collect(errors))
            done = 0
            while chunk := list(itertools.islice(rows, _CHUNK)):
                batch = self._texts.prepare(self._wishes(chunk, locator, counts))
                with self._catalog.transaction():
                    self._texts.commit(batch)
                done += len(chunk)
                report(done, None, "captions")
            tally.skipped += errors
        if counts.missing:
            named = f", such as {counts.example}" if counts.example else ""
            tally.notes.append(f"{pictures(counts.missing)} with captions cannot be found{named}.")
        if counts.absent:
            tally.notes.append(f"{pictures(counts.absent)} with captions are not in the collection.")
        if files and (bare := self._without_captions()):
            tally.notes.append(
                f"{pictures(bare)} in the collection {'has' if bare == 1 else 'have'} no caption."
            )

    def _wishes(self, chunk: list[CaptionedImage], locator: Locator, counts: _Counts) -> list[Wish]:
        located = [(locator.find(row.image), row) for row in chunk]
        known = self._catalog.files_at([path for path, _ in located if path])
        wishes = []
        for path, row in located:
            state = known.get(path) if path else None
            if path is None:
                counts.missing += 1
                counts.example = counts.example or row.image
            elif state is None or state.item_id is None:
                counts.absent += 1
            else:
                wishes.append(Wish(state.item_id, path, "human", row.captions))
        return wishes

    def _paths_by_name(self) -> dict[str, str | None]:
        """Known files by bare name; ``None`` where a name is not unique."""
        result: dict[str, str | None] = {}
        for root in self._roots or [os.sep]:
            for state in self._catalog.files_below(root):
                if state.item_id and state.reason != SIDECAR:
                    name = os.path.basename(state.path)
                    result[name] = state.path if name not in result else None
        return result

    def _without_captions(self) -> int:
        items = self._catalog.items(["image"])
        bare = 0
        while chunk := [item.id for item in itertools.islice(items, _CHUNK)]:
            texts = self._catalog.texts_of(chunk)
            bare += sum(not any(text.status == "ok" for text in texts.get(item_id, ())) for item_id in chunk)
        return bare


@dataclass(slots=True)
class _Counts:
    missing: int = 0
    absent: int = 0
    example: str = ""


def _ignore(_: MalformedDataError) -> None:
    """The line is reported when its captions are read."""


def _collect(errors: list[Skip]) -> Callable[[MalformedDataError], None]:
    return lambda error: errors.append(Skip(f"{error.path}, line {error.line}", error.reason))
