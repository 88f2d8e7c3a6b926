"""A report as one HTML file that needs nothing else: styles, tables and plots are in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from .sections import Section, Table

_STYLE: Final = """
:root { color-scheme: light dark; --ground: #fdfdfc; --ink: #1b1b1a; --soft: #5d5d59; --line: #d9d9d4;
  --accent: #0b57a4 }
@media (prefers-color-scheme: dark) {
  :root { --ground: #161615; --ink: #ececea; --soft: #a9a9a3; --line: #3a3a37; --accent: #8ab8ee }
  figure img { filter: invert(1) hue-rotate(180deg) }
}
body { margin: 2rem auto; max-width: 84rem; padding: 0 1rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
p { max-width: 48rem; overflow-wrap: anywhere }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left }
thead th { color: var(--soft); font-weight: 600; position: sticky; top: 0; background: var(--ground) }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; vertical-align: top }
table.facts th { color: var(--soft); font-weight: 600 }
figure { margin: 1rem 0; max-width: 52rem } figure img { width: 100%; height: auto }
nav a { color: var(--accent); margin-right: 1rem; white-space: nowrap }
"""


def html(title: str, parts: Sequence[Section], plots: Mapping[str, tuple[str, str]]) -> str:
    """The whole report. ``plots`` gives by name an SVG as a ``data:`` address and what it shows in words."""
    body = [f"<h1>{escape(title)}</h1>", "<nav>"]
    body += [f'<a href="#s{place}">{escape(part.title)}</a>' for place, part in enumerate(parts)]
    body.append("</nav>")
    for place, part in enumerate(parts):
        body.append(f'<section id="s{place}"><h2>{escape(part.title)}</h2>')
        body += [f"<p>{escape(paragraph)}</p>" for paragraph in part.text.split("\n\n") if paragraph]
        if part.table is not None:
            body.append(_table(part.table))
        for name in part.plots:
            if name in plots:
                address, shown = plots[name]
                body.append(f'<figure><img src="{escape(address)}" alt="{escape(shown)}"></figure>')
        body.append("</section>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _table(table: Table) -> str:
    if not any(table.columns):
        rows = "".join(
            f'<tr><th scope="row">{escape(row[0])}</th><td>{escape(row[1])}</td></tr>' for row in table.rows
        )
        return f'<div class="wide"><table class="facts"><tbody>{rows}</tbody></table></div>'
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in table.rows
    )
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
