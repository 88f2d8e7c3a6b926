"""What every encoder of passages promises, whatever runs it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from babelens.models.passages import load_passage_encoder
from babelens.models.protocols import PassageEncoder
from babelens.vectors import is_unit
from tests.checkpoints.texts import SENTENCES
from tests.conftest import FakePassageEncoder

LONG = "red word " * 3_000
TEXTS = [*SENTENCES, "🐕‍🦺 woof", "a", "A red car. " * 12]


@pytest.fixture(params=["onnx", "torch", "fake"])
def load(request: pytest.FixtureRequest) -> Callable[[], PassageEncoder]:
    if request.param == "fake":
        return FakePassageEncoder
    folder: Path = request.getfixturevalue("passage_folder")
    return lambda: load_passage_encoder(folder, runtime=request.param)


@pytest.fixture
def encoder(load: Callable[[], PassageEncoder]) -> PassageEncoder:
    return load()


def test_it_keeps_the_protocol(encoder: PassageEncoder) -> None:
    assert isinstance(encoder, PassageEncoder)
    assert encoder.languages
    assert encoder.max_tokens > 0
    assert all(isinstance(value, float) for value in encoder.calibration.values())


def test_vectors_are_of_unit_length_and_tell_texts_apart(encoder: PassageEncoder) -> None:
    for vectors in (encoder.encode_passages(TEXTS), encoder.encode_queries(TEXTS)):
        assert vectors.shape == (len(TEXTS), encoder.fingerprint.dim)
        assert vectors.dtype == np.float32
        assert is_unit(vectors, 1e-5)
        assert (vectors @ vectors.T - 2 * np.eye(len(TEXTS))).max() < 0.99999


def test_neither_order_nor_company_changes_a_text(encoder: PassageEncoder) -> None:
    for encode in (encoder.encode_passages, encoder.encode_queries):
        together = encode(TEXTS)
        np.testing.assert_allclose(encode(TEXTS[::-1])[::-1], together, atol=1e-5)
        alone = np.concatenate([encode([text]) for text in TEXTS])
        np.testing.assert_allclose(alone, together, atol=1e-5)
    many = encoder.encode_passages([*TEXTS, LONG] * 8)  # more than a batch
    once = encoder.encode_passages([*TEXTS, LONG])
    np.testing.assert_allclose(many, np.tile(once, (8, 1)), atol=1e-5)


def test_nothing_gives_nothing(encoder: PassageEncoder) -> None:
    dim = encoder.fingerprint.dim
    assert encoder.encode_passages([]).shape == (0, dim)
    assert encoder.encode_queries([]).shape == (0, dim)
    assert encoder.count_tokens([]) == []


def test_a_text_of_no_words_has_a_vector(encoder: PassageEncoder) -> None:
    assert is_unit(encoder.encode_passages(["", "   ", "a red car"]), 1e-5)


def test_a_long_text_is_counted_and_cut(encoder: PassageEncoder) -> None:
    short, long = encoder.count_tokens(["red", LONG])
    assert short <= encoder.max_tokens
    assert long > 3_000
    vectors = encoder.encode_passages([LONG, LONG + "and something else", "red"])
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-5)
    np.testing.assert_allclose(vectors[2], encoder.encode_passages(["red"])[0], atol=1e-5)


def test_threads_may_share_it_from_the_first_call_on(load: Callable[[], PassageEncoder]) -> None:
    shared = load()
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: shared.encode_passages(TEXTS), range(8)))
    expected = load().encode_passages(TEXTS)
    for found in results:
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_loading_it_again_changes_nothing(
    load: Callable[[], PassageEncoder], encoder: PassageEncoder
) -> None:
    again = load()
    assert again.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(again.encode_queries(TEXTS[:2]), encoder.encode_queries(TEXTS[:2]))


def test_other_weights_or_prefixes_have_another_fingerprint(passage_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(passage_folder, tmp_path / passage_folder.name)
    known = load_passage_encoder(passage_folder).fingerprint
    assert load_passage_encoder(copy).fingerprint == known
    (copy / "config_sentence_transformers.json").write_text('{"prompts": {"query": "ask: "}}')
    prefixed = load_passage_encoder(copy).fingerprint
    assert prefixed.preprocess != known.preprocess
    weights = copy / "onnx" / "model.onnx"
    content = bytearray(weights.read_bytes())
    content[-100] ^= 1
    weights.write_bytes(content)
    assert load_passage_encoder(copy).fingerprint.revision != known.revision
