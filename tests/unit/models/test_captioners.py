"""Captioners in the published layouts against transformers itself, token for token."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from babelens import generate_caption, load_captioner
from babelens.errors import UnknownModelError, WeightsUnavailableError
from babelens.models.captioners import BEAMS, MAX_TOKENS, PretrainedCaptioner

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

Writers = Callable[..., Path]
FAMILIES = {
    "git": "GitForCausalLM",
    "blip": "BlipForConditionalGeneration",
    "vit_gpt2": "VisionEncoderDecoderModel",
}
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def noise(width: int, height: int, seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    return [noise(60, 40 + 7 * seed, seed) for seed in range(6)]


def as_published(family: str, image: Image.Image) -> NDArray[np.float32]:
    """The preprocessing of the models' papers and cards, with Pillow and NumPy. Shape: (3, 32, 32)."""
    if family == "git":  # shortest side as torchvision rounds it, then the middle
        scale = 32 / min(image.size)
        size = (int(image.width * scale), int(image.height * scale))
        image = image.resize(size, Image.Resampling.BICUBIC)
        left, top = (image.width - 32) // 2, (image.height - 32) // 2
        image = image.crop((left, top, left + 32, top + 32))
    else:
        rule = {"blip": Image.Resampling.BICUBIC, "vit_gpt2": Image.Resampling.BILINEAR}[family]
        image = image.resize((32, 32), rule)
    mean, std = ([0.5] * 3, [0.5] * 3) if family == "vit_gpt2" else (CLIP_MEAN, CLIP_STD)
    pixels = (np.asarray(image, dtype=np.float64) / 255 - mean) / std
    return pixels.transpose(2, 0, 1).astype(np.float32)


def trimmed(tokens: Any, end: int) -> list[int]:
    """Up to the token that ends a caption; what fills a batch up comes after it. ViT-GPT2 begins with it, too."""
    row = [int(token) for token in tokens.tolist()]
    return row[: row.index(end, 1) + 1] if end in row[1:] else row


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_give_the_tokens_that_transformers_gives_one_at_a_time(
    family: str, writers: Writers, images: list[Image.Image]
) -> None:
    folder = writers(family)
    captioner = load_captioner(folder)
    assert isinstance(captioner, PretrainedCaptioner)
    model = getattr(transformers, FAMILIES[family]).from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    wanted = [
        model.generate(
            pixel_values=torch.from_numpy(as_published(family, image))[None],
            num_beams=BEAMS,
            max_new_tokens=MAX_TOKENS,
            do_sample=False,
        )[0]
        for image in images
    ]
    end = tokenizer.eos_token_id if family == "vit_gpt2" else tokenizer.sep_token_id
    found = captioner._generate(images)
    assert [trimmed(row, end) for row in found] == [trimmed(row, end) for row in wanted]
    assert len({len(trimmed(row, end)) for row in wanted}) > 1  # they end at different places
    texts = [" ".join(tokenizer.decode(row, skip_special_tokens=True).split()) for row in wanted]
    assert captioner.caption(images) == texts
    assert len(set(texts)) > 1


@pytest.mark.parametrize("family", FAMILIES)
def test_pixels_are_as_published(family: str, writers: Writers, images: list[Image.Image]) -> None:
    captioner = load_captioner(writers(family))
    assert isinstance(captioner, PretrainedCaptioner)
    assert type(captioner._processor).__name__.endswith("Pil")
    assert captioner.image_size == 32
    found = captioner._processor(images, return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(found, [as_published(family, image) for image in images], atol=1e-5)


def test_more_pictures_than_a_batch(writers: Writers) -> None:
    captioner = load_captioner(writers("git"))
    many = [noise(40, 40, seed) for seed in range(19)]
    assert captioner.caption(many) == [captioner.caption([image])[0] for image in many]
    assert captioner.caption([]) == []


def test_one_or_many_files_or_pictures_give_lists(writers: Writers, tmp_path: Path) -> None:
    image = noise(50, 40, 3)
    image.save(tmp_path / "a.png")
    folder = writers("blip")
    expected = load_captioner(folder).caption([image])
    assert generate_caption(image, model=folder) == expected
    assert generate_caption(tmp_path / "a.png", model=str(folder)) == expected
    assert generate_caption([str(tmp_path / "a.png"), image], model=load_captioner(folder)) == 2 * expected
    assert generate_caption([], model=folder) == []


def test_an_endless_strip_is_captioned_by_its_middle(writers: Writers) -> None:
    captioner = load_captioner(writers("git"))
    strip = noise(4000, 2, 1)
    middle = strip.crop((2000 - 16, 0, 2000 + 16, 2))
    assert captioner.caption([strip]) == captioner.caption([middle])


def test_the_revision_follows_the_contents(writers: Writers, tmp_path: Path) -> None:
    one, two = load_captioner(writers("git")), load_captioner(writers("git", "other-git", seed=7))
    copy = shutil.copytree(writers("git"), tmp_path / "copy")
    assert one.revision == load_captioner(copy).revision
    assert one.revision != two.revision
    assert (one.name, two.name) == ("git", "other-git")


# -- bad input -----------------------------------------------------------------------------------------------


def test_unknown_names_suggest_near_ones() -> None:
    with pytest.raises(UnknownModelError, match="git-base-coco"):
        load_captioner("git-base-cocoa")
    with pytest.raises(UnknownModelError):
        load_captioner("opus-mt-en-de")  # a translator


def test_an_unknown_family_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(WeightsUnavailableError, match="llama") as caught:
        load_captioner(tmp_path)
    assert "git, blip, vision-encoder-decoder" in str(caught.value.hint)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match=r"no config\.json"):
        load_captioner(tmp_path)


@pytest.mark.parametrize(
    ("file", "lacks"),
    [
        ("model.safetensors", r"model\.safetensors or .* or pytorch_model\.bin"),
        ("preprocessor_config.json", "preprocessor_config"),
    ],
)
def test_what_is_missing_is_named(writers: Writers, tmp_path: Path, file: str, lacks: str) -> None:
    folder = Path(shutil.copytree(writers("git"), tmp_path / "git"))
    (folder / file).unlink()
    with pytest.raises(WeightsUnavailableError, match=lacks):
        load_captioner(folder)


def test_damaged_weights(writers: Writers, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(writers("git"), tmp_path / "git"))
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsUnavailableError, match="is damaged"):
        load_captioner(folder)


def test_weights_that_are_not_numbers(writers: Writers, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(writers("git"), tmp_path / "git"))
    tensors = load_file(folder / "model.safetensors")
    next(iter(tensors.values())).view(-1)[0] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsUnavailableError, match="NaN"):
        load_captioner(folder)


def test_weights_that_lack_a_tensor(writers: Writers, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(writers("git"), tmp_path / "git"))
    tensors = load_file(folder / "model.safetensors")
    del tensors["git.embeddings.word_embeddings.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsUnavailableError, match="they lack git"):
        load_captioner(folder)
