"""Questions in another language than the documents: by meaning, by translation, or with a word of what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from babelens.collection import Collection
from babelens.errors import WeightsUnavailableError
from babelens.search.other_languages import OtherLanguages
from babelens.storage import Catalog
from babelens.types import Item, Query, Reason, SearchResult, Source, Term, Text, Translation
from tests.conftest import FakeEncoder, FakePassageEncoder
from tests.vocabulary import LANGUAGES, PAIRS, word


@pytest.fixture
def collection(tmp_path: Path, encoder: FakeEncoder) -> Iterator[Collection]:
    """For each language a passage on each pair of things; those in German say what the fuse does, and no others."""
    with Collection.open(tmp_path / "collection", model=encoder) as opened:
        opened.add(_pictures(tmp_path))
        with Catalog.open(opened.path) as catalog:
            put_manuals(catalog)
        yield opened


def _pictures(folder: Path) -> Path:
    from PIL import Image

    (folder / "pictures").mkdir()
    for place in range(3):
        Image.new("RGB", (20, 20), (80 * place, 0, 0)).save(folder / "pictures" / f"{place}.png")
    return folder / "pictures"


def put_manuals(catalog: Catalog, languages: tuple[str, ...] = LANGUAGES) -> None:
    for language in languages:
        for place, pair in enumerate(PAIRS):
            if pair == ("fuse", "pump") and language != "de":
                continue
            item_id = f"{language}-{place}"
            catalog.put_items([Item(item_id, "passage", Source(f"/{language}.md", language), {})])
            body = " ".join(word(thing, language) for thing in pair)
            catalog.put_texts([Text(item_id, language, body, "document")])


def rankings(result: SearchResult, item_id: str) -> dict[str, Reason]:
    return {reason.ranking: reason for hit in result.hits if hit.item.id == item_id for reason in hit.why}


@pytest.mark.parametrize("language", [tag for tag in LANGUAGES if tag != "de"])
@pytest.mark.parametrize("mode", ["hybrid", "vector"])
def test_a_question_finds_the_only_passage_that_answers_it_whatever_its_language(
    collection: Collection, language: str, mode: str
) -> None:
    collection.encode_passages(FakePassageEncoder())
    question = f"{word('fuse', language)} {word('pump', language)}"
    result = collection.search(question, language=language, mode=mode, kinds=["passage"])
    # Although in Japanese the words for pump and lamp are alike: ポンプ, ランプ.
    assert result.hits[0].item.id == "de-0"
    assert [reason.ranking for reason in result.hits[0].why].count("passage") == 1
    reason = rankings(result, "de-0")["passage"]
    assert reason.rank == 1
    assert reason.score > 0.9
    assert reason.confidence is not None
    assert reason.confidence > 0.5
    assert reason.text is not None
    assert reason.text.language == "de"
    assert result.confident
    assert not result.notes


def test_of_equal_answers_the_one_in_the_language_of_the_question_comes_first(collection: Collection) -> None:
    with Catalog.open(collection.path) as catalog:
        catalog.put_items([Item("own", "passage", Source("/own.md", "own"), {})])
        catalog.put_texts([Text("own", "en", "fuse pump", "document")])
    collection.encode_passages(FakePassageEncoder())
    for language, first, second in (("en", "own", "de-0"), ("de", "de-0", "own")):
        question = f"{word('fuse', language)} {word('pump', language)}"
        result = collection.search(question, language=language, kinds=["passage"])
        assert [hit.item.id for hit in result.hits[:2]] == [first, second]


def test_a_question_that_nothing_answers_is_not_confident(collection: Collection) -> None:
    collection.encode_passages(FakePassageEncoder())
    result = collection.search("quarterly tax return", language="en", kinds=["passage"])
    assert not result.confident


def test_passages_do_not_show_among_pictures_or_where_words_alone_count(collection: Collection) -> None:
    collection.encode_passages(FakePassageEncoder())
    for options in ({"mode": "text"}, {"mode": "image"}, {"kinds": ["image"]}):
        result = collection.search("fuse pump", language="en", **options)  # type: ignore[arg-type]
        assert "passage" not in {reason.ranking for hit in result.hits for reason in hit.why}
    filtered = collection.search("fuse pump", language="en", where="path != '/de.md'", k=50)
    assert filtered.hits
    assert "de-0" not in [hit.item.id for hit in filtered.hits]


def test_without_such_an_encoder_the_result_says_once_what_was_not_searched(collection: Collection) -> None:
    first = collection.search("फ्यूज पंप", kinds=["passage"])
    (note,) = first.notes
    assert "Hindi" in note
    assert "German" in note
    assert "only passages in the question's own language" in note
    assert not collection.search("फ्यूज पंप", kinds=["passage"]).notes
    assert collection.search("batería lámpara", language="es").notes, "another language, another note"
    assert not collection.search("lampada", language="it", kinds=["image"]).notes


@dataclass
class FakeTranslator:
    """Knows the words of :mod:`tests.vocabulary`, from and to some languages."""

    targets: tuple[str, ...] = ("de",)
    status: str = "ok"
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def __call__(self, text: str, source: str, target: str) -> Translation | None:
        if target not in self.targets:
            return None
        self.asked.append((text, source, target))
        names = {word(thing, source): word(thing, target) for pair in PAIRS for thing in pair}
        body = " ".join(names.get(part, part) for part in text.split())
        reason = None if self.status == "ok" else "it is a copy"
        return Translation(body, self.status, reason, "fake-mt", source, target)  # type: ignore[arg-type]


def with_translator(collection: Collection, translator: FakeTranslator) -> Collection:
    collection._space._translator = translator  # type: ignore[assignment]
    return collection


def test_a_translator_on_this_machine_takes_the_question_to_the_documents(collection: Collection) -> None:
    translator = FakeTranslator()
    result = with_translator(collection, translator).search("fuse pump", language="en", kinds=["passage"])
    assert result.hits[0].item.id == "de-0"
    found = rankings(result, "de-0")["words"]
    assert found.text is not None
    assert found.text.body == "Sicherung Pumpe"
    assert found.confidence == pytest.approx(1.0)
    assert result.confident
    translated, left_out = result.notes
    assert "“Sicherung Pumpe”" in translated
    assert "machine translation by fake-mt" in translated
    assert "German" not in left_out
    assert "Japanese" in left_out
    text = collection.search("fuse pump", language="en", mode="text")
    assert "de-0" in [hit.item.id for hit in text.hits]
    assert not [
        note for note in collection.search("fuse pump", language="en", mode="vector").notes if "fake" in note
    ]


def test_what_fails_to_be_translated_is_not_searched_for(collection: Collection) -> None:
    copied = FakeTranslator(status="fallback")
    result = with_translator(collection, copied).search("fuse pump", language="en", kinds=["passage"])
    assert "de-0" not in [hit.item.id for hit in result.hits if "words" in {r.ranking for r in hit.why}]
    assert any("could not be translated into German" in note for note in result.notes)


def test_a_translator_that_cannot_be_loaded_stops_no_search(collection: Collection) -> None:
    class Damaged(FakeTranslator):
        def __call__(self, text: str, source: str, target: str) -> Translation | None:
            raise WeightsUnavailableError("model.safetensors is damaged.")

    result = with_translator(collection, Damaged()).search("lamp", language="en", kinds=["passage"])
    assert result.hits
    assert any("model.safetensors is damaged." in note for note in result.notes)


def test_passage_vectors_make_translations_unnecessary(collection: Collection) -> None:
    translator = FakeTranslator(targets=LANGUAGES)
    collection.encode_passages(FakePassageEncoder())
    result = with_translator(collection, translator).search("fuse pump", language="en")
    assert not translator.asked
    assert not result.notes


def test_no_more_than_four_languages_are_translated_into(collection: Collection) -> None:
    translator = FakeTranslator(targets=LANGUAGES)
    with_translator(collection, translator).search("fuse pump", language="en")
    assert len(translator.asked) == 4
    assert translator.asked[0][2] == "de", "most passages are in it"


# -- what counts as another language -------------------------------------------------------------------------


def others(catalog: Catalog, text: str, language: str | None = None, **options: object) -> list[str]:
    notes: list[str] = []
    query = replace(Query((Term(text=text),), language), **options)  # type: ignore[arg-type]
    assert OtherLanguages(catalog, None).translations(query, text, notes) == []
    return notes


@pytest.mark.parametrize(
    ("languages", "text", "said"),
    [
        (("en",), "Where does the fuse of the pump have its place?", None),
        (("en",), "Wo hat die Sicherung der Pumpe ihren Platz?", "German"),
        (("en",), "pompa", None),  # Italian, or any other language of its script: nothing is certain
        (("ja", "ar"), "pompa", "another script"),
        (("ja", "en"), "ポンプ", "Japanese"),
        (("ja",), "12 34", None),
    ],
)
def test_only_what_is_certain_is_said(
    tmp_path: Path, languages: tuple[str, ...], text: str, said: str | None
) -> None:
    with Catalog.create(tmp_path / "c", {}) as catalog:
        put_manuals(catalog, languages)
        notes = others(catalog, text)
    assert bool(notes) == (said is not None)
    assert said is None or said in notes[0]


def test_captions_of_pictures_are_no_documents(tmp_path: Path) -> None:
    with Catalog.create(tmp_path / "c", {}) as catalog:
        catalog.put_items([Item("a", "image", Source("/a.png", "a"), {})])
        catalog.put_texts([Text("a", "en", "a fuse", "human"), Text("a", "en", "fuse box", "ocr")])
        assert others(catalog, "Sicherung", "de") == []


def test_languages_are_looked_up_once_for_each_state(tmp_path: Path) -> None:
    class Counting(Catalog):
        lookups = 0

        def document_languages(self) -> dict[str, int]:
            self.lookups += 1
            return super().document_languages()

    Counting.create(tmp_path / "c", {}).close()
    with Counting.open(tmp_path / "c") as catalog:
        put_manuals(catalog, ("en",))
        found = OtherLanguages(catalog, None)
        query = Query((Term(text="pump"),), "en")
        for _ in range(3):
            notes: list[str] = []
            found.translations(query, "pump", notes)
            assert not notes
        assert catalog.lookups == 1
        put_manuals(catalog, ("fr",))
        found.translations(query, "pump", notes)
        assert catalog.lookups == 2
        assert "French" in notes[0]
