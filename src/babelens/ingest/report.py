"""What a run did, and what of it the user should know."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..models.protocols import Encoder
from ..storage.rows import FileState
from ..types import IngestReport, Skip
from .decode import NOT_A_PICTURE


@dataclass(slots=True)
class Tally:
    """Counts of files, and of what was in documents. ``others`` do not even claim to be pictures; ``photographs`` are
    known by their EXIF."""

    added: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    others: int = 0
    jpegs: int = 0
    photographs: int = 0
    pages: int = 0
    passages: int = 0
    figures: int = 0
    pages_by_ocr: int = 0
    pages_unread: int = 0
    doubtful_lines: int = 0
    skipped: list[Skip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def skip(self, state: FileState) -> None:
        if state.reason == NOT_A_PICTURE:
            self.others += 1
        else:
            self.skipped.append(Skip(state.path, state.reason or "cannot be read"))

    def take_in(self, other: Tally) -> None:
        """Adds the counts of one commit."""
        self.added += other.added
        self.updated += other.updated
        self.moved += other.moved
        self.removed += other.removed
        self.unchanged += other.unchanged
        self.others += other.others
        self.jpegs += other.jpegs
        self.photographs += other.photographs
        self.pages += other.pages
        self.passages += other.passages
        self.figures += other.figures
        self.pages_by_ocr += other.pages_by_ocr
        self.pages_unread += other.pages_unread
        self.doubtful_lines += other.doubtful_lines
        self.skipped += other.skipped

    def report(self, encoder: Encoder, *, texts: int, cut: int, seconds: float) -> IngestReport:
        """``texts`` were written; ``cut`` of them are longer than the encoder reads."""
        notes = list(self.notes)
        if self.others:
            notes.append(
                f"{self.others:,} other files were left out: they are neither pictures nor documents."
            )
        done = self.added + self.updated
        # A guess, and worded as one: flat art is rarely JPEG, and photographs mostly are.
        if not encoder.photographs and done and (self.photographs or 2 * self.jpegs > done):
            notes.append(
                "Many of these pictures look like photographs (JPEG, or made by a camera). The encoder "
                f"{encoder.fingerprint.name!r} was not trained on photographs: what it finds among them by meaning "
                "is not to be relied on. Search in captions and file names works."
            )
        if cut:
            notes.append(
                f"{cut:,} captions are longer than the {encoder.max_tokens} tokens the encoder takes: "
                "search by meaning sees a part of them, search by words all."
            )
        return IngestReport(
            added=self.added,
            updated=self.updated,
            moved=self.moved,
            removed=self.removed,
            unchanged=self.unchanged,
            texts=texts,
            pages=self.pages,
            passages=self.passages,
            figures=self.figures,
            skipped=tuple(self.skipped),
            notes=tuple(notes),
            seconds=seconds,
        )


def pictures(number: int) -> str:
    return f"{number:,} picture{'s' if number != 1 else ''}"
