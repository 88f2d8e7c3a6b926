"""BERTScore (Zhang et al. 2020): how near the tokens of a text come to those of a reference, in the same language.

Each token's vector in context is matched with the most similar one of the other text: the mean over the text's tokens
is precision, over the reference's recall, their harmonic mean F1. All tokens weigh the same (no idf), and cosines stand
as they are (not rescaled by a baseline), so that values crowd near 1 and only differences say anything.

The package ``bert-score`` computes the same; its last version fails on empty texts under transformers 5, on tokenizers
that name no length, and runs a model whose weights are missing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import InvalidQueryError, WeightsUnavailableError
from ..languages import get_language
from ..metrics.statistics import Bootstrap, Estimate
from ..models import hub
from ..models import torch as runtime
from ..types import Progress
from ..vectors import Floats

# Families of encoders, with the positions that their tables keep for themselves.
_FAMILIES: Final = {"bert": 0, "distilbert": 0, "xlm-roberta": 2}
# The layer that agrees best with people, by how many there are: of the multilingual models in the authors' table.
_BEST_LAYER: Final = {6: 5, 12: 9, 24: 17}
_FILES: Final = ("config.json", "model.safetensors|pytorch_model.bin", "tokenizer.json")
_SEGMENTS: Final = 32  # at a time
_MOST_UNKNOWN: Final = 0.05  # share of tokens that the tokenizer may not know
# A tokenizer that cuts nearly every letter from the next was not made for the language, though it knows its letters.
_LETTERS_PER_TOKEN: Final = 1.5
_BY_LETTER: Final = frozenset({"ja"})  # where multilingual tokenizers cut so, too

NOTE: Final = (
    "BERTScore without idf and without rescaling: values crowd near 1, only differences say anything."
)


@dataclass(frozen=True, slots=True)
class BertScores:
    """Means over ``n`` segments, as cosines. ``layer`` is the hidden layer used, ``cut`` how many texts were longer
    than the model takes, ``unknown`` the share of tokens that its tokenizer does not know."""

    language: str
    n: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    model: str
    layer: int
    cut: int
    unknown: float


def bert_score(
    hypotheses: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    language: str,
    reference_language: str,
    model: str | Path,
    layer: int | None = None,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> BertScores:
    """BERTScore of texts against references, of several the one with the highest F1. An empty text scores 0.

    Both languages are asked for and must be the same: a figure across languages would reward what was not translated.
    ``model`` is a multilingual encoder (BERT, DistilBERT, XLM-R) in a local folder, or a hub repository that is on this
    machine; nothing is fetched. Raises :class:`InvalidQueryError` (two languages, nothing to score, a tokenizer that
    does not know the script), :class:`UnknownLanguageError`, :class:`WeightsUnavailableError`,
    :class:`MissingExtraError`.
    """
    language, other = get_language(language).tag, get_language(reference_language).tag
    if language != other:
        raise InvalidQueryError(
            f"BERTScore compares texts in one language; these are in {get_language(language).name} and "
            f"{get_language(other).name}.",
            hint="Score against references in the language of the texts, or translate back.",
        )
    rows = [[row] if isinstance(row, str) else list(row) for row in references]
    if not hypotheses or len(rows) != len(hypotheses) or not all(rows):
        raise InvalidQueryError(
            f"There are {len(hypotheses):,} texts, and {sum(map(bool, rows)):,} have a reference.",
            hint="Give one text at least, and one reference or several for each.",
        )
    encoder = _Encoder(model, layer)
    scores = np.empty((len(hypotheses), 3))
    for start in range(0, len(hypotheses), _SEGMENTS):
        part = slice(start, start + _SEGMENTS)
        texts = [*hypotheses[part], *(text for row in rows[part] for text in row)]
        vectors = dict(zip(dict.fromkeys(texts), encoder.encode(list(dict.fromkeys(texts))), strict=True))
        for place, (text, row) in enumerate(zip(hypotheses[part], rows[part], strict=True), start):
            candidates = [match(vectors[text], vectors[reference]) for reference in row]
            scores[place] = max(candidates, key=lambda found: found[2])
        if progress is not None:
            progress(min(start + _SEGMENTS, len(hypotheses)), len(hypotheses), "BERTScore")
    _check_vocabulary(encoder, language)
    names = list(range(len(hypotheses))) if groups is None else list(groups)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    bootstrap = Bootstrap(np.array([numbers[name] for name in names]), seed=seed)
    precision, recall, f1 = (bootstrap.mean(scores[:, column]) for column in range(3))
    return BertScores(
        language=language,
        n=len(hypotheses),
        precision=precision,
        recall=recall,
        f1=f1,
        model=encoder.name,
        layer=encoder.layer,
        cut=encoder.cut,
        unknown=encoder.unknown,
    )


def _check_vocabulary(encoder: _Encoder, language: str) -> None:
    """An English encoder gives unrelated Hindi sentences 0.8: its tokens say nothing of them."""
    problem = None
    if encoder.unknown > _MOST_UNKNOWN:
        problem = f"does not know {encoder.unknown:.1%} of the tokens of these texts"
    elif encoder.letters_per_token < _LETTERS_PER_TOKEN and language not in _BY_LETTER:
        problem = f"cuts these texts almost into letters ({encoder.letters_per_token:.1f} to a token)"
    if problem is not None:
        name = get_language(language).name
        raise InvalidQueryError(
            f"The tokenizer of {encoder.name} {problem}: BERTScore would say nothing about {name}.",
            hint=f"Name a multilingual encoder that was trained on {name}.",
        )


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """vectors: (tokens, width) float32, rows of unit length. counts: (tokens,) bool: False for the marks at both ends,
    which may be matched with but are not tokens of the text."""

    vectors: Floats
    counts: np.ndarray[Any, np.dtype[np.bool_]]


def match(text: TokenVectors, reference: TokenVectors) -> tuple[float, float, float]:
    """Precision, recall and F1 by greedy matching; zeros when one of them has no tokens."""
    if not text.counts.any() or not reference.counts.any():
        return 0.0, 0.0, 0.0
    cosines = text.vectors @ reference.vectors.T
    precision = float(cosines.max(axis=1)[text.counts].mean())
    recall = float(cosines.max(axis=0)[reference.counts].mean())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


class _Encoder:
    """Token vectors of one hidden layer."""

    def __init__(self, model: str | Path, layer: int | None) -> None:
        folder = _find(model)
        self.name = folder.name if Path(model).expanduser().is_dir() else str(model)
        torch = runtime.import_torch()
        with runtime.quiet_transformers() as transformers:
            config = _read(
                folder, lambda: transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
            )
            if config.model_type not in _FAMILIES:
                raise WeightsUnavailableError(
                    f"{folder} holds a model of the family {config.model_type!r}, which BERTScore does not know.",
                    hint=f"Known families: {', '.join(_FAMILIES)}.",
                )
            self._tokenizer = _read(
                folder, lambda: transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            )
        layers = int(config.num_hidden_layers)
        self.layer = layer if layer is not None else _BEST_LAYER.get(layers, max(1, 3 * layers // 4))
        if not 0 <= self.layer <= layers:
            raise InvalidQueryError(f"{self.name} has {layers} layers; there is no layer {self.layer}.")
        self._torch = torch
        self._model = (
            runtime.load_pretrained("AutoModel", folder, unused=("pooler.",), more=True)
            .to(runtime.device())
            .eval()
        )
        positions = int(config.max_position_embeddings) - _FAMILIES[config.model_type]
        self._longest = min(int(self._tokenizer.model_max_length), positions)
        self._letters = self._tokens = self._unknown = self.cut = 0

    @property
    def unknown(self) -> float:
        return self._unknown / max(1, self._tokens)

    @property
    def letters_per_token(self) -> float:
        return self._letters / max(1, self._tokens)

    def encode(self, texts: Sequence[str]) -> Iterator[TokenVectors]:
        read = self._tokenizer(list(texts), add_special_tokens=True, verbose=False)["input_ids"]
        self.cut += sum(len(row) > self._longest for row in read)
        inputs = self._tokenizer(
            list(texts),
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=self._longest,
            return_special_tokens_mask=True,
        )
        special = inputs.pop("special_tokens_mask").bool()
        # An unknown token is no mark at an end, though some tokenizers list it among their special ones.
        unknown = inputs["input_ids"] == self._tokenizer.unk_token_id
        counts = (~special | unknown) & inputs["attention_mask"].bool()
        self._letters += sum(not letter.isspace() for text in texts for letter in text)
        self._tokens += int(counts.sum())
        self._unknown += int((unknown & counts).sum())
        fields = {name: tensor.to(runtime.device()) for name, tensor in inputs.items()}
        with self._torch.inference_mode():
            hidden = self._model(**fields, output_hidden_states=True).hidden_states[self.layer].float()
            vectors = self._torch.nn.functional.normalize(hidden, dim=-1).cpu().numpy()
        present = inputs["attention_mask"].bool().numpy()
        for row, kept, counted in zip(vectors, present, counts.numpy(), strict=True):
            yield TokenVectors(row[kept], counted[kept])


def _find(model: str | Path) -> Path:
    """The folder with the transformer: that of a sentence encoder may lie in a folder of its own."""
    folder = Path(model).expanduser()
    for place in (folder, folder / "0_Transformer"):
        if (place / "config.json").is_file():
            return place
    if not folder.is_dir() and hub.REPOSITORY.fullmatch(str(model)):
        found = hub.cached(str(model), revision="", files=list(_FILES))
        if found is not None:
            return found
    raise WeightsUnavailableError(
        f"There is no encoder for BERTScore at {str(model)!r}.",
        hint="Name a folder with a multilingual BERT, DistilBERT or XLM-R as its repository holds it, or fetch one:\n"
        "  hf download FacebookAI/xlm-roberta-base",
    )


def _read(folder: Path, load: Any) -> Any:
    try:
        return load()
    except (
        Exception
    ) as error:  # configurations and tokenizers fail in as many ways as there are libraries below
        raise WeightsUnavailableError(
            f"{folder} cannot be loaded: {(str(error).strip() or repr(error)).splitlines()[0]}",
            hint="A file of it is damaged or missing. Fetch it again.",
        ) from error
