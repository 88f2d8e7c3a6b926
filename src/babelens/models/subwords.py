"""Texts to subword ids with a model's own ``tokenizer.json``, by the library that trained most of them."""

from __future__ import annotations

import hashlib
import json
import re
import string
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from ..errors import WeightsUnavailableError
from .towers import Tokens

_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


class SubwordTokenizer:
    """``pad_to_max`` pads every text to ``max_length``, as models without an attention mask were trained; otherwise a
    batch is padded to its longest. ``clean`` is what happens before: ``""``, ``"lower"``, or ``"canonicalize"``
    (lower case, no punctuation, single blanks: what SigLIP's training did).
    """

    def __init__(
        self, file: Path, *, max_length: int, pad_id: int, pad_to_max: bool = False, clean: str = ""
    ) -> None:
        if clean not in _CLEAN:
            raise ValueError(f"{clean!r} is no way to clean a text; known are {', '.join(map(repr, _CLEAN))}")
        try:
            self._content = file.read_bytes()
        except OSError as error:
            raise WeightsUnavailableError(f"{file} cannot be read: {error.strerror}.") from error
        self.file = file
        self.max_length, self.pad_id, self.pad_to_max, self.clean = max_length, pad_id, pad_to_max, clean

    @classmethod
    def from_config(cls, config: Mapping[str, Any], folder: Path) -> Self:
        """From the ``tokenizer`` table of an ``encoder.json``; inverse of :meth:`to_config`."""
        options = {key: value for key, value in config.items() if key not in ("type", "file")}
        return cls(folder / config["file"], **options)

    def to_config(self) -> dict[str, Any]:
        """``file`` is the name alone: it lies beside."""
        return {
            "type": "subwords",
            "file": self.file.name,
            "max_length": self.max_length,
            "pad_id": self.pad_id,
            "pad_to_max": self.pad_to_max,
            "clean": self.clean,
        }

    def save(self, file: Path) -> None:
        """Writes the vocabulary and its rules; the rest is in :meth:`to_config`."""
        file.write_bytes(self._content)

    @property
    def key(self) -> str:
        options = {**self.to_config(), "file": hashlib.sha256(self._content).hexdigest()[:12]}
        return json.dumps(options, sort_keys=True, separators=(",", ":"))

    @property
    def vocabulary(self) -> int:
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @cached_property
    def _tokenizer(self) -> Any:
        """Read when first needed: a vocabulary of 250,000 takes a second."""
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_buffer(self._content)
        except Exception as error:  # the library raises plain Exception
            raise WeightsUnavailableError(f"{self.file} is no tokenizer: {error}.") from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_length)
        return tokenizer

    def count(self, text: str) -> int:
        """How many ids a text has, special ones included, before it is cut."""
        encoding = self._tokenizer.encode(_CLEAN[self.clean](text))
        parts = [encoding, *encoding.overflowing]
        body = [len(part.ids) - sum(part.special_tokens_mask) for part in parts]
        return int(sum(encoding.special_tokens_mask) + sum(body))

    def __call__(self, texts: Sequence[str]) -> tuple[Tokens, Tokens]:
        """Ids and mask, both int64 (n, length); the mask is 0 on padding."""
        clean = _CLEAN[self.clean]
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch([clean(text) for text in texts])]
        width = self.max_length if self.pad_to_max else max((len(row) for row in rows), default=1)
        ids = np.full((len(rows), max(1, width)), self.pad_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        return ids, mask


def _canonicalize(text: str) -> str:
    return " ".join(re.sub(r"\s+", " ", text.lower().translate(_PUNCTUATION)).split())


_CLEAN: Final[dict[str, Callable[[str], str]]] = {"": str, "lower": str.lower, "canonicalize": _canonicalize}
