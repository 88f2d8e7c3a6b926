"""What a user can choose about a fine-tuning run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Final, Literal, get_args

from ..errors import TrainingError
from ..languages import LANGUAGES

Parts = Literal["all", "projections", "text", "image", "lora"]
"""What is trained: both towers, the last layer of each, one tower beside the other as it is (LiT, Zhai et al. 2022,
arXiv 2111.07991), or low-rank additions to all matrices (LoRA, Hu et al. 2021, arXiv 2106.09685)."""

Loss = Literal["infonce", "sigmoid", "margin"]
ParallelLoss = Literal["align", "distil"]

PARTS: Final[tuple[Parts, ...]] = get_args(Parts)
LOSSES: Final[tuple[Loss, ...]] = get_args(Loss)


@dataclass(frozen=True, slots=True)
class Settings:
    """Values that change the result. Counts of pictures and texts are per step."""

    parts: Parts = "all"
    loss: Loss = "infonce"
    languages: tuple[str, ...] = tuple(LANGUAGES)
    """Captions in other languages are left out, and counted."""
    epochs: float = 10.0
    batch_size: int = 128
    """Pictures; where there are none, parallel texts."""
    captions: int = 2
    """Of each picture, in different languages where it has them."""
    learning_rate: float | None = None
    """Of the top layer; None takes what suits the model and the parts (see :func:`.parts.usual_rate`)."""
    layer_decay: float = 0.9
    """By how much less each layer below the top learns (Clark et al. 2020, arXiv 2003.10555)."""
    warmup: float = 0.1
    """Share of the steps."""
    weight_decay: float = 0.05
    clip: float = 1.0
    """Longest gradient."""
    align: float = 0.5
    """Weight of drawing captions of one picture together across languages."""
    parallel: ParallelLoss = "align"
    """What parallel texts are for: to be near each other, or to be where the teacher puts the first of them."""
    margin: float = 0.2
    augment: bool = True
    """Crop, mirror and tint pictures while both towers or the image tower are trained."""
    rank: int = 16
    """Of LoRA's additions."""
    patience: int = 3
    """Validations in a row without a better mean before the run stops; 0 never stops it."""
    tolerance: float = 0.01
    """What another domain, or a language, may lose: a share, 0.01 is one point."""
    seed: int = 0

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise TrainingError(f"Nothing can be trained like this: {problem}.")

    def _problem(self) -> str | None:
        unknown = [tag for tag in self.languages if tag not in LANGUAGES]
        if self.parts not in PARTS or self.loss not in LOSSES:
            return f"parts are one of {', '.join(PARTS)}, losses one of {', '.join(LOSSES)}"
        if unknown or not self.languages:
            return f"there is no language {', '.join(unknown) or '(none is named)'}; known are {', '.join(LANGUAGES)}"
        if self.batch_size < 2 or self.captions < 1 or not self.epochs > 0:
            return "a step needs two pictures and a caption of each, and there must be steps"
        if self.learning_rate is not None and not self.learning_rate > 0:
            return f"the learning rate is {self.learning_rate}"
        if not (0 <= self.warmup < 1 and 0 < self.layer_decay <= 1 and 0 <= self.tolerance <= 1):
            return (
                "warm-up is a share below 1, tolerance one up to 1, and layer decay is above 0 and at most 1"
            )
        return None

    def digest(self) -> str:
        """Hex digest; a checkpoint of other settings is refused."""
        values = dataclasses.asdict(self)
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
