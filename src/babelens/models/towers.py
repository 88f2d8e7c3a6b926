"""What a layout's reader makes of a folder: two towers whose weights are read when they are first used.

A tower knows its size, its inputs and its files at once; ``load`` reads the weights and gives the forward function.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..languages import LANGUAGES
from ..vectors import Floats
from .preprocess import Preprocess

Tokens = NDArray[np.int64]

ImageForward = Callable[[Floats], Floats]
"""Shape: (n, 3, size, size) float32 -> (n, dim) float32, of any length."""

TextForward = Callable[[Tokens, Tokens], Floats]
"""Shape: ids (n, length), mask (n, length) -> (n, dim) float32, of any length."""


class Tokenizer(Protocol):
    """Texts to ids. ``key`` is everything that changes them, in one line."""

    @property
    def key(self) -> str: ...

    @property
    def max_length(self) -> int: ...

    @property
    def vocabulary(self) -> int:
        """Ids lie in 0..vocabulary - 1."""

    def count(self, text: str) -> int:
        """How many ids a text has before it is cut."""

    def __call__(self, texts: Sequence[str]) -> tuple[Tokens, Tokens]:
        """Ids and mask, both (n, length)."""


@dataclass(frozen=True, slots=True)
class ImageTower:
    """``files`` are the weights; ``batch`` is how many pictures suit the runtime at a time.

    ``module`` gives the ``torch.nn.Module`` that ``load`` runs, pixels in and vectors out; None on other runtimes.
    """

    dim: int
    preprocess: Preprocess
    files: tuple[Path, ...]
    runtime: str
    load: Callable[[], ImageForward]
    batch: int = 16
    module: Callable[[], Any] | None = None


@dataclass(frozen=True, slots=True)
class TextTower:
    """``tokenizer`` is called once. ``vocabulary`` is how many ids the weights know, where the files say so.

    ``module`` gives the ``torch.nn.Module`` that ``load`` runs, ids and mask in and vectors out.
    """

    dim: int
    tokenizer: Callable[[], Tokenizer]
    files: tuple[Path, ...]
    runtime: str
    load: Callable[[], TextForward]
    vocabulary: int | None = None
    batch: int = 64
    module: Callable[[], Any] | None = None


@dataclass(frozen=True, slots=True)
class Towers:
    """What a folder holds, and what its files say about it. One tower alone shares the space of another model.

    ``revision`` is None where only the weights themselves tell one version from another (see :func:`digest`), and
    ``preprocess`` where the towers' own keys say all about how input is prepared. ``vocabulary`` reads the vectors of
    common words that the folder brings, (v, dim) of unit rows.
    """

    image: ImageTower | None
    text: TextTower | None
    name: str | None = None
    revision: str | None = None
    languages: tuple[str, ...] = tuple(LANGUAGES)
    photographs: bool = True
    calibration: Mapping[str, float] = field(default_factory=dict)
    preprocess: str | None = None
    vocabulary: Callable[[], Floats] | None = None


_HEAD: Final = 1 << 16
_SAMPLE: Final = 1 << 12
_SAMPLES: Final = 64


def digest(files: Iterable[Path]) -> str:
    """Names weights by what is in them: 12 hex digits of their sizes and of samples spread over them.

    Training changes weights everywhere, so samples tell versions apart, and gigabytes need not be read.
    """
    seen = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        seen.update(size.to_bytes(8, "little"))
        with file.open("rb") as stream:
            seen.update(stream.read(_HEAD))
            for place in range(1, _SAMPLES + 1):
                stream.seek(max(0, size - _SAMPLE) * place // _SAMPLES)
                seen.update(stream.read(_SAMPLE))
    return seen.hexdigest()[:12]
