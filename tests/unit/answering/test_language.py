from __future__ import annotations

import pytest

from babelens.answering import question_language
from babelens.answering.phrases import phrases, stop_words
from babelens.languages import LANGUAGES, main_script


@pytest.mark.parametrize(
    ("question", "tag"),
    [
        ("Which fuse feeds the pump?", "en"),
        ("¿Qué fusible alimenta la bomba?", "es"),
        ("Quel fusible alimente la pompe ?", "fr"),
        ("पंप को कौन सा फ्यूज चलाता है?", "hi"),
        ("Welche Sicherung versorgt die Pumpe?", "de"),
        ("Quale fusibile alimenta la pompa?", "it"),
        ("ポンプのヒューズはどれですか？", "ja"),
        ("أي مصهر يغذي المضخة؟", "ar"),
        # Too short for the statistical model to be sure of.
        ("wo?", "de"),
        ("dónde", "es"),
        ("F3?", "en"),
        ("", "en"),
    ],
)
def test_the_language_of_a_question(question: str, tag: str) -> None:
    assert question_language(question) == tag


@pytest.mark.parametrize("tag", LANGUAGES)
def test_each_language_has_its_phrases(tag: str) -> None:
    say = phrases(tag)
    assert "{page}" in say.page
    assert main_script(say.not_answerable) in LANGUAGES[tag].scripts
    assert question_language(say.not_answerable) == tag
    assert stop_words()[tag]
    assert len({phrases(other).not_answerable for other in LANGUAGES}) == len(LANGUAGES)
