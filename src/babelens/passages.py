"""How a passage of a document is kept: one text, its headings on the first line, for they say what it is about; and
what of it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_BETWEEN: Final = " › "
# Leaders and the number of a page, drawn out or as one sign.
_CONTENTS: Final = re.compile(r"^[^\n]*(?:(?:[ \t]?[.·…]){5}[^\n]*| … *\d{1,4}[ \t]*)$", re.MULTILINE)


def passage_text(headings: Sequence[str], body: str) -> str:
    """The text of a passage: the path of its headings, from the outermost, on a line of its own, then the body."""
    return f"{_heading_line(headings)}\n{body}" if headings else body


def body_of(text: str, headings: Sequence[str]) -> str:
    """The body alone, of what :func:`passage_text` made of it and these headings."""
    return text.removeprefix(_heading_line(headings) + "\n") if headings else text


def without_contents(body: str) -> str:
    """A body with empty lines for those of a table of contents, which name everything and say nothing of it."""
    return _CONTENTS.sub("", body)


def _heading_line(headings: Sequence[str]) -> str:
    return _BETWEEN.join(" ".join(heading.split()) for heading in headings)
