from __future__ import annotations

import pytest

from babelens.languages import LANGUAGES
from babelens.plausibility import Verdict, judge_caption, judge_translation

PARALLEL = {
    "en": "A red balloon floats in the sky above two children.",
    "es": "Un globo rojo flota en el cielo sobre dos niños.",
    "fr": "Un ballon rouge flotte dans le ciel au-dessus de deux enfants.",
    "hi": "दो बच्चों के ऊपर आसमान में एक लाल गुब्बारा तैर रहा है।",
    "de": "Ein roter Ballon schwebt am Himmel über zwei Kindern.",
    "it": "Un palloncino rosso fluttua nel cielo sopra due bambini.",
    "ja": "二人の子供の上の空に赤い風船が浮かんでいる。",
    "ar": "بالون أحمر يطفو في السماء فوق طفلين.",
}
PAIRS = [(one, two) for one in LANGUAGES for two in LANGUAGES if one != two]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_true_translations_pass(source: str, target: str) -> None:
    assert judge_translation(PARALLEL[target], PARALLEL[source], source=source, target=target) == Verdict()


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_copies_never_pass(source: str, target: str) -> None:
    copy = PARALLEL[source]
    assert judge_translation(copy, copy, source=source, target=target).status == "fallback"
    careless = copy.casefold().rstrip(".。।")
    assert judge_translation(careless, copy, source=source, target=target).status == "fallback"


@pytest.mark.parametrize(
    ("original", "target"),
    [
        ("2024", "ja"),
        ("USB 3.0", "hi"),
        ("A4", "ar"),
        ("hotel", "es"),
        ("Paris", "fr"),
        ("New York", "de"),
        ("Ludwig van", "it"),
    ],
)
def test_what_is_alike_in_both_languages_may_come_back(original: str, target: str) -> None:
    expected = "fallback" if original == "Ludwig van" else "ok"
    assert judge_translation(original, original, source="en", target=target).status == expected


@pytest.mark.parametrize("target", ["hi", "ja", "ar"])
@pytest.mark.parametrize("word", ["dog", "Paris"])
def test_a_word_in_another_script_is_a_copy(word: str, target: str) -> None:
    assert judge_translation(word, word, source="en", target=target).status == "fallback"


def test_the_wrong_script() -> None:
    verdict = judge_translation("ein roter Ballon", "a red balloon", source="en", target="ja")
    assert verdict.status == "wrong-script"
    assert "Latn" in str(verdict.reason)
    assert (
        judge_translation("красный шар", "a red balloon", source="en", target="es").status == "wrong-script"
    )
    chinese = "两个孩子在天空中看到一个红色气球在飞"
    assert judge_translation(chinese, PARALLEL["en"], source="en", target="ja").status == "wrong-script"
    assert judge_translation("東京", "Tokyo", source="en", target="ja").status == "ok"


def test_names_may_stay_in_their_script() -> None:
    original = "An iPhone 15 Pro Max beside a Samsung Galaxy S24 Ultra"
    japanese = "Samsung Galaxy S24 Ultraの横にあるiPhone 15 Pro Max"
    assert judge_translation(japanese, original, source="en", target="ja") == Verdict()


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("un perro perro perro perro perro en la playa", "es"),
        ("en la playa, en la playa, en la playa, en la playa", "es"),
        ("犬犬犬犬犬犬犬犬犬", "ja"),
        ("海辺の海辺の海辺の海辺の海辺の海辺の", "ja"),
    ],
)
def test_loops(text: str, target: str) -> None:
    verdict = judge_translation(text, "a dog on the beach", source="en", target=target)
    assert (verdict.status, "repeats" in str(verdict.reason)) == ("failed", True)


def test_repetition_that_is_no_loop() -> None:
    assert judge_translation("ja ja ja ja ja", "ha ha ha ha ha", source="en", target="es").status == "ok"
    assert judge_translation("no, no, no, no", "certainly not", source="en", target="es").status == "ok"
    song = "row row row row row row your boat"
    assert (
        judge_translation("rema rema rema rema rema tu barco", song, source="en", target="es").status == "ok"
    )
    assert (
        judge_translation("10 000 000 000 euros", "ten billion euros", source="en", target="fr").status
        == "ok"
    )


@pytest.mark.parametrize(
    ("text", "status"), [("", "empty"), (" \n", "empty"), ("- - - -", "empty"), ("…", "empty")]
)
def test_nothing(text: str, status: str) -> None:
    assert judge_translation(text, "a dog", source="en", target="es").status == status
    assert judge_caption(text).status == status


def test_length() -> None:
    long = " ".join(PARALLEL.values())
    short = judge_translation("Un perro.", long, source="en", target="es")
    assert (short.status, "shorter" in str(short.reason)) == ("failed", True)
    chatter = " ".join(f"palabra{number}" for number in range(40))
    longer = judge_translation(chatter, "a dog on the beach", source="en", target="es")
    assert (longer.status, "longer" in str(longer.reason)) == ("failed", True)


def test_emoji_and_punctuation_need_no_words() -> None:
    assert judge_translation("😀!", "😀!", source="en", target="ar") == Verdict()


def test_captions() -> None:
    assert judge_caption("a dog on a beach") == Verdict()
    assert judge_caption("a dog and a dog and a dog and a dog and a dog").status == "failed"


def test_ten_thousand_words_are_judged_quickly() -> None:
    letters = "bcdfghklmn"
    words = ["".join(letters[int(digit)] for digit in str(n * 7919 % 100_003)) for n in range(10_000)]
    english = " ".join(f"{word}a" for word in words)
    german = " ".join(f"{word}e" for word in words)
    assert judge_translation(german, english, source="en", target="de") == Verdict()
    assert judge_translation(english, english, source="en", target="de").status == "fallback"
