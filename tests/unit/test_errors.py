from __future__ import annotations

import inspect
import re

import pytest

from babelens import errors
from babelens.errors import BabelensError, FilterError, MalformedDataError, UnknownModelError

ALL = {
    name: value
    for name, value in inspect.getmembers(errors, inspect.isclass)
    if value.__module__ == errors.__name__
}


def test_the_drawn_tree_is_the_real_tree() -> None:
    drawn: dict[str, str | None] = {}
    parents: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([\s│├└─]*)(\w+Error)\b", line)
        if match:
            depth = len(match[1])
            while parents and parents[-1][0] >= depth:
                parents.pop()
            drawn[match[2]] = parents[-1][1] if parents else None
            parents.append((depth, match[2]))
    real = {
        name: value.__bases__[0].__name__ if value is not BabelensError else None
        for name, value in ALL.items()
    }
    assert drawn == real


def test_a_hint_follows_the_message() -> None:
    assert str(BabelensError("It broke.", hint="Mend it.")) == "It broke.\nMend it."
    assert str(UnknownModelError("clp", ["clip", "mini"])).endswith("Did you mean clip?")
    assert str(UnknownModelError("xyzzy", ["clip", "mini"])).endswith("Known: clip, mini.")


def test_a_filter_error_points_at_the_place() -> None:
    error = FilterError("year >> 3", 6, "a value was expected")
    lines = str(error).splitlines()
    assert lines[1][lines[2].index("^")] == ">"


def test_malformed_data_names_the_line() -> None:
    error = MalformedDataError("a.jsonl", 7, "not JSON")
    assert str(error) == "a.jsonl, line 7: not JSON"
    assert error.path == "a.jsonl"


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_has_the_common_base(name: str) -> None:
    assert issubclass(ALL[name], BabelensError)
