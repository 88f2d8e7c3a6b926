"""An encoder taken apart to be trained: the modules of its towers, and everything that feeds them as when serving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingExtraError, TrainingError

try:
    import torch
    import torch.nn.functional as functional
    from torch import Tensor, nn
except ImportError as error:
    raise MissingExtraError("torch", "torch") from error

from ..models.encoder import TwoTowerEncoder
from ..models.ngrams import NgramTokenizer
from ..models.registry import load_original
from ..models.torch import RUNTIME, device, image_forward, serving_autocast, text_forward
from ..models.towers import ImageTower, TextTower
from ..training.export import served_text
from ..training.restore import restore_image, restore_text
from ..training.towers import TextTower as OwnTextTower
from ..vectors import Floats

Weights = dict[str, Tensor]


@dataclass(eq=False)
class Tunable:
    """``image`` takes standardised pixels (n, 3, s, s), ``text`` ids and mask (n, length); both give (n, dim).

    The two may share one module and so their weights. ``own`` says that `babelens train` made the networks. ``still``
    names the towers that are not trained, whose vectors never change. ``rows`` is how many pictures or texts are inside
    a tower at a time when nothing is learnt.
    """

    base: TwoTowerEncoder
    image: nn.Module
    text: nn.Module
    own: bool
    still: frozenset[str] = frozenset()
    rows: int = 128

    def __post_init__(self) -> None:
        if self.own:  # served in float32; convolutions on a GPU would be less exact, and parity fail
            torch.backends.cudnn.allow_tf32 = False
        self.tokenizer = self.base.text_tower.tokenizer()
        rule = self.base.image_tower.preprocess
        self._mean, self._std = (
            torch.tensor(values, device=device())[None, :, None, None] for values in (rule.mean, rule.std)
        )
        self.image.to(device(), memory_format=torch.channels_last)
        self.text.to(device())

    @property
    def device(self) -> torch.device:
        where: torch.device = device()
        return where

    @property
    def size(self) -> int:
        """Side of the pictures in pixels."""
        return self.base.image_size

    # -- vectors, of unit length ------------------------------------------------------------------------------

    def pictures(self, rgb: Tensor) -> Tensor:
        """Shape: (n, 3, s, s) float32 in 0..1 -> (n, dim) float32."""
        pixels = ((rgb.to(device()) - self._mean) / self._std).contiguous(memory_format=torch.channels_last)
        return functional.normalize(self.image(pixels).float(), dim=1)

    def texts(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Shape: (n, length) int64 twice -> (n, dim) float32."""
        return functional.normalize(self.text(ids.to(device()), mask.to(device())).float(), dim=1)

    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids and mask, (n, length) int64."""
        ids, mask = self.tokenizer(texts)
        return torch.from_numpy(ids), torch.from_numpy(mask)

    @torch.no_grad()
    def encode_pictures(self, pixels: NDArray[np.uint8]) -> Floats:
        """As they are served. Shape: (n, s, s, 3) uint8 -> (n, dim) float32."""
        self.image.eval()
        rule = self.base.image_tower.preprocess
        parts = [np.empty((0, self.base.image_tower.dim), dtype=np.float32)]
        for start in range(0, len(pixels), self.rows):
            batch = torch.from_numpy(rule.standardize(pixels[start : start + self.rows]))
            batch = batch.to(device(), memory_format=torch.channels_last)
            with self._as_served():
                vectors = self.image(batch)
            parts.append(functional.normalize(vectors.float(), dim=1).cpu().numpy())
        return np.concatenate(parts)

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """As they are served. Shape: n -> (n, dim) float32."""
        self.text.eval()
        result = np.empty((len(texts), self.base.text_tower.dim), dtype=np.float32)
        # Texts of like length together: a batch is padded to its longest.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        for start in range(0, len(order), self.rows):
            rows = order[start : start + self.rows]
            with self._as_served():
                vectors = self.texts(*self.tokens([texts[row] for row in rows]))
            result[rows] = vectors.cpu().numpy()
        return result

    def _as_served(self) -> AbstractContextManager[Any]:
        """Half precision where serving has it; what `babelens train` made is served by ONNX Runtime in float32."""
        return nullcontext() if self.own else serving_autocast()

    # -- weights ----------------------------------------------------------------------------------------------

    def named(self) -> Iterator[tuple[str, Tensor]]:
        """Every weight and running statistic once, though both towers may hold it."""
        both = nn.ModuleDict({"image": self.image, "text": self.text})
        for name, value in (*both.named_parameters(), *both.named_buffers()):
            if value.is_floating_point():
                yield name, value

    def weights(self) -> Weights:
        """A copy of all weights, by name."""
        return {name: value.detach().clone() for name, value in self.named()}

    @torch.no_grad()
    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """The inverse of `weights`; those that are not named stay."""
        for name, value in self.named():
            if name in weights:
                value.copy_(weights[name])

    @property
    def log_scale(self) -> float | None:
        """The logarithm of what the model was trained to multiply cosines by, where its weights say so."""
        return self._number("logit_scale")

    @property
    def bias(self) -> float | None:
        """What a model of SigLIP's kind was trained to add to them then."""
        return self._number("logit_bias")

    def _number(self, ending: str) -> float | None:
        found = [value for name, value in self.named() if name.endswith(ending)]
        return float(found[0].detach()) if found else None

    def encoder(self, name: str, revision: str, **about: Any) -> TwoTowerEncoder:
        """An encoder of the present weights, to be exported; ``about`` as :class:`TwoTowerEncoder` takes it."""
        image, text = self.image.eval().cpu(), self.text.eval().cpu()
        served = served_text(text) if isinstance(text, OwnTextTower) else text
        before = self.base
        image_tower = ImageTower(
            before.image_tower.dim,
            before.image_tower.preprocess,
            (),
            RUNTIME,
            lambda: image_forward(image),
            module=lambda: image,
        )
        text_tower = TextTower(
            before.text_tower.dim,
            before.text_tower.tokenizer,
            (),
            RUNTIME,
            lambda: text_forward(served),
            module=lambda: served,
        )
        return TwoTowerEncoder(name, revision, image_tower, text_tower, **about)


def take_apart(model: str | Path | TwoTowerEncoder) -> Tunable:
    """An encoder as it can be trained: one on PyTorch, or one that `babelens train` made, such as ``mini``.

    Raises :class:`TrainingError` for any other, and as :func:`babelens.models.registry.load_encoder` does.
    """
    encoder = model if isinstance(model, TwoTowerEncoder) else load_original(model)
    image, text = encoder.image_tower, encoder.text_tower
    if image.module is not None and text.module is not None:
        both = nn.ModuleDict({"image": image.module(), "text": text.module()})
        return Tunable(encoder, both["image"].float(), both["text"].float(), own=False)
    if image.module is None and text.module is None and isinstance(text.tokenizer(), NgramTokenizer):
        return Tunable(
            encoder,
            restore_image(image.files[0], size=encoder.image_size),
            restore_text(text.files[0]),
            own=True,
        )
    raise TrainingError(
        f"{encoder.fingerprint.name} cannot be trained: it is here as an ONNX export, without PyTorch weights.",
        hint="Name the folder or repository of its PyTorch weights.",
    )
