"""What is said of the bundled manuals is true: read back from the PDFs themselves."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from babelens.demo.manuals import Manual, Question, bundled_folder, demo_questions, load_manuals
from babelens.errors import MalformedDataError, UnreadableFileError
from babelens.languages import LANGUAGES, main_script

MANUALS = load_manuals()
each_manual = pytest.mark.parametrize("manual", MANUALS, ids=[manual.path.stem for manual in MANUALS])


@cache
def page_texts(path: Path) -> list[str]:
    """The text layer of every page, as PDFium reads it."""
    document = pypdfium2.PdfDocument(path)
    texts = []
    for page in document:
        layer = page.get_textpage()
        texts.append(layer.get_text_bounded())
        layer.close()
        page.close()
    document.close()
    return texts


@cache
def page_grey(path: Path, number: int) -> np.ndarray:
    document = pypdfium2.PdfDocument(path)
    page = document[number - 1]
    grey = np.asarray(page.render(scale=150 / 72).to_pil().convert("L"))
    page.close()
    document.close()
    return grey


def squeezed(text: str) -> str:
    """Without white space and hyphens: lines end elsewhere in a PDF than in what was written."""
    return re.sub(r"[\s\-\u2010\u00ad\u0002\ufffe]", "", unicodedata.normalize("NFKC", text)).casefold()


def words(text: str) -> list[str]:
    """Words without marks; for Japanese, which has no spaces, single letters."""
    found = re.findall(r"[^\W_]+(?:[\u0900-\u097f]+)?", unicodedata.normalize("NFKC", text).casefold())
    if any("\u3040" <= letter <= "\u30ff" for letter in text):
        return [letter for word in found for letter in word]
    return found


def answerable(manual: Manual) -> list[Question]:
    return [question for question in manual.questions if question.page is not None]


def test_nine_manuals_of_three_devices_in_eight_languages() -> None:
    assert Counter(manual.device for manual in MANUALS) == {
        "bicycle-light": 3,
        "coffee-grinder": 3,
        "humidifier": 3,
    }
    assert {manual.language for manual in MANUALS} == set(LANGUAGES)
    files = [path for path in bundled_folder().iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 900_000
    assert max(path.stat().st_size for path in files) <= 150_000


@each_manual
def test_pages(manual: Manual) -> None:
    texts = page_texts(manual.path)
    assert len(texts) == manual.pages
    assert 6 <= manual.pages <= 10
    assert main_script(" ".join(texts)) in LANGUAGES[manual.language].scripts
    for section in manual.sections:
        assert squeezed(section.title) in squeezed(texts[section.page - 1]), section
    assert [section.page for section in manual.sections] == sorted(s.page for s in manual.sections)


@each_manual
def test_labels_and_captions_stand_on_their_page(manual: Manual) -> None:
    numbered = [figure for figure in manual.figures if figure.label is not None]
    assert len(numbered) == 6
    assert len({figure.label for figure in numbered}) == 6
    for figure in numbered:
        assert figure.caption
        here = squeezed(page_texts(manual.path)[figure.page - 1])
        assert squeezed(f"{figure.label} {figure.caption}") in here, figure
        # Something in the text sends the reader to it.
        assert sum(squeezed(text).count(squeezed(figure.label)) for text in page_texts(manual.path)) >= 1


def test_most_figures_are_referred_to() -> None:
    referred = [
        sum(squeezed(text).count(squeezed(figure.label)) for text in page_texts(manual.path)) > 1
        for manual in MANUALS
        for figure in manual.figures
        if figure.label
    ]
    assert np.mean(referred) >= 0.7, f"{np.mean(referred):.2f} of {len(referred)}"


@each_manual
def test_boxes_fit_the_ink(manual: Manual) -> None:
    for figure in manual.figures:
        grey = page_grey(manual.path, figure.page)
        x0, y0, x1, y1 = figure.box
        assert 0 <= x0 < x1 <= grey.shape[1]
        assert 0 <= y0 < y1 <= grey.shape[0]
        inside = grey[y0:y1, x0:x1]
        assert x1 - x0 >= 150
        assert y1 - y0 >= 100
        assert 0.02 <= np.mean(inside < 200) <= 0.7
        for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
            assert edge.min() < 250, figure


@each_manual
def test_figures_are_vectors(manual: Manual) -> None:
    document = pypdfium2.PdfDocument(manual.path)
    for page in document:
        kinds = Counter(found.type for found in page.get_objects())
        assert kinds[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE] == 0
        page.close()
    document.close()


@each_manual
def test_answers_stand_on_their_page(manual: Manual) -> None:
    labels = {figure.label for figure in manual.figures}
    for question in answerable(manual):
        assert question.page is not None
        here = squeezed(page_texts(manual.path)[question.page - 1])
        assert question.answer_words
        for answer in question.answer_words:
            assert squeezed(answer) in here, (question.key, answer)
        assert question.figure is None or question.figure in labels


@each_manual
def test_enough_questions(manual: Manual) -> None:
    own = [question for question in answerable(manual) if question.language == manual.language]
    across = [question for question in answerable(manual) if question.language != manual.language]
    none = [question for question in manual.questions if question.page is None]
    assert len(own) >= 15
    assert len(across) >= 3
    assert len(none) == 3
    assert sum(question.figure is not None for question in own) >= 5
    keys = [(question.key, question.language) for question in manual.questions]
    assert len(set(keys)) == len(keys)
    spoken = {other.language for other in MANUALS if other.device == manual.device}
    assert not spoken & {question.language for question in across}
    for question in manual.questions:
        assert main_script(question.text) in LANGUAGES[question.language].scripts, question.text


def test_the_same_facts_in_each_language() -> None:
    for device in {manual.device for manual in MANUALS}:
        manuals = [manual for manual in MANUALS if manual.device == device]
        assert len({tuple(sorted({q.key for q in manual.questions})) for manual in manuals}) == 1
        assert len({tuple(section.key for section in manual.sections) for manual in manuals}) == 1
        assert len({len(manual.figures) for manual in manuals}) == 1


@each_manual
def test_questions_are_not_sentences_of_the_text(manual: Manual) -> None:
    run = 9 if manual.language == "ja" else 5  # "il filtro dell’aria" is four words, and one thing
    text = " ".join(words(" ".join(page_texts(manual.path))))
    for question in manual.questions:
        if question.language != manual.language:
            continue
        asked = words(question.text)
        for start in range(len(asked) - run + 1):
            assert f" {' '.join(asked[start : start + run])} " not in f" {text} ", question.text


@each_manual
def test_questions_share_few_words_with_their_page(manual: Manual) -> None:
    """Long words only: the short ones are the language's own, and stand on every page."""
    length = {"ja": 1, "hi": 4, "ar": 4}.get(manual.language, 5)
    shares = []
    for question in answerable(manual):
        if question.language == manual.language:
            assert question.page is not None
            here = set(words(page_texts(manual.path)[question.page - 1]))
            asked = [word for word in words(question.text) if len(word) >= length]
            if manual.language == "ja":  # the two-letter pieces that hold a kanji or katakana
                here = {a + b for a, b in _pairs(page_texts(manual.path)[question.page - 1])}
                asked = [a + b for a, b in _pairs(question.text)]
            shares += [np.mean([word in here for word in asked])] if asked else []
    assert np.mean(shares) <= 0.4, f"{np.mean(shares):.2f} of the long words, n={len(shares)}"


def _pairs(text: str) -> list[tuple[str, str]]:
    letters = words(text)
    pairs = pairwise(letters)
    return [pair for pair in pairs if not any("\u3040" <= letter <= "\u309f" for letter in pair)]


def test_twelve_questions_of_the_demo() -> None:
    chosen = demo_questions(MANUALS)
    assert len(chosen) == 12
    assert {question.language for _, question in chosen} == set(LANGUAGES)
    assert sum(question.page is None for _, question in chosen) == 2
    assert all(question in manual.questions for manual, question in chosen)


def test_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        load_manuals(tmp_path)
    (tmp_path / "a.en.jsonl").write_text("{}\n", "utf-8")
    with pytest.raises(UnreadableFileError, match=r"a\.en\.pdf"):
        load_manuals(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not JSON", "line 2"),
        ('{"type": "figure", "label": "Fig. 1"}', "line 2"),
        ('{"type": "figure", "label": "", "page": 1, "box": [1, 2], "caption": ""}', "line 2"),
        ('{"type": "poem"}', "poem"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.en.pdf").write_bytes(b"%PDF")
    about = {"type": "manual", "device": "a", "language": "en", "title": "", "pages": 1}
    (tmp_path / "a.en.jsonl").write_text(f"{json.dumps(about)}\n{line}\n", "utf-8")
    with pytest.raises(MalformedDataError, match=message):
        load_manuals(tmp_path)


def test_questions_of_other_manuals_are_refused(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text('[{"device": "toaster", "language": "en", "key": "x"}]', "utf-8")
    with pytest.raises(UnreadableFileError, match="toaster"):
        demo_questions(MANUALS, folder=tmp_path)
