"""The data card: what a converted data set holds, where it is from, and what was left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from ..languages import LANGUAGES
from ..types import Skip
from .checking import Finding
from .statistics import LanguageStatistics
from .writing import write_text

_SHOWN: Final = 5
_UNKNOWN_LICENCE: Final = "as the source says: not known to this tool"


@dataclass(frozen=True, slots=True)
class Card:
    """What the card says. ``hashes`` are SHA-256 by file name; ``images`` and ``splits`` go by split."""

    name: str
    source: Path
    hashes: Mapping[str, str]
    licence: str | None
    command: str | None
    findings: Sequence[Finding]
    images: Mapping[str, int]
    splits: Mapping[str, Mapping[str, LanguageStatistics]]
    reasons: Mapping[str, int]
    dropped: Sequence[Skip]


def write_card(out: Path, card: Card) -> None:
    """Writes ``README.md`` in Markdown."""
    write_text(out / "README.md", "\n".join(_lines(card)) + "\n")


def _lines(card: Card) -> Iterator[str]:
    yield f"# {_plain(card.name)}"
    yield ""
    yield "Pictures with captions, a JSON line per picture and language:"
    yield '`{"image": "a path relative to the file", "language": "en", "captions": ["…"]}`.'
    yield ""
    yield f"- Made by babelens {version('babelens')} on {datetime.now(UTC):%Y-%m-%d}."
    yield f"- Source: `{_plain(str(card.source))}`"
    for name, digest in card.hashes.items():
        yield f"  - `{_plain(name)}`, SHA-256 `{digest}`"
    if not card.hashes:
        yield "  - a Babelens collection: the captions that people wrote, as they were on that day"
    yield f"- Licence: {_plain(card.licence) if card.licence else _UNKNOWN_LICENCE}."
    if card.command:
        yield f"- Command: `{_plain(card.command)}`"
    yield ""
    yield "The pictures are not part of this folder; the lines point at where they are. `sha256sum -c SHA256SUMS`"
    yield "checks the files."
    yield ""
    yield "## What is in it"
    yield ""
    yield "| file | language | pictures | captions | per picture | words | characters | shared wording |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    for split, languages in card.splits.items():
        for tag, row in languages.items():
            words = "" if row.words is None else f"{row.words:g}"
            language = f"{LANGUAGES[tag].name} ({tag})" if tag in LANGUAGES else tag
            yield (
                f"| {split}.jsonl | {language} | {row.pictures:,} | {row.captions:,} "
                f"| {row.captions / row.pictures:.2f} | {words} | {row.characters:g} | {row.shared:,} |"
            )
    total = ", ".join(f"{number:,} in {split}.jsonl" for split, number in card.images.items())
    yield ""
    yield f"Pictures: {total}. Words and characters are medians per caption. Shared wording counts captions that stand"
    yield "under several pictures word for word: as queries they have no single answer."
    yield ""
    yield "## What was left out"
    yield ""
    yield from _left_out(card)
    yield ""
    yield "## What the check of the source found"
    yield ""
    yield from _found(card.findings)


def _left_out(card: Card) -> Iterator[str]:
    if not card.dropped:
        yield "Nothing."
        return
    yield "Each is listed in `dropped.jsonl`."
    yield ""
    yield "| reason | times | for example |"
    yield "|---|--:|---|"
    examples: dict[str, list[str]] = defaultdict(list)
    for skip in card.dropped:
        examples[skip.reason].append(skip.path)
    for reason, times in card.reasons.items():
        yield f"| {_plain(reason)} | {times:,} | `{_plain(examples[reason][0])}` |"


def _found(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        yield "No problems."
        return
    counts = Counter((finding.severity, finding.kind) for finding in findings)
    for (severity, kind), number in counts.items():
        yield f"- {severity}: {kind}, {number:,}"
        same = [finding for finding in findings if (finding.severity, finding.kind) == (severity, kind)]
        for finding in same[:_SHOWN]:
            yield f"  - `{_plain(finding.where)}`: {_plain(finding.problem)}"
        if number > _SHOWN:
            yield f"  - and {number - _SHOWN:,} more"


def _plain(text: str) -> str:
    """Text of strangers on one line, without what Markdown or a terminal acts on."""
    text = text.encode("utf-8", errors="replace").decode()
    shown = "".join(character if character.isprintable() else " " for character in " ".join(text.split()))
    return shown.replace("`", "'").replace("|", "\\|").replace("<", "&lt;")
