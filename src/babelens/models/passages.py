"""Passage encoders: questions and passages in one space of texts, whatever languages they are in.

One is the text tower of a sentence-transformers folder with two prefixes, since models such as E5 were taught that a
question begins with ``query: `` and a passage with ``passage: `` (Wang et al. 2024, arXiv 2402.05672). The names are
data (``passages.toml``); loading is lazy. Its space is not that of pictures: it is a second encoder of a collection.
"""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import MissingExtraError, UnknownModelError, WeightsUnavailableError
from ..languages import LANGUAGES
from ..types import EncoderFingerprint, Progress
from ..vectors import Floats, normalize
from . import hub
from .catalog import TowerFiles
from .encoder import load_text, sound
from .layouts import Runtime, read_towers
from .layouts.preprocessor_config import read_json
from .registry import wished_runtime
from .towers import TextForward, TextTower, Tokenizer, digest

DEFAULT_PASSAGE_MODEL: Final = "multilingual-e5-small"

_FILE: Final = "passages.toml"
# Where sentence-transformers keeps prefixes, and what publishers call those of passages.
_PROMPTS: Final = "config_sentence_transformers.json"
_PASSAGE_PROMPTS: Final = ("passage", "document")
# Tokens in one batch, padding included: sixteen texts of 512.
_BATCH_TOKENS: Final = 8192


@dataclass(frozen=True, slots=True)
class PassageSource:
    """Where a model is published for one runtime."""

    runtime: Runtime
    bytes: int
    part: TowerFiles


@dataclass(frozen=True, slots=True)
class PassageRow:
    """One table of ``passages.toml``, which says what the keys mean."""

    name: str
    description: str
    licence: str
    commercial: bool
    languages: tuple[str, ...]
    dim: int
    max_tokens: int
    tokenizer: str
    query_prefix: str
    passage_prefix: str
    sources: tuple[PassageSource, ...]


@dataclass(frozen=True, slots=True)
class PassageModelInfo:
    """A row with what is on this machine; ``bytes`` is the size of what is here, or of what would be fetched."""

    name: str
    description: str
    licence: str
    commercial: bool
    languages: tuple[str, ...]
    dim: int
    max_tokens: int
    bytes: int
    runtimes: tuple[str, ...]
    here: bool
    folder: Path | None


@cache
def read_passage_catalog() -> dict[str, PassageRow]:
    """All rows by name, in the file's order."""
    table = tomllib.loads((resources.files(__package__) / _FILE).read_text(encoding="utf-8"))
    return {name: _row(name, dict(raw)) for name, raw in table.items()}


def _row(name: str, raw: dict[str, Any]) -> PassageRow:
    sources = tuple(
        PassageSource(
            source["runtime"],
            source["bytes"],
            TowerFiles(source["repo"], source["revision"], tuple(source["files"])),
        )
        for source in raw.pop("sources")
    )
    return PassageRow(name, languages=tuple(raw.pop("languages")), sources=sources, **raw)


def list_passage_encoders() -> tuple[PassageModelInfo, ...]:
    """All passage encoders that have a name. Asks no network."""
    return tuple(_info(row) for row in read_passage_catalog().values())


def _info(row: PassageRow) -> PassageModelInfo:
    here = next(((source, folder) for source in row.sources if (folder := _folder(source))), None)
    return PassageModelInfo(
        name=row.name,
        description=row.description,
        licence=row.licence,
        commercial=row.commercial,
        languages=row.languages,
        dim=row.dim,
        max_tokens=row.max_tokens,
        bytes=(here[0] if here else row.sources[0]).bytes,
        runtimes=tuple(source.runtime for source in row.sources),
        here=here is not None,
        folder=here[1] if here else None,
    )


def is_passage_encoder_here(model: str | Path) -> bool:
    """Whether a passage encoder can be loaded without a network, by what is installed. Asks none."""
    if Path(model).expanduser().is_dir():
        return True
    row = _named(str(model))
    return row is not None and any(_folder(source) and _runs(source) for source in row.sources)


def load_passage_encoder(
    model: str | Path,
    *,
    runtime: Runtime | None = None,
    fetch: bool = True,
    progress: Progress | None = None,
) -> TowerPassageEncoder:
    """The passage encoder of a name (``babelens models``) or of a folder of sentence-transformers, on ONNX Runtime
    where there is ``onnx/model.onnx``. What is not on this machine is fetched, unless ``fetch`` is False.

    A folder's prefixes are those that it states (``prompts`` in ``config_sentence_transformers.json``), else those of
    the named model whose name its path bears, else none. Raises :class:`UnknownModelError` (with near names),
    :class:`WeightsUnavailableError` when files are missing, broken or out of reach, and :class:`MissingExtraError`.
    """
    runtime = runtime or wished_runtime()
    folder, row = Path(model).expanduser(), _named(str(model))
    if folder.is_dir():
        return _from_folder(folder, runtime)
    if row is None:
        raise UnknownModelError(str(model), read_passage_catalog())
    source = _source(row, runtime)
    if not fetch and _folder(source) is None:
        raise WeightsUnavailableError(
            f"{row.name} is not on this machine.", hint=f"Fetch it with `babelens models pull {row.name}`."
        )
    found = _fetched(source, progress)
    return TowerPassageEncoder(
        row.name,
        "catalogue",
        _text_tower(found, source.runtime),
        languages=row.languages,
        query_prefix=row.query_prefix,
        passage_prefix=row.passage_prefix,
        # The same whatever source runs it.
        preprocess=f"{row.max_tokens} tokens of {row.tokenizer}, {row.query_prefix!r}, {row.passage_prefix!r}",
    )


def pull_passage_encoder(
    name: str, *, runtime: Runtime | None = None, progress: Progress | None = None
) -> Path:
    """Fetches a passage encoder that has a name, unless it is here. Returns its folder.

    Raises as :func:`load_passage_encoder` does.
    """
    row = _named(name)
    if row is None:
        raise UnknownModelError(name, read_passage_catalog())
    return _fetched(_source(row, runtime or wished_runtime()), progress)


class TowerPassageEncoder:
    """A text tower and two prefixes. Safe to use from several threads. See :class:`.protocols.PassageEncoder`.

    ``preprocess`` stands in the fingerprint for how input is prepared, where several sources of the same model describe
    that in other words.
    """

    def __init__(
        self,
        name: str,
        revision: str,
        tower: TextTower,
        *,
        languages: Sequence[str],
        query_prefix: str,
        passage_prefix: str,
        preprocess: str | None = None,
        calibration: Mapping[str, float] | None = None,
    ) -> None:
        self.languages = tuple(languages)
        self.query_prefix, self.passage_prefix = query_prefix, passage_prefix
        self._name, self._revision, self._preprocess = name, revision, preprocess
        self._tower = tower
        self._calibration = dict(calibration or {})
        self._loading = threading.Lock()
        self._forward: TextForward | None = None

    @cached_property
    def fingerprint(self) -> EncoderFingerprint:
        preprocess = (
            self._preprocess or f"{self._tokenizer.key} {self.query_prefix!r} {self.passage_prefix!r}"
        )
        return EncoderFingerprint(self._name, self._revision, preprocess, self._tower.dim)

    @property
    def runtime(self) -> str:
        """What runs the tower, in words."""
        return self._tower.runtime

    @property
    def max_tokens(self) -> int:
        return self._tokenizer.max_length

    @property
    def calibration(self) -> dict[str, float]:
        return dict(self._calibration)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._lengths([self.passage_prefix + text for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        return self._encode([self.passage_prefix + text for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        return self._encode([self.query_prefix + text for text in texts])

    def _encode(self, texts: Sequence[str]) -> Floats:
        with self._loading:
            forward = self._forward = self._forward or load_text(self._tower, self._tokenizer, self._name)
        result = np.empty((len(texts), self._tower.dim), dtype=np.float32)
        for rows in _batches([min(length, self.max_tokens) for length in self._lengths(texts)]):
            result[rows] = sound(forward(*self._tokenizer([texts[row] for row in rows])), self._tower)
        return normalize(result)

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        return [self._tokenizer.count(text) for text in texts]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return self._tower.tokenizer()


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows of like length together, since a batch is padded to its longest: long texts few at a time."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[row] > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


# -- where the files are -------------------------------------------------------------------------------------


def _named(name: str) -> PassageRow | None:
    """The row of a name, or of the repository that it is published in."""
    return next(
        (
            row
            for row in read_passage_catalog().values()
            if name == row.name or any(name == source.part.repo for source in row.sources)
        ),
        None,
    )


def _runs(source: PassageSource) -> bool:
    return source.runtime == "onnx" or find_spec("torch") is not None


def _source(row: PassageRow, runtime: Runtime | None) -> PassageSource:
    """The first source of a model that is here, or else that can run here."""
    sources = [source for source in row.sources if runtime in (None, source.runtime)]
    able = [source for source in sources if _runs(source)]
    if not sources:
        raise WeightsUnavailableError(f"{row.name} is not published for the runtime {runtime!r}.")
    if not able:
        raise MissingExtraError("torch", "torch")
    return next((source for source in able if _folder(source)), able[0])


def _folder(source: PassageSource) -> Path | None:
    part = source.part
    return hub.cached(part.repo, revision=part.revision, files=part.files)


def _fetched(source: PassageSource, progress: Progress | None) -> Path:
    part = source.part
    return hub.fetch(part.repo, revision=part.revision, files=part.files, progress=progress)


# -- folders -------------------------------------------------------------------------------------------------


def _from_folder(folder: Path, runtime: Runtime | None) -> TowerPassageEncoder:
    tower = _text_tower(folder, runtime)
    query, passage = _prefixes(folder.absolute())
    return TowerPassageEncoder(
        folder.absolute().name,
        digest(tower.files),
        tower,
        languages=tuple(LANGUAGES),
        query_prefix=query,
        passage_prefix=passage,
    )


def _text_tower(folder: Path, runtime: Runtime | None) -> TextTower:
    tower = read_towers(folder, runtime=runtime).text
    if tower is None:
        raise WeightsUnavailableError(
            f"{folder} has no text tower.",
            hint="A passage encoder is a model of sentence-transformers, such as multilingual-e5-small.",
        )
    return tower


def _prefixes(folder: Path) -> tuple[str, str]:
    """What stands before questions and before passages."""
    file = folder / _PROMPTS
    prompts = (read_json(file).get("prompts") or {}) if file.is_file() else {}
    if "query" in prompts:
        passage = next((prompts[name] for name in _PASSAGE_PROMPTS if name in prompts), "")
        return str(prompts["query"]), str(passage)
    row = next((row for name, row in read_passage_catalog().items() if name in str(folder)), None)
    return (row.query_prefix, row.passage_prefix) if row else ("", "")
