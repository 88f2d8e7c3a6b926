"""Where sentences end, in the eight languages.

Rules, not a model: the marks that end a sentence in each script, and the cases where they do not ("Fig. 3", "3.5 V",
"z. B."). A sentence that is not cut where it could be costs a longer quotation; one that is cut in the middle costs
its meaning, so doubt leaves it whole.
"""

from __future__ import annotations

import re
from typing import Final

Span = tuple[int, int]

_CLOSERS: Final = "[\"'”’“»」』）)\\]】》]*"
_BOUNDARY: Final = re.compile(
    f"(?P<dense>[。｡！？．]+{_CLOSERS})|(?P<mark>[.!?…؟۔।॥]+{_CLOSERS})(?=\\s|$|[\\[［【])|(?P<line>[^\\S\\n]*\\n\\s*)"
)
_LIST_ITEM: Final = re.compile(r"(?:[-–•‣▪●◦○*·■□✓➢]|[(（]?(?:\d{1,3}|[A-Za-z])[.)）])\s")
_CELLS: Final = re.compile(r"\t| \| ")
_LAST_WORD: Final = re.compile(r"[^\s(\[«„“\"'’]+$")
_CARRIED_ON: Final = "とっのをはがにでも、"  # after a Japanese quotation the sentence goes on with a particle

_ABBREVIATIONS: Final = frozenset(
    (
        "approx",
        "ca",
        "cca",
        "bzw",
        "evtl",
        "ggf",
        "inkl",
        "exkl",
        "vgl",
        "bspw",
        "dr",
        "mr",
        "mrs",
        "ms",
        "sr",
        "sra",
    )
    + (
        "ing",
        "prof",
        "vs",
        "cf",
        "e.g",
        "i.e",
        "z.b",
        "d.h",
        "u.a",
        "p.ej",
        "p.es",
        "डॉ",
        "कि",
        "मी",
        "रु",
        "सं",
    )
)
# These end sentences as well, being words: they are short for something only before a number or a letter ("Fig. A").
_BEFORE_NUMBERS: Final = frozenset(
    (
        "fig",
        "figs",
        "abb",
        "tab",
        "nr",
        "no",
        "nos",
        "vol",
        "p",
        "pp",
        "pg",
        "pag",
        "pág",
        "págs",
        "ref",
        "eq",
        "sec",
    )
    + (
        "sect",
        "ch",
        "chap",
        "kap",
        "cap",
        "art",
        "max",
        "min",
        "mín",
        "máx",
        "num",
        "núm",
        "n°",
        "par",
        "pos",
        "mod",
    )
)
_NUMBERED: Final = re.compile(r"\s*(?:\d|[A-Z]\b)")


def sentence_spans(text: str, *, break_lines: bool = False) -> list[Span]:
    """Start and end of each sentence, in order, without the white space around it; together they hold all the rest.

    With ``break_lines`` every line ends a sentence, as in what a model writes. Without it, as in text from a page, a
    line does only before an item of a list, at a blank line and in a table.
    """
    spans: list[Span] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        if match["line"] is not None:
            ends = break_lines or _line_ends(text, match.start(), match.end())
        elif match["dense"]:
            ends = not (match[0][-1] in "」』" and text[match.end() : match.end() + 1] in _CARRIED_ON)
        else:
            ends = _mark_ends(text, start, match)
        if ends:
            _append(spans, text, start, match.end())
            start = match.end()
    _append(spans, text, start, len(text))
    return spans


def split_sentences(text: str) -> list[str]:
    """The sentences of a text from a page, white space within them folded to single spaces."""
    return [" ".join(text[start:end].split()) for start, end in sentence_spans(text)]


def _append(spans: list[Span], text: str, start: int, end: int) -> None:
    part = text[start:end]
    if part.strip():
        spans.append((start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())))


def _line_ends(text: str, start: int, end: int) -> bool:
    if text.count("\n", start, end) > 1 or _LIST_ITEM.match(text, end):
        return True
    before = text[text.rfind("\n", 0, start) + 1 : start]
    after = text[end : text.find("\n", end) if "\n" in text[end:] else len(text)]
    return bool(_CELLS.search(before) or _CELLS.search(after))


def _mark_ends(text: str, start: int, match: re.Match[str]) -> bool:
    following = text[match.end() :].lstrip()[:1]
    if following.islower():
        return False
    if match["mark"][0] != "." or match["mark"].startswith(".."):
        return True
    word = _LAST_WORD.search(text, start, match.start())
    if word is None:
        return True
    letters = word[0].casefold()
    short = letters in _ABBREVIATIONS or (len(letters) == 1 and letters.isalpha())
    if short or (letters in _BEFORE_NUMBERS and _NUMBERED.match(text, match.end())):
        return not following
    # The number of an item at the start of a line: "3. Press the button."
    at_line_start = not text[text.rfind("\n", 0, word.start()) + 1 : word.start()].strip()
    return not (letters.isdecimal() and at_line_start and following)
