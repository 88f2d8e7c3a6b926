"""Both towers of a model behind one protocol, whatever runs them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsUnavailableError
from ..types import EncoderFingerprint
from ..vectors import Floats, normalize
from .towers import ImageForward, ImageTower, TextForward, TextTower, Tokenizer, Towers

if TYPE_CHECKING:
    from PIL.Image import Image


_MARKS: Final = 100


class TwoTowerEncoder:
    """Pictures and texts in one space. Safe to use from several threads. See :class:`.protocols.Encoder`.

    Each tower is loaded when it is first used, so a search by words never pays for the image tower. ``why`` says how
    this runtime was chosen, where there was a choice. ``preprocess`` stands in the fingerprint for how input is
    prepared, where several sources of the same model describe that in other words. ``vocabulary`` reads the vectors of
    common words when they are first asked for.
    """

    def __init__(
        self,
        name: str,
        revision: str,
        image: ImageTower,
        text: TextTower,
        *,
        languages: Sequence[str],
        photographs: bool = True,
        calibration: Mapping[str, float] | None = None,
        preprocess: str | None = None,
        vocabulary: Callable[[], Floats] | None = None,
        why: str | None = None,
    ) -> None:
        if image.dim != text.dim:
            raise ValueError(f"the towers do not share a space: {image.dim} and {text.dim} numbers")
        self.image_tower, self.text_tower = image, text
        self.languages = tuple(languages)
        self.photographs = photographs
        self._name, self._revision, self._preprocess = name, revision, preprocess
        self._calibration = dict(calibration or {})
        self._read_vocabulary = vocabulary
        self.why = why
        self._loading = threading.Lock()
        self._image: ImageForward | None = None
        self._text: TextForward | None = None

    @cached_property
    def fingerprint(self) -> EncoderFingerprint:
        preprocess = self._preprocess or f"{self.image_tower.preprocess.key} {self._tokenizer.key}"
        return EncoderFingerprint(self._name, self._revision, preprocess, self.image_tower.dim)

    @property
    def slug(self) -> str:
        """Name and revision as one name for a file."""
        return re.sub(r"[^\w.-]+", "-", f"{self._name}-{self._revision}")

    @property
    def runtime(self) -> str:
        """What runs the towers, in words."""
        image, text = self.image_tower.runtime, self.text_tower.runtime
        return image if image == text else f"{image} (pictures), {text} (texts)"

    def with_towers(self, towers: Towers, why: str | None = None) -> TwoTowerEncoder:
        """The same model run by other towers, such as an export of it. Raises ``ValueError`` when one is missing."""
        if towers.image is None or towers.text is None:
            raise ValueError("an encoder needs both towers")
        return TwoTowerEncoder(
            self._name,
            self._revision,
            towers.image,
            towers.text,
            languages=self.languages,
            photographs=self.photographs,
            calibration=self._calibration,
            preprocess=self._preprocess,
            vocabulary=self._read_vocabulary,
            why=why,
        )

    @property
    def image_size(self) -> int:
        return self.image_tower.preprocess.size

    @property
    def calibration(self) -> dict[str, float]:
        return dict(self._calibration)

    @cached_property
    def vocabulary(self) -> Floats:
        """Vectors of common words, (v, dim) float32 of unit rows; (0, dim) where the encoder brings none."""
        if self._read_vocabulary is None:
            return np.empty((0, self.image_tower.dim), dtype=np.float32)
        return self._read_vocabulary()

    @property
    def max_tokens(self) -> int:
        return self._tokenizer.max_length

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [self._tokenizer.count(text) for text in texts]

    def prepare(self, image: Image) -> NDArray[np.uint8]:
        return self.image_tower.preprocess.to_pixels(image)

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        tower = self.image_tower
        with self._loading:
            forward = self._image = self._image or tower.load()
        parts = [np.empty((0, tower.dim), dtype=np.float32)]
        for start in range(0, len(pixels), tower.batch):
            batch = np.stack(pixels[start : start + tower.batch])
            parts.append(sound(forward(tower.preprocess.standardize(batch)), tower))
        return normalize(np.concatenate(parts))

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        tower = self.text_tower
        with self._loading:
            forward = self._text = self._text or load_text(tower, self._tokenizer, self._name)
        result = np.empty((len(texts), tower.dim), dtype=np.float32)
        # Texts of like length together: a batch is padded to its longest.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        for start in range(0, len(order), tower.batch):
            rows = order[start : start + tower.batch]
            result[rows] = sound(forward(*self._tokenizer([texts[row] for row in rows])), tower)
        return normalize(result)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return self.text_tower.tokenizer()


def load_text(tower: TextTower, tokenizer: Tokenizer, name: str) -> TextForward:
    """Reads the weights of a text tower. Raises :class:`WeightsUnavailableError` when they and the tokenizer do not
    belong together; ``name`` is the model's."""
    known, made = tower.vocabulary, tokenizer.vocabulary
    # mT5's vocabulary ends in a hundred marks that no text becomes and SigLIP has no rows for; an id that a tower
    # does not have is an error when it is met.
    if known is not None and made > known + _MARKS:
        raise WeightsUnavailableError(
            f"The tokenizer of {name} makes {made:,} different ids and its text tower knows {known:,}: they do not "
            "belong together.",
            hint="Fetch the model again, or put its own tokenizer beside its weights.",
        )
    return tower.load()


def sound(vectors: Floats, tower: ImageTower | TextTower) -> Floats:
    """The vectors. Raises :class:`WeightsUnavailableError` where weights were NaN: no input leads to that otherwise."""
    if np.isfinite(vectors).all():
        return vectors
    raise WeightsUnavailableError(
        f"{' or '.join(map(str, tower.files))} is damaged: the vectors it gives are not numbers.",
        hint="Fetch the model again; `babelens models check` tells whether it is sound.",
    )
