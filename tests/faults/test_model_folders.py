"""Folders of models that are incomplete, damaged, or not what they say: each says which file, and what about it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs pip install 'babelens[torch]'")
pytest.importorskip("transformers", reason="needs pip install 'babelens[torch]'")

import safetensors.torch  # noqa: E402

from babelens.errors import BabelensError, WeightsUnavailableError  # noqa: E402
from babelens.models import torch as runtime  # noqa: E402
from babelens.models.layouts import read_towers  # noqa: E402
from babelens.models.protocols import Encoder  # noqa: E402
from babelens.models.registry import load_encoder  # noqa: E402
from babelens.models.towers import TextForward  # noqa: E402
from tests.checkpoints import text_towers, transformers  # noqa: E402


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformers.clip(tmp_path_factory.mktemp("sound") / "clip")


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sound, tmp_path / "clip")


def use(encoder: Encoder) -> None:
    encoder.encode_texts(["a red car"])
    encoder.encode_prepared([encoder.prepare(Image.new("RGB", (40, 30)))])


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def edit_weights(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    change(tensors)
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def load_text(folder: Path) -> TextForward:
    tower = read_towers(folder).text
    assert tower is not None
    return tower.load()


def refuse(folder: Path, message: str) -> WeightsUnavailableError:
    with pytest.raises(WeightsUnavailableError, match=message) as caught:
        use(load_encoder(folder))
    return caught.value


def test_a_sound_folder_says_nothing_on_the_terminal(
    sound: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    use(load_encoder(sound))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("no model")
    error = refuse(tmp_path, "is no model that Babelens knows")
    assert error.hint is not None
    assert "config.json" in error.hint


def test_a_family_that_is_not_known(folder: Path) -> None:
    edit(folder / "config.json", lambda config: config.update(model_type="blip"))
    error = refuse(folder, r"config\.json describes a 'blip' model")
    assert error.hint is not None
    assert "clip, chinese_clip, altclip, siglip, siglip2, M-CLIP" in error.hint


def test_the_siglip_2_of_any_shape_says_what_to_take_instead(folder: Path) -> None:
    edit(folder / "config.json", lambda config: config.update(model_type="siglip2", vision_config={}))
    error = refuse(folder, "NaFlex")
    assert error.hint is not None
    assert "siglip2-base-patch16-256" in error.hint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.safetensors", r"no weights: there is no model\.safetensors nor pytorch_model\.bin"),
        ("preprocessor_config.json", r"preprocessor_config\.json is missing"),
    ],
)
def test_a_file_that_is_missing(folder: Path, name: str, message: str) -> None:
    (folder / name).unlink()
    refuse(folder, message)


def test_no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (folder / name).unlink()
    refuse(folder, r"has no tokenizer: there is no tokenizer\.json, nor vocab\.json")


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    ("content", "message"), [("{", "is not valid JSON"), ("[1]", "holds no JSON object")]
)
def test_a_description_that_is_none(folder: Path, name: str, content: str, message: str) -> None:
    (folder / name).write_text(content)
    refuse(folder, rf"{name.replace('.', '[.]')} {message}")


def test_a_tokenizer_that_is_none(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    refuse(folder, r"tokenizer\.json is no tokenizer")


def test_a_vocabulary_that_cannot_be_converted(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text("nonsense")
    refuse(folder, "transformers makes none of the vocabulary there")


def test_a_tokenizer_of_another_model(folder: Path, tmp_path: Path) -> None:
    texts = json.loads((folder / "config.json").read_text(encoding="utf-8"))["text_config"]
    fewer = texts["vocab_size"] - 200
    edit(folder / "config.json", lambda config: config["text_config"].update(vocab_size=fewer))
    refuse(folder, rf"makes {texts['vocab_size']} different ids and its text tower knows {fewer}")


def test_a_tokenizer_of_another_model_where_the_configuration_has_no_size(tmp_path: Path) -> None:
    folder = text_towers.mclip(tmp_path / "mclip")
    tensors = torch.load(folder / "pytorch_model.bin", weights_only=True)
    words = "transformer.embeddings.word_embeddings.weight"
    torch.save({**tensors, words: tensors[words][:20].clone()}, folder / "pytorch_model.bin")
    tower = read_towers(folder).text
    assert tower is not None
    with pytest.raises(WeightsUnavailableError, match="knows no id as high as"):
        tower.load()(*tower.tokenizer()(["a red car in front of a house"]))


@pytest.mark.parametrize("left", [0, 5, 1000, -7])
def test_a_file_of_weights_that_was_cut(folder: Path, left: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:left])
    error = refuse(folder, r"model\.safetensors is damaged or incomplete")
    assert error.hint is not None


def test_a_part_of_the_weights_that_is_missing_or_a_list_that_is_none(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"logit_scale": "model-00001-of-00002.safetensors"}}))
    refuse(folder, r"model-00001-of-00002\.safetensors is missing, though model\.safetensors\.index\.json")
    index.write_text("[]")
    refuse(folder, r"index\.json lists no files of weights")


def test_weights_that_are_no_numbers(folder: Path) -> None:
    edit_weights(folder, lambda tensors: tensors["text_projection.weight"].fill_(float("nan")))
    refuse(folder, r"clip.model\.safetensors is damaged: the vectors it gives are not numbers")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda tensors: tensors.pop("visual_projection.weight"),
            r"they lack visual_projection\.weight",
        ),
        (
            lambda tensors: tensors.update({"text_model.adapter.weight": torch.ones(3)}),
            r"they have no place for text_model\.adapter\.weight",
        ),
        (
            lambda tensors: tensors.update({"text_projection.weight": torch.ones(7, 32)}),
            r"they have another shape for text_projection\.weight",
        ),
    ],
)
def test_weights_of_another_model_are_named_and_never_replaced_by_chance(
    folder: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    edit_weights(folder, change)
    refuse(folder, message)


def test_an_mclip_of_other_parts_or_another_width(tmp_path: Path) -> None:
    folder = text_towers.mclip(tmp_path / "mclip")
    edit(folder / "config.json", lambda config: config.update(numDims=512))
    with pytest.raises(WeightsUnavailableError, match="gives vectors of 24 numbers"):
        load_text(folder)
    edit(folder / "config.json", lambda config: config.update(numDims="many"))
    with pytest.raises(WeightsUnavailableError, match="does not say numDims"):
        load_text(folder)
    edit(folder / "config.json", lambda config: config.update(numDims=24, modelBase="t5-base"))
    with pytest.raises(WeightsUnavailableError, match="names the base model 't5-base'"):
        load_text(folder)
    edit(folder / "config.json", lambda config: config.update(modelBase="xlm-roberta-large"))
    tensors = torch.load(folder / "pytorch_model.bin", weights_only=True)
    del tensors["transformer.embeddings.word_embeddings.weight"]
    torch.save(tensors, folder / "pytorch_model.bin")
    with pytest.raises(
        WeightsUnavailableError, match=r"lacks transformer\.embeddings\.word_embeddings\.weight"
    ):
        load_text(folder)


class Evil:
    """A pickle that would write a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "it ran")


def test_a_pickle_that_would_run_code_does_not(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    trace = tmp_path / "trace"
    torch.save({"logit_scale": Evil(trace)}, folder / "pytorch_model.bin")
    told = "it is no pickle of tensors alone, and any other could run code"
    refuse(folder, f"cannot be loaded as a CLIPModel: {told}")
    assert not trace.exists()
    mclip = text_towers.mclip(tmp_path / "mclip")
    torch.save({"transformer.x": Evil(trace)}, mclip / "pytorch_model.bin")
    with pytest.raises(WeightsUnavailableError, match=rf"pytorch_model\.bin is damaged .*: {told}"):
        load_text(mclip)
    assert not trace.exists()


def test_pictures_of_another_size_than_the_towers(folder: Path) -> None:
    edit(folder / "preprocessor_config.json", lambda config: config.update(size=40, crop_size=40))
    refuse(folder, "are made 40 pixels wide and its tower takes 30")


def test_without_torch_the_install_command_is_told(sound: Path) -> None:
    script = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from babelens.errors import MissingExtraError\n"
        "from babelens.models.registry import load_encoder\n"
        "encoder = load_encoder(sys.argv[1])\n"
        "try: encoder.encode_texts(['a'])\n"
        "except MissingExtraError as error: print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(sound)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install 'babelens[torch]'" in told.stdout


@pytest.fixture
def fresh_device() -> Iterator[None]:
    runtime.device.cache_clear()
    yield
    runtime.device.cache_clear()


@pytest.mark.usefixtures("fresh_device")
@pytest.mark.parametrize("name", ["toaster", "cuda:99"])
def test_a_device_that_is_not_here(sound: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("BABELENS_DEVICE", name)
    with pytest.raises(BabelensError, match=f"BABELENS_DEVICE names '{name}', which is not here") as caught:
        use(load_encoder(sound))
    assert caught.value.hint is not None


@pytest.mark.usefixtures("fresh_device")
def test_a_device_can_be_chosen(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELENS_DEVICE", "cpu")
    use(load_encoder(sound))
    assert runtime.device().type == "cpu"
