"""Texts to subword ids with a model's own ``tokenizer.json``, by the library that trained most of them."""

from __future__ import annotations

import hashlib
import html
import json
import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from ..errors import WeightsUnavailableError
from .towers import Tokens

_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


class SubwordTokenizer:
    """A ``tokenizer.json`` and what a model asks of it.

    ``pad`` is the padding token or its id; None takes what the file says, or 0. ``pad_to_max`` pads every text to
    ``max_length``, as models without an attention mask were trained; otherwise a batch is padded to its longest.
    ``clean`` is what happens before, a key of :data:`_CLEAN`. ``name`` stands for the content in messages.
    """

    def __init__(
        self,
        content: bytes,
        *,
        max_length: int,
        pad: str | int | None = None,
        pad_to_max: bool = False,
        pad_left: bool = False,
        clean: str = "",
        name: str = "tokenizer.json",
    ) -> None:
        if clean not in _CLEAN:
            raise ValueError(f"{clean!r} is no way to clean a text; known are {', '.join(map(repr, _CLEAN))}")
        self.max_length = max_length
        self._content, self._name = content, name
        self._pad, self._pad_to_max, self._pad_left, self._clean = pad, pad_to_max, pad_left, clean

    @classmethod
    def from_config(cls, config: Mapping[str, Any], folder: Path) -> Self:
        """From the ``tokenizer`` table of an ``encoder.json``; inverse of :meth:`to_config` and :meth:`save`."""
        options = {key: value for key, value in config.items() if key not in ("type", "file")}
        file = folder / config["file"]
        try:
            return cls(file.read_bytes(), **options, name=str(file))
        except OSError as error:
            raise WeightsUnavailableError(f"{file} cannot be read: {error.strerror}.") from error

    def to_config(self) -> dict[str, Any]:
        return {
            "type": "subwords",
            "file": "tokenizer.json",
            "max_length": self.max_length,
            "pad": self._pad,
            "pad_to_max": self._pad_to_max,
            "pad_left": self._pad_left,
            "clean": self._clean,
        }

    def save(self, folder: Path) -> None:
        """Writes the file that :meth:`to_config` names."""
        (folder / "tokenizer.json").write_bytes(self._content)

    @property
    def key(self) -> str:
        """Everything that changes ids, in one line; the file's digest is the content's."""
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
            raise WeightsUnavailableError(f"{self._name} is no tokenizer: {error}.") from error
        self._padding = tokenizer.padding
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_length)
        return tokenizer

    @cached_property
    def _pad_id(self) -> int:
        if isinstance(self._pad, int):
            return self._pad
        tokenizer = self._tokenizer
        if self._pad is None:
            return int(self._padding["pad_id"]) if self._padding else 0
        found: int | None = tokenizer.token_to_id(self._pad)
        if found is None:
            raise WeightsUnavailableError(f"{self._name} does not know the padding token {self._pad!r}.")
        return found

    def count(self, text: str) -> int:
        """How many ids a text has, special ones included, before it is cut."""
        encoding = self._tokenizer.encode(_CLEAN[self._clean](text))
        parts = [encoding, *encoding.overflowing]
        body = [len(part.ids) - sum(part.special_tokens_mask) for part in parts]
        return int(sum(encoding.special_tokens_mask) + sum(body))

    def __call__(self, texts: Sequence[str]) -> tuple[Tokens, Tokens]:
        """Ids and mask, both int64 (n, length); the mask is 0 on padding."""
        clean = _CLEAN[self._clean]
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch([clean(text) for text in texts])]
        width = self.max_length if self._pad_to_max else max((len(row) for row in rows), default=1)
        ids = np.full((len(rows), max(1, width)), self._pad_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            used = slice(width - len(row), width) if self._pad_left else slice(len(row))
            ids[place, used] = row
            mask[place, used] = 1
        return ids, mask


def _canonicalize(text: str) -> str:
    return " ".join(text.lower().translate(_PUNCTUATION).split())


@cache
def _typography() -> dict[int, str | None]:
    """What ``ftfy`` makes plain: curly quotes, full and half width, ligatures, invisible controls."""
    compatible = [
        *range(0xFF01, 0xFFF0),
        *range(0x132, 0x134),
        0x149,
        *range(0x1C4, 0x1CD),
        *range(0x1F1, 0x1F4),
    ]
    table: dict[int, str | None] = {
        code: unicodedata.normalize("NFKC", chr(code)) for code in (*compatible, *range(0xFB00, 0xFB07))
    }
    table.update({0x3000: " ", 0x02BC: "'", 0x149: "'n"})
    table.update(dict.fromkeys(range(0x2018, 0x201C), "'") | dict.fromkeys(range(0x201C, 0x2020), '"'))
    controls = [
        *range(9),
        0x0B,
        *range(0x0E, 0x20),
        0x7F,
        *range(0x206A, 0x2070),
        0xFEFF,
        *range(0xFFF9, 0xFFFD),
    ]
    return table | dict.fromkeys(controls)


def _openclip(text: str) -> str:
    """OpenCLIP's cleaning. Its ``ftfy`` also mends wrongly decoded text (Ã© for é), which is left alone here."""
    plain = html.unescape(html.unescape(text)).translate(_typography())
    return " ".join(unicodedata.normalize("NFC", plain).split())


# What happens to a text before its tokenizer sees it, as in the training of the models that ask for it:
# "canonicalize" (lower case, no punctuation, single blanks) in SigLIP's, the last three in OpenCLIP's.
_CLEAN: Final[dict[str, Callable[[str], str]]] = {
    "": str,
    "lower": str.lower,
    "canonicalize": _canonicalize,
    "openclip-whitespace": _openclip,
    "openclip-lower": lambda text: _openclip(text).lower(),
    "openclip-canonicalize": lambda text: _canonicalize(_openclip(text).replace("_", " ")),
}
