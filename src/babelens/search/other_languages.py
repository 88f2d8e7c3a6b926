"""Questions in another language than the documents, where no encoder of passages connects the two.

The words of a question find nothing in a text of another language. Where a translator for the pair is on this machine,
the question is also looked up in its translation, and the result says so; otherwise it says what was not searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from ..errors import BabelensError
from ..language_detection import detect_language
from ..languages import LANGUAGES, main_script
from ..types import Note, Query, Translation

if TYPE_CHECKING:
    from ..storage.catalog import Catalog

# Of many languages those that most of the documents are in: each may need a model of its own.
_TRANSLATED: Final = 4

Translate = Callable[[str, str, str], Translation | None]
"""A text, its language and the one to translate into. None where no translator on this machine knows the pair."""


class OtherLanguages:
    """What becomes of a question in the languages of the documents that are not its own. Safe to use from several
    threads."""

    def __init__(self, catalog: Catalog, translate: Translate | None) -> None:
        self._catalog = catalog
        self._translate = translate
        self._known: tuple[tuple[int, int], tuple[str, ...]] | None = None
        self._told: set[tuple[str, ...]] = set()

    def translations(self, query: Query, words: str, notes: list[str]) -> list[Translation]:
        """The words of a query in other languages of the documents, each of status ``ok``.

        ``notes`` says what was translated, by which model, and once for each language what could not be.
        """
        if query.kinds is not None and set(query.kinds) == {"image"}:
            return []
        documents = self._languages()
        if not documents:
            return []
        source, others = tell_apart(query, words, documents)
        done: list[Translation] = []
        missing: list[str] = []
        for target in others:
            made = None
            if source is not None and len(done) < _TRANSLATED:
                made = self._translated(words, source, target, notes)
            if made is None:
                missing.append(target)
            else:
                done.append(made)
        notes += [_searched(made) for made in done]
        key = (source or "", *missing)
        if missing and key not in self._told:
            self._told.add(key)
            notes.append(_not_searched(source, missing))
        return done

    def _translated(self, words: str, source: str, target: str, notes: list[str]) -> Translation | None:
        if self._translate is None:
            return None
        try:
            made = self._translate(words, source, target)
        except BabelensError as error:
            notes.append(_not_translated(target, error.message))
            return None
        if made is not None and made.status != "ok":
            notes.append(_not_translated(target, f"{made.model} gave {made.body!r}, and {made.reason}."))
            return None
        return made

    def _languages(self) -> tuple[str, ...]:
        """Those of the documents, looked up once for each state of the catalog."""
        state, known = self._catalog.text_state(), self._known
        if known is None or known[0] != state:
            found = tuple(tag for tag in self._catalog.document_languages() if tag in LANGUAGES)
            self._known = known = state, found
        return known[1]


def tell_apart(query: Query, words: str, documents: Iterable[str]) -> tuple[str | None, list[str]]:
    """The language of a question, and those of the documents that it is certainly not in.

    A word or two may be in any language of their script; then only other scripts are certain.
    """
    source = query.language or detect_language(words)
    if source is not None:
        return source, [tag for tag in documents if tag != source]
    script = main_script(words)
    if script is None:
        return None, []
    return None, [tag for tag in documents if script not in LANGUAGES[tag].scripts]


def _searched(made: Translation) -> Note:
    said = (
        f"Documents in {LANGUAGES[made.target].name} were searched for “{made.body}”, a machine translation by "
        f"{made.model}."
    )
    return Note(said, "translated", language=made.target, text=made.body, model=made.model)


def _not_translated(target: str, reason: str) -> Note:
    said = f"The question could not be translated into {LANGUAGES[target].name}: {reason}"
    return Note(said, "not-translated", language=target)


def _not_searched(source: str | None, missing: list[str]) -> Note:
    names = [LANGUAGES[tag].name for tag in missing]
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    asked = f"The question is in {LANGUAGES[source].name}" if source else "The question is in another script"
    said = (
        f"{asked}, and documents in {listed} were not searched by their text: only passages in the question's own "
        "language could be matched. `babelens index FOLDER --passage-model multilingual-e5-small` makes passages of "
        "all languages findable."
    )
    return Note(said, "not-searched", languages=tuple(missing))
