"""``score``: how good translations are, measured against what people wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from .options import FILE, LANGUAGE, LANGUAGE_LIST, Command, collection_option, json_option

if TYPE_CHECKING:
    from ..evaluation.bertscore import BertScores
    from ..evaluation.translation import CorpusScore, TextScores
    from ..evaluation.translations import BackTranslation
    from ..metrics.statistics import Estimate

seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="The seed of the intervals."
)
bert_option = click.option(
    "--bert",
    metavar="DIR",
    help="Compute BERTScore, too, with this multilingual encoder: a folder, or a hub repository that is here.",
)


@click.group("score")
def score() -> None:
    """Score translations against what people wrote.

    By BLEU, chrF and BERTScore. Only texts that can be translations are scored; how many of them there are stands
    beside every figure. Needs: pip install 'babelens[eval]'
    """


@score.command("translations", cls=Command)
@collection_option
@click.option(
    "--back",
    metavar="NAME|DIR",
    help="Translate back, with this model, what has no human caption to compare with.",
)
@bert_option
@seed_option
@json_option
def translations(collection: str, back: str | None, bert: str | None, seed: int, as_json: bool) -> None:
    """Score the translations of a collection, by model and languages.

    Against the captions that people wrote of the same picture in the same language; these are loose references, so
    figures are low.

    \b
    babelens score translations -c holiday
    """
    from ..collection import Collection
    from ..evaluation.translations import translation_quality
    from .progress import reporting
    from .render import Column, count, message, print_json, print_table

    with (
        Collection.open(collection, create=False, read_only=True) as opened,
        reporting("Scoring", "texts") as reporter,
    ):
        results = translation_quality(opened, back=back, bert=bert, seed=seed, progress=reporter.update)
    if as_json:
        for result in results:
            print_json(
                {
                    "model": result.model,
                    "from": result.source,
                    "to": result.target,
                    "counts": result.counts,
                    "unreferenced": result.unreferenced,
                    **_scores_json(result.scores),
                    "bert": _bert_json(result.bert),
                    "back": _back_json(result.back),
                    "notes": list(result.notes),
                }
            )
        return
    if not results:
        message("This collection holds no translations. `babelens translate` makes them.")
        return
    columns = [Column("model"), Column("from"), Column("to")]
    rows = [[result.model or "?", result.source or "?", result.target] for result in results]
    for result, row in zip(results, rows, strict=True):
        row += _cells(result.counts, result.scores)
    columns += _columns()
    if bert:
        columns.append(Column("BERTScore F1"))
        for result, row in zip(results, rows, strict=True):
            row.append(_figure(result.bert.f1 if result.bert else None, 3))
    if back:
        columns += [Column("n back", "right"), Column("chrF back")]
        for result, row in zip(results, rows, strict=True):
            row += _back_cells(result.back)
    print_table(columns, rows)
    alone = sum(result.unreferenced for result in results)
    if alone and not back:
        message(
            f"{count(alone, 'text')} of status ok left out: no human caption in their language (see --back)."
        )
    _explain([result.scores for result in results], [note for result in results for note in result.notes])


@score.command("files", cls=Command)
@click.argument("hypotheses", metavar="FILE", type=FILE)
@click.argument("references", metavar="REFERENCE...", type=FILE, nargs=-1, required=True)
@click.option(
    "--language",
    type=LANGUAGE,
    required=True,
    help=f"The language of the texts and their references ({LANGUAGE_LIST}).",
)
@click.option(
    "--source",
    type=FILE,
    help="The file that was translated: copies of it are then found and left out, too.",
)
@click.option(
    "--from", "source_language", type=LANGUAGE, default="en", show_default=True, help="Its language."
)
@bert_option
@seed_option
@json_option
def files(
    hypotheses: str,
    references: tuple[str, ...],
    language: str,
    source: str | None,
    source_language: str,
    bert: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Score a text file against reference files.

    One segment a line, in the same order in each file. An empty line in a reference file means that it has no
    reference there.

    \b
    babelens score files mine.ja.txt people.ja.txt --language ja --source english.txt
    """
    from ..evaluation.translations import score_files
    from .progress import reporting
    from .render import count, message, print_json, print_table

    with reporting("Scoring", "texts") as reporter:
        result = score_files(
            hypotheses,
            references,
            language=language,
            source=source,
            source_language=source_language,
            bert=bert,
            seed=seed,
            progress=reporter.update,
        )
    if as_json:
        print_json(
            {
                "language": result.language,
                "counts": result.counts,
                "unreferenced": result.unreferenced,
                **_scores_json(result.scores),
                "bert": _bert_json(result.bert),
                "notes": list(result.notes),
            }
        )
        return
    columns, row = _columns(), _cells(result.counts, result.scores)
    if result.bert is not None:
        columns += [_column(name) for name in ("BERTScore P", "R", "F1")]
        row += [_figure(each, 3) for each in (result.bert.precision, result.bert.recall, result.bert.f1)]
    print_table(columns, [row])
    if result.unreferenced:
        message(f"{count(result.unreferenced, 'line')} without a reference left out.")
    _explain([result.scores], result.notes)


# -- how it looks --------------------------------------------------------------------------------------------


def _column(title: str) -> Any:
    from .render import Column

    return Column(title)


def _columns() -> list[Any]:
    from .render import Column

    return [Column("status"), Column("n", "right"), Column("BLEU"), Column("over"), Column("chrF")]


def _cells(counts: Mapping[Any, int], scores: TextScores | None) -> list[str]:
    status = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items(), key=_ok_first))
    if scores is None:
        return [status, "0", "–", "–", "–"]
    bleu, chrf = _figure(scores.bleu.estimate), _figure(scores.chrf.estimate)
    return [status, f"{scores.n:,}", bleu, scores.tokenizer, chrf]


def _ok_first(entry: tuple[str, int]) -> tuple[bool, str]:
    return entry[0] != "ok", entry[0]


def _back_cells(back: BackTranslation | None) -> list[str]:
    if back is None:
        return ["0", "–"]
    left_out = sum(back.counts.values()) - back.n
    more = f" ({left_out:,} failed)" if left_out else ""
    return [f"{back.n:,}{more}", _figure(back.chrf.estimate if back.chrf else None)]


def _figure(estimate: Estimate | None, digits: int = 1) -> str:
    if estimate is None:
        return "–"
    if math.isnan(estimate.low):
        return f"{estimate.value:.{digits}f} (no interval)"
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f}–{estimate.high:.{digits}f})"


def _explain(scores: Sequence[TextScores | None], notes: Sequence[str]) -> None:
    """Signatures and notes below a table, each once."""
    from .render import message

    if any(scores):
        message("In brackets: 95 % intervals.")
    signatures = {
        f"{name} {figure.signature}": None
        for each in scores
        if each is not None
        for name, figure in (("BLEU ", each.bleu), ("chrF2", each.chrf))
    }
    for line in (*signatures, *dict.fromkeys(notes)):
        message(line)


def _estimate_json(estimate: Estimate) -> dict[str, Any]:
    known = not math.isnan(estimate.low)
    return {
        "value": estimate.value,
        "low": estimate.low if known else None,
        "high": estimate.high if known else None,
    }


def _score_json(figure: CorpusScore | None) -> dict[str, Any] | None:
    return None if figure is None else _estimate_json(figure.estimate) | {"signature": figure.signature}


def _scores_json(scores: TextScores | None) -> dict[str, Any]:
    if scores is None:
        return {"n": 0, "bleu": None, "chrf": None, "tokenizer": None}
    return {
        "n": scores.n,
        "bleu": _score_json(scores.bleu),
        "chrf": _score_json(scores.chrf),
        "tokenizer": scores.tokenizer,
    }


def _bert_json(scores: BertScores | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    return {
        "n": scores.n,
        **{name: _estimate_json(getattr(scores, name)) for name in ("precision", "recall", "f1")},
        **{name: getattr(scores, name) for name in ("model", "layer", "cut", "unknown")},
    }


def _back_json(back: BackTranslation | None) -> dict[str, Any] | None:
    if back is None:
        return None
    return {"n": back.n, "translator": back.translator, "counts": back.counts, "chrf": _score_json(back.chrf)}
