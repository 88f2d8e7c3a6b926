from __future__ import annotations

from typing import Any

import pytest

from babelens.errors import TrainingError
from babelens.finetuning.settings import Settings


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": "some"},
        {"loss": "hope"},
        {"languages": ("en", "tlh")},
        {"languages": ()},
        {"batch_size": 1},
        {"captions": 0},
        {"epochs": 0.0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"warmup": 1.0},
        {"layer_decay": 0.0},
        {"tolerance": -0.1},
    ],
    ids=str,
)
def test_settings_that_cannot_be_trained_with_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TrainingError):
        Settings(**changes)


def test_every_value_is_part_of_the_digest() -> None:
    others: list[dict[str, Any]] = [{"seed": 1}, {"parts": "text"}, {"learning_rate": 1e-3}, {"patience": 4}]
    digests = {Settings(**changes).digest() for changes in [{}, *others]}
    assert len(digests) == 1 + len(others)
    assert Settings().digest() == Settings().digest()
