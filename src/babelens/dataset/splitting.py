"""Splits a data set by picture, so that nothing leaks, or as others published it."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import DatasetError, UnreadableFileError
from ..languages import get_language
from ..sources.captions import clean_caption
from .checking import digest_of
from .reading import Row, by_picture, find_source, read_rows
from .writing import relative_path, write_lines, write_text

SPLITS: Final = ("train", "val", "test")
# Karpathy's files call the pictures that may be added to the training set "restval".
_KARPATHY: Final = {"train": "train", "restval": "train", "val": "val", "test": "test"}
_MEND: Final = (
    "`babelens dataset check` says all that is wrong; `babelens dataset convert` writes a clean copy."
)


@dataclass(frozen=True, slots=True)
class SplitReport:
    """``images`` counts pictures by split; ``left_out`` those that the published split does not name."""

    folder: Path
    images: Mapping[str, int]
    left_out: int
    seed: int | None


def split(
    source: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    shares: Sequence[float] = (70, 15, 15),
    karpathy: str | Path | None = None,
    images: Path | None = None,
    language: str | None = None,
) -> SplitReport:
    """Splits a data set by picture into ``train.jsonl``, ``val.jsonl`` and ``test.jsonl`` in ``out``.

    Pictures of equal bytes stay together, so that nothing leaks. The split depends on the pictures' bytes, ``seed``
    and ``shares`` alone, not on the order of lines. ``karpathy`` takes the published split of such a file instead
    (Karpathy and Fei-Fei, 2015): pictures are matched by file name, ``restval`` counts as train. ``images`` and
    ``language`` as for :func:`read_pictures`. JSON lines keep fields that are not Babelens' own.

    Raises :class:`DatasetError` when ``out`` holds a split already, nothing can be split, or a split that has a share
    would be empty, and :class:`UnreadableFileError` for a line or a picture that cannot be read.
    """
    path, out = find_source(source), Path(out)
    language = get_language(language).tag if language else None
    taken = [name for name in SPLITS if (out / f"{name}.jsonl").exists()]
    if taken:
        raise DatasetError(f"{out} already holds {taken[0]}.jsonl.", hint="Choose another folder.")
    rows = list(read_rows(path, images=images, language=language))
    if not rows:
        raise DatasetError(f"{path} lists no pictures.")
    places = by_picture(rows)
    lost = next((row for row in rows if row.image is None), None)
    if lost is not None:
        raise UnreadableFileError(lost.where, f"there is no picture {lost.name}", hint=_MEND)
    if karpathy is None:
        assigned = _shuffled(list(places), seed, shares)
        expected = [name for name, share in zip(SPLITS, shares, strict=True) if share > 0]
    else:
        published = _published(Path(karpathy))
        assigned = {image: published[image.name] for image in places if image.name in published}
        if not assigned:
            raise DatasetError(
                f"No picture of {path} is named in {karpathy}.", hint="Is it the same data set?"
            )
        expected = sorted(set(published.values()))
    counts = Counter(assigned.values())
    empty = [name for name in expected if not counts[name]]
    if empty:
        raise DatasetError(
            f"No picture of {path} falls to {' and '.join(empty)}; of {len(places)} pictures, "
            f"{', '.join(f'{counts[name]} fall to {name}' for name in SPLITS if counts[name])}.",
            hint="Give a larger share (a share of 0 may stay empty), or more pictures."
            if karpathy is None
            else "The published split names others: give the whole data set.",
        )
    out.mkdir(parents=True, exist_ok=True)
    for name in SPLITS:
        mine = [row for row in rows if row.image and assigned.get(row.image) == name]
        write_lines(out / f"{name}.jsonl", _lines(mine, out, language))
    report = SplitReport(
        folder=out,
        images={name: counts[name] for name in SPLITS},
        left_out=len(places) - len(assigned),
        seed=None if karpathy else seed,
    )
    write_text(out / "split.json", json.dumps(_record(report, path, shares, karpathy), indent=2) + "\n")
    return report


def _shuffled(images: Sequence[Path], seed: int, shares: Sequence[float]) -> dict[Path, str]:
    """A split for each picture. Groups of equal bytes go to a split as one."""
    if len(shares) != len(SPLITS) or min(shares) < 0 or sum(shares) <= 0:
        raise DatasetError(f"Shares must be three numbers that are not negative, not {tuple(shares)}.")
    groups: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        try:
            groups[digest_of(image)].append(image)
        except OSError as error:
            raise UnreadableFileError(image, error.strerror or "cannot be read", hint=_MEND) from error
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    total = sum(map(len, groups.values()))
    bounds = [total * sum(shares[: part + 1]) / sum(shares) for part in range(len(SPLITS))]
    assigned: dict[Path, str] = {}
    for digest in order:
        # The middle of the group decides, so that shares of zero stay empty and rounding is fair.
        middle = len(assigned) + len(groups[digest]) / 2
        name = next(name for name, bound in zip(SPLITS, bounds, strict=True) if middle <= bound)
        assigned |= dict.fromkeys(groups[digest], name)
    return assigned


def _published(file: Path) -> dict[str, str]:
    """Picture name -> split, from a Karpathy JSON file."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {entry["filename"]: _KARPATHY[entry["split"]] for entry in content["images"]}
    except OSError as error:
        raise UnreadableFileError(file, error.strerror or "cannot be read") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(
            file, "not a Karpathy split", hint='It needs {"images": [{"filename": …, "split": "train"}, …]}.'
        ) from error


def _lines(rows: Sequence[Row], out: Path, language: str | None) -> Iterator[Mapping[str, Any]]:
    """JSON lines as they were, with the path made relative to the new folder; else a line per picture and language."""
    gathered: dict[tuple[Path, str], dict[str, None]] = defaultdict(dict)
    for row in rows:
        assert row.image is not None
        if row.file.suffix.lower() in (".jsonl", ".ndjson") and "captions" in row.fields:
            fields = {key: value for key, value in row.fields.items() if key != "split"}
            stated = fields.get("language") or fields.get("lang") or isinstance(fields["captions"], dict)
            more = {} if stated or language is None else {"language": language}
            yield {**fields, **more, "image": relative_path(row.image, out)}
        else:
            for tag, text in row.captions:
                gathered[row.image, tag][clean_caption(text)] = None
    for (image, tag), texts in gathered.items():
        captions = [text for text in texts if text]
        if captions:
            yield {"image": relative_path(image, out), "language": tag, "captions": captions}


def _record(
    report: SplitReport, source: Path, shares: Sequence[float], karpathy: str | Path | None
) -> dict[str, Any]:
    return {
        "source": source.name,
        "sha256": digest_of(source) if source.is_file() else None,
        "seed": report.seed,
        "shares": None if karpathy else list(shares),
        "published_split": Path(karpathy).name if karpathy else None,
        "images": dict(report.images),
        "left_out": report.left_out,
    }
