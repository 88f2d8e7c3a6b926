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

_ABBREVIATION: Final = re.compile(
    "approx|bspw|bzw|ca|cca|cf|d\\.h|dr|e\\.g|evtl|exkl|ggf|i\\.e|ing|inkl|mr|mrs|ms|p\\.ej|p\\.es|prof|sr|sra|u\\.a|vgl|vs"
    "|z\\.b|डॉ|कि|मी|रु|सं"
)
# These end sentences as well, being words: they are short for something only before a number or a letter ("Fig. A").
_NUMBERED: Final = re.compile(
    "abb|art|cap|ch|chap|eq|figs?|kap|m[ií]n|m[aá]x|mod|n°|nos?|nr|n[uú]m|p|pp|p[aá]gs?|par|pg|pos|ref|sect?|tab|vol"
)
_NUMBER: Final = re.compile(r"\s*(?:\d|[A-Z]\b)")
_AMOUNT: Final = re.compile(r"\d\s*$")


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
    if match[0][-1] not in ".!?…؟۔।॥" and following.isalpha() and not following.isupper():
        return False  # after a quotation, a script without capitals leaves open whether the sentence goes on
    if match["mark"][0] != "." or match["mark"].startswith(".."):
        return True
    word = _LAST_WORD.search(text, start, match.start())
    if word is None:
        return True
    letters = word[0].casefold()
    initial = (
        len(letters) == 1 and letters.isalpha() and not _AMOUNT.search(text, start, word.start())
    )  # not "5 A"
    if initial or _ABBREVIATION.fullmatch(letters):
        return not following
    if _NUMBERED.fullmatch(letters) and _NUMBER.match(text, match.end()):
        return False
    # The number of an item: "3. Press the button."
    return not (letters.isdecimal() and following and not text[start : word.start()].strip())
