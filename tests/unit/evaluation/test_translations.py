"""Translations of a collection, there and back, and of plain files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sacrebleu", reason="needs pip install 'babelens[eval]'")

from babelens import Collection
from babelens.errors import InvalidQueryError, UnreadableFileError
from babelens.evaluation.translation import score, score_chrf
from babelens.evaluation.translations import back_translation, score_files, translation_quality
from babelens.storage.catalog import Catalog
from babelens.types import Text
from tests.conftest import FakeEncoder
from tests.unit.describing.conftest import FakeTranslator, named


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELENS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def collection(tmp_path: Path, pictures: Path, encoder: FakeEncoder) -> Iterator[Collection]:
    """Red, green and blue have English captions and Spanish translations; those of two got Spanish captions later."""
    english = {name: [f"the {name} one", f"a {name} square"] for name in ("red", "green", "blue")}
    rows = [{"image": f"{name}.png", "captions": {"en": said}} for name, said in english.items()]
    write(pictures / "captions.jsonl", rows)
    with Collection.open(tmp_path / "collection", model=encoder) as collection:
        collection.add(pictures, captions=[pictures / "captions.jsonl"])
        spoils = {"green": "- - -"}
        collection.translate("es", model=FakeTranslator(spoils=spoils))
        spanish = {"red": ["rojo rojo rojo", "un cuadrado rojo"], "green": ["un cuadrado verde"]}
        rows = [
            {"image": f"{name}.png", "captions": {"en": said, "es": spanish.get(name, [])}}
            for name, said in english.items()
        ]
        write(pictures / "captions.jsonl", rows)
        collection.add(pictures, captions=[pictures / "captions.jsonl"])
        yield collection


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


# -- a collection --------------------------------------------------------------------------------------------


def test_only_ok_texts_with_a_caption_are_scored(collection: Collection) -> None:
    (found,) = translation_quality(collection)
    assert (found.model, found.source, found.target) == ("words", "en", "es")
    assert found.counts == {"ok": 4, "empty": 2}  # green has a Spanish caption, but no translation
    assert found.unreferenced == 2  # both of blue
    assert found.scores is not None
    assert found.scores.n == 2
    # Both of red, against both of its captions: one of them is the very words.
    assert found.scores.bleu.estimate.value == pytest.approx(100)
    assert any("captions that people wrote of the same picture" in note for note in found.notes)
    assert found.bert is None
    assert found.back is None


def test_a_copy_is_not_scored_whoever_stored_it_as_a_translation(collection: Collection) -> None:
    item = named(collection, "red")
    (before,) = translation_quality(collection)
    with Catalog.open(collection.path) as catalog:
        rows = catalog.stored_texts([item])[item]
        original = next(row for row in rows if row.text.language == "en" and row.text.origin == "human")
        copy = Text(item, "ja", original.text.body, "translation", "ok", "copier")
        catalog.put_texts([copy], [original.row])
    copied, other = translation_quality(collection)
    assert (copied.model, copied.target, copied.counts) == ("copier", "ja", {"fallback": 1})
    assert copied.scores is None
    assert copied.unreferenced == 0
    assert (other.model, other.counts, other.unreferenced) == (
        before.model,
        before.counts,
        before.unreferenced,
    )


def test_models_and_languages_are_told_apart(collection: Collection) -> None:
    collection.translate(["fr", "de"], model=FakeTranslator("other"))
    found = translation_quality(collection)
    assert [(row.model, row.source, row.target) for row in found] == [
        ("other", "en", "fr"),
        ("other", "en", "de"),
        ("words", "en", "es"),
    ]
    for row in found[:2]:
        assert (row.counts, row.unreferenced, row.scores) == ({"ok": 6}, 6, None)


def test_a_translation_of_unknown_source_is_scored_too(collection: Collection) -> None:
    item = named(collection, "red")
    with Catalog.open(collection.path) as catalog:
        catalog.put_texts([Text(item, "es", "un cuadrado rojo", "translation", "ok", "mine")])
    found = next(row for row in translation_quality(collection, back=Back()) if row.model == "mine")
    assert found.source is None
    assert found.scores is not None
    assert found.scores.bleu.estimate.value == pytest.approx(100)
    assert found.back is None


def test_a_collection_without_translations(tmp_path: Path, pictures: Path, encoder: FakeEncoder) -> None:
    with Collection.open(tmp_path / "new", model=encoder) as collection:
        assert translation_quality(collection) == ()
        collection.add(pictures)
        assert translation_quality(collection) == ()


# -- there and back ------------------------------------------------------------------------------------------


class Back(FakeTranslator):
    """From Spanish to English, word by word."""

    def __init__(self, name: str = "back", **settings: object) -> None:
        super().__init__(name, sources=("es",), **settings)  # type: ignore[arg-type]


def test_what_has_no_reference_is_translated_back(collection: Collection) -> None:
    translator = Back()
    (found,) = translation_quality(collection, back=translator)
    assert translator.asked == ["azul azul azul"]  # nothing that has a reference
    assert found.back is not None
    assert (found.back.n, found.back.counts, found.back.translator) == (2, {"ok": 2}, "back")
    expected = score_chrf(["blue blue blue"] * 2, ["the blue one", "a blue square"], groups=["blue", "blue"])
    assert found.back.chrf is not None
    assert found.back.chrf.estimate.value == pytest.approx(expected.estimate.value)
    assert found.back.note in found.notes


def test_what_does_not_come_back_is_left_out_and_counted() -> None:
    found = back_translation(
        ["the red one", "the blue one", "the green one"],
        ["rojo rojo rojo", "azul azul azul", "verde verde verde"],
        Back(spoils={"azul": "", "verde": "verde verde verde"}),
        source="en",
        target="es",
    )
    assert (found.n, found.counts) == (1, {"ok": 1, "empty": 1, "fallback": 1})
    assert found.chrf is not None
    assert found.chrf.estimate.value == score_chrf(["red red red"], ["the red one"]).estimate.value
    mute = Back("mute", spoils={"rojo": "- -"})
    nothing = back_translation(["the red one"], ["rojo rojo rojo"], mute, source="en", target="es")
    assert (nothing.n, nothing.chrf, nothing.counts) == (0, None, {"empty": 1})


def test_a_translator_that_does_not_know_the_way_back(collection: Collection) -> None:
    with pytest.raises(InvalidQueryError, match="does not translate from Spanish to English"):
        translation_quality(collection, back=FakeTranslator())
    collection.translate("fr", model=FakeTranslator("other"))
    french, spanish = translation_quality(collection, back=Back())
    assert french.back is None
    assert any("Not translated back" in note for note in french.notes)
    assert spanish.back is not None
    with pytest.raises(InvalidQueryError, match="2 sources and 1"):
        back_translation(["a", "b"], ["c"], Back(), source="en", target="es")


# -- plain files ---------------------------------------------------------------------------------------------


def file(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_files_are_scored_line_by_line(tmp_path: Path) -> None:
    hypotheses = file(tmp_path / "mine", "un coche rojo", "dos perros", "", "una casa")
    first = file(tmp_path / "first", "un coche rojo", "", "nada", "")
    second = file(tmp_path / "second", "el coche rojo", "dos perros corren", "nada", "")
    found = score_files(hypotheses, [first, second], language="es")
    assert (found.counts, found.unreferenced) == ({"ok": 3, "empty": 1}, 1)
    expected = [["un coche rojo", "el coche rojo"], ["dos perros corren"]]
    assert found.scores == score(["un coche rojo", "dos perros"], expected, language="es")
    assert "nrefs:var" in found.scores.bleu.signature


def test_english_is_not_scored_as_japanese(tmp_path: Path) -> None:
    english = file(tmp_path / "en", "a red car", "two dogs run on the beach", "USB")
    people = file(tmp_path / "ja", "赤い車", "犬が二匹浜辺を走る", "USB")
    alone = score_files(english, people, language="ja")
    assert (alone.counts, alone.scores) == ({"wrong-script": 3}, None)
    judged = score_files(english, people, language="ja", source=english)
    assert judged.counts == {"fallback": 2, "ok": 1}  # an abbreviation stays as it is
    assert judged.scores is not None
    assert judged.scores.n == 1
    # Between languages of one script only the source tells.
    assert score_files(english, english, language="es").counts == {"ok": 3}
    assert score_files(english, english, language="es", source=english).counts == {"fallback": 2, "ok": 1}
    with pytest.raises(InvalidQueryError, match="both said to be in English"):
        score_files(english, english, language="en", source=english)


def test_files_of_other_systems(tmp_path: Path) -> None:
    (tmp_path / "dos").write_bytes("\ufeffun coche\r\nuna\u2028casa\r\nfin".encode())
    people = file(tmp_path / "people", "un coche", "una casa", "fin")
    found = score_files(tmp_path / "dos", people, language="es")
    assert found.scores is not None
    assert (found.scores.n, found.scores.chrf.estimate.value) == (3, 100)


def test_files_that_cannot_be_scored(tmp_path: Path) -> None:
    good = file(tmp_path / "good", "a", "b")
    with pytest.raises(UnreadableFileError, match="1 lines"):
        score_files(good, file(tmp_path / "short", "a"), language="es")
    with pytest.raises(UnreadableFileError, match="empty"):
        score_files(file(tmp_path / "none"), good, language="es")
    (tmp_path / "latin").write_bytes(b"a\nm\xe1s\n")
    with pytest.raises(UnreadableFileError, match=r"not UTF-8 \(byte 3\)"):
        score_files(good, tmp_path / "latin", language="es")
    with pytest.raises(UnreadableFileError, match="No such file"):
        score_files(good, tmp_path / "absent", language="es")
    with pytest.raises(InvalidQueryError, match="no reference file"):
        score_files(good, [], language="es")


def test_a_file_without_any_reference_has_no_figure(tmp_path: Path) -> None:
    found = score_files(file(tmp_path / "mine", "una casa"), file(tmp_path / "people", ""), language="es")
    assert (found.counts, found.unreferenced, found.scores) == ({"ok": 1}, 1, None)
