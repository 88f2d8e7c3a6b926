"""Runs the demo: index the gallery, ask all that has a known answer, print samples and rates, write the sheet."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import BabelensError
from ..languages import LANGUAGES
from ..metrics.statistics import Estimate, auc
from .bundled import Gallery, load_gallery
from .rates import hit_rate, share
from .trials import Examiner, K, Trial

if TYPE_CHECKING:
    from rich.console import Console

    from ..collection import Collection
    from ..models.protocols import Encoder

_SEED = 5  # which captions and pictures are shown; the rates are over all of them
_SHEET = "contact-sheet.html"
_RATES_AT = (1, K)


@dataclass(frozen=True, slots=True)
class NoMatch:
    """``refused``: queries for absent things that were told so. ``refused_wrongly``: captions that have a picture.

    ``separation`` is the probability that a caption with a picture gets more confidence than an absent thing.
    """

    refused: Estimate
    refused_wrongly: Estimate
    separation: float


@dataclass(frozen=True, slots=True)
class DemoReport:
    """Rates by ``k`` (1 and 5), by language where there is one; ``samples`` are the trials shown, by task.

    ``by_things`` are the rates of text to image again, all languages together, by how many things a caption names.
    """

    encoder: str
    version: str
    pictures: int
    seconds: float
    text_to_image: Mapping[str, Mapping[int, Estimate]]
    by_things: Mapping[int, Mapping[int, Estimate]]
    image_to_text: Mapping[str, Mapping[int, Estimate]]
    image_to_image: Mapping[int, Estimate]
    combined: Mapping[str, Mapping[int, Estimate]]
    no_match: NoMatch
    samples: Mapping[str, Sequence[Trial]]
    contact_sheet: Path
    collection: Path | None


def run(
    *,
    json: bool = False,
    out: Path | None = None,
    model: str | Path | Encoder | None = None,
    gallery: Gallery | None = None,
    console: Console | None = None,
) -> DemoReport:
    """The demo from start to end.

    Without ``out`` the collection is temporary and the contact sheet goes to ``babelens-demo/`` in the working
    directory; with it both stay in ``out``. ``json`` prints one object per line on stdout and ends with
    ``{"summary": …}``; otherwise tables go to ``console``. ``model`` is as for
    ``Collection.open``; without it the bundled encoder.

    Raises :class:`BabelensError` when ``out`` cannot be written.
    """
    started = time.perf_counter()
    gallery = gallery or load_gallery()
    folder = _make_folder(out or Path("babelens-demo"))
    say = _progress()
    place = nullcontext(str(folder)) if out else tempfile.TemporaryDirectory(prefix="babelens-demo-")
    with place as parent:
        encoder, trials = _examine(Path(parent) / "collection", gallery, model, say)
    say("")
    report = _report(gallery, trials, encoder, time.perf_counter() - started, folder, keep=out is not None)

    from .contact_sheet import contact_sheet

    report.contact_sheet.write_text(contact_sheet(report), "utf-8")
    if json:
        from .output import print_json

        print_json(report)
    else:
        from .output import print_tables

        print_tables(report, console)
    return report


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BabelensError(
            f"{folder}: {error.strerror}", hint="Say where the contact sheet may go: --out DIR"
        ) from error
    return folder.resolve()


def _progress() -> Callable[[str], None]:
    """One line on stderr that replaces itself; silent where stderr is not a terminal."""
    if not sys.stderr.isatty():
        return lambda _: None

    def say(text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    return say


def _examine(
    folder: Path, gallery: Gallery, model: str | Path | Encoder | None, say: Callable[[str], None]
) -> tuple[str, list[Trial]]:
    """Indexes the pictures, then their captions, and asks. Returns the encoder's name and all trials."""
    from ..collection import Collection

    trials: list[Trial] = []

    def ask(doing: str, questions: Iterable[Trial]) -> None:
        for number, trial in enumerate(questions):
            if number % 100 == 0:
                say(f"{doing}: {number} asked")
            trials.append(trial)

    with Collection.open(folder, model=model or "mini") as collection:
        say("Indexing the gallery")
        _start_afresh(collection, gallery, folder)
        collection.add([gallery.pictures_folder])
        examiner = Examiner(collection, gallery)
        ask("Words to pictures", examiner.text_to_image())
        ask("Things that are not there", examiner.no_match())
        ask("Pictures to pictures", examiner.image_to_image())
        ask("Pictures and words", examiner.combined())
        say("Indexing the captions")
        collection.add([gallery.pictures_folder], captions=[gallery.captions_file])
        ask("Pictures to words", examiner.image_to_text())
        return collection.encoder.fingerprint.name, trials


def _start_afresh(collection: Collection, gallery: Gallery, folder: Path) -> None:
    """Forgets an earlier demo, whose captions would give the answers away; anything else is not ours to remove."""
    pictures = {str(picture.path.absolute()) for picture in gallery.pictures}
    items = list(collection.items())
    if any(item.source.path not in pictures for item in items):
        raise BabelensError(f"{folder} holds other pictures.", hint="Choose an empty folder for --out.")
    if items:
        collection.remove([item.id for item in items])


def _report(
    gallery: Gallery, trials: Sequence[Trial], encoder: str, seconds: float, folder: Path, *, keep: bool
) -> DemoReport:
    n = len(gallery.pictures)
    tasks: dict[str, list[Trial]] = {}
    for trial in trials:
        tasks.setdefault(trial.task, []).append(trial)

    def rates(chosen: Sequence[Trial], corpus: int) -> dict[int, Estimate]:
        return {k: hit_rate(chosen, k, corpus=corpus) for k in _RATES_AT}

    def by_language(task: str) -> dict[str, dict[int, Estimate]]:
        return {
            language: rates([trial for trial in tasks[task] if trial.language == language], n)
            for language in LANGUAGES
        }

    size = {text: len(p.things) for p in gallery.pictures for text in p.captions.values()}

    def by_things(asked: Sequence[Trial]) -> dict[int, dict[int, Estimate]]:
        sizes = [size[trial.query[0].text or ""] for trial in asked]
        return {
            count: rates([trial for trial, s in zip(asked, sizes, strict=True) if s == count], n)
            for count in sorted(set(sizes))
        }

    asked, absent = tasks["text_to_image"], tasks["no_match"]
    return DemoReport(
        encoder=encoder,
        version=metadata.version("babelens"),
        pictures=n,
        seconds=seconds,
        text_to_image=by_language("text_to_image"),
        by_things=by_things(asked),
        image_to_text=by_language("image_to_text"),
        image_to_image=rates(tasks["image_to_image"], n - 1),
        combined={
            "Picture plus words": rates(tasks["combined_plus"], n - 1),
            "Picture minus words": rates(tasks["combined_minus"], n - 1),
        },
        no_match=NoMatch(
            share(absent, lambda trial: not trial.confident),
            share(asked, lambda trial: not trial.confident),
            auc(_confidences(asked), _confidences(absent)),
        ),
        samples=_samples(tasks),
        contact_sheet=folder / _SHEET,
        collection=folder / "collection" if keep else None,
    )


def _confidences(trials: Sequence[Trial]) -> NDArray[np.float64]:
    return np.array([trial.confidence for trial in trials if trial.confidence is not None])


def _samples(tasks: Mapping[str, Sequence[Trial]]) -> dict[str, list[Trial]]:
    """What is shown, drawn by lot: two captions a language, four pictures in all languages, a few of the rest."""
    rng = random.Random(_SEED)

    def of(task: str, language: str, count: int) -> list[Trial]:
        return rng.sample([trial for trial in tasks[task] if trial.language == language], count)

    words = [trial for language in LANGUAGES for trial in of("text_to_image", language, 2)]
    shown = {trial.query for trial in of("image_to_text", "en", 4)}
    return {
        "text_to_image": words,
        "image_to_text": sorted(
            (trial for trial in tasks["image_to_text"] if trial.query in shown),
            key=lambda trial: [part.picture.path for part in trial.query if part.picture],
        ),
        "image_to_image": rng.sample(tasks["image_to_image"], 4),
        "combined_plus": rng.sample(tasks["combined_plus"], 2),
        "combined_minus": rng.sample(tasks["combined_minus"], 2),
        "no_match": [of("no_match", language, 1)[0] for language in LANGUAGES],
    }
