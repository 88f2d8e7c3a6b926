"""Text towers of sentence-transformers and M-CLIP against the libraries that define them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'babelens[torch]'")
transformers = pytest.importorskip("transformers", reason="needs pip install 'babelens[torch]'")
sentence_transformers = pytest.importorskip(
    "sentence_transformers", reason="needs pip install 'babelens[torch,reference]'"
)

from babelens.errors import WeightsUnavailableError  # noqa: E402
from babelens.models.layouts import read_towers  # noqa: E402
from babelens.models.towers import TextTower  # noqa: E402
from babelens.vectors import Floats  # noqa: E402
from tests.checkpoints import text_towers  # noqa: E402
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


@pytest.mark.parametrize("activation", [None, torch.nn.Tanh()])
def test_sentence_transformers_on_onnx_runtime(tmp_path: Path, activation: Any) -> None:
    folder = text_towers.add_onnx(text_towers.sentence_tower(tmp_path / "tower", activation=activation))
    tower = tower_of(folder)
    assert tower.runtime == "ONNX Runtime"
    texts = [*SENTENCES, *AWKWARD[2:8]]
    np.testing.assert_allclose(encode(tower, texts), encode(tower_of(folder, "torch"), texts), atol=1e-4)


def test_mclip_is_a_masked_mean_and_a_linear_layer(tmp_path: Path) -> None:
    folder = text_towers.mclip(tmp_path / "mclip")
    tower = tower_of(folder)
    texts = [*SENTENCES, *AWKWARD[2:8]]
    # The reference package does, with the transformer that the repository names: masked mean, then the linear layer.
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    made = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    ids, mask = tower.tokenizer()(texts)
    np.testing.assert_array_equal(ids, made["input_ids"].numpy())
    np.testing.assert_array_equal(mask, made["attention_mask"].numpy())
    tensors = torch.load(folder / "pytorch_model.bin", weights_only=True)
    config = transformers.XLMRobertaConfig(
        vocab_size=len(tensors["transformer.embeddings.word_embeddings.weight"]),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        pad_token_id=1,
    )
    body = transformers.XLMRobertaModel(config).eval()
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


def test_a_module_that_is_not_known_is_named(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text('[{"idx": 0, "path": "", "type": "somewhere.LSTM"}]')
    with pytest.raises(WeightsUnavailableError, match="lists a LSTM"):
        read_towers(tmp_path)
