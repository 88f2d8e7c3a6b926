"""Passage encoders against sentence-transformers, and against transformers and the sums written out."""

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

from babelens.models.passages import load_passage_encoder  # noqa: E402
from tests.checkpoints.texts import TEXTS  # noqa: E402


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_vectors_are_those_of_sentence_transformers(passage_folder: Path, runtime: Any) -> None:
    encoder = load_passage_encoder(passage_folder, runtime=runtime)
    assert ("ONNX" in encoder.runtime) == (runtime == "onnx")
    reference = sentence_transformers.SentenceTransformer(str(passage_folder), device="cpu")
    for prefix, encode in (("query: ", encoder.encode_queries), ("passage: ", encoder.encode_passages)):
        expected = reference.encode([prefix + text for text in TEXTS], convert_to_numpy=True)
        np.testing.assert_allclose(encode(list(TEXTS)), expected, atol=1e-5)
        assert expected.std(axis=0).mean() > 1e-3


def test_they_are_means_over_what_is_not_padding_of_unit_length(passage_folder: Path) -> None:
    texts = ["passage: " + text for text in TEXTS]
    tokenizer = transformers.AutoTokenizer.from_pretrained(passage_folder)
    made = tokenizer(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
    assert made["input_ids"].shape[1] == 512
    model = transformers.AutoModel.from_pretrained(passage_folder).eval()
    with torch.no_grad():
        hidden = model(input_ids=made["input_ids"], attention_mask=made["attention_mask"]).last_hidden_state
    kept = made["attention_mask"][..., None]
    mean = (hidden * kept).sum(1) / kept.sum(1)
    expected = (mean / mean.norm(dim=1, keepdim=True)).numpy()
    found = load_passage_encoder(passage_folder).encode_passages(list(TEXTS))
    np.testing.assert_allclose(found, expected, atol=1e-5)
