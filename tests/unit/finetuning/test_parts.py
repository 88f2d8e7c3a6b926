"""Which weights learn, in every family of encoders."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs pip install 'babelens[torch]'")
pytest.importorskip("transformers")

from babelens.finetuning import parts  # noqa: E402
from babelens.finetuning.objective import Objective  # noqa: E402
from babelens.finetuning.settings import PARTS, Parts  # noqa: E402
from babelens.finetuning.tunable import Tunable, Weights, take_apart  # noqa: E402
from tests import tuning  # noqa: E402
from tests.unit.finetuning import families  # noqa: E402

TEXTS = ["a red car", "two dogs on a beach", "ein Haus", "one"]
CLIP_IMAGE = r"vision_model|visual_projection"
CLIP_TEXT = r"text_model|text_projection"

# Names of the weights of the image tower, of the text tower, and of the last layer of each.
NAMES = {
    "own": (r"^image\.", r"^text\.", r"^image\.project\.", r"^text\.project\."),
    "clip": (CLIP_IMAGE, CLIP_TEXT, "visual_projection", "text_projection"),
    "siglip": ("vision_model", "text_model", r"vision_model\.head\.mlp\.fc2", r"text_model\.head\."),
    "openclip": (CLIP_IMAGE, CLIP_TEXT, "visual_projection", "text_projection"),
    "openclip-xlmr": (CLIP_IMAGE, r"^text\.", "visual_projection", r"^text\.inner\.projection\.2\."),
    "sentence-transformers": (CLIP_IMAGE, r"^text\.", "visual_projection", r"^text\.inner\.dense0\."),
    "m-clip": (CLIP_IMAGE, r"^text\.", "visual_projection", r"^text\.inner\.linear\."),
}


@pytest.fixture(scope="module")
def tunables(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Tunable]:
    """A tunable of a family, with weights of its own."""
    made: dict[str, Tunable] = {}

    def get(family: str) -> Tunable:
        if family not in made:
            folder = tmp_path_factory.mktemp("families") / family
            made[family] = tuning.own() if family == "own" else take_apart(families.written(folder, family))
        before = made[family]
        both = copy.deepcopy(torch.nn.ModuleDict({"image": before.image, "text": before.text}))
        return Tunable(before.base, both["image"], both["text"], own=before.own)

    return get


def take_steps(tunable: Tunable, settings: object, steps: int = 2) -> None:
    groups = parts.groups(tunable, settings)  # type: ignore[arg-type]
    optimizer = torch.optim.AdamW(groups, lr=1e-3)
    torch.manual_seed(1)
    rgb = torch.rand(len(TEXTS), 3, tunable.size, tunable.size)
    for _ in range(steps):
        optimizer.zero_grad()
        cosine = tunable.pictures(rgb) @ tunable.texts(*tunable.tokens(TEXTS)).T
        torch.nn.functional.cross_entropy(10 * cosine, torch.arange(len(TEXTS))).backward()
        optimizer.step()


def changed(before: Weights, after: Weights) -> set[str]:
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


@pytest.mark.parametrize("family", NAMES)
def test_exactly_the_named_parts_learn(family: str, tunables: Callable[[str], Tunable]) -> None:
    image, text, last_image, last_text = NAMES[family]
    expected: dict[Parts, tuple[str, ...]] = {
        "all": (image, text),
        "projections": (last_image, last_text),
        "text": (text,),
        "image": (image,),
    }
    for chosen, patterns in expected.items():
        tunable = tunables(family)
        tunable.image.eval()  # running statistics are not learnt, here as in a run
        tunable.text.eval()
        parts.choose(tunable, tuning.settings(parts=chosen))
        parameters = {
            name
            for name, _ in torch.nn.ModuleDict(
                {"image": tunable.image, "text": tunable.text}
            ).named_parameters()
        }
        wanted = {name for name in parameters if any(re.search(pattern, name) for pattern in patterns)}
        assert set(parts.trained(tunable)) == wanted, chosen
        assert tunable.still == {"text": {"image"}, "image": {"text"}}.get(chosen, set())
        before = tunable.weights()
        take_steps(tunable, tuning.settings(parts=chosen))
        assert changed(before, tunable.weights()) == wanted, chosen


@pytest.mark.parametrize("family", NAMES)
def test_lora_starts_at_the_base_and_is_merged_without_a_trace(
    family: str, tunables: Callable[[str], Tunable]
) -> None:
    pytest.importorskip("peft")
    tunable, settings = tunables(family), tuning.settings(parts="lora", rank=4)
    base = tunable.weights()
    pixels = np.random.default_rng(0).integers(0, 256, (4, tunable.size, tunable.size, 3), dtype=np.uint8)

    def vectors() -> list[np.ndarray]:
        return [tunable.encode_pictures(pixels), tunable.encode_texts(TEXTS)]

    start = vectors()
    parts.choose(tunable, settings)
    assert all(".lora_" in name for name in parts.trained(tunable))
    assert not tunable.still
    for before, after in zip(start, vectors(), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-6)
    tunable.image.eval()
    tunable.text.eval()
    take_steps(tunable, settings, steps=3)
    learnt = vectors()
    parts.merge(tunable)
    for before, base_rows, after in zip(learnt, start, vectors(), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-5)
        assert np.abs(after - base_rows).max() > 1e-3, "both towers have learnt"
    merged = tunable.weights()
    assert list(merged) == list(base)
    moved = changed(base, merged)
    image, text, *_ = NAMES[family]
    assert all(base[name].ndim >= 2 for name in moved), "matrices alone"
    assert any(re.search(image, name) for name in moved)
    assert any(re.search(text, name) for name in moved)


@pytest.mark.parametrize("family", NAMES)
def test_lower_layers_learn_more_slowly(family: str, tunables: Callable[[str], Tunable]) -> None:
    tunable, settings = tunables(family), tuning.settings(layer_decay=0.5)
    parts.choose(tunable, settings)
    names = {id(value): name for name, value in parts.trained(tunable).items()}
    groups = parts.groups(tunable, settings)
    rates = {names[id(value)]: group["rate"] for group in groups for value in group["params"]}
    decays = {names[id(value)]: group["weight_decay"] for group in groups for value in group["params"]}
    assert rates.keys() == parts.trained(tunable).keys(), "each once"
    assert len(set(rates.values())) == (5 if family == "own" else 4), "embeddings, each layer, and heads"
    _, _, last_image, last_text = NAMES[family]
    for name, rate in rates.items():
        layer = re.search(r"\.(?:layers?|stages)\.(\d+)\.", name)
        if re.search(last_image, name) or re.search(last_text, name) or "projection" in name:
            assert rate == 1, name
        elif layer:
            assert rate == 0.5 ** ((3 if family == "own" else 2) - int(layer[1])), name
        elif "embeddings" in name or "table" in name:
            assert rate == min(rates.values()), name
        if "norm" in name.casefold() or name.endswith("bias") or "embeddings" in name or ".table." in name:
            assert decays[name] == 0, name
    for pattern in (last_image, last_text):
        matrix = next(name for name in decays if re.search(pattern, name) and name.endswith("weight"))
        assert decays[matrix] == settings.weight_decay


def test_a_rate_suits_every_kind_of_encoder_and_every_part(tunables: Callable[[str], Tunable]) -> None:
    own, clip = tunables("own"), tunables("clip")
    for chosen in PARTS:
        assert 0 < parts.usual_rate(clip, chosen) <= parts.usual_rate(own, chosen) < 0.1


def test_the_temperature_of_the_model_is_known(tunables: Callable[[str], Tunable]) -> None:
    clip = tunables("clip")
    assert clip.log_scale == pytest.approx(float(clip.weights()["image.inner.logit_scale"]))
    assert clip.bias is None
    assert tunables("own").log_scale is None


def test_a_model_of_the_sigmoid_loss_goes_on_with_its_own_scale_and_bias(
    tunables: Callable[[str], Tunable],
) -> None:
    siglip = tunables("siglip")
    weights = siglip.weights()
    assert siglip.bias == pytest.approx(float(weights["image.inner.logit_bias"]))
    assert siglip.log_scale is not None
    objective = Objective(tuning.settings(loss="sigmoid"), log_scale=siglip.log_scale, bias=siglip.bias)
    assert objective.sigmoid_scale.item() == pytest.approx(float(weights["image.inner.logit_scale"]))
    assert objective.sigmoid_bias.item() == pytest.approx(siglip.bias)
