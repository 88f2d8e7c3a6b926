"""Captioners: what a picture shows, in a sentence.

The families are GIT, BLIP and encoder-decoders such as ViT-GPT2, all through ``transformers``. Beam search without
sampling, so that the same picture always gets the same caption, alone or in a batch (up to rounding, which can tip
the scales between captions that are as likely as each other).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from ..types import Progress
from .torch import quiet_transformers
from .writers import Checkpoint, find_checkpoint, load_image_processor, load_model, load_tokenizer

if TYPE_CHECKING:
    from PIL.Image import Image

DEFAULT_CAPTIONER: Final = "git-base-coco"
BEAMS: Final = 4
MAX_TOKENS: Final = 32  # captions have 10 to 15
_BATCH: Final = 16
_LONGEST_SIDE: Final = 16  # times the shorter one


@runtime_checkable
class Captioner(Protocol):
    """``image_size`` is the side in pixels that pictures are brought to: decoders may stop at twice that."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str: ...

    @property
    def languages(self) -> tuple[str, ...]: ...

    @property
    def image_size(self) -> int: ...

    def caption(self, images: Sequence[Image]) -> list[str]:
        """One caption for each RGB picture; the first of ``languages``. Empty where the model says nothing."""


@dataclass(frozen=True, slots=True)
class _Family:
    """``starts`` tells whether generation begins with a token that has to be given (BERT's [CLS])."""

    class_name: str
    files: tuple[str, ...]
    starts: bool = False


_FAMILIES: Final[dict[str, _Family]] = {
    "git": _Family("GitForCausalLM", ("preprocessor_config.json", "tokenizer.json|vocab.txt"), starts=True),
    "blip": _Family("BlipForConditionalGeneration", ("preprocessor_config.json", "tokenizer.json|vocab.txt")),
    "vision-encoder-decoder": _Family(
        "VisionEncoderDecoderModel",
        ("preprocessor_config.json", "tokenizer.json|vocab.json|vocab.txt|sentencepiece.bpe.model"),
    ),
}


def load_captioner(model: str | Path = DEFAULT_CAPTIONER, *, progress: Progress | None = None) -> Captioner:
    """The captioner of a name (``git-base-coco``), a hub id or a local folder; ``progress`` follows a download.

    Raises :class:`UnknownModelError`, :class:`WeightsUnavailableError` (files missing or damaged, unknown family),
    :class:`MissingExtraError`.
    """
    needs = {name: family.files for name, family in _FAMILIES.items()}
    return PretrainedCaptioner(find_checkpoint(model, "captioner", needs=needs, progress=progress))


class PretrainedCaptioner:
    """A checkpoint of one of the families."""

    languages = ("en",)

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.name = checkpoint.name
        self.revision = checkpoint.revision
        self._family = _FAMILIES[checkpoint.family]
        self._processor = load_image_processor(checkpoint)
        self._tokenizer = load_tokenizer(checkpoint)
        self._model = load_model(checkpoint, self._family.class_name)

    @property
    def image_size(self) -> int:
        size = self._processor.size
        return int(size["shortest_edge"] or size["height"])

    def caption(self, images: Sequence[Image]) -> list[str]:
        captions: list[str] = []
        for start in range(0, len(images), _BATCH):
            tokens = self._generate(list(images[start : start + _BATCH]))
            texts = self._tokenizer.batch_decode(tokens, skip_special_tokens=True)
            captions += [" ".join(text.split()) for text in texts]
        return captions

    def _generate(self, images: list[Image]) -> Any:
        """Shape: n pictures -> (n, tokens)."""
        pixels = self._processor([self._tamed(image) for image in images], return_tensors="pt")[
            "pixel_values"
        ].to(self._model.device)
        begin = {}
        if self._family.starts:
            begin["input_ids"] = pixels.new_full((len(images), 1), self._tokenizer.cls_token_id).long()
        with quiet_transformers():
            return self._model.generate(
                pixel_values=pixels, do_sample=False, num_beams=BEAMS, max_new_tokens=MAX_TOKENS, **begin
            )

    def _tamed(self, image: Image) -> Image:
        """The middle of a very long picture, where only a square in the middle is looked at anyway: brought to the
        model's height in whole it would fill the memory."""
        width, height = image.size
        short = _LONGEST_SIDE * min(width, height)
        if max(width, height) <= short or not self._processor.size["shortest_edge"]:
            return image
        left, top = max(0, (width - short) // 2), max(0, (height - short) // 2)
        return image.crop((left, top, left + min(width, short), top + min(height, short)))
