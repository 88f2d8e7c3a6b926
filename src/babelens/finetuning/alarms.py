"""Stops a run that has gone wrong, and says which of the known causes it looks like.

Fine-tuning fails in silence: weights that became NaN, or one vector for every picture, still give a recall, of zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from ..errors import TrainingError

_WINDOW: Final = 10
"""Steps: one step's loss says little."""
KNOWN: Final = 0.5
"""Mean recall of a base from which on its loss is near its floor, and need not fall."""
_STILL: Final = 0.02
"""A loss that has fallen by less than this share after warm-up has not moved."""
_ALIKE: Final = 0.95
"""Mean cosine of different pictures from which on they are one vector."""


def check_finite(total: float, *, step: int, gradient: float | None = None) -> None:
    """Raises :class:`TrainingError` when the loss, or the length of its gradient, is not a number."""
    if math.isfinite(total) and (gradient is None or math.isfinite(gradient)):
        return
    what = "loss" if not math.isfinite(total) else "gradient"
    raise TrainingError(
        f"The {what} is not a number at step {step}. It looks like weights in half precision, whose small updates and "
        "Adam's squared gradients do not fit, or a learning rate that is far too high.",
        hint="Try a tenth of the learning rate; the base model is untouched.",
    )


class Watch:
    """Remembers losses from the start. ``warmup`` is in steps."""

    def __init__(self, *, warmup: int, losses: Sequence[float] = ()) -> None:
        self.warmup = warmup
        self.losses = list(losses)

    def see(self, loss: float) -> None:
        """Adds the loss of a step. Raises :class:`TrainingError` when warm-up is over and nothing was learnt."""
        self.losses.append(loss)
        # Once, when as many steps after warm-up as are averaged at the start are done.
        if len(self.losses) != max(self.warmup, _WINDOW) + 2 * _WINDOW:
            return
        start = sum(self.losses[:_WINDOW]) / _WINDOW
        now = sum(self.losses[-_WINDOW:]) / _WINDOW
        if now > (1 - _STILL) * start:
            raise TrainingError(
                f"After {len(self.losses)} steps, warm-up over, the loss is {now:.3g}; it began at {start:.3g}. "
                "It looks "
                + (
                    "like a learning rate that is too high: the loss rises."
                    if now > (1 + _STILL) * start
                    else "like a learning rate that is far too low, parts that cannot learn this, captions that do not "
                    "belong to their pictures, or positives that are counted as negatives of each other."
                ),
                hint="Check the pairs with `babelens dataset check`, then try ten times or a tenth of the rate.",
            )


def check_recall(value: float, *, chance: float, alike: float, base: float, step: int) -> None:
    """Raises :class:`TrainingError` when what is found is no better than chance, though the base model was.

    ``value``, ``chance`` and ``base`` are means of hit rates; ``alike`` as an outcome has it.
    """
    if value > chance or base <= 1.5 * chance:
        return
    cause = (
        f"All vectors have become one (those of different pictures, or captions, have a mean cosine of {alike:.2f}): a "
        "tower has collapsed. It looks like a learning rate that is too high, weights in half precision, no warm-up, "
        "or captions of one picture that are counted as negatives of each other."
        if alike > _ALIKE
        else "The vectors differ, but pictures and captions no longer belong together. It looks like captions that are "
        "assigned to the wrong pictures, or a learning rate that is far too high."
    )
    raise TrainingError(
        f"At step {step}, {value:.1%} is found on the validation split, where chance is {chance:.1%} and the base "
        f"model had {base:.1%}. {cause}",
        hint="The base model is untouched. Try a tenth of the learning rate.",
    )
