from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from babelens.training import augment  # noqa: E402
from babelens.training.phrases import JOINTS, PHRASES, in_phrase, joined  # noqa: E402


def sprites(n: int, side: int = 32) -> torch.Tensor:
    rgba = torch.zeros(n, 4, side, side)
    rgba[:, 0, 8:24, 8:24] = 1.0
    rgba[:, 3, 8:24, 8:24] = 1.0
    return rgba


def test_single_pictures_are_valid() -> None:
    torch.manual_seed(0)
    spare = torch.zeros(64, dtype=torch.bool)
    out = augment.single(sprites(64), spare_colour=spare, may_flip=~spare)
    assert out.shape == (64, 3, 32, 32)
    assert torch.isfinite(out).all()
    assert out.min() >= 0
    assert out.max() <= 1.001
    assert out.flatten(1).std(0).mean() > 0.05  # they differ


def test_scene_draws_only_what_is_present() -> None:
    torch.manual_seed(0)
    present = torch.tensor([[False, False, False]] * 8)
    out = augment.scene(sprites(24).view(8, 3, 4, 32, 32), present, spare_colour=~present, may_flip=present)
    # Nothing but the ground: smooth, so neighbouring pixels are alike.
    assert (out[..., 1:] - out[..., :-1]).abs().max() < 0.35


def test_place_keeps_scale_and_position() -> None:
    torch.manual_seed(0)
    n = 200
    still = torch.zeros(n, dtype=torch.bool)
    shift = torch.tensor([0.5, -0.5]).expand(n, 2)
    out = augment.place(sprites(n), scale=torch.full((n,), 0.5), shift=shift, flip=still, wobble=0.0)
    weight = out[:, 3].mean(0)
    axis = torch.linspace(-1, 1, 32)
    x = (weight.sum(0) * axis).sum() / weight.sum()
    y = (weight.sum(1) * axis).sum() / weight.sum()
    assert x.item() == pytest.approx(0.5, abs=0.05)
    assert y.item() == pytest.approx(-0.5, abs=0.05)
    # Half as wide and high as the sprite's 16 x 16.
    assert out[:, 3].sum((1, 2)).mean().item() == pytest.approx(64, rel=0.15)


def test_spared_pictures_keep_their_hue() -> None:
    torch.manual_seed(0)
    red = torch.zeros(400, 3, 4, 4)
    red[:, 0] = 0.8
    spared = augment.recolour(red, torch.ones(400, dtype=torch.bool)).mean((2, 3))
    free = augment.recolour(red, torch.zeros(400, dtype=torch.bool)).mean((2, 3))
    assert (spared.argmax(1) == 0).float().mean() > 0.97
    assert (free.argmax(1) == 0).float().mean() < 0.95


def test_blends_are_between_a_drawing_and_its_partner() -> None:
    torch.manual_seed(0)
    sprites = torch.zeros(200, 4, 8, 8)
    sprites[0::2, 0] = sprites[1::2, 2] = 1  # red and blue
    sprites[:, 3] = 1
    assert augment.blend(sprites, 0.0) is sprites
    mixed = augment.blend(sprites, 0.5)
    changed = (mixed - sprites).abs().amax((1, 2, 3)) > 0.05
    assert 0.35 < changed.float().mean() < 0.65
    torch.testing.assert_close(mixed[:, 0] + mixed[:, 2], torch.ones(200, 8, 8))
    torch.testing.assert_close(mixed[:, 3], torch.ones(200, 8, 8))


def test_blending_with_nothing_keeps_the_colour() -> None:
    torch.manual_seed(0)
    sprites = torch.zeros(20, 4, 8, 8)
    sprites[0::2] = torch.tensor([1.0, 0.5, 0.0, 1.0])[:, None, None]  # the partner is transparent
    mixed = augment.blend(sprites, 1.0)
    seen = mixed[:, 3] > 0.05
    assert seen.any()
    torch.testing.assert_close(mixed.permute(0, 2, 3, 1)[seen][:, 1], torch.full((int(seen.sum()),), 0.5))


def test_edges_of_a_step() -> None:
    picture = torch.zeros(1, 3, 4, 8)
    picture[..., 4:] = 1.0
    found = augment.edges(picture)[0, 0, 2]
    assert found[3].item() == pytest.approx(1.0, abs=1e-2)
    assert found[0].item() < 1e-3


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_phrases_hold_the_text_in_every_language(language: str) -> None:
    rng = np.random.default_rng(0)
    assert set(PHRASES) == set(JOINTS)
    for _ in range(30):
        assert "NAME" in in_phrase("NAME", language, rng)
        text = joined(["ONE", "TWO", "THREE"], language, rng)
        assert text.index("ONE") < text.index("TWO") < text.index("THREE")
