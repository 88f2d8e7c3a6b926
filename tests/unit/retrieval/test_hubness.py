from __future__ import annotations

import numpy as np
import pytest

from babelens.retrieval.hubness import SETTINGS, Correction, Setting
from babelens.vectors import Floats, normalize


def rows(n: int, *, seed: int, dim: int = 8) -> Floats:
    return normalize(np.random.default_rng(seed).normal(size=(n, dim)))


def names(n: int) -> list[str]:
    return [f"d{number}" for number in range(n)]


def strangers(n: int) -> tuple[str, ...]:
    """Owners that no document bears the name of."""
    return tuple(f"q{number}" for number in range(n))


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_hub_pays_more_than_anything_else(setting: Setting) -> None:
    """It stands in the middle of the queries, so it is near to all of them; each other document is near to few."""
    shared = normalize(np.ones(8))
    bank = normalize(2 * shared + rows(200, seed=1))
    documents = np.concatenate([shared[None], normalize(bank[:60] - (bank[:60] @ shared)[:, None] * shared)])
    penalties = Correction(setting, bank, strangers(200)).penalties(documents, names(61))
    assert penalties.shape == (61,)
    assert penalties[0] > penalties[1:].max()


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_documents_own_queries_do_not_count_against_it(setting: Setting) -> None:
    bank, documents = rows(30, seed=1), rows(6, seed=2)
    own = normalize(documents[[0]] + 0.1 * rows(1, seed=3))
    without = Correction(setting, bank, strangers(30)).penalties(documents, names(6))
    owned = Correction(setting, np.concatenate([bank, own]), (*strangers(30), "d0"))
    with_own = owned.penalties(documents, names(6))
    assert with_own[0] == pytest.approx(without[0], abs=1e-6)
    assert not np.allclose(with_own[1:], without[1:], atol=1e-6) or setting.parameters.get("k") == 1
    anothers = Correction(setting, np.concatenate([bank, own]), (*strangers(30), "d5"))
    assert anothers.penalties(documents, names(6))[0] > with_own[0]


def test_a_large_beta_does_not_overflow() -> None:
    setting = Setting("inverted-softmax", {"beta": 10_000})
    bank, documents = rows(30, seed=1), rows(6, seed=2)
    penalties = Correction(setting, bank, strangers(30)).penalties(documents, names(6))
    # As beta grows, the soft maximum becomes the maximum.
    np.testing.assert_allclose(penalties, (documents @ bank.T).max(axis=1), atol=1e-3)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (Setting("magic", {}), "not a correction"),  # type: ignore[arg-type]
        (Setting("nnn", {"k": 3}), "does not take"),
        (Setting("csls", {"k": 3, "alpha": 1}), "does not take"),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(setting: Setting, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Correction(setting, rows(3, seed=0), strangers(3))


def test_a_bank_that_cannot_be_learnt_from_is_refused() -> None:
    setting = SETTINGS[0]
    with pytest.raises(ValueError, match="unit rows"):
        Correction(setting, 2 * rows(3, seed=0), strangers(3))
    with pytest.raises(ValueError, match="each with an owner"):
        Correction(setting, rows(3, seed=0), strangers(2))
    with pytest.raises(ValueError, match="two documents"):
        Correction(setting, rows(3, seed=0), ("a", "a", "a"))
