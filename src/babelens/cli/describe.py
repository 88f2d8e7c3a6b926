"""``caption`` and ``translate``: texts that models write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from .options import LANGUAGE, LANGUAGE_LIST, collection_option, command, json_option, where_option

if TYPE_CHECKING:
    from ..collection import Collection
    from ..types import DescribeReport, Progress

_SKIPS_SHOWN = 10


class LanguagesType(click.ParamType[tuple[str, ...]]):
    """Languages by tag or name, with commas between them."""

    name = "languages"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if not parts:
            self.fail("name one language at least", param, ctx)
        return tuple(dict.fromkeys(LANGUAGE.convert(part, param, ctx) for part in parts))


LANGUAGES = LanguagesType()


@command("caption")
@collection_option
@click.option(
    "--model",
    metavar="NAME|DIR",
    default="git-base-coco",
    show_default=True,
    help="The captioner: a name, a folder, or a hub id.",
)
@click.option(
    "--languages",
    metavar="TAG,…",
    type=LANGUAGES,
    default="en",
    show_default=True,
    help=f"Captions are English; into the other languages they are translated ({LANGUAGE_LIST}).",
)
@where_option
@json_option
def caption(collection: str, model: str, languages: tuple[str, ...], where: str | None, as_json: bool) -> int:
    """Write captions for pictures.

    For those that this model has not captioned yet. They are stored with the model's name beside those that people
    wrote, which they never replace. Run the same command again at any time: only what is missing is done. Needs:
    pip install 'babelens[torch]'

    \b
    babelens caption -c holiday --languages en,hi
    """

    def work(opened: Collection, progress: Progress) -> list[DescribeReport]:
        return [opened.caption(model=model, where=where, progress=progress)]

    def then(opened: Collection, progress: Progress) -> list[DescribeReport]:
        others = [language for language in languages if language != "en"]
        return [opened.translate(others, where=where, progress=progress)] if others else []

    return _run(
        collection, [("Captioning", "pictures", work), ("Translating", "texts", then)], as_json=as_json
    )


@command("translate")
@collection_option
@click.option(
    "--to",
    "targets",
    metavar="TAG,…",
    type=LANGUAGES,
    required=True,
    help=f"The languages to translate into ({LANGUAGE_LIST}).",
)
@click.option("--from", "source", type=LANGUAGE, help="Translate only texts in this language.")
@click.option(
    "--model",
    metavar="NAME|DIR",
    help="The translator: a name, a folder, or a hub id. Each pair of languages has its own default.",
)
@click.option(
    "--beside-human", is_flag=True,
    help="Also where a person wrote a caption in that language, to score translations against it.",
)  # fmt: skip
@where_option
@json_option
def translate(
    collection: str,
    targets: tuple[str, ...],
    source: str | None,
    model: str | None,
    beside_human: bool,
    where: str | None,
    as_json: bool,
) -> int:
    """Translate captions into the languages they lack.

    Of a picture's captions, people's English ones are taken, else people's in another language, else a model's.
    Every translation is checked; one that failed is stored with the reason, and neither searched nor counted. Run
    the same command again at any time: only what is missing or outdated is done.
    Needs: pip install 'babelens[torch]'

    \b
    babelens translate -c holiday --to es,fr,hi,de,it,ja,ar
    """

    def work(opened: Collection, progress: Progress) -> list[DescribeReport]:
        return [
            opened.translate(
                targets, model=model, source=source, where=where, beside_human=beside_human, progress=progress
            )
        ]

    return _run(collection, [("Translating", "texts", work)], as_json=as_json)


Step = tuple[str, str, Callable[["Collection", "Progress"], "list[DescribeReport]"]]


def _run(collection: str, steps: Sequence[Step], *, as_json: bool) -> int:
    from .app import INCOMPLETE, OK, Interrupted
    from .opening import opened_to_write
    from .progress import reporting

    reports: list[DescribeReport] = []
    with opened_to_write(collection, create=False) as opened:
        try:
            for verb, unit, work in steps:
                with reporting(verb, unit) as reporter:
                    reports += work(opened, reporter.update)
        except KeyboardInterrupt:
            raise Interrupted(
                "What was written so far is kept. Run the same command again to go on from here."
            ) from None
    _print_reports(reports, as_json=as_json)
    return INCOMPLETE if any(report.skipped for report in reports) else OK


def _print_reports(reports: Sequence[DescribeReport], *, as_json: bool) -> None:
    from .render import Column, count, duration, message, print_json, print_table, printable, shown_path

    written = {language: counts for report in reports for language, counts in report.written.items()}
    unchanged = sum(report.unchanged for report in reports)
    skipped = [skip for report in reports for skip in report.skipped]
    seconds = sum(report.seconds for report in reports)
    notes = list(dict.fromkeys(note for report in reports for note in report.notes))
    for note in notes:
        message(note)
    if as_json:
        print_json(
            {
                "written": written,
                "unchanged": unchanged,
                "skipped": [{"path": skip.path, "reason": skip.reason} for skip in skipped],
                "notes": notes,
                "seconds": round(seconds, 3),
            }
        )
    elif written:
        statuses = list(dict.fromkeys(status for counts in written.values() for status in counts))
        print_table(
            [Column("lang"), *(Column(status, "right") for status in statuses)],
            [
                [tag, *(f"{counts.get(status, 0):,}" for status in statuses)]
                for tag, counts in written.items()
            ],
        )
    new = sum(sum(counts.values()) for counts in written.values())
    message(f"{count(new, 'text')} written, {unchanged:,} were there ({duration(seconds)})")
    for skip in skipped[:_SKIPS_SHOWN]:
        message(f"Skipped {shown_path(skip.path)}: {printable(skip.reason)}")
    if len(skipped) > _SKIPS_SHOWN:
        message(f"… and {len(skipped) - _SKIPS_SHOWN:,} more (--json lists all)")
