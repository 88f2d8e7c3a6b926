"""How hits look: pictures as a table, line by line where documents are among them, and as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from ..collection import Collection
    from ..search.excerpts import Excerpt
    from ..types import Hit, Item, Query, Reason, SearchResult, Text

# What a person calls the rankings of `Reason`; words are called by where they stand.
_MATCHED: Final = {"image": "picture", "caption": "caption", "passage": "passage", "words": "words"}
_WORDS_IN: Final = {"ocr": "printed text", "document": "document text"}
_MATCH: Final = 0.5  # the probability from which a match is more likely than luck
_NO_LANGUAGE: Final = "und"
_EXCERPT: Final = 160  # characters, where no terminal sets a limit
_IN_TABLE: Final = 40
_LEAST: Final = 12  # cells that a name or headings keep on a narrow terminal


@dataclass(frozen=True, slots=True)
class _Shown:
    """A hit with the text to show of it: ``body`` is the text without the headings of its passage."""

    hit: Hit
    text: Text | None
    body: str


def print_result(
    result: SearchResult, collection: Collection, *, language: str | None, as_json: bool
) -> None:
    """Prints the hits of a search on stdout, and on stderr what else is to be said of it."""
    from .render import message, print_json, terminal_width

    for note in result.notes:
        message(note)
    shown = [_shown(hit, collection, language) for hit in result.hits]
    if as_json:
        for one in shown:
            print_json(_fields(one, result))
    elif shown:
        if not result.confident:
            click.echo("Nothing here matches well; nearest:")
        if all(one.hit.item.kind == "image" for one in shown):
            _print_table(shown, result.query)
        else:
            for line in _lines(shown, result.query, width=terminal_width()):
                click.echo(line)
    if not shown:
        message(_nothing_found(result, collection))


def _nothing_found(result: SearchResult, collection: Collection) -> str:
    if not len(collection):
        return "The collection is empty. Put something in it with `babelens index PATH`."
    query = result.query
    if query.where or query.kinds:
        return "Nothing that passes the filter was found."
    if query.mode == "text":
        return "None of these words occur here. --mode hybrid also searches by meaning."
    return "Nothing found."


# -- what found a hit, and what to show of it ----------------------------------------------------------------


def matched(hit: Hit) -> list[str]:
    """What found a hit, the surest first: its picture, a caption, printed text … Empty when it is hardly a match."""
    return list(
        dict.fromkeys(_called(reason) for reason in _surest(hit) if (reason.confidence or 0.0) >= _MATCH)
    )


def _matched_column(hit: Hit) -> str:
    """In brackets, what is nearest where nothing makes it a match."""
    found, sure = matched(hit), _surest(hit)
    return ", ".join(found) if found or not sure else f"({_called(sure[0])})"


def _called(reason: Reason) -> str:
    if reason.ranking == "words" and reason.text is not None:
        return _WORDS_IN.get(reason.text.origin, "words")
    return _MATCHED[reason.ranking]


def _surest(hit: Hit) -> list[Reason]:
    return sorted(hit.why, key=lambda reason: (-(reason.confidence or 0.0), reason.rank))


def _shown(hit: Hit, collection: Collection, language: str | None) -> _Shown:
    from ..passages import body_of

    text = best_text(hit, collection, language)
    body = "" if text is None else body_of(text.body, _headings(hit.item))
    return _Shown(hit, text, body)


def best_text(hit: Hit, collection: Collection, language: str | None) -> Text | None:
    """What to show of a hit: the text it was found by, unless only another is in the language asked for.

    Printed text is shown where it found the hit, and never for want of a caption.
    """
    sure = _surest(hit)
    found = [
        reason.text
        for reason in sure
        if reason.text is not None
        and (reason.text.origin != "ocr" or reason is sure[0] or (reason.confidence or 0.0) >= _MATCH)
    ]
    for text in found:
        if language is None or text.language in (language, _NO_LANGUAGE):
            return text
    texts = [text for text in collection.texts(hit.item.id) if text.status == "ok" and text.origin != "ocr"]
    own = min(texts, key=lambda text: text.language != (language or "en"), default=None)
    return own if own is not None and (not found or own.language == language) else next(iter(found), own)


def _headings(item: Item) -> list[str]:
    return [str(heading) for heading in item.metadata.get("headings", ())]


# -- a table of pictures -------------------------------------------------------------------------------------


def _print_table(shown: Sequence[_Shown], query: Query) -> None:
    from .render import Column, print_table, shown_path

    rows = [
        [
            str(one.hit.rank),
            _score(one.hit),
            _matched_column(one.hit),
            _in_table(one, query),
            one.text.language if one.text else "",
            shown_path(one.hit.item.source.path),
        ]
        for one in shown
    ]
    columns = [
        Column("#", "right"),
        Column("score", "right"),
        Column("matched"),
        Column("text", crop="end"),
        Column("lang"),
        Column("path", crop="start"),
    ]
    if query.mode == "text":
        del columns[1]
        for row in rows:
            del row[1]
    print_table(columns, rows)


def _in_table(one: _Shown, query: Query) -> str:
    """A caption as it is; of what is printed in a picture, the piece with the words that were found."""
    from .render import terminal_width

    if one.text is None or one.text.origin != "ocr":
        return one.body
    return _excerpt(one, query, _EXCERPT if terminal_width() is None else _IN_TABLE).text


def _score(hit: Hit) -> str:
    return "" if hit.score is None else f"{hit.score:.3f}"


# -- documents among the hits --------------------------------------------------------------------------------


def _lines(shown: Sequence[_Shown], query: Query, *, width: int | None) -> Iterator[str]:
    """A line for what a hit is and where, and under it an excerpt, with the words that were found in bold.

    ``width`` is where a terminal ends; ``None`` cuts no place, and excerpts at a usual length.
    """
    from .render import cell_width

    names = _names([one.hit.item for one in shown])
    ranks = max(len(str(one.hit.rank)) for one in shown)
    reasons = max(len("matched"), *(len(_matched_column(one.hit)) for one in shown))
    tags = max(cell_width(one.text.language) if one.text else 0 for one in shown)

    def start(number: str, score: str, why: str) -> str:
        scored = "" if query.mode == "text" else f"{score:>6}  "
        return f"{number:>{ranks}}  {scored}{why:<{reasons}}  "

    yield click.style(start("#", "score", "matched") + "where", bold=True)
    for one in shown:
        first = start(str(one.hit.rank), _score(one.hit), _matched_column(one.hit))
        room = None if width is None else max(_LEAST, width - len(first))
        yield first + _place(one.hit.item, names, room)
        if one.text is not None and one.body:
            before = f"{'':{ranks}}  {one.text.language:<{tags}}  "
            room = _EXCERPT if width is None else max(_LEAST, width - len(before))
            yield before + _emphasised(_fitting(one, query, room, limited=width is not None))


def _names(items: Sequence[Item]) -> Mapping[str, str]:
    """What documents are called, by path: their title, or the path where another found here has the same."""
    from .render import printable, shown_path

    paths: dict[str, set[str]] = defaultdict(set)
    for item in items:
        if item.kind != "image":
            paths[str(item.metadata.get("document") or item.source.path)].add(item.source.path)
    return {
        path: printable(title) if len(those) == 1 and title != path else shown_path(path)
        for title, those in paths.items()
        for path in those
    }


def _place(item: Item, names: Mapping[str, str], room: int | None) -> str:
    """``Coffee grinder, page 4 · Care › Burrs``, each cut to half where there is no room for both."""
    from .render import cell_width, cropped, isolate, printable, shown_path

    if item.kind == "image":
        path = shown_path(item.source.path)
        return isolate(path if room is None else cropped(path, room, "start"))
    name, page = names[item.source.path], "" if item.source.page is None else f", page {item.source.page}"
    about = printable(_about(item))
    if room is not None:
        left = room - cell_width(page) - (3 if about else 0)
        about = cropped(about, max(_LEAST, left - cell_width(name), left // 2), "start")
        name = cropped(name, max(_LEAST, left - cell_width(about)), "end")
    return isolate(name) + page + (f" · {isolate(about)}" if about else "")


def _about(item: Item) -> str:
    """The headings of a passage, less those at the top that say no more than the document's title; a figure's label."""
    if item.kind == "figure":
        return str(item.metadata.get("label") or "figure")
    headings, title = _headings(item), str(item.metadata.get("document", ""))
    while headings and (headings[0] == title or (len(headings) > 1 and headings[0] in title)):
        del headings[0]
    return " › ".join(headings)


def _fitting(one: _Shown, query: Query, room: int, *, limited: bool) -> Excerpt:
    """An excerpt of at most ``room`` characters, or cells where that is ``limited``: some letters take two."""
    from .render import cell_width

    found = _excerpt(one, query, width := room)
    while limited and (taken := cell_width(found.text)) > room and width > 1:
        width = max(1, min(width - 1, width * room // taken))
        found = _excerpt(one, query, width)
    return found


def _excerpt(one: _Shown, query: Query, width: int = _EXCERPT) -> Excerpt:
    from ..retrieval.query import words_of
    from ..search.excerpts import excerpt

    language = query.language
    if language is None and one.text is not None and one.text.language != _NO_LANGUAGE:
        language = one.text.language
    return excerpt(one.body, words_of(query), language, width=width)


def _emphasised(found: Excerpt) -> str:
    from .render import isolate, printable

    pieces, last = [], 0
    for start, end in found.spans:
        pieces.append(printable(found.text[last:start], spaces=True))
        pieces.append(click.style(printable(found.text[start:end], spaces=True), bold=True))
        last = end
    pieces.append(printable(found.text[last:], spaces=True))
    return isolate("".join(pieces))


# -- JSON ----------------------------------------------------------------------------------------------------


def _fields(one: _Shown, result: SearchResult) -> dict[str, Any]:
    hit, text = one.hit, one.text
    item, metadata = hit.item, hit.item.metadata
    found = _excerpt(one, result.query) if text is not None else None
    return {
        "rank": hit.rank,
        "score": rounded(hit.score),
        "id": item.id,
        "kind": item.kind,
        "path": item.source.path,
        "page": item.source.page,
        "box": None if item.source.box is None else list(item.source.box),
        "document": metadata.get("document") if item.kind != "image" else None,
        "headings": _headings(item),
        "label": metadata.get("label"),
        "related": list(metadata.get({"figure": "passages", "passage": "figures"}.get(item.kind, ""), ())),
        "matched": matched(hit),
        "text": text.body if text else None,
        "language": text.language if text else None,
        "origin": text.origin if text else None,
        "excerpt": None if found is None else {"text": found.text, "spans": [list(s) for s in found.spans]},
        "why": [
            {
                "ranking": reason.ranking,
                "rank": reason.rank,
                "score": rounded(reason.score),
                "confidence": rounded(reason.confidence),
                "text": reason.text.body if reason.text else None,
                "language": reason.text.language if reason.text else None,
                "origin": reason.text.origin if reason.text else None,
            }
            for reason in hit.why
        ],
        "confident": result.confident,
        "confidence": rounded(result.confidence),
    }


def rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)
