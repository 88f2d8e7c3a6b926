"""``finetune``: an encoder that has learnt from one's own captions, or a plain "keep the base"."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FILE, LANGUAGE, LANGUAGE_LIST, command, json_option

if TYPE_CHECKING:
    from ..finetuning.finetune import FineTuning


@command("finetune")
@click.argument("data", required=False)
@click.option(
    "-c", "--collection", metavar="NAME|PATH",
    help="Learn from a collection's own captions; if it helped, encode the collection anew.",
)  # fmt: skip
@click.option(
    "--model", metavar="NAME|DIR",
    help="The encoder to begin with, on PyTorch or made by `babelens train`.  [default: the collection's, or mini]",
)  # fmt: skip
@click.option(
    "--out", metavar="DIR", type=click.Path(file_okay=False), help="Where the run goes.  [required]"
)
@click.option(
    "--validation", metavar="FILE", type=FILE, help="Captions to choose by, instead of a part of DATA."
)
@click.option("--test", metavar="FILE", type=FILE, help="Captions to judge by, instead of a part of DATA.")
@click.option(
    "--keep", metavar="FILE", type=FILE, multiple=True,
    help="Captions of another domain that must not get worse. Repeatable.  [default: the bundled gallery]",
)  # fmt: skip
@click.option("--parallel", metavar="FILE", type=FILE, help="Texts of one meaning in several languages.")
@click.option(
    "--teacher", metavar="NAME|DIR",
    help="Put parallel texts where this encoder puts them, instead of only together. `base` is the encoder itself.",
)  # fmt: skip
@click.option(
    "--teacher-language", metavar="LANG", type=LANGUAGE, default="en", show_default=True,
    help="The language that the teacher is asked in.",
)  # fmt: skip
@click.option(
    "--train", "parts", type=click.Choice(["all", "projections", "text", "image", "lora"]),
    default="all", show_default=True, help="Which weights learn.",
)  # fmt: skip
@click.option(
    "--loss", type=click.Choice(["infonce", "sigmoid", "margin"]), default="infonce", show_default=True,
    help="What pictures and captions are drawn together by.",
)  # fmt: skip
@click.option(
    "--languages", metavar="LANG,…", help=f"Learn from captions in these alone.  [default: {LANGUAGE_LIST}]"
)
@click.option(
    "--caption-language", metavar="LANG", type=LANGUAGE, help="The language of captions that do not say it."
)
@click.option(
    "--epochs", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True,
    help="How often each picture is seen; at least 100 steps are made.",
)  # fmt: skip
@click.option(
    "--batch-size", type=click.IntRange(2), default=128, show_default=True, help="Pictures in a step."
)
@click.option(
    "--chunk-size", type=click.IntRange(0), default=0, show_default=True,
    help="Rows inside a tower at a time, to save memory; 0 is all. Gradients are those of the whole batch.",
)  # fmt: skip
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True),
    help="Of the top layer.  [default: what suits the encoder]",
)  # fmt: skip
@click.option(
    "--patience", type=click.IntRange(0), default=3, show_default=True,
    help="Validations without a better one before it stops; 0 never stops.",
)  # fmt: skip
@click.option(
    "--tolerance", metavar="POINTS", type=click.FloatRange(0, 100), default=1.0, show_default=True,
    help="What another domain or a language may lose.",
)  # fmt: skip
@click.option(
    "--augment/--no-augment", default=True, show_default=True, help="Crop, mirror and tint pictures."
)
@click.option(
    "--photographs/--no-photographs", default=None,
    help="Whether to trust the result with photographs.  [default: as the base]",
)  # fmt: skip
@click.option("--name", help="What the result is called.  [default: the folder's name]")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Of the split, the batches and the intervals."
)
@click.option("--resume", is_flag=True, help="Continue the run in --out from its last checkpoint.")
@json_option
def finetune(
    data: str | None,
    collection: str | None,
    model: str | None,
    out: str | None,
    validation: str | None,
    test: str | None,
    keep: tuple[str, ...],
    parallel: str | None,
    teacher: str | None,
    teacher_language: str,
    parts: str,
    loss: str,
    languages: str | None,
    caption_language: str | None,
    epochs: float,
    batch_size: int,
    chunk_size: int,
    learning_rate: float | None,
    patience: int,
    tolerance: float,
    augment: bool,
    photographs: bool | None,
    name: str | None,
    seed: int,
    resume: bool,
    as_json: bool,
) -> None:
    """Train an encoder on your captions, if it helps.

    DATA is a file that lists pictures and captions, or a folder with train.jsonl, val.jsonl and test.jsonl; without a
    split one is made, by picture. The result lies in OUT/encoder, if it finds more on the test pictures beyond doubt
    and harms neither another domain nor a language; else the base is kept, and the report says why. Needs the extra:
    pip install 'babelens[torch]'.

    \b
    Examples:
      babelens finetune captions.jsonl --model clip-multilingual --train lora --out tuned
      babelens finetune -c shop
      babelens finetune --parallel names.jsonl --teacher base --train text --languages en,hi \\
        --validation val.jsonl --test test.jsonl --out with-hindi
    """
    from ..finetuning.finetune import finetune as run
    from ..finetuning.report import as_json as to_json
    from ..finetuning.report import write_report
    from ..finetuning.settings import Settings
    from ..languages import LANGUAGES, get_language
    from .app import Interrupted
    from .progress import reporting
    from .render import print_json, shown_path

    if collection is not None and data is not None:
        raise click.UsageError("DATA and --collection both say what to learn from; leave one away.")
    if out is None and collection is None:
        raise click.UsageError("--out is missing: the folder for the run.")
    source, model, folder = _begin(data, collection, model, out, resume)
    settings = Settings(
        parts=parts,  # type: ignore[arg-type]  # click has checked it
        loss=loss,  # type: ignore[arg-type]
        languages=tuple(get_language(tag.strip()).tag for tag in languages.split(","))
        if languages
        else tuple(LANGUAGES),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        parallel="distil" if teacher else "align",
        patience=patience,
        tolerance=tolerance / 100,
        augment=augment,
        seed=seed,
    )
    try:
        with reporting("Training", "steps") as steps, reporting("Measuring", "done") as measuring:
            found = run(
                source,
                model=model,
                out=folder,
                settings=settings,
                validation=Path(validation) if validation else None,
                test=Path(test) if test else None,
                keep=[Path(file) for file in keep] or None,
                parallel=Path(parallel) if parallel else None,
                teacher=None if teacher in (None, "base") else teacher,
                teacher_language=teacher_language,
                caption_language=caption_language,
                name=name,
                photographs=photographs,
                chunk_size=chunk_size,
                resume=resume,
                progress=measuring.update,
                report=steps.update,
            )
    except KeyboardInterrupt:
        raise Interrupted(
            f"The last checkpoint is kept in {folder}. Go on with the same command and --resume."
        ) from None
    files = write_report(found)
    if as_json:
        print_json(to_json(found))
    else:
        _show(found)
        click.echo("The report: " + ", ".join(shown_path(str(path.absolute())) for path in files))
    if collection is not None and found.encoder is not None:
        _encode_anew(collection, found.encoder)


def _begin(
    data: str | None, collection: str | None, model: str | None, out: str | None, resume: bool
) -> tuple[str | None, str, Path]:
    """Where to learn from, what to begin with, and where the run goes."""
    if collection is None:
        return data, model or "mini", Path(str(out))
    from ..collection import Collection

    with Collection.open(collection, create=False, read_only=True) as opened:
        own, path = opened.model, opened.path
    return str(path), model or own, Path(out) if out else _folder_of_run(path, resume)


def _folder_of_run(collection: Path, resume: bool) -> Path:
    """The first of ``finetuning``, ``finetuning-2``, … in which no run has come to its end; to resume, the last that
    there is."""
    folder, number = collection / "finetuning", 1
    while (folder / "report.json").exists():
        number += 1
        following = collection / f"finetuning-{number}"
        if resume and not following.exists():
            break
        folder = following
    return folder


def _show(found: FineTuning) -> None:
    from ..finetuning.report import sections
    from .render import Column, message, print_table, shown_path, terminal_width

    verdict, _, _, *gains = sections(found)[:5]
    click.secho(verdict.text, bold=True)
    for part in gains:
        click.secho(f"\n{part.title}", bold=True)
        if part.table is not None:
            print_table(
                [
                    Column(title, "left" if place < 2 else "right")
                    for place, title in enumerate(part.table.columns)
                ],
                part.table.rows,
            )
        click.echo(click.wrap_text(part.text, terminal_width() or 110))
    if found.data["left_out"]:
        where, reason = found.data["left_out"][0]
        message(
            f"{len(found.data['left_out']):,} pictures or lines were left out; the first: {where}: {reason}"
        )
    if found.encoder is not None:
        click.echo(f"The encoder: {shown_path(str(found.encoder.absolute()))}")


def _encode_anew(collection: str, encoder: Path) -> None:
    from .app import Interrupted
    from .opening import opened_to_write
    from .progress import reporting

    with opened_to_write(collection, create=False) as opened:
        try:
            with reporting("Encoding", "vectors") as reporter:
                report = opened.reindex(encoder.absolute(), progress=reporter.update)
        except KeyboardInterrupt:
            raise Interrupted(
                f"What is encoded is kept. Go on with: babelens reindex -c {collection} --model {encoder}"
            ) from None
    click.echo(f"{report.pictures:,} pictures and {report.texts:,} texts encoded; searches use them now.")
