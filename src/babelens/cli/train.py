"""``train``: how an encoder comes to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import FILE, command, json_option


@command("train")
@click.argument("recipe", type=FILE)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where the run goes.  [default: runs/RECIPE]",
)
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="The data set, instead of the recipe's.",
)
@click.option("--resume", is_flag=True, help="Continue the run in --out from its last checkpoint.")
@click.option(
    "--set", "settings", metavar="TABLE.KEY=VALUE", multiple=True,
    help="Overrule a value of the recipe, such as run.steps=100. Repeatable.",
)  # fmt: skip
@json_option
def train(
    recipe: str, out: str | None, data: str | None, resume: bool, settings: tuple[str, ...], as_json: bool
) -> None:
    """Train an encoder from a recipe.

    RECIPE is a TOML file. Needs the extra: pip install 'babelens[torch]'. Checkpoints, a log of validation
    recall and, at the end, the encoder land in --out; use the result with `babelens index PATH --model
    runs/RECIPE/encoder`.
    """
    from ..training.train import train as run_training
    from .app import Interrupted
    from .render import Column, duration, message, print_json, print_table

    folder = Path(out) if out else Path("runs") / Path(recipe).stem
    try:
        summary = run_training(recipe, out=folder, data=data, resume=resume, overrides=_overrides(settings))
    except KeyboardInterrupt:
        raise Interrupted(
            f"The last checkpoint is kept in {folder}. Go on with the same command and --resume."
        ) from None
    if as_json:
        print_json(
            {
                "encoder": summary.encoder,
                "steps": summary.steps,
                "seconds": round(summary.seconds, 1),
                "validated_on": summary.validated_on,
                "recall": {language: found.to_dict() for language, found in summary.measured.items()},
                "left_out": [{"where": one.where, "reason": one.reason} for one in summary.left_out],
            }
        )
        return
    message(f"{summary.steps:,} steps in {duration(summary.seconds)}. The encoder: {summary.encoder}")
    if summary.left_out:
        first = summary.left_out[0]
        message(
            f"{len(summary.left_out):,} pictures or lines were left out, listed in {folder / 'data.json'}; the first: "
            f"{first.where}: {first.reason}"
        )
    rows = {language: found.to_row() for language, found in summary.measured.items()}
    measures = list(next(iter(rows.values()), {}))
    message(f"Measured on {summary.validated_on}; intervals of 95 %.")
    print_table(
        [Column("lang"), *(Column(name, "right") for name in measures)],
        [[language, *row.values()] for language, row in rows.items()],
    )


def _overrides(settings: tuple[str, ...]) -> dict[str, Any]:
    import tomllib

    values = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or "." not in key:
            raise click.UsageError(f"--set takes TABLE.KEY=VALUE, not {setting!r}.")
        try:
            values[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            values[key.strip()] = value  # a bare word is a text
    return values
