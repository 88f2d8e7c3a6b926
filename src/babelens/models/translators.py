"""Translators: MarianMT for one pair of languages, M2M100 and NLLB between any two.

What they give is raw: :mod:`babelens.plausibility` judges it. Beam search without sampling; texts of like length
share a batch, and nothing in a batch but rounding touches what becomes of a text.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from ..errors import InvalidQueryError, UnknownLanguageError
from ..languages import get_language
from ..types import Progress
from .torch import quiet_transformers
from .writers import Checkpoint, find_checkpoint, find_folder, list_writers, load_model, load_tokenizer

BEAMS: Final = 4
_BATCH_TOKENS: Final = 1024  # source tokens in one batch, padding included
_SMALLEST: Final = 8
_LONGEST: Final = 256  # tokens of one piece; these models were trained on sentences
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？।])\s*|\n+")

_NLLB: Final = {
    **{"en": "eng_Latn", "es": "spa_Latn", "fr": "fra_Latn", "hi": "hin_Deva"},
    **{"de": "deu_Latn", "it": "ita_Latn", "ja": "jpn_Jpan", "ar": "arb_Arab"},
}


@runtime_checkable
class Translator(Protocol):
    """``source`` and ``target`` are tags of :mod:`babelens.languages`."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str: ...

    def supports(self, source: str, target: str) -> bool: ...

    def translate(self, texts: Sequence[str], *, source: str, target: str) -> list[str]:
        """What the model makes of each text, unchecked. Raises :class:`InvalidQueryError` for an unsupported pair."""


def default_translator(source: str, target: str) -> str:
    """The name of the model for a pair when none is asked for; one that may be used for any purpose."""
    rows = [row for row in list_writers() if row.kind == "translator" and row.commercial]
    for pair in (f"{source}-{target}", "*-*"):
        for row in rows:
            if pair in row.pairs:
                return row.name
    raise unsupported("No model", source, target)


def find_translator(source: str, target: str) -> str | None:
    """The name of a translator for a pair that is on this machine and can run here; one that may be used for any
    purpose. None when there is none. Asks no network."""
    if find_spec("torch") is None or find_spec("transformers") is None:
        return None
    rows = [row for row in list_writers() if row.kind == "translator" and row.commercial]
    for pair in (f"{source}-{target}", "*-*"):
        for row in rows:
            if pair in row.pairs and find_folder(row) is not None:
                return row.name
    return None


def unsupported(name: str, source: str, target: str) -> InvalidQueryError:
    return InvalidQueryError(
        f"{name} does not translate from {get_language(source).name} to {get_language(target).name}.",
        hint="Leave the model away to use one that does." if source != target else None,
    )


def load_translator(
    model: str | Path | None, source: str, target: str, *, progress: Progress | None = None
) -> Translator:
    """The translator of a name, a hub id or a local folder, for a pair of languages; ``None`` takes the pair's own.

    Raises :class:`InvalidQueryError` for a pair that the model does not support, :class:`UnknownModelError`,
    :class:`WeightsUnavailableError` (files missing or damaged, unknown family), :class:`MissingExtraError`.
    """
    source, target = get_language(source).tag, get_language(target).tag
    if source == target:
        raise unsupported("No model", source, target)
    needs = {name: family.files for name, family in _FAMILIES.items()}
    checkpoint = find_checkpoint(
        model if model is not None else default_translator(source, target),
        "translator",
        needs=needs,
        progress=progress,
    )
    translator = PretrainedTranslator(checkpoint)
    if not translator.supports(source, target):
        raise unsupported(translator.name, source, target)
    return translator


class PretrainedTranslator:
    """A checkpoint of one of the families."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.name = checkpoint.name
        self.revision = checkpoint.revision
        family = _FAMILIES[checkpoint.family]
        self._tokenizer = load_tokenizer(checkpoint)
        self._languages = family.languages(self._tokenizer)
        self._model = load_model(checkpoint, family.class_name)
        positions = self._model.config.max_position_embeddings
        self._longest = min(_LONGEST, positions // 2)
        self._lock = threading.Lock()  # tokenizers keep the language they were last used with

    def supports(self, source: str, target: str) -> bool:
        return source != target and self._languages.knows(source, target)

    def translate(self, texts: Sequence[str], *, source: str, target: str) -> list[str]:
        if not self.supports(source, target):
            raise unsupported(self.name, source, target)
        with self._lock:
            pair = self._languages.prepare(source, target)
            pieces = [self._pieces(text, pair) for text in texts]
            flat = list(itertools.chain.from_iterable(pieces))
            done = iter(self._translate_pieces(flat, pair))
        glue = "" if target == "ja" else " "
        return [glue.join(filter(None, itertools.islice(done, len(parts)))) for parts in pieces]

    # -- pieces --------------------------------------------------------------------------------------------

    def _pieces(self, text: str, pair: _Pair) -> list[str]:
        """``text`` in pieces that fit the model: sentences together as long as they do, words where one does not."""
        text = " ".join(text.split())
        if not text:
            return []
        if self._length(text, pair) <= self._longest:
            return [text]
        sentences = [part for part in _SENTENCE_END.split(text) if part]
        parts = sentences if len(sentences) > 1 else _halves(text)
        if len(parts) == 1:
            return parts  # one word without end: the tokenizer cuts it
        return list(self._packed(parts, pair))

    def _packed(self, parts: Sequence[str], pair: _Pair) -> Iterator[str]:
        held, size = "", 0
        for part in parts:
            length = self._length(part, pair)
            if held and size + length <= self._longest:
                held, size = f"{held} {part}", size + length
                continue
            if held:
                yield held
            held, size = part, length
            if length > self._longest:
                yield from self._pieces(part, pair)
                held, size = "", 0
        if held:
            yield held

    def _length(self, text: str, pair: _Pair) -> int:
        return len(self._tokenizer(pair.prefix + text)["input_ids"])

    # -- batches -------------------------------------------------------------------------------------------

    def _translate_pieces(self, pieces: Sequence[str], pair: _Pair) -> list[str]:
        """Equal pieces once, those of like length together. A length class also bounds what is written: so the bound
        does not depend on who else is in the batch."""
        classes: dict[int, list[str]] = {}
        for piece in dict.fromkeys(pieces):
            size = _SMALLEST
            while size < min(self._length(piece, pair), self._longest):
                size *= 2
            classes.setdefault(size, []).append(piece)
        done: dict[str, str] = {}
        for size, members in classes.items():
            batch = max(1, _BATCH_TOKENS // size)
            for start in range(0, len(members), batch):
                part = members[start : start + batch]
                done |= zip(part, self._generate(part, pair, bound=2 * size + 16), strict=True)
        return [done[piece] for piece in pieces]

    def _generate(self, texts: list[str], pair: _Pair, *, bound: int) -> list[str]:
        inputs = self._tokenizer(
            [pair.prefix + text for text in texts],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=2 * self._longest,
        ).to(self._model.device)
        bound = min(bound, self._model.config.max_position_embeddings - 2)
        with quiet_transformers():
            tokens = self._model.generate(
                **inputs, do_sample=False, num_beams=BEAMS, max_new_tokens=bound, **pair.settings
            ).tolist()
        written = [[token for token in row if token not in self._languages.tokens] for row in tokens]
        decoded = self._tokenizer.batch_decode(written, skip_special_tokens=True, **pair.decoding)
        return [" ".join(text.split()) for text in decoded]


def _halves(text: str) -> list[str]:
    """A text without sentences, cut between words near the middle; text without blanks in the middle of it."""
    if " " in text:
        middle = text.find(" ", len(text) // 2)
        middle = middle if middle > 0 else text.rfind(" ")
        return [text[:middle], text[middle + 1 :]]
    return [text[: len(text) // 2], text[len(text) // 2 :]] if len(text) > 1 else [text]


# -- families ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pair:
    """How a tokenizer and a model are told the languages: a prefix of the text, settings of generation."""

    prefix: str
    settings: dict[str, Any]
    decoding: dict[str, Any]


class _Languages(Protocol):
    """``tokens`` stand for languages: not every tokenizer leaves them out of what it decodes."""

    tokens: frozenset[int]

    def knows(self, source: str, target: str) -> bool: ...

    def prepare(self, source: str, target: str) -> _Pair:
        """Sets the tokenizer to a pair."""


class _MarianLanguages:
    """One source, and one target or several that a prefix such as ``>>ara<<`` chooses among.

    A language that ``tokenizer_config.json`` does not name, or names in a way that nobody knows (a group such as
    ``ROMANCE``), is taken on trust.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._source = _tag(tokenizer.source_lang)
        self._target = _tag(tokenizer.target_lang)
        self._codes: dict[str, str] = {}
        codes = [code.strip("<>") for code in tokenizer.supported_language_codes]
        for code in sorted(codes, key=lambda code: (len(code), code)):  # `es` before `es_AR`
            tag = _tag(code)
            if tag is not None:
                self._codes.setdefault(tag, code)
        self._multiple = bool(codes)
        self.tokens = frozenset(tokenizer.convert_tokens_to_ids(tokenizer.supported_language_codes))

    def knows(self, source: str, target: str) -> bool:
        targets = self._codes if self._multiple else (self._target or target,)
        return source == (self._source or source) and target in targets

    def prepare(self, source: str, target: str) -> _Pair:  # noqa: ARG002
        prefix = f">>{self._codes[target]}<< " if self._multiple else ""
        # transformers 5 decodes with the source's pieces unless told otherwise.
        return _Pair(prefix, {}, {"use_source_tokenizer": False})


class _TokenLanguages:
    """M2M100 and NLLB: the target is the first token to be written, the source is a token of the tokenizer's."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        # M2M100 has `__es__` for `es`; NLLB has `spa_Latn` itself.
        self._codes = {
            tag: (tag, f"__{tag}__") if hasattr(tokenizer, "lang_code_to_id") else (code, code)
            for tag, code in _NLLB.items()
        }
        self.tokens = frozenset(getattr(tokenizer, "id_to_lang_token", ()))

    def _token(self, tag: str) -> int | None:
        number = self._tokenizer.convert_tokens_to_ids(self._codes[tag][1])
        return None if number == self._tokenizer.unk_token_id else int(number)

    def knows(self, source: str, target: str) -> bool:
        return all(tag in self._codes and self._token(tag) is not None for tag in (source, target))

    def prepare(self, source: str, target: str) -> _Pair:
        self._tokenizer.src_lang = self._codes[source][0]
        return _Pair("", {"forced_bos_token_id": self._token(target)}, {})


def _tag(code: str | None) -> str | None:
    try:
        return get_language(code.split("_")[0]).tag if code else None
    except UnknownLanguageError:
        return None


@dataclass(frozen=True, slots=True)
class _Family:
    class_name: str
    files: tuple[str, ...]
    languages: Callable[[Any], _Languages]


_FAMILIES: Final[dict[str, _Family]] = {
    "marian": _Family("MarianMTModel", ("source.spm", "target.spm", "vocab.json"), _MarianLanguages),
    "m2m_100": _Family(
        "M2M100ForConditionalGeneration",
        ("sentencepiece.bpe.model|tokenizer.json", "tokenizer_config.json"),
        _TokenLanguages,
    ),
}
