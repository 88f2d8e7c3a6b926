"""BERTScore: by hand on given token vectors, and on a whole encoder against plain loops."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'babelens[torch]'")
transformers = pytest.importorskip("transformers")

from babelens.errors import InvalidQueryError, UnknownLanguageError, WeightsUnavailableError  # noqa: E402
from babelens.evaluation.bertscore import BertScores, bert_score  # noqa: E402
from tests.checkpoints import text_towers, tokens  # noqa: E402
from tests.checkpoints import transformers as families  # noqa: E402
from tests.checkpoints.texts import SENTENCES  # noqa: E402

HALF = 2**-0.5  # the cosine of purple with red, and with blue


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens") / "colours"
    return tokens.bert_of(
        folder, {"red": [1, -1, 0, 0], "blue": [0, 0, 1, -1], "purple": [1, -1, 1, -1], "grey": [-1, 1, 0, 0]}
    )


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small multilingual DistilBERT with two layers."""
    return text_towers.sentence_tower(tmp_path_factory.mktemp("bertscore") / "tower")


def scores(
    hypotheses: list[str],
    references: list[str] | list[list[str]],
    model: Path,
    layer: int | None = 0,
    language: str = "en",
) -> BertScores:
    return bert_score(
        hypotheses, references, language=language, reference_language=language, model=model, layer=layer
    )


# -- by hand -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reference", "precision", "recall"),
    [
        ("red blue", "red blue", 1, 1),
        ("blue red", "red blue", 1, 1),  # vectors that know nothing of their neighbours know no order
        ("red blue", "red", (1 + 0) / 2, 1),
        ("red", "red blue", 1, (1 + 0) / 2),
        ("red red red blue", "red", 3 / 4, 1),
        ("red blue", "red purple", (1 + HALF) / 2, (1 + HALF) / 2),
        ("purple", "red blue", HALF, HALF),
        # Opposite to red, so nearer to a mark at an end, at a right angle to it.
        ("grey", "red", 0, 0),
        ("", "red", 0, 0),
        ("red", "", 0, 0),
    ],
)
def test_greedy_matching_by_hand(
    colours: Path, text: str, reference: str, precision: float, recall: float
) -> None:
    found = scores([text], [reference], colours)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
    values = [found.precision.value, found.recall.value, found.f1.value]
    assert values == pytest.approx([precision, recall, f1], abs=1e-6)


def test_of_several_references_the_nearest_counts(colours: Path) -> None:
    found = scores(["red", "blue"], [["blue", "purple", "red"], ["purple"]], colours)
    assert found.f1.value == pytest.approx((1 + HALF) / 2, abs=1e-6)
    assert found.n == found.f1.n == 2
    assert found.f1.low == pytest.approx(HALF, abs=1e-6)
    assert found.f1.high == pytest.approx(1, abs=1e-6)


# -- a whole encoder -----------------------------------------------------------------------------------------


def test_against_plain_loops_over_hidden_states(tower: Path) -> None:
    model = transformers.AutoModel.from_pretrained(tower).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tower)

    def vectors(text: str) -> tuple[np.ndarray, list[int]]:
        read = tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**read, output_hidden_states=True).hidden_states[1][0].numpy()
        return hidden / np.linalg.norm(hidden, axis=1, keepdims=True), list(range(1, len(hidden) - 1))

    texts, references = list(SENTENCES), [*SENTENCES[1:], SENTENCES[0]]  # of many lengths: they are padded
    sums = np.zeros(3)
    for text, reference in zip(texts, references, strict=True):
        (ours, inner), (theirs, wanted) = vectors(text), vectors(reference)
        precision = np.mean([max(float(ours[i] @ other) for other in theirs) for i in inner])
        recall = np.mean([max(float(own @ theirs[j]) for own in ours) for j in wanted])
        sums += (precision, recall, 2 * precision * recall / (precision + recall))
    # Japanese by name: tokenizers as small as these cut words into letters, which no other language allows.
    found = scores(texts, references, tower, layer=None, language="ja")
    assert found.layer == 1  # three quarters of the way, of two
    values = [found.precision.value, found.recall.value, found.f1.value]
    assert values == pytest.approx(list(sums / len(texts)), abs=1e-5)
    assert 0 < found.f1.low < found.f1.value < found.f1.high < 1


def test_xlm_roberta(tmp_path: Path) -> None:
    folder = tmp_path / "xlm"
    folder.mkdir()
    size = families.xlm_roberta_tokenizer(folder, max_length=512)
    config = transformers.XLMRobertaConfig(
        vocab_size=size,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=42,
        type_vocab_size=1,
        pad_token_id=1,
    )
    model = transformers.XLMRobertaForMaskedLM(config)  # its head is not needed
    families.stir(model)
    model.save_pretrained(folder)
    same = scores(list(SENTENCES), list(SENTENCES), folder, layer=None, language="ja")
    assert same.f1.value == pytest.approx(1, abs=1e-5)
    assert (same.layer, same.model) == (2, "xlm")
    long = scores(["a red car " * 50, "a house"], ["a red car", "a house"], folder, language="ja")
    assert long.cut == 1


# -- what is refused -----------------------------------------------------------------------------------------


def test_never_across_languages(colours: Path) -> None:
    with pytest.raises(InvalidQueryError, match=r"Japanese and\s+English"):
        bert_score(["red"], ["red"], language="ja", reference_language="en", model=colours)
    found = bert_score(["red"], ["red"], language="German", reference_language="de-AT", model=colours)
    assert found.language == "de"
    with pytest.raises(UnknownLanguageError):
        bert_score(["red"], ["red"], language="xx", reference_language="xx", model=colours)


def test_a_tokenizer_that_does_not_know_the_words(colours: Path) -> None:
    # All unknown words are one token: this would score a perfect 1.
    with pytest.raises(InvalidQueryError, match="does not know 100"):
        bert_score(["लाल गाड़ी"], ["एक घर"], language="hi", reference_language="hi", model=colours)


def test_a_tokenizer_that_knows_only_letters(tmp_path: Path) -> None:
    letters = {"##" * (place > 0) + letter: [1, -1, 0, 0] for place, letter in enumerate("لاباشم")}
    folder = tokens.bert_of(tmp_path / "letters", letters)
    with pytest.raises(InvalidQueryError, match="almost into letters"):
        bert_score(["لاباشم"], ["لاب"], language="ar", reference_language="ar", model=folder, layer=0)
    # Of Japanese, multilingual tokenizers make single characters, too.
    kanji = tokens.bert_of(tmp_path / "kanji", {letter: [1, -1, 0, 0] for letter in "赤車"})
    found = bert_score(["赤車"], ["車"], language="ja", reference_language="ja", model=kanji, layer=0)
    assert found.f1.value == pytest.approx(1, abs=1e-6)


def test_nothing_to_score(colours: Path) -> None:
    for texts, references in (([], []), (["red"], []), (["red"], [[]])):
        with pytest.raises(InvalidQueryError, match="have a reference"):
            scores(texts, references, colours)
    with pytest.raises(InvalidQueryError, match="no layer 2"):
        scores(["red"], ["red"], colours, layer=2)


def test_encoders_that_are_none(tmp_path: Path, colours: Path) -> None:
    for model in (tmp_path, tmp_path / "absent", "nobody/nothing"):
        with pytest.raises(WeightsUnavailableError, match="no encoder for BERTScore"):
            scores(["red"], ["red"], model)  # type: ignore[arg-type]
    other = tokens.rename_family(Path(shutil.copytree(colours, tmp_path / "other")), "gpt2")
    with pytest.raises(WeightsUnavailableError, match="family 'gpt2'"):
        scores(["red"], ["red"], other)
    damaged = Path(shutil.copytree(colours, tmp_path / "damaged"))
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsUnavailableError, match="damaged"):
        scores(["red"], ["red"], damaged)
