"""What is trained, validated and tested on: splits by picture without leaks, other domains, and parallel texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..dataset.checking import digest_of
from ..dataset.reading import find_source
from ..dataset.splitting import split
from ..errors import DatasetError, MalformedDataError
from ..languages import LANGUAGES
from ..models.preprocess import Preprocess
from ..models.towers import Tokenizer
from ..sources.captions import read_captions
from ..training.photographs import LeftOut, Photographs, decode, read_photographs, refuse_leaks
from ..types import Progress
from ..vectors import Ids

SHARES: Final = (70.0, 15.0, 15.0)
MIN_TRAIN: Final = 4
MIN_HELD_OUT: Final = 20
"""Pictures: with fewer no gain could be told from luck."""
_SAMPLE: Final = 200


@dataclass(frozen=True, eq=False)
class Domain:
    """Pictures that are measured with, as the encoder will see them, and their captions by language.

    ``pixels`` (n, s, s, 3) uint8; ``owners`` (m,) says to which picture each caption of ``bodies`` belongs. ``still``
    keeps vectors of towers that are not trained, by tower.
    """

    name: str
    photographs: Photographs
    bodies: Mapping[str, Sequence[str]]
    owners: Mapping[str, Ids]
    still: dict[str, Any] = field(default_factory=dict)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        return self.photographs.pixels()

    def __len__(self) -> int:
        return len(self.photographs)


@dataclass(frozen=True, eq=False)
class Parallel:
    """``rows`` hold texts of one meaning by language; ``left_out`` lines that could not be used."""

    rows: tuple[Mapping[str, tuple[str, ...]], ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, eq=False)
class Data:
    """``train`` is None where only parallel texts are trained on; ``kept`` are domains that must not get worse;
    ``left_out`` is what could not be used, and why."""

    train: Photographs | None
    validation: Domain
    test: Domain
    kept: tuple[Domain, ...]
    parallel: Parallel | None
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Files:
    """Captions files. ``train`` is None where only ``parallel`` is trained on."""

    train: Path | None
    validation: Path
    test: Path
    kept: tuple[Path, ...] = ()
    parallel: Path | None = None


def find_files(
    source: str | Path | None,
    folder: Path,
    *,
    validation: Path | None = None,
    test: Path | None = None,
    kept: Sequence[Path] = (),
    parallel: Path | None = None,
    caption_language: str | None = None,
    seed: int = 0,
) -> Files:
    """The captions files of a run. A folder with ``train.jsonl``, ``val.jsonl`` and ``test.jsonl`` is taken as it is
    split; anything else that `babelens dataset` reads, a collection too, is split by picture into ``folder``, as far as
    ``validation`` and ``test`` are not named.

    Raises :class:`DatasetError` when there is nothing to learn from or to measure with.
    """
    if source is None:
        if parallel is None or validation is None or test is None:
            raise DatasetError(
                "There is nothing to learn from.",
                hint="Name data with pictures; or parallel texts, and pictures to validate and to test with.",
            )
        return Files(None, validation, test, tuple(kept), parallel)
    path = Path(source).expanduser()
    parts = [path / f"{name}.jsonl" for name in ("train", "val", "test")]
    if validation is not None and test is not None and path.is_file():
        return Files(path, validation, test, tuple(kept), parallel)
    if not all(part.is_file() for part in parts):
        parts = [folder / part.name for part in parts]
        shares = (SHARES[0], 0 if validation else SHARES[1], 0 if test else SHARES[2])
        if (folder / "split.json").is_file():  # a resumed run has it
            _refuse_other_split(folder / "split.json", source, shares, seed)
        else:
            split(source, folder, seed=seed, shares=shares, language=caption_language)
    return Files(parts[0], validation or parts[1], test or parts[2], tuple(kept), parallel)


def _refuse_other_split(file: Path, source: str | Path, shares: Sequence[float], seed: int) -> None:
    made, path = json.loads(file.read_text(encoding="utf-8")), find_source(source)
    digest = digest_of(path) if path.is_file() else None
    if made != made | {"source": path.name, "sha256": digest, "shares": list(shares), "seed": seed}:
        raise DatasetError(
            f"{file} tells of a split of other data ({made['source']}), or with another seed.",
            hint="Choose another folder for the result.",
        )


def read_data(
    files: Files,
    rule: Preprocess,
    *,
    languages: Sequence[str],
    progress: Progress | None = None,
) -> Data:
    """Reads and decodes everything once. ``rule`` is how the encoder wants its pictures.

    What is trained on is left out of the domains to keep, and a domain of which nothing remains too: on pictures that
    are learnt by heart, no harm would show.

    Raises :class:`DatasetError` when a picture is in two splits, or there are too few to learn from or to measure with.
    """

    def decoded(file: Path, languages: Sequence[str] = languages) -> Photographs:
        return decode(read_photographs(file, languages=languages), rule, progress=progress)

    train = decoded(files.train) if files.train else None
    validation, test = decoded(files.validation), decoded(files.test)
    # A language that is not trained on must not get worse either: all of another domain is measured.
    kept = [(file, decoded(file, tuple(LANGUAGES))) for file in files.kept]
    refuse_leaks(validation.pictures, test.pictures)
    if train is not None:
        refuse_leaks(train.pictures, (*validation.pictures, *test.pictures))
        if len(train) < MIN_TRAIN:
            raise _too_few(len(train), "train on", files.train, MIN_TRAIN)
    for part, what, file in ((validation, "validate", files.validation), (test, "test", files.test)):
        if len(part) < MIN_HELD_OUT:
            raise _too_few(len(part), f"{what} with", file, MIN_HELD_OUT)
    learnt = {picture.digest for picture in train.pictures} if train is not None else set()
    remaining = [(file, _without(pictures, learnt, _name(file))) for file, pictures in kept]
    texts = read_parallel(files.parallel, languages) if files.parallel else None
    parts = (train, validation, test, *(pictures for _, pictures in remaining), texts)
    return Data(
        train,
        _domain("validation", validation),
        _domain("test", test),
        tuple(_domain(_name(file), pictures) for file, pictures in remaining if len(pictures)),
        texts,
        tuple(one for part in parts if part is not None for one in part.left_out),
    )


def _without(photographs: Photographs, learnt: AbstractSet[str], domain: str) -> Photographs:
    places = [place for place, picture in enumerate(photographs.pictures) if picture.digest not in learnt]
    gone = [picture for picture in photographs.pictures if picture.digest in learnt]
    why = f"not measured as part of {domain}, because it is trained on"
    return replace(
        photographs,
        pictures=tuple(photographs.pictures[place] for place in places),
        rows=photographs.rows[places],
        left_out=(*photographs.left_out, *(LeftOut(str(one.file), why) for one in gone)),
    )


def _too_few(count: int, what: str, file: Path | None, needed: int) -> DatasetError:
    return DatasetError(
        f"{file} has {count} pictures to {what}; at least {needed} are needed.",
        hint="Caption more pictures: of 140, 21 are left to validate and 21 to test with.",
    )


def _name(file: Path) -> str:
    """A captions file is mostly called like every other; its folder tells which it is."""
    return file.parent.name if file.stem in ("captions", "test", "val", "train") else file.stem


def _domain(name: str, photographs: Photographs) -> Domain:
    bodies: dict[str, list[str]] = {}
    owners: dict[str, list[int]] = {}
    for place, picture in enumerate(photographs.pictures):
        for tag, texts in picture.captions.items():
            bodies.setdefault(tag, []).extend(texts)
            owners.setdefault(tag, []).extend([place] * len(texts))
    return Domain(
        name, photographs, bodies, {tag: np.array(rows, dtype=np.int64) for tag, rows in owners.items()}
    )


def read_parallel(file: Path, languages: Sequence[str]) -> Parallel:
    """Texts of one meaning: the captions that a captions file gives to one picture, which need not exist.

    Raises :class:`DatasetError` when no row has two languages.
    """
    left_out: list[LeftOut] = []
    rows: dict[str, dict[str, dict[str, None]]] = {}

    def malformed(error: MalformedDataError) -> None:
        left_out.append(LeftOut(f"{file}:{error.line}", error.reason))

    for record in read_captions(file, on_error=malformed):
        for caption in record.captions:
            if caption.language in languages:
                rows.setdefault(record.image, {}).setdefault(caption.language, {})[caption.body] = None
    usable = [
        {tag: tuple(bodies) for tag, bodies in by_language.items()}
        for by_language in rows.values()
        if len(by_language) > 1
    ]
    if not usable:
        raise DatasetError(
            f"No row of {file} has texts in two of the languages {', '.join(languages)}.",
            hint='A line is {"image": "any name", "captions": {"en": ["red apple"], "hi": ["लाल सेब"]}}.',
        )
    return Parallel(tuple(usable), tuple(left_out))


def refuse_unreadable_languages(tokenizer: Tokenizer, texts: Mapping[str, Sequence[str]]) -> None:
    """Raises :class:`DatasetError` when most captions of a language are the same to a tokenizer: it was made without
    the language's script, and nothing can be learnt from what it cannot tell apart."""
    for tag, bodies in texts.items():
        different = sorted(set(bodies))[:_SAMPLE]
        ids, mask = tokenizer(different)
        seen = {tuple(row[kept > 0].tolist()) for row, kept in zip(ids, mask, strict=True)}
        if len(different) > 1 and len(seen) < len(different) / 2:
            raise DatasetError(
                f"The tokenizer cannot read the captions in {tag}: {len(different)} different ones become {len(seen)}.",
                hint=f"Leave the language out with --languages, or take a model that was made for {tag}.",
            )


def describe(data: Data) -> dict[str, object]:
    """Counts for the report."""

    def of(photographs: Photographs) -> dict[str, object]:
        return {
            "pictures": len(photographs),
            "captions": photographs.captions,
            "captions_in_other_languages": photographs.other_languages,
            "never_mirrored": sum(picture.sided for picture in photographs.pictures),
        }

    return {
        "train": of(data.train) if data.train else None,
        "validation": of(data.validation.photographs),
        "test": of(data.test.photographs),
        "kept": {domain.name: of(domain.photographs) for domain in data.kept},
        "parallel": len(data.parallel.rows) if data.parallel else None,
        "left_out": json.loads(json.dumps([[one.where, one.reason] for one in data.left_out])),
    }
