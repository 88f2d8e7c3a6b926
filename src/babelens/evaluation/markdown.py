"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .sections import Section, Table


def markdown(title: str, parts: Sequence[Section], plots: Mapping[str, str]) -> str:
    """The whole report. ``plots`` says by name, for those that were drawn into ``plots/``, what each shows."""
    lines = [f"# {_escaped(title)}", ""]
    for part in parts:
        lines += [f"## {_escaped(part.title)}", ""]
        if part.text:
            lines += [_escaped(part.text), ""]
        if part.table is not None:
            lines += [*table(part.table), ""]
        for name in part.plots:
            if name in plots:
                lines += [f"![{_escaped(plots[name])}](plots/{name}.svg)", ""]
    return "\n".join(lines)


def table(content: Table) -> list[str]:
    """The lines of a pipe table: labels to the left, figures to the right."""
    sides = ["---", *("---:" for _ in content.columns[1:])]
    rows = [content.columns, tuple(sides), *content.rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]


def _escaped(text: str) -> str:
    """File names and captions can hold what Markdown would read as its own."""
    for mark in "\\`*<[":
        text = text.replace(mark, "\\" + mark)
    return text
