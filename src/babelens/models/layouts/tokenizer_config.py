"""The tokenizer's files in a model's folder, to a :class:`.subwords.SubwordTokenizer`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import WeightsUnavailableError
from ..subwords import SubwordTokenizer
from .preprocessor_config import read_json


def read_tokenizer(
    folder: Path, *, max_length: int, pad_to_max: bool = False, clean: str = "", pad: str | int | None = None
) -> SubwordTokenizer:
    """The tokenizer of a folder, cut at ``max_length`` or at what ``tokenizer_config.json`` says if that is less.

    ``pad`` is for folders that name no padding token. Where ``tokenizer.json`` is missing, older vocabulary files are
    converted by transformers, which has to be installed then.
    """
    settings, special = folder / "tokenizer_config.json", folder / "special_tokens_map.json"
    config = read_json(settings) if settings.is_file() else {}
    stated = config.get("model_max_length")
    if isinstance(stated, int) and 0 < stated < max_length:
        max_length = stated
    file = folder / "tokenizer.json"
    listed = read_json(special) if special.is_file() else {}
    named = config.get("pad_token") or listed.get("pad_token") or pad
    return SubwordTokenizer(
        file.read_bytes() if file.is_file() else _converted(folder),
        max_length=max_length,
        pad=named["content"] if isinstance(named, Mapping) else named,
        pad_to_max=pad_to_max,
        pad_left=config.get("padding_side") == "left",
        clean=clean,
        name=str(file),
    )


def _converted(folder: Path) -> bytes:
    known = ("vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
    # transformers makes an empty vocabulary, in silence, of what is not there; vocab.json alone is half of one.
    alone = (folder / "vocab.json").is_file() and not (folder / "merges.txt").is_file()
    if not any((folder / name).is_file() for name in known[alone:]):
        raise WeightsUnavailableError(
            f"{folder} has no tokenizer: there is no tokenizer.json, nor {', '.join(known)}.",
            hint="Fetch the model again with all its files.",
        )
    from ..torch import quiet_transformers

    with quiet_transformers() as transformers:
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            backend = getattr(tokenizer, "backend_tokenizer", None) or _from_sentencepiece(tokenizer)
        except Exception as error:  # without a config.json that names the family, in many ways
            raise WeightsUnavailableError(
                f"{folder} has no tokenizer.json, and transformers makes none of the vocabulary there: {error}",
                hint="Put the tokenizer.json of the same model beside it.",
            ) from error
    text: str = backend.to_str()
    return text.encode()


def _from_sentencepiece(tokenizer: Any) -> Any:
    """SigLIP's vocabulary, which transformers reads with SentencePiece itself: the same pieces, then the end mark."""
    from tokenizers import processors
    from transformers.convert_slow_tokenizer import SpmConverter

    made = SpmConverter(tokenizer).converted()
    end = tokenizer.eos_token
    made.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", pair=f"$A {end} $B {end}", special_tokens=[(end, tokenizer.eos_token_id)]
    )
    return made
