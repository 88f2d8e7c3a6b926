"""Notes of a search in the reader's language, said in words of the page's own by their code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...types import Note
from .language import N_, Speech

SAID: Final[Mapping[str, str]] = {
    "text-cut": N_("The text is too long for %(model)s: only a part of it counts for its meaning."),
    "untrained-language": N_("%(model)s was not trained on this language: %(language)s."),
    "damaged-index": N_("An index file is damaged and not used. Results are right, but take longer."),
    "routed": N_("For words in this language pictures are ranked by %(model)s: %(language)s."),
    "no-photographs": N_(
        "%(model)s was not trained on photographs: words find these pictures by captions and file names only."
    ),
    "passages-by-words": N_("Passages were searched by their words, not by their meaning."),
    "translated": N_("Documents in %(language)s were searched for “%(text)s”, translated by %(model)s."),
    "not-translated": N_("The question could not be translated. Language of the documents: %(language)s."),
    "not-searched": N_(
        "The question is in another language than some documents, which were not searched by their text: %(languages)s."
    ),
    "own-tower": N_("%(model)s cannot be used now: the collection's own model ranks the pictures."),
    "taken-for": N_("The words were taken for this language: %(language)s. Another one can be chosen above."),
}


@dataclass(frozen=True, slots=True)
class Remark:
    """``language`` is that of the text where it is not the reader's."""

    text: str
    language: str | None = None


def remark_of(note: str, speech: Speech) -> Remark:
    """A note in the reader's language; as it came, in English, where the page has no words for it."""
    if not isinstance(note, Note) or note.code not in SAID:
        return Remark(note, "en")
    return Remark(
        speech.text(SAID[note.code], **{name: _named(name, one, speech) for name, one in note.values.items()})
    )


def _named(name: str, value: Any, speech: Speech) -> str:
    """A value as the reader's language writes it."""
    if name == "language":
        return speech.language_name(value) or value
    if name == "languages":
        return speech.listed([speech.language_name(tag) or tag for tag in value])
    return f"\u2068{value}\u2069"
