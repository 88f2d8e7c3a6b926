"""Pages and figures found for questions to the bundled manuals, and whether an answer is given only where there is one.

    python -m benchmarks manuals               all questions; some minutes
    python -m benchmarks manuals --quick       every fifth

The nine manuals stand in one collection, made with the encoder `mini` and without OCR. A question asks for one page of
one document, and sometimes for a figure on it; one in a language that its device has no manual in is answered by each
of the device's three. A page counts as found when a passage, a figure or a page on it is a hit; hits are taken as
distinct pages in their order. "As `ask` reads" is the order in which answers are looked for. Intervals come from
drawing devices' questions with replacement: the translations of a question are one piece of evidence. Nothing may be
tuned on these questions: the table of thresholds says how much there would be to gain.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babelens import Collection
from babelens.demo.answers import AnswerTrial, ask_manuals
from babelens.demo.manuals import Manual, Question, load_manuals
from babelens.metrics.statistics import Bootstrap, Estimate
from babelens.retrieval.calibration import CONFIDENT
from babelens.types import Hit, Item
from benchmarks.figures import number, share

DEPTH = 30  # hits, of which several may lie on one page
MODES = {"words": "text", "hybrid (as shipped)": "hybrid", "pictures alone": "image"}
FOLDS = 5
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))

Place = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, with every page that answers it. ``figures`` are (path, page, number in the label)."""

    group: str
    text: str
    language: str
    across: bool
    pages: frozenset[Place]
    figures: frozenset[tuple[str, int | None, str]]


def run(quick: bool = False) -> None:
    """Prints tables of pages, figures, answers and thresholds."""
    manuals = load_manuals()
    asked = questions_of(manuals)[:: 5 if quick else 1]
    with tempfile.TemporaryDirectory(prefix="babelens-bench-") as temporary:
        report = ask_manuals(Path(temporary), manuals=manuals, questions=_all(manuals)[:: 5 if quick else 1])
        with Collection.open(report.collection, model="mini") as collection:
            print(f"{report.pages} pages, {report.figures} figures of {len(manuals)} manuals")
            _print_pages(collection, [one for one in asked if one.pages])
            _print_figures(collection, [one for one in asked if one.figures])
            _print_answers(report.trials)
            _print_thresholds(asked, np.array([_confidence(collection, one) for one in asked]))


def questions_of(manuals: Sequence[Manual]) -> list[Asked]:
    """The questions, each once: one that crosses languages stands in several manuals."""
    found: dict[tuple[str, str, str, str], Asked] = {}
    for manual, question in _all(manuals):
        across = question.language != manual.language
        key = (manual.device, question.language, question.key, "" if across else manual.language)
        path = str(manual.path.absolute())
        pages = {(path, question.page)} if question.page is not None else set()
        figures = {(path, *place) for place in _figure(manual, question)}
        known = found.get(key)
        found[key] = Asked(
            f"{manual.device}/{question.key}",
            question.text,
            question.language,
            across,
            frozenset(pages | (known.pages if known else set())),
            frozenset(figures | (known.figures if known else set())),
        )
    return list(found.values())


def _figure(manual: Manual, question: Question) -> list[tuple[int, str]]:
    return [
        (one.page, number(one.label) or "")
        for one in manual.figures
        if one.label and one.label == question.figure
    ]


def _all(manuals: Sequence[Manual]) -> list[tuple[Manual, Question]]:
    return [(manual, question) for manual in manuals for question in manual.questions]


# -- pages and figures -------------------------------------------------------------------------------------------


def distinct(places: Iterable[Place]) -> list[Place]:
    """Each once, in order; what lies on no page is left out."""
    return [place for place in dict.fromkeys(places) if place[1] is not None]


def rank_of(found: Sequence[object], relevant: frozenset[object]) -> float:
    """The place, from 1, of the first that is relevant; infinite when there is none."""
    return next((place for place, one in enumerate(found, 1) if one in relevant), float("inf"))


def _pages(collection: Collection, mode: str, one: Asked) -> float:
    hits = collection.search(one.text, mode=mode, k=DEPTH).hits
    return rank_of(distinct((hit.item.source.path, hit.item.source.page) for hit in hits), one.pages)


def _pages_read(collection: Collection, one: Asked) -> float:
    evidence = collection._findings(one.text, k=8, where=None, pictured=False).evidence
    items = (collection.get(piece.item_id) for piece in evidence)
    return rank_of(distinct((item.source.path, item.source.page) for item in items), one.pages)


def _figures_alone(collection: Collection, mode: str, one: Asked) -> float:
    hits = collection.search(one.text, mode=mode, k=DEPTH, kinds=["figure"]).hits
    return rank_of([_as_figure(hit.item) for hit in hits], one.figures)


def _figures_brought(collection: Collection, mode: str, one: Asked) -> float:
    """Figures in the order in which a search of everything leads to them: as hits, or by passages that name them."""
    order: dict[object, None] = {}
    for hit in collection.search(one.text, mode=mode, k=DEPTH).hits:
        order |= dict.fromkeys(map(_as_figure, _brought(collection, hit)))
    return rank_of(list(order), one.figures)


def _brought(collection: Collection, hit: Hit) -> list[Item]:
    if hit.item.kind == "figure":
        return [hit.item]
    return (
        [item for item in collection.related(hit.item.id) if item.kind == "figure"]
        if hit.item.kind == "passage"
        else []
    )


def _as_figure(item: Item) -> tuple[str, int | None, str]:
    return (item.source.path, item.source.page, number(item.metadata.get("label")) or "")


def _print_pages(collection: Collection, asked: Sequence[Asked]) -> None:
    ranks = {name: np.array([_pages(collection, mode, one) for one in asked]) for name, mode in MODES.items()}
    ranks["as `ask` reads"] = np.array([_pages_read(collection, one) for one in asked])
    for k in (1, 3):
        print(f"\nPage hit_rate@{k} (95 % interval)\n")
        _print_by_language(asked, ranks, k)


def _print_figures(collection: Collection, asked: Sequence[Asked]) -> None:
    kinds: tuple[tuple[str, Callable[[Collection, str, Asked], float]], ...] = (
        ("searched for alone", _figures_alone),
        ("as a search of everything leads to them", _figures_brought),
    )
    for name, rank in kinds:
        print(f"\nFigure hit_rate@3, figures {name} (95 % interval)\n")
        ranks = {
            label: np.array([rank(collection, mode, one) for one in asked]) for label, mode in MODES.items()
        }
        _print_by_language(asked, ranks, 3)


def _print_by_language(asked: Sequence[Asked], ranks: Mapping[str, NDArray[np.float64]], k: int) -> None:
    rows = [
        (tag, lambda one, tag=tag: one.language == tag and not one.across)
        for tag in sorted({one.language for one in asked})
    ]
    rows += [("all", lambda one: not one.across), ("across", lambda one: one.across)]
    print(f"{'language':<10}{'n':>5}" + "".join(f"{name:>24}" for name in ranks))
    for name, chosen in rows:
        places = [place for place, one in enumerate(asked) if chosen(one)]
        if not places:
            continue
        bootstrap = Bootstrap(np.array([asked[place].group for place in places]))
        cells = [
            shown(bootstrap.estimate((values[places] <= k).astype(np.float64))) for values in ranks.values()
        ]
        print(f"{name:<10}{len(places):>5}" + "".join(f"{cell:>24}" for cell in cells), flush=True)
    first, *others = ranks
    places = [place for place, one in enumerate(asked) if not one.across]
    bootstrap = Bootstrap(np.array([asked[place].group for place in places]))
    for other in others:
        change = bootstrap.difference((ranks[first][places] <= k) * 1.0, (ranks[other][places] <= k) * 1.0)
        print(
            f"{other} over {first}: {change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f}, p {change.p:.4f})"
        )


def shown(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f}-{estimate.high:.3f})"


# -- answers -----------------------------------------------------------------------------------------------------


def _print_answers(trials: Sequence[AnswerTrial]) -> None:
    """What `ask` says without a language model."""
    print("\nAnswers of `ask` without a language model (95 % interval)\n")
    parts = {
        "answerable": lambda one: (
            one.question.page is not None and one.question.language == one.manual.language
        ),
        "across languages": lambda one: (
            one.question.page is not None and one.question.language != one.manual.language
        ),
        "unanswerable": lambda one: one.question.page is None,
    }
    for name, chosen in parts.items():
        some = [one for one in trials if chosen(one)]
        bootstrap = Bootstrap(np.array([_group(one) for one in some]))
        told = {"grounded": [one.answer.grounded for one in some]}
        if name == "answerable":
            told |= {
                "a sentence of the right page is quoted": [one.right_page for one in some],
                "the sentence with the answer is quoted": [one.right for one in some],
            }
        for what, values in told.items():
            print(
                f"{name:<18}{what:<42}n {len(some):>4}  {shown(bootstrap.estimate(np.array(values, dtype=float)))}"
            )
    own = [one for one in trials if one.question.language == one.manual.language]
    answerable = np.array([one.question.page is not None for one in own])
    grounded = np.array([one.answer.grounded for one in own])
    print(f"grounded: precision {_share(own, answerable & grounded, grounded)}, "
          f"recall {_share(own, answerable & grounded, answerable)}")  # fmt: skip


def _share(trials: Sequence[AnswerTrial], part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> str:
    groups = np.array([_group(one) for one in trials])
    return share(part[whole].astype(np.int64), np.ones(int(whole.sum()), dtype=np.int64), groups[whole])


def _group(trial: AnswerTrial) -> str:
    return f"{trial.manual.device}/{trial.question.key}"


def _confidence(collection: Collection, one: Asked) -> float:
    """What `ask` compares with its threshold; it is not part of an answer."""
    return collection._findings(one.text, k=8, where=None, pictured=False).confidence


def _print_thresholds(asked: Sequence[Asked], confidence: NDArray[np.float64]) -> None:
    own = np.array([not one.across for one in asked])
    answerable = np.array([bool(one.pages) for one in asked])[own]
    groups = np.array([one.group for one in asked])[own]
    values = confidence[own]
    print(
        f"\nGrounded at other thresholds ({CONFIDENT} is used): "
        f"{answerable.sum()} answerable, {(~answerable).sum()} not\n"
    )
    print(f"{'threshold':>9}{'precision':>11}{'recall':>8}{'refused of unanswerable':>25}")
    for threshold in THRESHOLDS:
        given = values >= threshold
        precision = (given & answerable).sum() / max(1, given.sum())
        print(
            f"{threshold:>9}{precision:>11.3f}{given[answerable].mean():>8.3f}{(~given[~answerable]).mean():>25.3f}"
        )
    chosen, held_out = cross_validated(values, answerable, groups)
    used = balanced(values, answerable, CONFIDENT)
    print(
        f"Best by balanced accuracy on {FOLDS - 1} of {FOLDS} parts of the questions: {sorted(chosen)}; "
        f"on the parts left out {held_out:.3f}, against {used:.3f} of {CONFIDENT}"
    )


def balanced(values: NDArray[np.float64], answerable: NDArray[np.bool_], threshold: float) -> float:
    """The mean of the shares of answerable questions answered and of others refused."""
    given = values >= threshold
    return float((given[answerable].mean() + (~given[~answerable]).mean()) / 2)


def cross_validated(
    values: NDArray[np.float64], answerable: NDArray[np.bool_], groups: NDArray[np.str_]
) -> tuple[list[float], float]:
    """The thresholds that are best on all parts but one, and what they are worth on the parts left out together.

    Questions of one group are in one part; answerable and other groups are dealt out apart, for there are few others.
    """
    part = np.zeros(len(values), dtype=np.int64)
    for kind in (True, False):
        names = np.unique(groups[answerable == kind])
        order = np.random.default_rng(0).permutation(len(names))
        for name, place in zip(names, order, strict=True):
            part[(groups == name) & (answerable == kind)] = place % FOLDS
    chosen: list[float] = []
    given = np.zeros(len(values), dtype=bool)
    for left_out in range(FOLDS):
        inside = part != left_out
        best = max(THRESHOLDS, key=partial(balanced, values[inside], answerable[inside]))
        chosen.append(best)
        given[~inside] = values[~inside] >= best
    return chosen, float((given[answerable].mean() + (~given[~answerable]).mean()) / 2)
