"""Data in; an encoder that has earned its place, or a plain "keep the base", out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..demo.bundled import load_gallery
from ..errors import TrainingError
from ..models.encoder import TwoTowerEncoder
from ..types import EncoderFingerprint, Progress
from .data import Data, describe, find_files, read_data, refuse_unreadable_languages
from .gate import Parity, Verdict, judge, parity
from .interpolation import Point, blend, choose, sweep
from .measure import Outcome, measure
from .publish import publish, withdraw
from .run import CHECKPOINT, Report, Run
from .settings import Settings
from .tunable import Tunable, take_apart


@dataclass(frozen=True, slots=True, eq=False)
class FineTuning:
    """What a run found. ``encoder`` is the published folder, None where the base is kept.

    ``base``, ``tuned`` and ``blended`` are outcomes on the test split; ``points`` the sweep on the validation split.
    ``rate`` is the learning rate used; ``best_step`` the step whose weights were taken.
    """

    out: Path
    encoder: Path | None
    fingerprint: EncoderFingerprint
    settings: Settings
    data: dict[str, Any]
    steps: int
    best_step: int
    seconds: float
    parity: Parity
    points: tuple[Point, ...]
    chosen: Point
    base: Outcome
    tuned: Outcome
    blended: Outcome
    verdict: Verdict


def finetune(
    source: str | Path | None,
    *,
    model: str | Path,
    out: str | Path,
    settings: Settings | None = None,
    validation: Path | None = None,
    test: Path | None = None,
    keep: Sequence[Path] | None = None,
    parallel: Path | None = None,
    teacher: str | Path | None = None,
    teacher_language: str = "en",
    caption_language: str | None = None,
    name: str | None = None,
    photographs: bool | None = None,
    chunk_size: int = 0,
    resume: bool = False,
    progress: Progress | None = None,
    report: Report | None = None,
) -> FineTuning:
    """Fine-tunes ``model`` on pictures with captions or ``parallel`` texts, and publishes ``out/encoder`` if it is
    better than the base.

    ``source`` is a captions file, a collection (its human captions), or a folder with ``train.jsonl``,
    ``val.jsonl`` and ``test.jsonl``; see :func:`.data.find_files`. ``keep`` are captions files of other domains
    that must not get worse; by default the bundled gallery. Parallel texts are drawn together or, with
    ``settings.parallel`` "distil", to where ``teacher`` (by default the base model) puts their text in
    ``teacher_language``. ``photographs`` says whether the result is to be trusted with photographs; by default as
    the base. ``chunk_size`` saves memory (see :class:`Run`). ``progress`` hears of decoding and measuring,
    ``report`` of steps.

    Raises :class:`TrainingError` when an alarm goes off, the base is not reproduced, or ``out`` holds another run;
    :class:`DatasetError` when the data leak, are too few, or cannot be read by the tokenizer.
    """
    settings, folder = settings or Settings(), Path(out)
    if (folder / CHECKPOINT).exists() and not resume:
        raise TrainingError(
            f"{folder} holds a checkpoint already.",
            hint="Continue it with --resume, or choose another folder.",
        )
    tunable = take_apart(model)
    files = find_files(
        source,
        folder / "data",
        validation=validation,
        test=test,
        kept=[load_gallery().captions_file] if keep is None else keep,
        parallel=parallel,
        caption_language=caption_language,
        seed=settings.seed,
    )
    data = read_data(
        files, tunable.base.image_tower.preprocess, languages=settings.languages, progress=progress
    )
    _check_tokenizer(tunable, data)
    # The validation split as it is before the first step: what serving finds is what training starts from.
    same, start = parity(tunable, data.validation)
    base = tunable.weights()
    run = Run(
        tunable,
        data,
        settings,
        folder,
        base=start,
        teacher=take_apart(teacher) if teacher is not None else None,
        anchor=teacher_language,
        chunk_size=chunk_size,
    )
    if resume and (folder / CHECKPOINT).exists():
        run.load_checkpoint()
    run.train(report=report)
    run.best_weights()
    tuned = tunable.weights()
    points = sweep(tunable, data, base, tuned, tolerance=settings.tolerance, progress=progress)
    chosen = choose(points)
    outcomes: dict[float, Outcome] = {}
    for alpha in (*({0.0, 1.0} - {chosen.alpha}), chosen.alpha):  # whose weights stay
        tunable.set_weights(blend(base, tuned, alpha))
        outcomes[alpha] = measure(tunable, data.test)
    verdict = judge(chosen, outcomes[0.0], outcomes[chosen.alpha], seed=settings.seed)
    encoder = None
    if not verdict.better:
        withdraw(folder)
    else:
        encoder = _publish(
            tunable,
            data,
            folder,
            chosen,
            verdict,
            name=name or folder.absolute().name,
            photographs=photographs,
        )
    return FineTuning(
        out=folder,
        encoder=encoder,
        fingerprint=tunable.base.fingerprint,
        settings=replace(settings, learning_rate=run.rate),
        data=describe(data),
        steps=run.step,
        best_step=run.best_step,
        seconds=run.seconds,
        parity=same,
        points=points,
        chosen=chosen,
        base=outcomes[0.0],
        tuned=outcomes[1.0],
        blended=outcomes[chosen.alpha],
        verdict=verdict,
    )


def _check_tokenizer(tunable: Tunable, data: Data) -> None:
    texts: dict[str, list[str]] = {}
    captions = [picture.captions for picture in data.train.pictures] if data.train else []
    for row in (*captions, *(data.parallel.rows if data.parallel else ())):
        for tag, bodies in row.items():
            texts.setdefault(tag, []).extend(bodies)
    refuse_unreadable_languages(tunable.tokenizer, texts)


def _publish(
    tunable: Tunable,
    data: Data,
    folder: Path,
    chosen: Point,
    verdict: Verdict,
    *,
    name: str,
    photographs: bool | None,
) -> Path:
    base: TwoTowerEncoder = tunable.base
    about = {
        "base": str(base.fingerprint),
        "share": chosen.alpha,
        "gain": [round(value, 4) for value in (verdict.gain.value, verdict.gain.low, verdict.gain.high)],
        "pictures": len(data.test),
    }
    trusted = base.photographs if photographs is None else photographs
    return publish(tunable, data.validation, folder, name=name, photographs=trusted, about=about)
