"""The pictures and captions of a collection as arrays, and which captions belong to which pictures."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import numpy as np

from ..collection import Embeddings
from ..errors import DatasetError
from ..languages import LANGUAGES
from ..types import Item, Text
from ..vectors import Floats, Ids

Labels = Mapping[str, frozenset[str]]

_NONE: Final = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class CaptionSet:
    """The captions of one language. ``picture`` (n,) is the row of each one's picture; ``vectors`` is (n, dim).

    ``relevant`` are the pictures that each caption is true of, ``described`` (of every picture) the captions that
    are true of it: no more than its own, unless the data set says what each picture shows. ``related`` pictures show a
    part of what the caption names; known only where the data set says it.
    """

    language: str
    bodies: tuple[str, ...]
    picture: Ids
    vectors: Floats
    relevant: tuple[Ids, ...]
    related: tuple[Ids, ...]
    described: tuple[Ids, ...]

    def __len__(self) -> int:
        return len(self.bodies)

    @property
    def pictures(self) -> Ids:
        """The pictures that have a caption in this language."""
        return np.array([row for row, own in enumerate(self.described) if len(own)], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """What is searched: every picture once, however many copies there are. Shape: vectors (pictures, dim).

    ``rows`` maps the ids of all items, copies too, to rows. ``notes`` say what was left out and why.
    """

    items: tuple[Item, ...]
    vectors: Floats
    rows: Mapping[str, int]
    captions: Mapping[str, CaptionSet]
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A hash of the pictures' bytes and of their captions, independent of names and of order."""
        lines = [
            json.dumps([self.items[picture].source.sha256, language, body], ensure_ascii=False)
            for language, captions in self.captions.items()
            for body, picture in zip(captions.bodies, captions.picture.tolist(), strict=True)
        ]
        lines += [item.source.sha256 for item in self.items]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def build_corpus(
    embeddings: Embeddings, *, languages: Sequence[str] | None = None, labels: Labels | None = None
) -> Corpus:
    """The corpus of a collection: its pictures, and those of their captions that people wrote.

    ``labels`` says by file name what pictures show: a caption is then true of every picture that shows all that its
    own does. Without, it is true of its own picture alone. Raises :class:`DatasetError` when there is no picture or
    no caption to measure with.
    """
    notes: list[str] = []
    items, rows, chosen = _unique(embeddings.items, notes)
    by_language = _human(embeddings.texts, rows, notes)
    wanted = [tag for tag in LANGUAGES if tag in by_language and (languages is None or tag in languages)]
    missing = [tag for tag in languages or () if tag not in by_language]
    if missing:
        notes.append(f"There are no captions in {', '.join(missing)}.")
    if len(items) < 2 or not wanted:
        raise DatasetError(
            f"There is nothing to measure: {len(items)} pictures, captions in "
            f"{', '.join(by_language) or 'no language'}.",
            hint="It takes two pictures or more, and captions that people wrote, in a known language: where a file "
            "does not say which, name it with --caption-language.",
        )
    shows = None if labels is None else [labels[PurePath(item.source.path).name] for item in items]
    captions = {
        tag: _caption_set(tag, by_language[tag], embeddings, rows, len(items), shows) for tag in wanted
    }
    for tag, written in captions.items():
        if len(written.pictures) < len(items):
            without = len(items) - len(written.pictures)
            notes.append(
                f"{without:,} of {len(items):,} pictures {'has' if without == 1 else 'have'} no caption in {tag}, but "
                "can be found all the same."
            )
    return Corpus(items, embeddings.pictures[chosen], rows, captions, tuple(notes))


def _unique(items: Sequence[Item], notes: list[str]) -> tuple[tuple[Item, ...], dict[str, int], list[int]]:
    """Pictures of the same bytes are one: the items kept, the row of every id, and the places kept."""
    by_hash: dict[str, int] = {}
    rows: dict[str, int] = {}
    chosen: list[int] = []
    for place, item in enumerate(items):
        if item.source.sha256 not in by_hash:
            by_hash[item.source.sha256] = len(chosen)
            chosen.append(place)
        rows[item.id] = by_hash[item.source.sha256]
    copies = len(items) - len(chosen)
    if copies:
        notes.append(f"{copies:,} pictures are copies of others and count once.")
    return tuple(items[place] for place in chosen), rows, chosen


def _human(texts: Sequence[Text], rows: Mapping[str, int], notes: list[str]) -> dict[str, list[int]]:
    """The places of the captions to measure with, by language; each wording of a picture once."""
    by_language: dict[str, list[int]] = defaultdict(list)
    seen: set[tuple[int, str, str]] = set()
    machine = unknown = repeated = 0
    for place, text in enumerate(texts):
        if text.item_id not in rows:
            continue
        if text.origin != "human" or text.status != "ok":
            machine += 1
        elif text.language not in LANGUAGES:
            unknown += 1
        elif (key := (rows[text.item_id], text.language, wording(text.body))) in seen:
            repeated += 1
        else:
            seen.add(key)
            by_language[text.language].append(place)
    for count, what in (
        (machine, "texts were not written by people and are not asked"),
        (unknown, "captions are in no known language and are not asked"),
        (repeated, "captions repeat another of the same picture and are asked once"),
    ):
        if count:
            notes.append(f"{count:,} {what}.")
    return by_language


def _caption_set(
    language: str,
    places: list[int],
    embeddings: Embeddings,
    rows: Mapping[str, int],
    pictures: int,
    shows: list[frozenset[str]] | None,
) -> CaptionSet:
    texts = [embeddings.texts[place] for place in places]
    picture = np.array([rows[text.item_id] for text in texts], dtype=np.int64)
    if shows is None:
        true_of, near = [np.array([row]) for row in range(pictures)], [_NONE] * pictures
    else:
        true_of = [_rows(shown <= other for other in shows) for shown in shows]
        near = [_rows(bool(shown & other) and not shown <= other for other in shows) for shown in shows]
    relevant = tuple(true_of[row] for row in picture)
    described: list[list[int]] = [[] for _ in range(pictures)]
    for caption, row in enumerate(relevant):
        for place in row.tolist():
            described[place].append(caption)
    own = np.bincount(picture, minlength=pictures)
    return CaptionSet(
        language,
        tuple(text.body for text in texts),
        picture,
        embeddings.captions[places],
        relevant,
        tuple(near[row] for row in picture),
        # A picture without a caption of its own is not asked, whatever else is true of it.
        tuple(np.array(found if own[row] else [], dtype=np.int64) for row, found in enumerate(described)),
    )


def _rows(yes: Iterable[bool]) -> Ids:
    return np.flatnonzero(np.fromiter(yes, dtype=bool)).astype(np.int64)


def wording(body: str) -> str:
    """What two captions have in common that say the same in the same words."""
    return " ".join(body.casefold().split())
