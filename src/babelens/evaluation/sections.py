"""What a report says, as sections of text and tables; how it looks is for :mod:`.markdown` and :mod:`.html`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..metrics.statistics import Difference, Estimate
from .comparison import Comparison
from .evaluate import Evaluation
from .retrieval import DEPTH, DIRECTIONS, Direction, Scores

TITLES: Final[Mapping[Direction, str]] = {
    "text_to_image": "Words to pictures",
    "image_to_text": "Pictures to words",
}
# Of the names of plots, where two encoders are compared.
PREFIXES: Final = ("before-", "after-")
_HEADLINES: Final = ("hit_rate@1", "hit_rate@5", "hit_rate@10")
_SHOWN: Final = ("hit_rate@1", "hit_rate@5", "hit_rate@10", "recall@10", "mrr", "ndcg@10", "map")


@dataclass(frozen=True, slots=True)
class Table:
    """Cells are plain text; the first column is a label, the others are figures."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """``plots`` are names of figures that belong here, where they could be drawn."""

    title: str
    text: str
    table: Table | None = None
    plots: tuple[str, ...] = ()


def headlines(found: Evaluation | Comparison) -> list[Section]:
    """What a terminal shows; the rest is for the report."""
    if isinstance(found, Comparison):
        return compared(found)[: 1 + len(DIRECTIONS)]
    scores = found.exact if found.deployed is None else found.deployed
    tables = [Section(TITLES[way], "", _score_table(scores[way], _HEADLINES)) for way in DIRECTIONS]
    return [_summary(found), *tables, *_no_match(found)]


def sections(evaluation: Evaluation) -> list[Section]:
    """The report of one encoder."""
    return [
        _summary(evaluation),
        *_retrieval(evaluation),
        *_cost(evaluation),
        *_no_match(evaluation),
        *_consistency(evaluation),
        _alignment(evaluation),
        _hubness(evaluation),
        _repeat(evaluation),
    ]


def compared(comparison: Comparison) -> list[Section]:
    """The report of two encoders: the differences first, then each for itself."""
    before, after = comparison.before.about.encoder.name, comparison.after.about.encoder.name
    parts = [
        Section(
            f"{after} against {before}",
            f"Differences of hit rates in points of percent, {after} less {before}, over the same queries, with 95 % "
            "bootstrap intervals (pictures drawn with replacement) and the p-value of a paired permutation test. Where "
            "the interval holds 0, neither is better.",
        )
    ]
    for direction in DIRECTIONS:
        parts.append(Section(TITLES[direction], "", _difference_table(comparison.differences[direction])))
    for place, evaluation in enumerate((comparison.before, comparison.after)):
        name = evaluation.about.encoder.name
        parts += [
            Section(
                f"{name}: {part.title}",
                part.text,
                part.table,
                tuple(f"{PREFIXES[place]}{plot}" for plot in part.plots),
            )
            for part in sections(evaluation)
        ]
    return parts


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def rate(estimate: Estimate) -> str:
    """In percent, with its interval."""
    if not estimate.n:
        return "no queries"
    return f"{percent(estimate.value)} [{percent(estimate.low)}, {percent(estimate.high)}]"


def number(estimate: Estimate, digits: int = 3) -> str:
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def difference(value: Difference) -> str:
    """In points of percent, with its interval and p."""
    if value.value == value.low == value.high == 0:
        return "0"
    p = "p < 0.001" if value.p < 0.001 else f"p = {value.p:.3f}"
    return f"{100 * value.value:+.1f} [{100 * value.low:+.1f}, {100 * value.high:+.1f}], {p}"


# -- the parts ------------------------------------------------------------------------------------------------


def _summary(evaluation: Evaluation) -> Section:
    about = evaluation.about
    captions = ", ".join(f"{count:,} {tag}" for tag, count in about.data["captions"].items())
    lines = [
        f"{about.encoder.name} on {about.data['name']}: {about.data['pictures']:,} pictures; captions: {captions}.",
        (
            "Figures are percent with 95 % bootstrap intervals; pictures are drawn with replacement, since captions of "
            "one picture are not independent. Ties count against the encoder."
        ),
    ]
    if not about.photographs:
        lines.append(f"{about.encoder.name} was not trained on photographs and cannot see them.")
    lines += evaluation.notes
    return Section("Summary", "\n\n".join(lines))


def _retrieval(evaluation: Evaluation) -> Iterator[Section]:
    if evaluation.deployed is not None:
        scores, how = (
            evaluation.deployed,
            (
                f"As users get it: asked of the collection, {DEPTH} deep; what stands deeper counts as not found."
            ),
        )
    else:
        scores, how = evaluation.exact, "By exact search: the encoder alone, without index or settings."
    for direction in DIRECTIONS:
        yield Section(
            TITLES[direction],
            how,
            _score_table(scores[direction]),
            plots=("recall", "curves") if direction == "text_to_image" else (),
        )
    if evaluation.deployed is not None and _costs(evaluation):
        for direction in DIRECTIONS:
            yield Section(
                f"{TITLES[direction]}, exact",
                "The encoder alone: every query compared with everything.",
                _score_table(evaluation.exact[direction]),
            )
    yield Section(
        "Sum of recalls",
        "hit_rate@1, @5 and @10 of both directions added up, at most 600 (RSUM), by exact search.",
        Table(
            ("language", "n", "sum", "chance"),
            tuple(
                (tag, f"{value.n:,}", number(value, 1), f"{value.chance or 0:.1f}")
                for tag, value in evaluation.sum_of_recalls.items()
            ),
        ),
    )


def _score_table(by_language: Mapping[str, Scores], names: Sequence[str] = _SHOWN) -> Table:
    rows = []
    for tag, scores in by_language.items():
        cells = [rate(scores.measures[name]) for name in names]
        median = scores.median_rank
        middle = f"{_rank(median.value)} [{_rank(median.low)}, {_rank(median.high)}]"
        rows.append((tag, f"{scores.queries:,}", f"{scores.corpus:,}", *cells, middle, f"{scores.ties:,}"))
    last = list(by_language.values())[-1]
    chances = [percent(last.measures[name].chance or 0.0) for name in names]
    rows.append(("chance", "", "", *chances, f"{last.median_rank.chance:g}", ""))
    return Table(("language", "n", "of", *names, "median rank", "ties"), tuple(rows))


def _rank(value: float) -> str:
    return f"{value:g}" if math.isfinite(value) else f"over {DEPTH}"


def _cost(evaluation: Evaluation) -> Iterator[Section]:
    if evaluation.cost is None:
        return
    index = ", ".join(f"{name}: {kind}" for name, kind in evaluation.about.index.items())
    if not _costs(evaluation):
        yield Section(
            "What the index costs",
            f"Nothing ({index}): every hit rate is that of exact search, query by query. The exact figures are in "
            "report.json; means over whole rankings (mrr, map) differ a little, since users are given "
            f"{DEPTH} results at most.",
        )
        return
    yield Section(
        "What the index costs",
        f"Hit rates as users get them, less those of exact search, in points of percent ({index}). Captions of the "
        "same wording are listed once to users, which can only help pictures to words.",
        _difference_table(
            {
                f"{TITLES[direction]}, {tag}": values
                for direction in DIRECTIONS
                for tag, values in evaluation.cost[direction].items()
            }
        ),
    )


def _costs(evaluation: Evaluation) -> bool:
    """Whether any query fares otherwise than by exact search."""
    values = (
        value
        for by_language in (evaluation.cost or {}).values()
        for by_measure in by_language.values()
        for value in by_measure.values()
    )
    return any((value.value, value.low, value.high) != (0, 0, 0) for value in values)


def _difference_table(by_language: Mapping[str, Mapping[str, Difference]]) -> Table:
    names = tuple(next(iter(by_language.values())))
    rows = [
        (tag, f"{values[names[0]].n:,}", *(difference(values[name]) for name in names))
        for tag, values in by_language.items()
    ]
    return Table(("language", "n", *names), tuple(rows))


def _no_match(evaluation: Evaluation) -> Iterator[Section]:
    if not evaluation.no_match:
        return
    threshold = next(iter(evaluation.no_match.values())).threshold
    yield Section(
        "Does it know when it does not know?",
        "Captions whose first hit is right, against the best hit of each caption once its pictures are taken out: "
        "“confident” should be said of the first and not of the second. Other pictures may fit a caption too, so the "
        f"false ones are an upper bound. The shipped threshold is {threshold:g}. At 95 %: with the threshold that "
        "makes 95 % of the right ones confident, found on half of the pictures and tried on the other half. AUC 0.5 "
        "says nothing, 1 is perfect.",
        Table(
            (
                "language",
                "n",
                "first hit right",
                "AUC",
                "confident: right",
                "confident: first hit wrong",
                "confident: no match",
                "right, at 95 %",
                "no match, at 95 %",
            ),
            tuple(
                (
                    tag,
                    f"{value.queries:,}",
                    f"{value.right:,}",
                    number(value.auc),
                    rate(value.confident_right),
                    rate(value.confident_wrong),
                    rate(value.confident_absent),
                    rate(value.at_95.confident_right),
                    rate(value.at_95.confident_absent),
                )
                for tag, value in evaluation.no_match.items()
            ),
        ),
        plots=("confidence", "roc"),
    )


def _consistency(evaluation: Evaluation) -> Iterator[Section]:
    if not evaluation.consistency:
        return
    k = evaluation.consistency[0].k
    yield Section(
        "Do the languages find the same?",
        f"Parallel captions (of one picture, in the same place of its list): the share of the first {k} pictures that "
        "both find, how often the first is the same, and both less those of shuffled pairs.",
        Table(
            ("languages", "n", f"overlap@{k}", "shuffled", "above it", "same first", "above shuffled"),
            tuple(
                (
                    f"{pair.first}–{pair.second}",
                    f"{pair.pairs:,}",
                    rate(pair.overlap),
                    rate(pair.overlap_shuffled),
                    rate(pair.overlap_above),
                    rate(pair.same_first),
                    rate(pair.same_first_above),
                )
                for pair in evaluation.consistency
            ),
        ),
        plots=("languages",),
    )


def _alignment(evaluation: Evaluation) -> Section:
    return Section(
        "Are captions near their pictures?",
        "Mean cosines of captions with their own pictures and with others, the margin between the two, and how often "
        "(AUC) a caption's own picture scores above a random one of another caption. The modality gap is the distance "
        "of the centroids of pictures and captions; it says nothing about quality.",
        Table(
            ("language", "n", "matched", "mismatched", "margin", "AUC", "modality gap"),
            tuple(
                (
                    row.language,
                    f"{row.matched.n:,}",
                    number(row.matched),
                    number(row.mismatched),
                    number(row.margin),
                    number(row.auc),
                    number(row.gap),
                )
                for row in evaluation.alignment
            ),
        ),
        plots=("cosines",),
    )


def _hubness(evaluation: Evaluation) -> Section:
    alarms = [
        f"Alarm ({tag}): {hubs.alarm} The picture: {hubs.top_picture}"
        for tag, hubs in evaluation.hubness.items()
        if hubs.alarm
    ]
    k = next(iter(evaluation.hubness.values())).k
    text = (
        f"How unevenly words share out pictures: the skewness of how often each is among the first {k}, against the "
        "highest of 100 shuffles, and the share of queries that have one same picture first. "
    )
    return Section(
        "Is one picture found for everything?",
        "\n\n".join([text + ("No alarm." if not alarms else "`babelens tune hubness` may help."), *alarms]),
        Table(
            ("language", "n", "skewness", "shuffled, at most", "same first picture"),
            tuple(
                (
                    tag,
                    f"{hubs.queries:,}",
                    number(hubs.skewness, 2),
                    f"{hubs.skewness.chance or 0:.2f}",
                    rate(hubs.top_share),
                )
                for tag, hubs in evaluation.hubness.items()
            ),
        ),
    )


def _repeat(evaluation: Evaluation) -> Section:
    about = evaluation.about
    encoder = about.encoder
    rows: Sequence[tuple[str, str]] = (
        ("command", about.command),
        ("date", about.date),
        ("time taken", f"{about.seconds:,.0f} s"),
        ("seed", str(about.seed)),
        (
            "encoder",
            f"{encoder.name}, revision {encoder.revision}, {encoder.preprocess}, {encoder.dim} numbers",
        ),
        ("data", f"{about.data['name']}, sha256 {about.data['sha256']} of its pictures and captions"),
        ("versions", ", ".join(f"{name} {version}" for name, version in about.versions.items())),
        ("hardware", ", ".join(f"{name}: {value}" for name, value in about.hardware.items())),
    )
    return Section("How to repeat this", "", Table(("", ""), tuple(rows)))
