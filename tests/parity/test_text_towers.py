"""Text towers of sentence-transformers and M-CLIP against the libraries that define them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs pip install 'babelens[torch]'")
transformers = pytest.importorskip("transformers", reason="needs pip install 'babelens[torch]'")
sentence_transformers = pytest.importorskip(
    "sentence_transformers", reason="needs pip install 'babelens[torch,reference]'"
)

from babelens.errors import WeightsUnavailableError  # noqa: E402
from babelens.models.layouts import read_towers  # noqa: E402
from babelens.models.registry import load_encoder  # noqa: E402
from babelens.models.towers import TextTower  # noqa: E402
from babelens.vectors import Floats, normalize  # noqa: E402
from tests.checkpoints import text_towers  # noqa: E402
from tests.checkpoints import transformers as families  # noqa: E402
from tests.checkpoints.texts import AWKWARD, SENTENCES, TEXTS  # noqa: E402


def tower_of(folder: Path, runtime: Any = None) -> TextTower:
    towers = read_towers(folder, runtime=runtime)
    assert towers.image is None
    assert towers.text is not None
    return towers.text


def encode(tower: TextTower, texts: list[str]) -> Floats:
    return tower.load()(*tower.tokenizer()(texts))


@pytest.mark.parametrize(
    ("pooling", "activation"),
    [("mean_tokens", None), ("cls_token", torch.nn.Tanh()), ("max_tokens", torch.nn.GELU())],
)
def test_sentence_transformers_give_the_same_vectors(tmp_path: Path, pooling: str, activation: Any) -> None:
    folder = text_towers.sentence_tower(
        tmp_path / "tower", pooling=pooling, activation=activation, max_length=40
    )
    reference = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    tower = tower_of(folder)
    texts = list(TEXTS)
    ids, mask = tower.tokenizer()(texts)
    features = reference.tokenize(texts)
    np.testing.assert_array_equal(ids, features["input_ids"].numpy())
    np.testing.assert_array_equal(mask, features["attention_mask"].numpy())
    assert ids.shape[1] == 40
    expected = reference.encode(texts, convert_to_numpy=True)
    np.testing.assert_allclose(encode(tower, texts), expected, atol=1e-5)
    assert expected.std(axis=0).mean() > 1e-3
    assert tower.dim == text_towers.DIM
    # The same tower as the newest version of the library writes it.
    reference.save(str(tmp_path / "newer"))
    np.testing.assert_allclose(encode(tower_of(tmp_path / "newer"), texts), expected, atol=1e-5)


@pytest.mark.parametrize("activation", [None, torch.nn.Tanh(), torch.nn.ReLU()])
def test_sentence_transformers_on_onnx_runtime(
    tmp_path: Path, onnx_text_tower: Path, activation: Any
) -> None:
    folder = text_towers.dense(shutil.copytree(onnx_text_tower, tmp_path / "tower"), activation)
    tower = tower_of(folder)
    assert tower.runtime == "ONNX Runtime"
    texts = [*SENTENCES, *AWKWARD[2:8]]
    reference = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    np.testing.assert_allclose(encode(tower, texts), reference.encode(texts), atol=1e-4)


def test_onnx_runtime_needs_no_torch(onnx_text_tower: Path) -> None:
    script = (
        "import sys, json; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from babelens.models.layouts import read_towers\n"
        "tower = read_towers(__import__('pathlib').Path(sys.argv[1])).text\n"
        "print(json.dumps(tower.load()(*tower.tokenizer()([sys.argv[2]])).tolist()))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(onnx_text_tower), SENTENCES[0]],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    tower = tower_of(onnx_text_tower)
    np.testing.assert_allclose(json.loads(run.stdout), encode(tower, [SENTENCES[0]]), atol=1e-5)


def test_lower_case_is_seen_to_where_the_folder_asks_for_it(tmp_path: Path) -> None:
    folder = text_towers.sentence_tower(tmp_path / "tower", lower=True)
    reference = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    texts = ["THE Red CAR", "ÉTÉ à Orléans"]
    np.testing.assert_allclose(encode(tower_of(folder), texts), reference.encode(texts), atol=1e-5)
    np.testing.assert_array_equal(
        encode(tower_of(folder), texts), encode(tower_of(folder), [text.lower() for text in texts])
    )


def test_a_clip_of_sentence_transformers_is_both_towers(tmp_path: Path) -> None:
    families.clip(tmp_path / "old" / "0_CLIPModel")
    rows = [{"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}]
    (tmp_path / "old" / "modules.json").write_text(json.dumps(rows), encoding="utf-8")
    reference = sentence_transformers.SentenceTransformer(str(tmp_path / "old"), device="cpu")
    reference.save(str(tmp_path / "new"))
    shutil.copytree(tmp_path / "new", tmp_path / "plain")
    rows[0] |= {"path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"}
    (tmp_path / "plain" / "modules.json").write_text(json.dumps(rows), encoding="utf-8")
    pictures = [Image.new("RGB", (40, 30), colour) for colour in ("red", "navy")]
    texts = list(SENTENCES)
    for name in ("old", "new", "plain"):
        ours = load_encoder(tmp_path / name)
        np.testing.assert_allclose(
            ours.encode_texts(texts), normalize(reference.encode(texts)), atol=1e-5, err_msg=name
        )
        seen = ours.encode_prepared([ours.prepare(picture) for picture in pictures])
        np.testing.assert_allclose(seen, normalize(reference.encode(pictures)), atol=1e-5, err_msg=name)


@pytest.mark.parametrize("base", ["xlm-roberta-large", "sentence-transformers/LaBSE"])
def test_mclip_is_a_masked_mean_and_a_linear_layer(tmp_path: Path, base: str) -> None:
    folder = text_towers.mclip(tmp_path / "mclip", base=base)
    tower = tower_of(folder)
    texts = [*SENTENCES, *AWKWARD[2:8]]
    # The reference package does, with the transformer that the repository names: masked mean, then the linear layer.
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    made = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    ids, mask = tower.tokenizer()(texts)
    np.testing.assert_array_equal(ids, made["input_ids"].numpy())
    np.testing.assert_array_equal(mask, made["attention_mask"].numpy())
    tensors = torch.load(folder / "pytorch_model.bin", weights_only=True)
    body = text_towers.mclip_body(base, len(tensors["transformer.embeddings.word_embeddings.weight"])).eval()
    body.load_state_dict(
        {name[12:]: value for name, value in tensors.items() if name.startswith("transformer.")}, strict=False
    )
    with torch.no_grad():
        hidden = body(**made)[0]
        kept = made["attention_mask"].unsqueeze(2)
        mean = (hidden * kept).sum(1) / kept.sum(1)
        expected = mean @ tensors["LinearTransformation.weight"].T + tensors["LinearTransformation.bias"]
    np.testing.assert_allclose(encode(tower, texts), expected.numpy(), atol=1e-5)
    assert expected.std(dim=0).mean() > 1e-3


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("modules.json", "type", "somewhere.LSTM", "lists a LSTM"),
        ("modules.json", "path", None, "lists a module without its 'path'"),
        ("1_Pooling/config.json", "pooling_mode_max_tokens", True, "a pooling that Babelens does not know"),
        ("2_Dense/config.json", "out_features", None, r"2_Dense.config\.json does not say out_features"),
        ("2_Dense/config.json", "activation_function", "torch.nn.Hardswish", "asks for Hardswish"),
        ("config.json", "dim", None, r"config\.json does not say hidden_size or dim"),
    ],
)
def test_what_is_not_known_is_named(tmp_path: Path, name: str, key: str, value: Any, message: str) -> None:
    folder = text_towers.sentence_tower(tmp_path / "tower")
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    table = content[-1] if isinstance(content, list) else content
    if value is None:
        del table[key]
    else:
        table[key] = value
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(WeightsUnavailableError, match=message):
        read_towers(folder)


def test_a_layer_behind_a_clip_is_not_left_out_in_silence(tmp_path: Path) -> None:
    families.clip(tmp_path / "0_CLIPModel")
    rows = [{"path": "0_CLIPModel", "type": "a.CLIPModel"}, {"path": "1_Dense", "type": "a.Dense"}]
    (tmp_path / "modules.json").write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(WeightsUnavailableError, match="puts a Dense behind a CLIP"):
        read_towers(tmp_path)
