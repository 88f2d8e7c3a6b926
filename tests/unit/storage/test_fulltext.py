"""What words are, in eight languages, and which items they find."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest

from babelens.storage import Catalog, wordsearch
from babelens.storage.fulltext import analyze, forms_of, words_of
from babelens.types import Comparison, Item, Source
from tests.catalogs import make_item, text


@pytest.mark.parametrize(
    ("body", "forms"),
    [
        ("Two DOGS, one red-ball!", ["two", "dogs", "one", "red", "ball"]),
        ("El niño comió ¿qué?", ["el", "nino", "comio", "que"]),
        ("L’élève œuvre à Noël", ["l", "eleve", "oeuvre", "a", "noel"]),
        ("Straße über Öl", ["strasse", "uber", "ol"]),
        ("Perché dell'uomo", ["perche", "dell", "uomo"]),
        ("लाल क़लम और बच्चे।", ["लाल", "कलम", "और", "बच्चे"]),
        ("चाँद चांद", ["चांद", "चांद"]),
        ("الكَلْبُ عـــلى شَجَرة", ["كلب", "علي", "شجره"]),
        ("أحمر إلى آخر", ["احمر", "الي", "اخر"]),
        ("白い犬", ["白", "白い", "い犬", "犬"]),
        ("ﾃｰﾌﾞﾙ の 上", ["テー", "ーブ", "ブル", "の", "上"]),
        ("IMG_2041 ２０ ٢٠ २०", ["img", "2041", "20", "20", "20"]),
        ("犬dog", ["犬", "dog"]),
        ("Ｆ２ E13 24cm", ["f2", "e13", "24cm"]),
        ("ŁÓDŹ Þór ﬁne", ["lodz", "thor", "fine"]),
        ("الكتاب بالكتاب للكتاب وال", ["كتاب", "كتاب", "كتاب", "وال"]),
        ("ﻣﺮﺷﺢ مُرَشِّح", ["مرشح", "مرشح"]),
        ("फ़िल्टर फिल्टर ज़्यादा ज्यादा", ["फिल्टर", "फिल्टर", "ज्यादा", "ज्यादा"]),
        ("", []),
        ("… — ❤️ 🙂", []),
    ],
)
def test_folded_words(body: str, forms: list[str]) -> None:
    assert [word.form for word in words_of(body)] == forms
    assert list(forms_of(analyze(body))) == forms


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ("on a Dog", ["on", "a", "·dog", "dog·"]),
        ("élèves", ["·ele", "elev", "leve", "eves", "ves·"]),
        ("मशीन", ["·मश", "मशी", "शीन", "ीन·"]),
        ("المرشح", ["·مر", "مرش", "رشح", "شح·"]),
        ("白い犬", ["白", "白い", "い犬", "犬"]),
        ("E13 2041", ["e13", "2041"]),
    ],
)
def test_tokens(body: str, tokens: list[str]) -> None:
    """n-grams that know the ends of a word; what holds a digit stays whole, since E13 is not E12."""
    assert analyze(body) == tokens


def test_spelling_does_not_matter() -> None:
    composed, decomposed = "\u00e9l\u00e8ve", "e\u0301le\u0300ve"
    assert analyze(composed) == analyze(decomposed)
    assert analyze("が") == analyze("か\u3099") == ["が"]
    assert analyze("क\u093cलम") == analyze("\u0958लम")


def test_endless_words_are_cut() -> None:
    assert [word.form for word in words_of("x" * 50_000)] == ["x" * 100]


CAPTIONS = {
    "en": ("A white dog runs on the beach", "dog beach"),
    "es": ("Un perro blanco corre por la playa", "PERRO"),
    "fr": ("Un chien blanc court, l'été, sur la plage", "ete"),
    "hi": ("एक सफ़ेद कुत्ता समुद्र तट पर दौड़ता है", "कुत्ता सफेद"),
    "de": ("Ein weißer Hund läuft am Strand", "WEISSER"),
    "it": ("Un cane bianco corre sulla spiaggia", "cane"),
    "ja": ("白い犬が浜辺を走っている", "犬"),
    "ar": ("كلب أبيض يركض على الشاطئ", "الكلب"),
}


@pytest.mark.parametrize("language", CAPTIONS)
def test_every_language_finds_its_caption(catalog: Catalog, language: str) -> None:
    catalog.put_items([make_item(tag, path=f"/{n}.jpg") for n, tag in enumerate(CAPTIONS)])
    rows = catalog.put_texts([text(tag, body, tag) for tag, (body, _) in CAPTIONS.items()])
    best = catalog.search_words(CAPTIONS[language][1], k=3)[0]
    assert best.item_id == language
    assert best.text_row == rows[list(CAPTIONS).index(language)]
    assert catalog.search_words(CAPTIONS[language][1], k=3, languages=[language])[0] == best


def test_queries_are_words_and_never_syntax(catalog: Catalog) -> None:
    catalog.put_items([make_item("a", path="/near or not.jpg")])
    for query in ('"', "near(", "NOT", "a OR", "tokens:near", "*", "^near", "-near", "{", "\x00", "\udcff"):
        catalog.search_words(query, k=3)
    assert catalog.search_words('NEAR("x" -or*', k=3)[0].item_id == "a"
    assert catalog.search_words("", k=3) == []
    assert catalog.search_words("near", k=0) == []


def test_results_are_items_not_texts(catalog: Catalog) -> None:
    catalog.put_items([make_item(f"i{n}", path=f"/{n}.jpg") for n in range(10)])
    rows = catalog.put_texts(
        [text(f"i{n}", f"a zebra {'and a lion ' * m}{n} {m}") for n in range(10) for m in range(30)]
    )
    hits = catalog.search_words("zebra", k=10)
    assert {hit.item_id for hit in hits} == {f"i{n}" for n in range(10)}
    assert {hit.text_row for hit in hits} == set(rows[::30])  # the shortest text of each
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(hit.score > 0 for hit in hits)


def test_any_word_may_match_even_the_commonest(catalog: Catalog) -> None:
    catalog.put_items([make_item(f"i{n}", path="/dog.jpg") for n in range(2500)])
    catalog.put_texts([text("i7", "zebra")])
    for k in (3, 2500):  # the quick way, and ranking everything
        hits = catalog.search_words("dog zebra", k=k)
        assert len(hits) == k
        assert hits[0].item_id == "i7"


def test_languages_and_filters_act_inside_the_search(catalog: Catalog) -> None:
    catalog.put_items([make_item(f"i{n}", path=f"/{n}.jpg", year=2000 + n) for n in range(50)])
    catalog.put_texts([text(f"i{n}", "zebra", "en" if n % 2 else "de") for n in range(50)])
    catalog.put_items([make_item("named", path="/zebra.jpg", year=1990)])
    late = Comparison("year", ">=", 2040)
    assert {hit.item_id for hit in catalog.search_words("zebra", k=50, where=late)} == {
        f"i{n}" for n in range(40, 50)
    }
    german = catalog.search_words("zebra", k=50, languages=["de"])
    assert {hit.item_id for hit in german} == {f"i{n}" for n in range(0, 50, 2)} | {"named"}
    both = catalog.search_words("zebra", k=3, languages=["de"], where=late)
    assert [hit.item_id for hit in both] == ["i40", "i42", "i44"]


def test_nominating_finds_what_ranking_everything_finds(catalog: Catalog) -> None:
    """The quick way for common words, against SQLite's own bm25 over all matches."""
    random.seed(3)
    vocabulary = [f"w{n}" for n in range(40)]
    weights = [1 / (n + 1) for n in range(40)]
    catalog.put_items([make_item(f"i{n}", path=f"/{n}.jpg") for n in range(3000)])
    catalog.put_texts(
        [
            text(f"i{n}", " ".join(random.choices(vocabulary, weights, k=random.randint(4, 12))))
            for n in range(3000)
        ]
    )
    with closing(sqlite3.connect(catalog.path)) as connection:
        for query in ("w5 w30", "w1 w2 w20 w39", "w8 w9 w10 w11 w35 unknown"):
            everything = wordsearch.search(connection, query, k=3000, exact_up_to=10**9)
            quick = wordsearch.search(connection, query, k=10, exact_up_to=0)
            truth = {hit.item_id: hit.score for hit in everything}
            reached = sum(truth[hit.item_id] for hit in quick)
            assert reached >= 0.98 * sum(hit.score for hit in everything[:10])
            assert quick[0].score == pytest.approx(everything[0].score, rel=0.1)


def test_counts_of_words(catalog: Catalog) -> None:
    catalog.put_items([make_item("a"), make_item("b")])
    catalog.put_texts([text("a", "a zebra, a zebra"), text("b", "zebra")])
    assert catalog.word_counts(["·zeb", "b", "·lio"]) == (4, {"·zeb": 2, "b": 1})


def test_a_word_finds_its_forms_and_compounds(catalog: Catalog) -> None:
    bodies = {
        "en": "Take out the filters and rinse them.",
        "de": "Filtereinsatz herausnehmen und abspülen.",
        "es": "Retire los filtros y enjuáguelos.",
        "it": "Estrarre i filtri e sciacquarli.",
        "hi": "फिल्टरों को बाहर निकालें।",
        "ar": "أخرج المرشحات واشطفها.",
        "ja": "フィルタを取り外します。",
    }
    catalog.put_items([make_item(tag, path=f"/{n}.jpg") for n, tag in enumerate(bodies)])
    catalog.put_texts([text(tag, body, tag) for tag, body in bodies.items()])
    queries = {
        "en": "filter",
        "de": "Filter",
        "es": "filtro",
        "it": "filtro",
        "hi": "फ़िल्टर",
        "ar": "مرشح",
        "ja": "フィルター",
    }
    for tag, query in queries.items():
        assert [hit.item_id for hit in catalog.search_words(query, k=5, languages=[tag])] == [tag]


def test_a_shared_ending_is_no_match(catalog: Catalog) -> None:
    catalog.put_items([make_item("a", path="/0.jpg"), make_item("b", path="/1.jpg")])
    catalog.put_texts([text("a", "a station in the morning"), text("b", "error E12 in 2041")])
    for query in ("nation", "running", "E13", "2042", "ration"):
        assert catalog.search_words(query, k=5) == [], query
    assert [hit.item_id for hit in catalog.search_words("stations", k=5)] == ["a"]
    assert [hit.item_id for hit in catalog.search_words("e12", k=5)] == ["b"]


def test_an_exact_word_comes_before_longer_ones(catalog: Catalog) -> None:
    bodies = ["a cattle market", "a cat sleeps", "cats sleep here", "the category is full"]
    catalog.put_items([make_item(f"i{n}", path=f"/{n}.jpg") for n in range(len(bodies))])
    catalog.put_texts([text(f"i{n}", body) for n, body in enumerate(bodies)])
    assert [hit.item_id for hit in catalog.search_words("cat", k=4)] == ["i1", "i2"]


def test_long_passages_are_not_favoured_for_their_length(catalog: Catalog) -> None:
    """A passage of 300 words that says a word once, among many others, comes after a short one that is about it."""
    random.seed(5)
    vocabulary = [
        f"{a}{b}{c}" for a in ("bal", "tor", "mik") for b in ("den", "sul", "vor") for c in ("ak", "os", "in")
    ]
    catalog.put_items([make_item(f"i{n}", path=f"/{n}.jpg") for n in range(40)])
    long = [" ".join(random.choices(vocabulary, k=300)) for _ in range(39)]
    catalog.put_texts([text(f"i{n}", body + (" zebra" if n < 5 else "")) for n, body in enumerate(long)])
    catalog.put_texts([text("i39", "The zebra: " + " ".join(random.choices(vocabulary, k=20)))])
    assert catalog.search_words("zebra", k=3)[0].item_id == "i39"
    assert len(catalog.search_words("zebra", k=20)) == 6


def test_file_names_count_for_pictures_only(catalog: Catalog) -> None:
    passage = Item("passage", "passage", Source("/zebra manual.pdf", "h", page=3))
    catalog.put_items([passage, make_item("picture", path="/zebra.jpg")])
    catalog.put_texts([text("passage", "about lions")])
    assert [hit.item_id for hit in catalog.search_words("zebra", k=5)] == ["picture"]
    assert [hit.item_id for hit in catalog.search_words("lion", k=5)] == ["passage"]
    assert catalog.word_counts([])[0] == 2
    assert catalog.verify() == []
    catalog.compact()
    assert catalog.verify() == []
