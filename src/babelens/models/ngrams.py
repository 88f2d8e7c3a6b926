"""Text to hashed character n-grams: a tokenizer with no vocabulary file and no word segmentation.

A text is NFKC-normalised and casefolded, its words are marked with a space on both sides, and every window of
`min_n` to `max_n` characters is hashed to an id in 1..buckets-1 (0 is padding). Whole words get an id of their own,
so that a model can learn to ignore "the" or "der". It works alike for scripts with and without spaces. This is the
subword hashing of fastText (Bojanowski et al. 2017, arXiv 1607.04606) without its dictionary.

The hash is CRC-32 of the UTF-8 bytes: the same in every process and on every machine.
"""

from __future__ import annotations

import json
import unicodedata
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

_KEPT = "#*&@%"  # Punctuation that is a name by itself ("keycap: #").


@lru_cache(maxsize=1 << 17)
def _bucket(gram: str, buckets: int) -> int:
    # CRC-32 is linear: near strings differ in few bits, and a modulus by a power of two would keep only the low ones.
    # The multiplication (Knuth's constant) spreads them before the high bits are used.
    spread = (zlib.crc32(gram.encode("utf-8", "surrogatepass")) * 2654435761) & 0xFFFFFFFF
    return 1 + (spread * (buckets - 1) >> 32)


@dataclass(frozen=True, slots=True)
class NgramTokenizer:
    """Parameters are part of a model: another value makes other ids.

    `buckets`: ids in use, padding included. `max_length`: ids kept per text; longer texts are thinned evenly, so
    that the end counts as much as the beginning.
    """

    buckets: int = 32768
    min_n: int = 1
    max_n: int = 4
    words: bool = True
    max_length: int = 256

    def __post_init__(self) -> None:
        if not (self.buckets > 1 and 1 <= self.min_n <= self.max_n and self.max_length > 0):
            raise ValueError(f"impossible tokenizer parameters: {self}")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> NgramTokenizer:
        """From the ``tokenizer`` table of an ``encoder.json``; inverse of `to_config`."""
        return cls(**{key: value for key, value in config.items() if key != "type"})

    def to_config(self) -> dict[str, Any]:
        return {"type": "ngrams", **asdict(self)}

    @property
    def vocabulary(self) -> int:
        return self.buckets

    @property
    def key(self) -> str:
        """Everything that changes ids, in one line."""
        return json.dumps(self.to_config(), sort_keys=True, separators=(",", ":"))

    def count(self, text: str) -> int:
        """How many ids a text has before it is thinned to `max_length`."""
        return len(self._grams(text))

    def ids(self, text: str) -> list[int]:
        """The ids of one text, 1..buckets-1; never empty (a text without characters gives the id of the space)."""
        found = [_bucket(gram, self.buckets) for gram in self._grams(text)]
        if not found:
            return [_bucket(" ", self.buckets)]
        if len(found) > self.max_length:
            keep = np.linspace(0, len(found) - 1, self.max_length).astype(np.int64)
            found = [found[i] for i in keep]
        return found

    def _grams(self, text: str) -> list[str]:
        grams: list[str] = []
        for word in normalise(text).split(" "):
            marked = f" {word} "
            for n in range(self.min_n, self.max_n + 1):
                # A lone space or a window that is nothing but word marks says nothing.
                grams.extend(
                    gram for gram in (marked[i : i + n] for i in range(len(marked) - n + 1)) if gram != " "
                )
            if self.words and len(marked) > self.max_n:
                grams.append(f"\x02{word}")
        return grams

    def __call__(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Ids and mask of a batch, both int64 (n, L), L the longest text of the batch; padding is 0 in both."""
        return pad([self.ids(text) for text in texts])


def normalise(text: str) -> str:
    """NFKC, casefold, punctuation to spaces, runs of white space to one space."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    # Combining marks (category M) belong to the letter before them: Hindi vowel signs must stay.
    spaced = "".join(c if unicodedata.category(c)[0] in "LMNS" or c in _KEPT else " " for c in folded)
    return " ".join(spaced.split())


def pad(rows: Iterable[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of ids to one 0-padded int64 matrix (n, L) and its mask."""
    rows = list(rows)
    width = max((len(row) for row in rows), default=1)
    ids = np.zeros((len(rows), width), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    return ids, (ids != 0).astype(np.int64)
