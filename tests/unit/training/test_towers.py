from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from babelens.training.recipe import Model  # noqa: E402
from babelens.training.towers import Conv, ImageTower, StyleNorm, mix_style  # noqa: E402


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (3, 2), (7, 4)])
def test_a_kernel_kept_as_a_matrix_convolves_like_any_other(side: int, stride: int) -> None:
    ours, reference = Conv(6, 8, side, stride), torch.nn.Conv2d(6, 8, side, stride, side // 2, bias=False)
    with torch.no_grad():
        reference.weight.copy_(ours.weight.view(8, side, side, 6).permute(0, 3, 1, 2))
    x = torch.randn(2, 6, 24, 24)
    torch.testing.assert_close(ours(x), reference(x))


def test_style_norm_and_its_gradient_are_instance_norm_then_batch_norm() -> None:
    norm = StyleNorm(8).double().train()
    x = torch.randn(4, 8, 5, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 8, 5, 6, dtype=torch.float64)

    out = norm(x)
    half = functional.instance_norm(x[:, :4])
    expected = functional.batch_norm(torch.cat([half, x[:, 4:]], 1), None, None, training=True)
    torch.testing.assert_close(out, expected)
    (ours,) = torch.autograd.grad((out * weight).sum(), x)
    (reference,) = torch.autograd.grad((expected * weight).sum(), x)
    torch.testing.assert_close(ours, reference)


def test_style_norm_says_the_same_when_it_is_exported() -> None:
    norm = StyleNorm(8)
    norm.norm.momentum = 1.0  # the running statistics are those of the last batch
    x = torch.randn(32, 8, 9, 9)
    trained = norm.train()(x)
    torch.testing.assert_close(norm.eval()(x), trained, atol=2e-3, rtol=2e-3)


def test_mix_style_keeps_the_drawing_and_takes_statistics_of_the_batch() -> None:
    x = torch.randn(64, 4, 7, 7) * (0.5 + torch.rand(64, 4, 1, 1)) + torch.randn(64, 4, 1, 1)
    torch.testing.assert_close(mix_style(x, 0.0), x, atol=1e-4, rtol=1e-4)
    mixed = mix_style(x, 1.0)
    assert (mixed - x).abs().amax((1, 2, 3)).gt(1e-2).float().mean() > 0.8
    torch.testing.assert_close(
        functional.instance_norm(mixed), functional.instance_norm(x), atol=1e-2, rtol=1e-2
    )
    assert mixed.mean((2, 3)).amin() >= x.mean((2, 3)).amin() - 1e-4
    assert mixed.mean((2, 3)).amax() <= x.mean((2, 3)).amax() + 1e-4


def test_image_tower_gives_unit_vectors_at_any_multiple_of_eight() -> None:
    tower = ImageTower(Model(dim=16, widths=(8, 8, 16), depths=(1, 1, 1)))
    for side in (32, 48):
        vectors = tower(torch.randn(5, 3, side, side))
        assert vectors.shape == (5, 16)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
