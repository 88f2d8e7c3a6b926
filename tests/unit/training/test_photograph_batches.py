from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from babelens.models.ngrams import NgramTokenizer  # noqa: E402
from babelens.models.preprocess import Preprocess  # noqa: E402
from babelens.training.losses import word_loss  # noqa: E402
from babelens.training.photograph_batches import (  # noqa: E402
    WordTargets,
    draw_captions,
    draw_photographs,
    jitter,
    random_crops,
    tokenized,
)
from babelens.training.photographs import Photographs, decode, read_photographs  # noqa: E402
from babelens.training.recipe import PhotographData  # noqa: E402

TOKENIZER = NgramTokenizer(buckets=4096)
DATA = PhotographData(languages=("en", "de", "ja"), pictures=12, captions=2)


@pytest.fixture
def train(photographs: Path) -> Photographs:
    listed = read_photographs(photographs / "train.jsonl", languages=DATA.languages)
    return decode(listed, Preprocess(28, "squash", (0.5,) * 3, (0.5,) * 3, "lanczos"))


def test_a_batch_is_pictures_and_captions_of_them(train: Photographs) -> None:
    texts = tokenized(train, TOKENIZER)
    batch = draw_photographs(train, texts, DATA, size=24, seed=1, step=3)
    assert batch.pixels.shape == (12, 3, 24, 24)
    assert -1.001 <= batch.pixels.min() < batch.pixels.max() <= 1.001
    assert torch.equal(batch.texts, batch.pictures.repeat_interleave(2, dim=0))
    for row, picture in enumerate(batch.texts[:, 0].tolist()):
        ids = batch.ids[row][batch.mask[row] == 1].tolist()
        assert any(ids == own.tolist() for rows in texts[picture].values() for own in rows)


def test_a_batch_follows_from_seed_and_step_alone(train: Photographs) -> None:
    texts = tokenized(train, TOKENIZER)
    first = draw_photographs(train, texts, DATA, size=24, seed=1, step=3)
    torch.manual_seed(99)
    again = draw_photographs(train, texts, DATA, size=24, seed=1, step=3)
    assert torch.equal(first.pixels, again.pixels)
    assert torch.equal(first.ids, again.ids)
    assert not torch.equal(first.pixels, draw_photographs(train, texts, DATA, size=24, seed=1, step=4).pixels)


def test_an_epoch_shows_every_picture_once(train: Photographs) -> None:
    texts = tokenized(train, TOKENIZER)
    steps = len(train) // 12
    seen = [
        int(picture)
        for step in range(steps)
        for picture in draw_photographs(train, texts, DATA, size=16, seed=1, step=step).pictures
    ]
    assert len(seen) == len(set(seen)) == 12 * steps


def test_captions_of_a_picture_come_in_different_languages(train: Photographs) -> None:
    rows = {tag: [np.array([10 * place + n], dtype=np.int32) for n in range(count)]
            for place, (tag, count) in enumerate((("en", 3), ("ja", 1), ("ar", 2)))}  # fmt: skip
    rng = np.random.default_rng(0)
    for _ in range(30):
        drawn = [int(ids[0]) for ids in draw_captions(rows, 3, rng)]
        assert sorted(value // 10 for value in drawn) == [0, 1, 2]
        assert len({int(ids[0]) for ids in draw_captions(rows, 6, rng)}) == 6
    assert len(draw_captions({"en": rows["en"][:1]}, 3, rng)) == 3


def test_only_pictures_without_sides_are_mirrored() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, 16).expand(64, 3, 16, 16)  # bright on the right
    may = torch.arange(64) % 2 == 0
    crops = random_crops(ramp, 12, smallest=0.5, may_flip=may)
    mirrored = crops[:, 0, :, 0].mean(1) > crops[:, 0, :, -1].mean(1)
    assert not mirrored[~may].any()
    assert 8 <= int(mirrored[may].sum()) <= 24


def test_captions_that_say_left_or_right_are_never_drawn_mirrored(train: Photographs) -> None:
    sided = [place for place, picture in enumerate(train.pictures) if picture.sided]
    assert len(sided) == 1
    # Dark on the left, bright on the right, whatever is shown.
    squares = np.tile(np.linspace(0, 255, 28, dtype=np.uint8)[None, None, :, None], (len(train), 28, 1, 3))
    ramps = Photographs(train.pictures, squares, np.arange(len(train)), (), {})
    plain = PhotographData(languages=DATA.languages, pictures=12, colour=0.0, grey=0.0, erase=0.0)
    texts = tokenized(train, TOKENIZER)
    mirrored: dict[bool, list[bool]] = {True: [], False: []}
    for step in range(60):
        batch = draw_photographs(ramps, texts, plain, size=16, seed=0, step=step)
        for pixels, picture in zip(batch.pixels, batch.pictures[:, 0].tolist(), strict=True):
            mirrored[picture in sided].append(bool(pixels[0, :, 0].mean() > pixels[0, :, -1].mean()))
    assert len(mirrored[True]) >= 8
    assert not any(mirrored[True])
    assert 0.4 < np.mean(mirrored[False]) < 0.6


def test_crops_keep_at_least_the_share_asked_for() -> None:
    torch.manual_seed(1)
    place = torch.linspace(-1, 1, 64)
    squares = torch.stack([place.expand(64, 64), place[:, None].expand(64, 64), torch.zeros(64, 64)])
    crops = random_crops(squares.expand(200, 3, 64, 64), 32, smallest=0.4, may_flip=torch.zeros(200).bool())
    wide = (crops[:, 0, 0, -1] - crops[:, 0, 0, 0]) / 2
    high = (crops[:, 1, -1, 0] - crops[:, 1, 0, 0]) / 2
    area = wide * high
    # Half a pixel is lost on each side; a crop that is cut off at the picture's edge can be a little smaller.
    assert area.min() > 0.3
    assert area.max() > 0.9
    assert (wide / high).log().abs().max() < 0.3


def test_jitter_changes_light_and_colour_but_not_the_picture() -> None:
    torch.manual_seed(0)
    rgb = torch.rand(8, 3, 10, 10) * 0.4 + 0.3
    changed = jitter(rgb, strength=0.3, grey=0.0)
    assert (changed - rgb).abs().mean() > 0.01
    for one, other in zip(rgb, changed, strict=True):
        assert np.corrcoef(one.flatten(), other.flatten())[0, 1] > 0.8
    same = jitter(rgb, strength=0.0, grey=0.0)
    assert torch.allclose(same, rgb, atol=1e-5)
    grey = jitter(rgb, strength=0.0, grey=1.0)
    assert torch.allclose(grey[:, 0], grey[:, 2], atol=1e-5)


def test_words_to_guess_are_neither_rare_nor_common() -> None:
    texts = [
        {"en": [np.array([1, 2, 5])], "ja": [np.array([2, 7])]},
        {"en": [np.array([1, 2])]},
        {"en": [np.array([1, 5, 5])]},
        {"en": [np.array([1])]},
    ]
    words = WordTargets(texts, rare=0.5, common=0.5)  # type: ignore[arg-type]
    assert len(words) == 2  # 2 and 5: 7 is rare and 1 is everywhere
    target = words(np.array([0, 1, 3]))
    assert torch.allclose(target, torch.tensor([[0.5, 0.5], [1.0, 0.0], [0.0, 0.0]]))


def test_word_loss_is_the_cross_entropy_of_the_right_words() -> None:
    vectors = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2], [0.3, 1.0]]), dim=1)
    prototypes = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    target = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    expected = -(target * (4.0 * vectors).log_softmax(1)).sum(1).mean()
    assert word_loss(vectors, prototypes, target, scale=4.0) == pytest.approx(float(expected), rel=1e-5)
