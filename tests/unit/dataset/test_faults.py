from __future__ import annotations

import pytest

from babelens.dataset.faults import fault_of


@pytest.mark.parametrize(
    ("text", "language", "kind"),
    [
        ("  ", "en", "empty-caption"),
        (" . ", "en", "empty-caption"),
        ("un chien dans la forÃªt", "fr", "encoding-damage"),
        ("the manâ€™s dog", "en", "encoding-damage"),
        ("ÙƒÙ„Ø¨", "ar", "encoding-damage"),
        ("कुत्ता".encode().decode("latin-1"), "hi", "encoding-damage"),
        ("犬が走る".encode().decode("latin-1"), "ja", "encoding-damage"),
        ("東京".encode().decode("latin-1"), "ja", "encoding-damage"),
        ("caf\ufffd", "fr", "encoding-damage"),
        ("a\ud800b", "en", "encoding-damage"),
        ("a dog\x07", "en", "encoding-damage"),
        ("fish &amp; chips", "en", "encoding-damage"),
        ("l&#39;eau", "fr", "encoding-damage"),
        ("a dog", "hi", "wrong-script"),
        ("कुत्ता", "en", "wrong-script"),
        ("собака", "de", "wrong-script"),
        ("一个穿着红色衣服的男人在街上走", "ja", "wrong-script"),
    ],
)
def test_what_is_wrong_is_named(text: str, language: str, kind: str) -> None:
    fault = fault_of(text, language)
    assert fault is not None
    assert fault.kind == kind


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("El niño está en el café", "es"),
        ("Là-bas, « CAFÉ » — déjà vu…", "fr"),
        ("l’« été\xa0»", "fr"),
        ("«PIÙ»", "it"),
        ("Er sagte „Übermut“", "de"),
        ("「STOP」の標識", "ja"),
        ("東京", "ja"),
        ("طفل وامرأة على حافة المياه", "ar"),
        ("लाल कार 2", "hi"),
        ("A & B; C &c; R&B", "en"),
        ("two\tdogs\n", "en"),
        ("12:30", "ar"),
        ("um cão", "pt"),
        ("a 🐕 runs", "en"),
    ],
)
def test_what_people_write_is_let_pass(text: str, language: str) -> None:
    assert fault_of(text, language) is None
