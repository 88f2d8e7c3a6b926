"""BLEU and chrF: against arithmetic, and against sacrebleu's own public functions."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from babelens.errors import InvalidQueryError, UnknownLanguageError
from babelens.evaluation.translation import compare, score, score_chrf

sacrebleu = pytest.importorskip("sacrebleu", reason="needs pip install 'babelens[eval]'")

TEXT = "a red car stands in front of the old house while two dogs play on the wide beach"
WORDS = TEXT.split()


def sentences(n: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=chance.randint(4, 12))) for _ in range(n)]


def spoilt(texts: list[str], share: float, seed: int) -> list[str]:
    chance = random.Random(seed)
    return [
        " ".join(chance.choice(WORDS) if chance.random() < share else word for word in text.split())
        for text in texts
    ]


# -- by hand -------------------------------------------------------------------------------------------------


def test_bleu_by_hand() -> None:
    # Matches: 5 of 6 words, 3 of 5 pairs, 1 of 4 triples; none of 3 fours counts as half a match.
    expected = 100 * (5 / 6 * 3 / 5 * 1 / 4 * 0.5 / 3) ** 0.25
    found = score(["the cat sat on the mat"], ["the cat is on the mat"], language="en")
    assert found.bleu.estimate.value == pytest.approx(expected)
    # All matches, but 4 words where the reference has 6.
    short = score(["the cat sat on"], ["the cat sat on the mat"], language="en")
    assert short.bleu.estimate.value == pytest.approx(100 * math.exp(1 - 6 / 4))


def test_bleu_is_of_the_corpus_and_no_mean_of_segments() -> None:
    # Words 8 of 10, pairs 6 of 8, triples 4 of 6, fours 2 of 4.
    expected = 100 * (8 / 10 * 6 / 8 * 4 / 6 * 2 / 4) ** 0.25
    found = score(["a b c d e", "a b c x y"], ["a b c d e", "a b c d e"], language="en")
    assert found.bleu.estimate.value == pytest.approx(expected)


def test_texts_too_short_for_runs_of_four_words() -> None:
    # Words 3 of 5, pairs 1 of 3, triples none of 1, which counts as half a match; there are no fours.
    expected = 100 * (3 / 5 * 1 / 3 * 0.5 / 1) ** (1 / 3)
    found = score(["a red car", "two dogs"], ["a red house", "many dogs"], language="en")
    assert found.bleu.estimate.value == pytest.approx(expected)
    assert "eff:yes" in found.bleu.signature
    assert any("four words" in note for note in found.notes)
    whole = sacrebleu.BLEU(effective_order=True)
    assert found.bleu.estimate.value == pytest.approx(
        whole.corpus_score(["a red car", "two dogs"], [["a red house", "many dogs"]]).score
    )
    # One that is long enough is enough.
    other = compare(["a red car"], ["a red car here"], ["a red car here"], language="en")
    assert "eff:no" in other.second.bleu.signature
    assert (other.first.bleu.estimate.value, other.bleu.value) == (0, pytest.approx(100))


def test_chrf_by_hand() -> None:
    # Letters: 2 of 2, of 3 wanted; pairs: 1 of 1, of 2 wanted; the hypothesis has no triples, so they do not count.
    precision, recall = 1.0, (2 / 3 + 1 / 2) / 2
    expected = 100 * 5 * precision * recall / (4 * precision + recall)
    assert score_chrf(["ab"], ["abc"]).estimate.value == pytest.approx(expected)


def test_of_several_references_each_can_match() -> None:
    one = score(["a red car on a beach"], ["the red car"], language="en").bleu.estimate.value
    both = score(["a red car on a beach"], [["the red car", "a red car on a beach"]], language="en")
    assert one < 50
    assert both.bleu.estimate.value == pytest.approx(100)
    assert both.chrf.estimate.value == pytest.approx(100)


# -- against sacrebleu ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 3])
def test_values_and_signatures_are_those_of_sacrebleu(most: int) -> None:
    references = sentences(450, 1)  # more than are counted at a time
    hypotheses = spoilt(references, 0.3, 2)
    rows = [[text, *sentences(place % most, place)] for place, text in enumerate(references)]
    streams = [[row[k] if k < len(row) else None for row in rows] for k in range(most)]
    found = score(hypotheses, rows, language="de")
    for metric, figure in ((sacrebleu.BLEU(), found.bleu), (sacrebleu.CHRF(), found.chrf)):
        assert figure.estimate.value == pytest.approx(metric.corpus_score(hypotheses, streams).score)
        assert figure.signature == str(metric.get_signature())
    assert found.n == found.bleu.estimate.n == 450


def test_intervals_are_about_those_of_sacrebleu() -> None:
    references = sentences(300, 1)
    hypotheses = spoilt(references, 0.3, 2)
    found = score(hypotheses, references, language="fr", seed=5)
    for metric, figure in ((sacrebleu.BLEU(), found.bleu), (sacrebleu.CHRF(), found.chrf)):
        theirs = metric.corpus_score(hypotheses, [references], n_bootstrap=1000)._ci
        estimate = figure.estimate
        assert (estimate.high - estimate.low) / 2 == pytest.approx(theirs, rel=0.15)
        assert estimate.low < estimate.value < estimate.high
    assert score(hypotheses, references, language="fr", seed=5) == found
    assert score(hypotheses, references, language="fr", seed=6) != found


def test_japanese_is_counted_over_words() -> None:
    hypotheses, references = ["家の前に赤い車があります。"], ["家の前に青い車があります。"]
    found = score(hypotheses, references, language="ja")
    assert found.tokenizer == "ja-mecab"
    assert "tok:ja-mecab" in found.bleu.signature
    assert found.bleu.estimate.value == pytest.approx(
        sacrebleu.BLEU(tokenize="ja-mecab").corpus_score(hypotheses, [references]).score
    )
    # By Western rules the sentence is one word, and wrong.
    assert sacrebleu.BLEU(tokenize="13a").corpus_score(hypotheses, [references]).score == 0
    assert found.bleu.estimate.value > 40


def test_hindi_and_arabic_have_a_tokenizer_of_their_own_or_say_what_stands_in(tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    script = (
        "from babelens.evaluation.translation import score\n"
        "texts = {'hi': 'एक घर के सामने लाल गाड़ी है।', 'ar': 'سيارة حمراء أمام المنزل', 'en': 'a car stands here'}\n"
        "for tag, text in texts.items():\n"
        "    found = score([text], [text], language=tag)\n"
        "    print(tag, found.tokenizer, found.bleu.signature.split('tok:')[1].split('|')[0], len(found.notes))\n"
    )

    def run() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script],
            env=os.environ | {"SACREBLEU": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    assert run() == ["hi char char 1", "ar char char 1", "en 13a 13a 0"]
    (tmp_path / "models").mkdir()
    with open(tmp_path / "models" / "flores200sacrebleuspm", "wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["एक घर के सामने लाल गाड़ी है।", "سيارة حمراء أمام المنزل"] * 20),
            model_writer=file,
            vocab_size=60,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    assert run() == ["hi flores200 flores200 0", "ar flores200 flores200 0", "en 13a 13a 0"]


@pytest.mark.parametrize(
    ("module", "language", "package"), [("sacrebleu", "en", "sacrebleu"), ("MeCab", "ja", "mecab-python3")]
)
def test_what_is_not_installed_is_named(module: str, language: str, package: str) -> None:
    script = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from babelens.errors import MissingExtraError\n"
        "from babelens.evaluation.translation import score\n"
        f"try: score(['a'], ['a'], language={language!r})\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert package in done.stdout
    assert "babelens[eval]" in done.stdout


# -- intervals, groups, two systems --------------------------------------------------------------------------


def test_texts_of_one_picture_are_drawn_together() -> None:
    references = sentences(60, 1)
    hypotheses = spoilt(references, 0.3, 2)
    alone = score(hypotheses, references, language="it")
    fivefold = (
        [text for text in hypotheses for _ in range(5)],
        [text for text in references for _ in range(5)],
    )
    together = score(*fivefold, language="it", groups=[place // 5 for place in range(300)])
    apart = score(*fivefold, language="it")
    for ours, grouped, loose in (
        (alone.bleu, together.bleu, apart.bleu),
        (alone.chrf, together.chrf, apart.chrf),
    ):
        assert grouped.estimate.value == pytest.approx(ours.estimate.value)
        # Five copies say no more than one.
        assert grouped.estimate.low == pytest.approx(ours.estimate.low)
        assert grouped.estimate.high == pytest.approx(ours.estimate.high)
        assert loose.estimate.high - loose.estimate.low < 0.6 * (ours.estimate.high - ours.estimate.low)


def test_one_segment_has_no_interval() -> None:
    found = score(["a red car"], ["a red car"], language="en")
    assert found.bleu.estimate.n == 1
    assert math.isnan(found.bleu.estimate.low)
    assert math.isnan(found.chrf.estimate.high)


def test_the_better_of_two_systems() -> None:
    references = sentences(200, 1)
    poor, good = spoilt(references, 0.4, 2), spoilt(references, 0.2, 3)
    found = compare(poor, good, references, language="en")
    assert found.first == score(poor, references, language="en")
    assert found.second == score(good, references, language="en")
    for difference, first, second in (
        (found.bleu, found.first.bleu, found.second.bleu),
        (found.chrf, found.first.chrf, found.second.chrf),
    ):
        assert difference.value == pytest.approx(second.estimate.value - first.estimate.value)
        assert 0 < difference.low < difference.value < difference.high
        assert difference.p < 0.001
    back = compare(good, poor, references, language="en")
    assert back.bleu.value == pytest.approx(-found.bleu.value)
    assert back.bleu.worse


def test_a_system_is_as_good_as_itself() -> None:
    references = sentences(50, 1)
    texts = spoilt(references, 0.3, 2)
    found = compare(texts, texts, references, language="en")
    assert (found.bleu.value, found.bleu.low, found.bleu.high, found.bleu.p) == (0, 0, 0, 1)


def test_p_is_about_that_of_sacrebleu() -> None:
    from sacrebleu.significance import PairedTest

    references = sentences(150, 1)
    first, second = spoilt(references, 0.3, 3), spoilt(references, 0.28, 10)
    found = compare(first, second, references, language="en")
    metrics = {"BLEU": sacrebleu.BLEU(), "chrF": sacrebleu.CHRF()}
    _, theirs = PairedTest([("a", first), ("b", second)], metrics, [references], "ar", n_samples=4000)()
    assert 0.02 < found.bleu.p < 0.9, "a pair that says something"
    assert found.bleu.p == pytest.approx(theirs["BLEU"][1].p_value, abs=0.03)
    assert found.chrf.p == pytest.approx(theirs["chrF2"][1].p_value, abs=0.03)


# -- what goes in --------------------------------------------------------------------------------------------


def test_line_breaks_are_blanks() -> None:
    found = score(["家の前に\n赤い車。", "a"], ["家の前に 赤い車。", "a"], language="ja")
    assert found.bleu.estimate.value == pytest.approx(100)


def test_nothing_to_score_and_lists_that_do_not_fit() -> None:
    with pytest.raises(InvalidQueryError, match="nothing to score"):
        score([], [], language="en")
    with pytest.raises(InvalidQueryError, match="references"):
        score(["a", "b"], ["a"], language="en")
    with pytest.raises(InvalidQueryError, match="place 1 has no reference"):
        score(["a", "b"], ["a", []], language="en")
    with pytest.raises(InvalidQueryError, match="groups"):
        score(["a", "b"], ["a", "b"], language="en", groups=[1])
    with pytest.raises(InvalidQueryError, match="second"):
        compare(["a", "b"], ["a"], ["a", "b"], language="en")
    with pytest.raises(UnknownLanguageError):
        score(["a"], ["a"], language="Klingon")


def test_progress_counts_every_segment_for_each_metric() -> None:
    heard: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None = None, note: str = "") -> None:
        heard.append((done, total))

    texts = sentences(250, 1)
    score(texts, texts, language="en", progress=progress)
    assert heard == [(200, 500), (250, 500), (450, 500), (500, 500)]
    heard.clear()
    compare(texts, texts, texts, language="en", progress=progress)
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})
    assert heard[-1] == (1000, 1000)


# -- real sentences ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "code"),
    [("es", "spa"), ("fr", "fra"), ("hi", "hin"), ("de", "deu"), ("it", "ita"), ("ja", "jpn"), ("ar", "arb")],
)
def test_english_is_no_translation(sample_data: Path, language: str, code: str) -> None:
    folder = sample_data / "ntrex128" / "NTREX-128"
    if not folder.is_dir():
        pytest.skip("no ntrex128/ in the sample data")
    english = (folder / "newstest2019-src.eng.txt").read_text(encoding="utf-8").splitlines()[:300]
    people = (folder / f"newstest2019-ref.{code}.txt").read_text(encoding="utf-8").splitlines()[:300]
    assert score(people, people, language=language).chrf.estimate.value == pytest.approx(100)
    copied = score(english, people, language=language)
    assert copied.bleu.estimate.high < 6
    assert copied.chrf.estimate.high < (28 if language in ("es", "fr", "de", "it") else 5)
    shuffled = random.Random(0).sample(people, len(people))
    noise = [" ".join(text.split()[::2]) if " " in text else text[::2] for text in people]
    values = [score(texts, people, language=language).chrf.estimate.value for texts in (shuffled, noise)]
    assert values[0] < values[1] < 80
    assert values[0] < 22
