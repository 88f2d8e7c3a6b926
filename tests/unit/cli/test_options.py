from __future__ import annotations

import click
import pytest

from babelens.cli.options import KINDS


def test_kinds_are_listed_with_commas() -> None:
    assert KINDS.convert("figure, passage,figure", None, None) == ("figure", "passage")


@pytest.mark.parametrize("value", ["", "figure,", "photo", "Figure"])
def test_a_kind_that_does_not_exist_is_told(value: str) -> None:
    with pytest.raises(click.UsageError, match="Kinds: image, page, figure, passage"):
        KINDS.convert(value, None, None)
