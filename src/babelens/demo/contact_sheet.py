"""What the demo found, as one HTML page that needs nothing else: pictures inlined, readable in light and dark."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from ..languages import LANGUAGES
from ..metrics.statistics import Estimate
from .bundled import Picture
from .trials import Part, Trial

if TYPE_CHECKING:
    from .run import DemoReport

_NAMED = {1: "one thing named", 2: "two things named", 3: "three things named"}
_PLACES = ("first", "second", "third", "fourth", "fifth")


def contact_sheet(report: DemoReport) -> str:
    """The page. Every picture has an alternative text, every text its language and direction."""
    show = report.samples
    by_language: dict[str, list[Trial]] = {}
    for trial in show["image_to_text"]:
        by_language.setdefault(str(trial.query[0].picture and trial.query[0].picture.path), []).append(trial)
    sections = [
        _section(
            "Words to pictures",
            "Two captions in each language, drawn by lot. A tick marks a picture that shows all that was asked for.",
            [_strip(trial) for trial in show["text_to_image"]],
        ),
        _section(
            "Pictures to words",
            "The caption that fits best, of those written in each language.",
            [_words(trials) for trials in by_language.values()],
        ),
        _section(
            "Pictures to pictures",
            "Other pictures of the same things, drawn smaller, larger, and on other grounds.",
            [_strip(trial) for trial in show["image_to_image"]],
        ),
        _section(
            "Adding and taking away",
            "A picture and words in one query.",
            [_strip(trial) for trial in (*show["combined_plus"], *show["combined_minus"])],
        ),
        _section(
            "Nothing to find",
            "These things are in no picture. Babelens should say so; the nearest pictures stand below the line.",
            [_strip(trial) for trial in show["no_match"]],
        ),
        _measures(report),
    ]
    unseen = ", which was never trained on this style of drawing" if report.encoder == "mini" else ""
    page = resources.files(__package__).joinpath("contact_sheet.html").read_text("utf-8")
    return Template(page).substitute(
        title=f"{report.pictures} pictures, asked in eight languages",
        lead=f"Indexed and searched on this machine in {report.seconds:.0f} s with the encoder "
        f"<b>{escape(report.encoder)}</b>{unseen}.",
        sections="\n".join(sections),
        footer=f"Made by <code>babelens demo</code> {escape(report.version)}. Drawings: Fluent Emoji, © Microsoft, "
        "MIT licence, composed into scenes. Names: Unicode CLDR, Unicode licence.",
    )


def _section(heading: str, lead: str, blocks: Iterable[str]) -> str:
    body = "\n".join(blocks)
    return (
        f'<section><h2>{heading}</h2><p class="quiet">{lead}</p>\n<div class="pairs">{body}</div></section>'
    )


def _language(tag: str) -> str:
    """The attributes of text in a language."""
    return f'lang="{tag}" dir="{LANGUAGES[tag].direction}"' if tag else 'lang="en"'


def _size(picture: Picture) -> tuple[int, int]:
    from PIL import Image

    with Image.open(picture.path) as opened:
        return opened.size


def _image(picture: Picture, language: str) -> str:
    """A picture with its true caption as the alternative text, in ``language`` (or English)."""
    width, height = _size(picture)
    data = base64.b64encode(picture.path.read_bytes()).decode("ascii")
    alt = escape(picture.captions[language or "en"])
    return f'<img src="data:image/webp;base64,{data}" width="{width}" height="{height}" alt="{alt}">'


def _asked(parts: Sequence[Part], language: str) -> str:
    shown = []
    for number, part in enumerate(parts):
        if number or part.minus:
            shown.append(f'<span class="sign">{"−" if part.minus else "+"}</span>')
        if part.picture:
            shown.append(_image(part.picture, language))
        else:
            shown.append(f'<span class="asked">{escape(part.text or "")}</span>')
    return "".join(shown)


def verdict(trial: Trial) -> str:
    """In a word or two, how a trial went."""
    if trial.task == "no_match":
        return "a match is claimed, wrongly" if trial.confident else "nothing here matches well"
    rank = trial.rank
    return f"{_PLACES[rank - 1]} hit is right" if rank else "not among the first five"


def _strip(trial: Trial) -> str:
    named = LANGUAGES[trial.language].own_name if trial.language else ""
    hits = []
    for picture, right in zip(trial.hits, trial.right, strict=True):
        mark = (
            '<span class="mark" aria-hidden="true">✓</span><span class="hidden" lang="en">right</span>'
            if right
            else ""
        )
        width, height = _size(picture)
        # In proportion to its shape, so that a row is as high as it needs to be and all its pictures alike.
        grow = f"flex-grow:{width / height:.3f}"
        hits.append(f'<li style="{grow}">{_image(picture, trial.language)}{mark}</li>')
    far = " far" if trial.task == "no_match" and not trial.confident else ""
    label = f'<small lang="{trial.language}">{named}</small>' if named else ""
    label += f'<small lang="en" dir="ltr">{verdict(trial)}</small>'
    return (
        f"<figure {_language(trial.language)}><figcaption>{_asked(trial.query, trial.language)}{label}</figcaption>"
        f'<ol class="strip{far}">{"".join(hits)}</ol></figure>'
    )


def _words(trials: Sequence[Trial]) -> str:
    picture = trials[0].query[0].picture
    assert picture is not None
    rows = []
    for trial in trials:
        best, right = trial.hits[0], trial.right[0]
        mark = '<span class="yes" title="right">✓</span>' if right else '<span title="wrong">✗</span>'
        rows.append(
            f'<dt lang="{trial.language}">{LANGUAGES[trial.language].own_name}</dt>'
            f"<dd {_language(trial.language)}>{escape(best.captions[trial.language])}</dd><dd>{mark}</dd>"
        )
    return f'<div class="words">{_image(picture, "en")}<dl>{"".join(rows)}</dl></div>'


def _measures(report: DemoReport) -> str:
    tables = "".join(
        (
            _rates_table(
                "Words to pictures: all captions of the gallery, pictures alone in the index",
                {tag: report.text_to_image[tag] for tag in report.text_to_image},
            ),
            _rates_table("Pictures to words: all pictures of the gallery", report.image_to_text),
            _rates_table(
                "In other ways",
                {
                    **{f"Words to pictures, {_NAMED[n]}": row for n, row in report.by_things.items()},
                    "Pictures to pictures": report.image_to_image,
                    **report.combined,
                },
            ),
        )
    )
    absent = report.no_match
    said = (
        f"Of {absent.refused.n} queries for things that no picture shows, {_percent(absent.refused.value)} were "
        f"told that nothing matches; so were {_percent(absent.refused_wrongly.value)} of the captions that have one."
    )
    return (
        '<section><h2>Measured over the whole gallery</h2><p class="quiet">The share of queries with a right hit among '
        "the first 1 or 5, with its 95 % interval (bootstrap). Several pictures can be right.</p>"
        f'{tables}<p style="margin-top:20px">{said}</p></section>'
    )


def _rates_table(title: str, rows: Mapping[str, Mapping[int, Estimate]]) -> str:
    body = []
    for name, rates in rows.items():
        label = (
            f'<span lang="{name}">{LANGUAGES[name].own_name}</span>' if name in LANGUAGES else escape(name)
        )
        cells = "".join(
            f'<td><span class="bar"><i style="width:{100 * rate.value:.1f}%"></i></span>{_percent(rate.value)} '
            f"<small>{_percent(rate.low)} to {_percent(rate.high)}</small></td>"
            for rate in rates.values()
        )
        chance = ", ".join(f"{100 * (rate.chance or 0.0):.1f} %" for rate in rates.values())
        body.append(f"<tr><td>{label}</td><td>{rates[1].n}</td>{cells}<td><small>{chance}</small></td></tr>")
    head = "<tr><th></th><th>queries</th><th>hit rate @1</th><th>hit rate @5</th><th>by chance</th></tr>"
    return f'<div class="wide"><table><caption>{title}</caption>{head}{"".join(body)}</table></div>'


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"
