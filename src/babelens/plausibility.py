"""Whether a text can be what a model was asked for, as far as that can be told without another model.

A translation that came out empty, in another script, as a copy of its source, in a loop, or far too long or short is
none. Doubt counts against it: a good translation that is left out costs one text of several, an English sentence
that counts as Japanese makes every figure about Japanese wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from .languages import get_language, main_script, script_of
from .types import Status

_WORD: Final = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_NAME_WORDS: Final = 3  # a phrase of more capitalised words is a title, and titles are translated
_COPIED: Final = 0.8  # share of the words that came back
_LOOPS: Final = 4  # times in a row
_LOOP_WORDS: Final = 8  # the longest unit of a loop
_LOOP_LETTERS: Final = 8  # a loop has more
_DENSE: Final = frozenset({"Hira", "Kana", "Hani"})
_DENSE_LETTER: Final = 2.5  # letters of an alphabet that one of these stands for
_TIMES_LONGER, _TIMES_SHORTER, _SLACK = 3.0, 4.0, 24.0
_KANA_FREE: Final = 12  # no Japanese sentence has so many letters without kana


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason`` says in a few words what is wrong; ``None`` when nothing is."""

    status: Status = "ok"
    reason: str | None = None


def judge_caption(text: str) -> Verdict:
    """Whether ``text`` can be a caption: it says something, and not the same over and over."""
    if not _words(text):
        return Verdict("empty", "the model said nothing")
    if _loop(text):
        return Verdict("failed", f"it repeats itself: {_loop(text)!r}")
    return Verdict()


def judge_translation(text: str, original: str, *, source: str, target: str) -> Verdict:
    """Whether ``text`` (in ``target``) can be a translation of ``original`` (in ``source``)."""
    if not text.strip():
        return Verdict("empty", "the model gave nothing back")
    if _words(original) and not _words(text):
        return Verdict("empty", "there are no words in it")
    if _copied(text, original, source, target):
        return Verdict("fallback", "the model gave the source back")
    verdict = _judge_script(text, original, source, target)
    if verdict.status != "ok":
        return verdict
    loop = _loop(text)
    if loop and not _loop(original):
        return Verdict("failed", f"it repeats itself: {loop!r}")
    ours, theirs = _extent(text), _extent(original)
    if ours > _TIMES_LONGER * theirs + _SLACK:
        return Verdict("failed", "it is far longer than the source")
    if theirs > _TIMES_SHORTER * ours + _SLACK:
        return Verdict("failed", "it is far shorter than the source")
    return Verdict()


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _stays(word: str) -> bool:
    """Numbers and abbreviations are the same in every language: ``2024``, ``A4``, ``USB``."""
    return (
        not any(map(str.isalpha, word)) or any(map(str.isdigit, word)) or (len(word) > 1 and word.isupper())
    )


def _is_name(words: Sequence[str]) -> bool:
    return len(words) <= _NAME_WORDS and all(
        _stays(word) or (len(word) > 1 and word[0].isupper()) for word in words
    )


def _copied(text: str, original: str, source: str, target: str) -> bool:
    """Whether the words came back as they were, and are not of the kind that stays.

    Between languages of one script a name and a single word may be the same: ``Paris``, ``hotel``.
    """
    words = _words(original)
    if all(map(_stays, words)):
        return False
    if _same_script(source, target) and (len(words) == 1 or _is_name(words)):
        return False
    # Names and numbers say nothing either way, as long as there are other words.
    before = [word.casefold() for word in words if not _stays(word)]
    after = [word.casefold() for word in _words(text) if not _stays(word)]
    common = sum(
        block.size for block in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    )
    return common >= _COPIED * max(len(before), len(after)) > 0


def _same_script(source: str, target: str) -> bool:
    return bool(set(get_language(source).scripts) & set(get_language(target).scripts))


def _judge_script(text: str, original: str, source: str, target: str) -> Verdict:
    scripts = get_language(target).scripts
    rest = text
    if not _same_script(source, target):  # names may stay as they were written
        for word in sorted(set(_words(original)), key=len, reverse=True):
            if _stays(word) or any(map(str.isupper, word)):
                rest = rest.replace(word, " ")
    found = main_script(rest)
    if found is not None and found not in scripts:
        return Verdict("wrong-script", f"it is written in {found}, not in {' or '.join(scripts)}")
    if any(map(str.isalpha, rest)) and found is None:
        return Verdict("wrong-script", f"it is not written in {' or '.join(scripts)}")
    letters = [script_of(character) for character in rest]
    if target == "ja" and letters.count("Hani") >= _KANA_FREE and not {"Hira", "Kana"} & set(letters):
        return Verdict("wrong-script", "it has no kana, so it is Chinese")
    return Verdict()


def _loop(text: str) -> str | None:
    """Words that stand four times in a row, or letters where no blanks divide words; ``None`` when there are none."""
    words = [word.casefold() for word in _words(text)]
    letters = [character for character in text.casefold() if character.isalnum()]
    return _repeated(words, glue=" ", least=_LOOPS) or _repeated(letters, glue="", least=_LOOPS + 2)


def _repeated(units: Sequence[str], *, glue: str, least: int) -> str | None:
    for size in range(1, _LOOP_WORDS + 1):
        run = 0
        for place in range(size, len(units)):
            run = run + 1 if units[place] == units[place - size] else 0
            looped = units[place - size + 1 : place + 1]
            if run >= size * (least - 1) and _counts(looped, run + size):
                return glue.join(looped)
    return None


def _counts(unit: Sequence[str], length: int) -> bool:
    """Rows of digits are numbers, and a short stretch is a way of speaking."""
    letters = sum(len(word) for word in unit) * length / len(unit)
    return letters > _LOOP_LETTERS and any(map(str.isalpha, "".join(unit)))


def _extent(text: str) -> float:
    return sum(_DENSE_LETTER if script_of(character) in _DENSE else 1.0 for character in text)
