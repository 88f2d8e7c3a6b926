from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from babelens import Collection, translate
from babelens.errors import InvalidQueryError, UnknownLanguageError
from babelens.types import Text, Translation
from tests.conftest import FakeEncoder
from tests.unit.describing.conftest import FakeCaptioner, FakeTranslator, named

# -- without a collection ------------------------------------------------------------------------------------


def test_one_or_many_texts_give_a_list() -> None:
    expected = Translation("rojo rojo rojo", "ok", None, "words", "en", "es")
    assert translate("the red one", source="en", target="es", model=FakeTranslator()) == [expected]
    many = translate(
        ["the red one", "the red one"], source="English", target="Spanish", model=FakeTranslator()
    )
    assert many == [expected, expected]
    assert translate([], source="en", target="es", model=FakeTranslator()) == []


def test_what_is_no_translation_says_so() -> None:
    spoils = {
        "copied": "this was copied in red",
        "script": "красный квадрат",
        "loop": "rojo rojo rojo rojo rojo rojo",
        "dashes": "- - -",
    }
    texts = ["this was copied in red", "wrong script", "a loop", "only dashes", "unknown", "", " "]
    found = translate(texts, source="en", target="es", model=FakeTranslator(spoils=spoils))
    assert [translation.status for translation in found] == [
        *("fallback", "wrong-script", "failed", "empty", "empty", "empty", "empty"),
    ]
    assert all(translation.reason for translation in found)


def test_nothing_is_translated_twice() -> None:
    first = FakeTranslator()
    translate(["red one", "red one", "blue one"], source="en", target="es", model=first)
    assert first.asked == ["red one", "blue one"]
    second = FakeTranslator()
    found = translate(["blue one", "green one"], source="en", target="es", model=second)
    assert second.asked == ["green one"]
    assert [translation.body.split()[0] for translation in found] == ["azul", "verde"]
    other = FakeTranslator("other words")
    translate("blue one", source="en", target="es", model=other)
    assert other.asked == ["blue one"]


def test_unsupported_pairs() -> None:
    for source, target in (("fr", "es"), ("en", "en")):
        with pytest.raises(InvalidQueryError, match="does not translate"):
            translate("x", source=source, target=target, model=FakeTranslator())
    with pytest.raises(UnknownLanguageError):
        translate("x", source="en", target="klingon", model=FakeTranslator())


# -- a collection --------------------------------------------------------------------------------------------


def write_captions(pictures: Path, captions: dict[str, dict[str, list[str]]]) -> Path:
    path = pictures / "captions.jsonl"
    rows = [{"image": f"{name}.png", "captions": texts} for name, texts in captions.items()]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def texts_in(collection: Collection, name: str, language: str) -> list[tuple[str, str]]:
    return [(text.body, text.origin) for text in collection.texts(named(collection, name), language)]


def test_captions_are_translated_into_every_language_asked_for(collection: Collection) -> None:
    collection.caption(model=FakeCaptioner(), where="name in ('red.png', 'blue.png')")
    report = collection.translate(["es", "Hindi", "ja", "ar"], model=FakeTranslator())
    assert report.written == {tag: {"ok": 2} for tag in ("es", "hi", "ja", "ar")}
    red = named(collection, "red")
    assert collection.texts(red, "ja") == [Text(red, "ja", "赤 赤 赤", "translation", "ok", "words")]
    found = collection.search("أحمر", mode="text").hits
    assert [Path(hit.item.source.path).stem for hit in found] == ["red"]
    assert collection.captions(red, language="hi", k=1)[0].text.body == "लाल लाल लाल"
    assert collection.verify().ok


def test_a_second_run_does_nothing(collection: Collection) -> None:
    collection.caption(model=FakeCaptioner(), where="name in ('red.png', 'blue.png')")
    collection.translate("es", model=FakeTranslator())
    again = FakeTranslator()
    report = collection.translate("es", model=again)
    assert (report.written, report.unchanged, again.asked) == ({}, 2, [])


def test_people_and_english_come_first(collection: Collection, pictures: Path) -> None:
    captions = {
        "red": {"en": ["one red", "two red"], "de": ["rot"]},
        "green": {"de": ["grün"], "it": ["verde"]},
    }
    collection.add(write_captions(pictures, captions))
    collection.caption(model=FakeCaptioner(), where="name in ('red.png', 'green.png', 'blue.png')")
    translator = FakeTranslator(sources=("en", "de"))
    report = collection.translate("es", model=translator)
    assert sorted(translator.asked) == ["a blue square", "grün", "one red", "two red"]
    assert report.written == {"es": {"ok": 4}}
    assert (
        len(collection.texts(named(collection, "red"), "es")) == 2
    )  # one for each source, though they are equal
    assert collection.translate("es", model=translator).unchanged == 4


def test_only_from_the_language_asked_for(collection: Collection, pictures: Path) -> None:
    collection.add(
        write_captions(pictures, {"red": {"en": ["red"], "de": ["rot"]}, "blue": {"en": ["blue"]}})
    )
    translator = FakeTranslator(sources=("de",))
    assert collection.translate("es", model=translator, source="de").written == {"es": {"ok": 1}}
    assert translator.asked == ["rot"]


def test_where_people_wrote_nothing_is_done(collection: Collection, pictures: Path) -> None:
    collection.add(
        write_captions(pictures, {"red": {"en": ["red"], "es": ["encarnado"]}, "blue": {"en": ["blue"]}})
    )
    collection.translate("es", model=FakeTranslator())
    assert texts_in(collection, "red", "es") == [("encarnado", "human")]
    assert texts_in(collection, "blue", "es") == [("azul azul azul", "translation")]


def test_beside_what_people_wrote_when_that_is_asked_for(collection: Collection, pictures: Path) -> None:
    collection.add(write_captions(pictures, {"red": {"en": ["red"], "es": ["encarnado"]}}))
    collection.translate("es", model=FakeTranslator(), beside_human=True)
    assert sorted(texts_in(collection, "red", "es")) == [
        ("encarnado", "human"),
        ("rojo rojo rojo", "translation"),
    ]
    assert collection.translate("es", model=FakeTranslator(), beside_human=True).unchanged == 1


def test_a_failure_is_kept_with_its_reason_and_counts_nowhere(
    collection: Collection, pictures: Path, tmp_path: Path
) -> None:
    collection.add(write_captions(pictures, {"red": {"en": ["a red box"]}, "blue": {"en": ["a blue box"]}}))
    report = collection.translate("es", model=FakeTranslator(spoils={"red": "a red box"}))
    assert report.written == {"es": {"fallback": 1, "ok": 1}}
    red = named(collection, "red")
    (text,) = collection.texts(red, "es")
    assert (text.status, text.reason) == ("fallback", "the model gave the source back")
    assert collection.info().texts == {"en": 2, "es": 1}
    assert [c.text.body for c in collection.captions(red, language="es")] == ["azul azul azul"]
    result = collection.search("red box", language="es", mode="text")
    assert all(reason.text is None or reason.text.status == "ok" for hit in result.hits for reason in hit.why)
    collection.export(tmp_path / "out")
    with (tmp_path / "out" / "captions.csv").open(encoding="utf-8", newline="") as stream:
        rows = {Path(row["filename"]).stem: row for row in csv.DictReader(stream)}
    assert (rows["red"]["caption_es"], rows["blue"]["caption_es"]) == ("", "azul azul azul")
    assert collection.verify().ok


def test_another_model_tries_only_what_failed(collection: Collection, pictures: Path) -> None:
    collection.add(write_captions(pictures, {"red": {"en": ["a red box"]}, "blue": {"en": ["a blue box"]}}))
    poor = FakeTranslator("poor", spoils={"red": ""})
    collection.translate("es", model=poor)
    assert collection.translate("es", model=poor).unchanged == 2
    better = FakeTranslator("better")
    report = collection.translate("es", model=better)
    assert (report.written, report.unchanged, better.asked) == ({"es": {"ok": 1}}, 1, ["a red box"])
    assert [(t.body, t.model) for t in collection.texts(named(collection, "red"), "es")] == [
        ("rojo rojo rojo", "better")
    ]


def test_a_changed_source_is_translated_anew(collection: Collection, pictures: Path) -> None:
    collection.add(
        write_captions(pictures, {"red": {"en": ["a red box", "more red"]}, "blue": {"en": ["blue"]}})
    )
    collection.translate("es", model=FakeTranslator())
    collection.add(
        write_captions(pictures, {"red": {"en": ["a green box", "more red"]}, "blue": {"en": ["blue"]}})
    )
    assert "verde verde verde" not in dict(texts_in(collection, "red", "es"))
    translator = FakeTranslator()
    collection.translate("es", model=translator)
    assert translator.asked == ["a green box"]  # the rest is remembered
    assert sorted(body for body, _ in texts_in(collection, "red", "es")) == [
        "rojo rojo rojo",
        "verde verde verde",
    ]
    assert texts_in(collection, "blue", "es") == [("azul azul azul", "translation")]
    assert collection.verify().ok


def test_a_human_caption_that_comes_later_takes_over(collection: Collection, pictures: Path) -> None:
    collection.caption(model=FakeCaptioner(), where="name = 'red.png'")
    collection.translate("es", model=FakeTranslator())
    collection.add(write_captions(pictures, {"red": {"en": ["a blue thing"]}}))
    collection.translate("es", model=FakeTranslator())
    assert texts_in(collection, "red", "es") == [("azul azul azul", "translation")]


def test_a_model_that_knows_no_pair_is_an_error_and_one_that_knows_some_is_not(
    collection: Collection, pictures: Path
) -> None:
    collection.add(write_captions(pictures, {"red": {"en": ["red"]}, "green": {"de": ["grün"]}}))
    with pytest.raises(InvalidQueryError, match="does not translate"):
        collection.translate("es", model=FakeTranslator(sources=("hi",)))
    report = collection.translate("es", model=FakeTranslator())
    assert report.written == {"es": {"ok": 1}}
    assert report.notes == ("1 texts were left out: words does not translate from German to Spanish.",)


def test_ctrl_c_keeps_what_is_written(collection: Collection, pictures: Path) -> None:
    colours = {name: {"en": [f"{name} {number}" for number in range(100)]} for name in ("red", "blue")}
    collection.add(write_captions(pictures, colours))
    with pytest.raises(KeyboardInterrupt):
        collection.translate("es", model=FakeTranslator(limit=1))
    assert collection.info().texts == {"en": 200, "es": 128}
    rest = FakeTranslator()
    report = collection.translate("es", model=rest)
    assert (len(rest.asked), report.unchanged, report.written) == (72, 128, {"es": {"ok": 72}})


def test_progress_counts_texts(collection: Collection) -> None:
    collection.caption(model=FakeCaptioner(), where="name in ('red.png', 'blue.png')")
    seen: list[tuple[int, int | None, str]] = []
    collection.translate(
        ["es", "fr"],
        model=FakeTranslator(),
        progress=lambda done, total=None, note="": seen.append((done, total, note)),
    )
    assert (2, 4, "Spanish") in seen
    assert (4, 4, "French") in seen


def test_a_catalog_of_the_first_version_is_brought_up_to_date(tmp_path: Path, pictures: Path) -> None:
    import sqlite3

    with Collection.open(tmp_path / "old", model=FakeEncoder()) as collection:
        collection.add(write_captions(pictures, {"red": {"en": ["red"]}}))
    with sqlite3.connect(tmp_path / "old" / "catalog.db") as connection:
        connection.execute("DROP INDEX items_of_documents")
        connection.execute("DROP TABLE corrections")
        connection.execute("DROP INDEX texts_by_source")
        connection.execute("ALTER TABLE texts DROP COLUMN source")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with Collection.open(tmp_path / "old", model=FakeEncoder()) as collection:
        assert collection.translate("es", model=FakeTranslator()).written == {"es": {"ok": 1}}
        assert collection.verify().ok
