"""One evaluation, from the name of a data set to every figure of the report."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidQueryError
from ..languages import get_language
from ..metrics.statistics import Difference, Estimate
from ..types import EncoderFingerprint, Progress
from . import agreement, no_match, retrieval
from .agreement import Alignment, Consistency
from .corpus import Corpus, build_corpus
from .hubs import Hubs, find_hubs
from .no_match import Confidences, NoMatch
from .retrieval import Direction, Outcomes, Scores
from .sources import GALLERY, Subject, open_subject

if TYPE_CHECKING:
    from ..models.protocols import Encoder

_PACKAGES = ("babelens", "numpy", "faiss-cpu", "onnxruntime", "pillow", "torch", "transformers")


@dataclass(frozen=True, slots=True)
class About:
    """What is needed to repeat a run. ``data`` counts and hashes what was measured; ``command`` is the exact one."""

    data: Mapping[str, Any]
    encoder: EncoderFingerprint
    model: str
    photographs: bool
    index: Mapping[str, str]
    seed: int
    command: str
    date: str
    seconds: float
    versions: Mapping[str, str]
    hardware: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures of one encoder on one data set, by direction and language (``"all"``: all of them together).

    ``exact`` compares everything with everything: the encoder. ``deployed`` asks the collection as users do, ``cost``
    is what that loses (both None with ``exact_only``, as is ``no_match``). ``corpus``, ``ranks``,
    ``ranks_deployed`` and ``confidences`` hold what the figures were made of; they are not part of the JSON report.
    """

    about: About
    exact: Mapping[Direction, Mapping[str, Scores]]
    sum_of_recalls: Mapping[str, Estimate]
    deployed: Mapping[Direction, Mapping[str, Scores]] | None
    cost: Mapping[Direction, Mapping[str, Mapping[str, Difference]]] | None
    consistency: tuple[Consistency, ...]
    alignment: tuple[Alignment, ...]
    hubness: Mapping[str, Hubs]
    no_match: Mapping[str, NoMatch] | None
    notes: tuple[str, ...]
    corpus: Corpus = field(repr=False)
    ranks: Outcomes = field(repr=False)
    ranks_deployed: Outcomes | None = field(repr=False)
    confidences: tuple[Confidences, ...] = field(repr=False)


def evaluate(
    source: str | Path = GALLERY,
    *,
    out: str | Path,
    model: str | Path | Encoder | None = None,
    languages: Sequence[str] | None = None,
    images: Sequence[str | Path] = (),
    caption_language: str | None = None,
    exact_only: bool = False,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Measures an encoder, and the search around it, on pictures with captions that people wrote.

    ``source`` is a file that lists pictures and captions, a collection, or ``"gallery"``, the bundled one. A data set
    is encoded into ``out/work``, where a run that was stopped goes on. ``model`` is as for ``Collection.open``;
    the gallery without one is measured with ``mini``. ``languages`` are those to ask in, by default all that there
    are captions in; ``caption_language`` is that of captions that do not say theirs. ``exact_only`` leaves the index
    and the confidence alone. Nothing else is written: see :func:`~babelens.evaluation.report.write_report`.

    Raises :class:`DatasetError` when there is nothing to measure, and what opening a collection and adding to it do.
    """
    started = time.monotonic()
    tags = None if languages is None else tuple(get_language(tag).tag for tag in languages)
    if sample is not None and sample < 2:
        raise InvalidQueryError(f"A sample of {sample} pictures says nothing.", hint="Take two or more.")
    with open_subject(
        source,
        Path(out) / "work",
        model=model,
        images=images,
        caption_language=caption_language,
        sample=sample,
        seed=seed,
        progress=progress,
    ) as subject:
        corpus = build_corpus(subject.collection.embeddings(), languages=tags, labels=subject.labels)
        exact = retrieval.rank_exactly(corpus, progress=progress)
        given = None
        if not exact_only:
            given = retrieval.rank_deployed(subject.collection, corpus, progress=progress)
        deployed = None if given is None else given.outcomes
        nearest = agreement.nearest_pictures(corpus, progress=progress)
        return Evaluation(
            about=_about(subject, corpus, seed, started),
            exact=retrieval.summarise(exact, seed=seed),
            sum_of_recalls=retrieval.sum_of_recalls(exact, seed=seed),
            deployed=None if deployed is None else retrieval.summarise(deployed, seed=seed),
            cost=None if deployed is None else retrieval.differences(exact, deployed, seed=seed),
            consistency=agreement.consistency(corpus, nearest, seed=seed),
            hubness=find_hubs(corpus, nearest if given is None else given.found, seed=seed),
            alignment=agreement.alignment(corpus, seed=seed),
            no_match=None if given is None else no_match.judge(given.confidences, seed=seed),
            notes=(*_ingest_notes(subject), *corpus.notes),
            corpus=corpus,
            ranks=exact,
            ranks_deployed=deployed,
            confidences=() if given is None else given.confidences,
        )


def _about(subject: Subject, corpus: Corpus, seed: int, started: float) -> About:
    collection = subject.collection
    encoder = collection.encoder
    return About(
        data={
            "name": subject.name,
            "pictures": len(corpus.items),
            "captions": {tag: len(captions) for tag, captions in corpus.captions.items()},
            "sha256": corpus.digest,
        },
        encoder=encoder.fingerprint,
        model=collection.model,
        photographs=encoder.photographs,
        index={name: index.name for name, index in collection.info().indexes.items()},
        seed=seed,
        command=" ".join(["babelens", *map(_quoted, sys.argv[1:])]),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - started, 1),
        versions={"python": platform.python_version(), **dict(_versions())},
        hardware=_hardware(),
    )


def _ingest_notes(subject: Subject) -> list[str]:
    if subject.ingested is None:
        return []
    skipped = subject.ingested.skipped
    notes = [f"{skip.path} was left out: {skip.reason}." for skip in skipped[:10]]
    if len(skipped) > 10:
        notes.append(f"{len(skipped) - 10:,} more files or lines were left out.")
    return notes + list(subject.ingested.notes)


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in _PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found


def _hardware() -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            name = next(
                (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name
            )
    except OSError:  # not Linux
        pass
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    return {"processor": name, "cores": cores, "system": f"{platform.system()} {platform.machine()}"}


def _quoted(argument: str) -> str:
    import shlex

    return shlex.quote(argument)
