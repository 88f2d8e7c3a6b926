"""``evaluate``: measures an encoder and the search around it."""

from __future__ import annotations

import click

from .describe import LANGUAGES
from .options import LANGUAGE, command, json_option, model_option


@command("evaluate")
@click.argument("data", required=False, metavar="[DATA]")
@model_option
@click.option(
    "--compare", nargs=2, metavar="A B", help="Measure two models on the same data, and their difference."
)
@click.option(
    "--languages", metavar="TAG,…", type=LANGUAGES, help="Ask in these languages.  [default: all there are]"
)
@click.option("--out", metavar="DIR", type=click.Path(file_okay=False), default="babelens-report", show_default=True,
    help="The folder for the report.")  # fmt: skip
@click.option("--images", metavar="DIR", multiple=True, type=click.Path(exists=True, file_okay=False),
    help="Where the listed pictures are, if not beside the file.")  # fmt: skip
@click.option(
    "--caption-language",
    metavar="TAG",
    type=LANGUAGE,
    help="The language of captions that do not say theirs.",
)
@click.option("--exact", is_flag=True, help="The encoder alone: no index, no confidence.")
@click.option("--sample", metavar="N", type=click.IntRange(min=2), help="Measure on N pictures drawn by lot.")
@click.option("--seed", type=int, default=0, show_default=True, help="For samples, intervals and halves.")
@click.option("--overwrite", is_flag=True, help="Write over a report that is in DIR.")
@json_option
def evaluate(
    data: str | None,
    model: str | None,
    compare: tuple[str, str] | None,
    languages: tuple[str, ...] | None,
    out: str,
    images: tuple[str, ...],
    caption_language: str | None,
    exact: bool,
    sample: int | None,
    seed: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Measure how well a collection is searched.

    DATA is a file that lists pictures and captions (JSONL, CSV, Flickr8k, COCO), or a collection; without it the
    bundled gallery is measured. Every human caption is asked of the collection, in every language, both ways; each
    figure comes with n, the level of chance and a 95 % interval. Writes report.json, report.md, report.html and
    queries.jsonl.

    \b
    Examples:
      babelens evaluate
      babelens evaluate flickr8k/test.jsonl --model clip-multilingual --out clip
      babelens evaluate captions_val2017.json --images val2017 --caption-language en
      babelens evaluate test.jsonl --compare clip-b32 siglip2-b32
      babelens evaluate holiday --languages en,de
    """
    from ..evaluation import compare as compare_evaluations
    from ..evaluation import evaluate as run
    from ..evaluation import write_report
    from ..evaluation.report import as_json as to_json
    from ..evaluation.report import check_folder
    from ..evaluation.sections import headlines
    from .progress import reporting
    from .render import Column, print_json, print_table, shown_path, terminal_width

    if compare and model:
        raise click.UsageError("--compare names both models; leave --model away.")
    check_folder(out, overwrite=overwrite)
    found = []
    for name in compare or (model,):
        with reporting("Measuring", "queries") as reporter:
            found.append(
                run(
                    data or "gallery",
                    out=out,
                    model=name,
                    languages=languages,
                    images=images,
                    caption_language=caption_language,
                    exact_only=exact,
                    sample=sample,
                    seed=seed,
                    progress=reporter.update,
                )
            )
    report = compare_evaluations(*found, seed=seed) if compare else found[0]
    files = write_report(report, out, overwrite=overwrite)
    if as_json:
        print_json(to_json(report))
        return
    for part in headlines(report):
        click.secho(f"\n{part.title}", bold=True)
        if part.text:
            click.echo(click.wrap_text(part.text, terminal_width() or 110, preserve_paragraphs=True))
        if part.table is not None:
            print_table(
                [
                    Column(title, "left" if place == 0 else "right")
                    for place, title in enumerate(part.table.columns)
                ],
                part.table.rows,
            )
    click.echo("\nThe report: " + ", ".join(shown_path(str(path.absolute())) for path in files))
