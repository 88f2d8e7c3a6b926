"""``models``: what encodes, where it is, whether it is sound, and how to make it quicker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .options import Command, collection_option, json_option

if TYPE_CHECKING:
    from ..models.passages import PassageModelInfo
    from ..models.registry import ModelInfo
    from ..types import Progress

_Fetched = TypeVar("_Fetched")

runtime_option = click.option(
    "--runtime",
    type=click.Choice(["onnx", "torch"]),
    help="What is to run it, where a model is published for both.  [default: what is here, then onnx]",
)


class _Group(click.Group, Command):
    """A group that is a command too: without a subcommand it lists."""


@click.group("models", cls=_Group, invoke_without_command=True)
@json_option
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the encoders, fetch them and test them.

    Those of pictures and texts, then those of passages (for `babelens index --passage-model`), with their size,
    licence and languages, and whether they are on this machine. Any other model is named by its
    folder, or by its repository on the hub (owner/name).
    """
    if context.invoked_subcommand is None:
        from ..models.passages import list_passage_encoders
        from ..models.registry import list_models

        _list(list_models(), list_passage_encoders(), as_json)


def _list(rows: Sequence[ModelInfo], passages: Sequence[PassageModelInfo], as_json: bool) -> None:
    from .render import Column, print_json, print_table, size

    if as_json:
        for row in rows:
            print_json(
                {
                    "name": row.name,
                    "encodes": "pictures",
                    "description": row.description,
                    "licence": row.licence,
                    "commercial": row.commercial,
                    "languages": list(row.languages),
                    "photographs": row.photographs,
                    "dim": row.dim,
                    "image_size": row.image_size,
                    "max_tokens": row.max_tokens,
                    "bytes": row.bytes,
                    "runtimes": list(row.runtimes),
                    "here": row.here,
                    "folder": row.folder,
                }
            )
        for passage in passages:
            print_json({"encodes": "passages", **asdict(passage)})
        return
    columns = [
        Column("name"),
        Column("size", "right"),
        Column("here"),
        Column("languages"),
        Column("photographs"),
        Column("licence", crop="end"),
        Column("description", crop="end"),
    ]
    print_table(
        columns,
        [
            [
                row.name,
                size(row.bytes),
                "yes" if row.here else "no",
                " ".join(row.languages),
                "yes" if row.photographs else "no",
                row.licence,
                row.description,
            ]
            for row in rows
        ]
        + [
            [
                passage.name,
                size(passage.bytes),
                "yes" if passage.here else "no",
                " ".join(passage.languages),
                "passages",
                passage.licence,
                passage.description,
            ]
            for passage in passages
        ],
    )


@models.command("pull", cls=Command)
@click.argument("name")
@runtime_option
@click.option(
    "--accept-licence", is_flag=True, help="Do not ask about a licence that forbids commercial use."
)
@json_option
def pull(name: str, runtime: Any, accept_licence: bool, as_json: bool) -> None:
    """Fetch a model from the hub.

    NAME is one of `babelens models`, or a repository (owner/name). What is here already is not fetched again, and an
    interrupted download goes on where it stopped.
    """
    from ..models.catalog import read_catalog
    from ..models.passages import read_passage_catalog
    from .render import message, print_json

    passages = read_passage_catalog().get(name)
    row = read_catalog().get(name) or passages
    if row is not None:
        message(f"{row.name}: {row.description}\nLicence: {row.licence}")
        if not (row.commercial or accept_licence):
            _ask()
    folders = fetch(name, runtime) if passages is None else (fetch_passage_encoder(name, runtime),)
    if as_json:
        print_json({"name": name, "folders": [str(folder) for folder in folders]})
        return
    option = "--model" if passages is None else "--passage-model"
    message(f"{name} is here. Use it with: babelens index FOLDER {option} {name}")


def _ask() -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("The licence forbids commercial use. Add --accept-licence if that suits you.")
    click.confirm("The licence forbids commercial use. Fetch it?", abort=True, err=True)


def fetch_for(collection: str, model: str | None) -> None:
    """Fetches the encoder that a command on a collection will need, with a bar, unless it is here."""
    from ..collection import Collection
    from ..errors import BabelensError
    from ..models.registry import default_model, is_here

    if model is None:
        try:
            with Collection.open(collection, create=False, read_only=True) as opened:
                model = opened.model
        except BabelensError:  # the command itself will say what is wrong, or make the collection
            model = default_model()
    if not is_here(model):
        fetch(model)


def fetch(name: str, runtime: Any = None) -> tuple[Path, ...]:
    """The folders of a model, fetched with a progress bar unless they are here."""
    from ..models.registry import pull as pull_model

    return _fetched(lambda progress: pull_model(name, runtime=runtime, progress=progress))


def fetch_passage_encoder(name: str, runtime: Any = None) -> Path:
    """The folder of a passage encoder, fetched with a progress bar unless it is here."""
    from ..models.passages import pull_passage_encoder

    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    return _fetched(lambda progress: pull_passage_encoder(name, runtime=runtime, progress=progress))


def _fetched(pull: Callable[[Progress], _Fetched]) -> _Fetched:
    """What a download gives, under a progress bar."""
    from .app import Interrupted
    from .progress import reporting

    megabyte = 1_000_000

    def update(done: int, total: int | None = None, note: str = "") -> None:
        reporter.update(done // megabyte, total and -(-total // megabyte), note)

    try:
        with reporting("fetching", "MB") as reporter:
            return pull(update)
    except KeyboardInterrupt:
        raise Interrupted("What has arrived is kept: the same command goes on from there.") from None


@models.command("check", cls=Command)
@click.argument("model")
@json_option
def check(model: str, as_json: bool) -> int:
    """Test whether an encoder is sound.

    MODEL is a name, a folder or a repository. Compares with known vectors where the catalogue has them; otherwise looks
    for damage, and whether pictures and captions of the bundled gallery find each other. Exit code 1 when it is not
    sound.
    """
    from ..demo.bundled import load_gallery
    from ..models.check import check_encoder
    from ..models.registry import load_encoder
    from ..sources.images import load_image
    from .progress import waiting
    from .render import Column, message, print_json, print_table

    if not Path(model).expanduser().is_dir():
        fetch(model)
    encoder = load_encoder(model)
    gallery = load_gallery()
    with waiting("testing"):
        pictures = [load_image(picture.path, encoder.image_size) for picture in gallery.pictures]
        report = check_encoder(encoder, pictures, [picture.captions for picture in gallery.pictures])
    if as_json:
        print_json(
            {
                "model": model,
                "ok": report.ok,
                "golden": report.golden,
                "fingerprint": asdict(report.fingerprint),
                "auc": report.auc,
                "findings": [
                    {"name": finding.name, "ok": finding.ok, "detail": finding.detail}
                    for finding in report.findings
                ],
                "values": report.values,
            }
        )
    else:
        marks = {True: "ok", False: "WRONG", None: "note"}
        rows = [[marks[finding.ok], finding.name, finding.detail] for finding in report.findings]
        print_table([Column("result"), Column("test"), Column("what was seen", crop="end")], rows)
        message(f"{model} is sound." if report.ok else f"{model} is not sound.")
    return 0 if report.ok else 1


@models.command("export", cls=Command)
@click.argument("model")
@click.option(
    "--to",
    type=click.Choice(["onnx", "openvino"]),
    default="onnx",
    show_default=True,
    help="What is to run it.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16", "int8"]),
    help="onnx: fp32 or int8; openvino: fp32 or bf16.  [default: int8, or bf16 with openvino]",
)
@click.option(
    "--pictures",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Pictures of yours to compare on.  [default: those of the collection]",
)
@collection_option
@click.option(
    "--sample", metavar="N", type=click.IntRange(min=1), default=500, show_default=True,
    help="How many of the pictures are compared.",
)  # fmt: skip
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="The folder to write, to take elsewhere.  [default: the cache, where it is used from then on]",
)
@json_option
def export(
    model: str,
    to: Any,
    precision: Any,
    pictures: str | None,
    collection: str,
    sample: int,
    out: str | None,
    as_json: bool,
) -> None:
    """Make an encoder run on ONNX Runtime or OpenVINO, and quicker.

    MODEL is a name, a folder or a repository. What comes out is compared with the original on your own pictures and
    published only when it ranks like it: of the ten nearest pictures at least 98 % must be the same. From then on it
    runs in the original's place if it was quicker here; `babelens info` says so. Needs pip install 'babelens[torch]'.
    """
    from ..models.export import export_encoder
    from ..models.registry import exports_folder, load_original
    from ..sources.images import load_image
    from .progress import reporting
    from .render import message, print_json, size

    if not Path(model).expanduser().is_dir():
        fetch(model)
    encoder = load_original(model)
    precision = precision or ("bf16" if to == "openvino" else "int8")
    paths, texts, whose = _samples(pictures, collection, sample)
    message(f"Comparing on {len(paths):,} {whose}.")
    with reporting("Exporting", "steps") as reporter:
        made = export_encoder(
            encoder,
            Path(out) if out else exports_folder() / f"{encoder.slug}-{to}-{precision}",
            precision=precision,
            to=to,
            pictures=[encoder.prepare(load_image(path, encoder.image_size)) for path in paths],
            texts=texts,
            progress=reporter.update,
        )
    if as_json:
        print_json(
            {
                "folder": made.folder,
                "precision": made.precision,
                "bytes": made.bytes,
                "gate": asdict(made.gate),
            }
        )
        return
    gate = made.gate
    message(
        f"{made.folder}: {size(made.bytes)}, {gate.speed:.1f} pictures a second against {gate.speed_before:.1f} "
        f"({gate.speed / gate.speed_before:.1f} times).\nOf the ten nearest pictures {gate.overlap_pictures:.1%} are "
        f"the same, of the ten best for a text {gate.overlap_texts:.1%} ({gate.pictures:,} pictures, "
        f"{gate.texts:,} texts)."
    )


def _samples(pictures: str | None, collection: str, sample: int) -> tuple[list[str], list[str], str]:
    """Paths of pictures, texts such as will be searched with, and whose they are."""
    import random

    from ..collection import Collection
    from ..demo.bundled import load_gallery
    from ..errors import CollectionNotFoundError
    from ..sources.images import EXTENSIONS

    gallery = load_gallery()
    texts = [caption for picture in gallery.pictures[::8] for caption in picture.captions.values()]
    if pictures is not None:
        files = sorted(Path(pictures).expanduser().rglob("*"))
        paths = [str(file) for file in files if file.suffix.lower().removeprefix(".") in EXTENSIONS]
        whose = f"pictures of {pictures}"
    else:
        try:
            with Collection.open(collection, create=False, read_only=True) as opened:
                paths = [item.source.path for item in opened.items(["image"])]
        except CollectionNotFoundError:
            paths = []
        whose = f"pictures of the collection {collection}"
        if not paths:
            paths = [str(picture.path) for picture in gallery.pictures]
            whose = "drawings of the bundled gallery, for want of pictures of yours (--pictures DIR, or -c)"
    return random.Random(0).sample(paths, min(sample, len(paths))), texts, whose
