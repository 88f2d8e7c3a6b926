from __future__ import annotations

import json
from pathlib import Path

import pytest

from babelens.errors import MalformedDataError, UnknownLanguageError, UnreadableFileError
from babelens.sources.captions import (
    Locator,
    WrittenCaption,
    filename_caption,
    is_captions_file,
    read_captions,
    read_sidecar,
)


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path: Path, language: str | None = None) -> dict[str, list[tuple[str, str]]]:
    return {
        row.image: [(caption.language, caption.body) for caption in row.captions]
        for row in read_captions(path, language=language)
    }


def test_json_lines_in_both_forms(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "c.jsonl",
        '{"image": "a.jpg", "captions": ["a dog", "a  small\\ndog"], "language": "English"}\n'
        "\n"
        '{"image": "b.jpg", "captions": {"en": ["a cat"], "ar": ["قطة"], "es": "un gato"}}\n'
        '{"file_name": "c.jpg", "text": "a bird"}\n'
        '{"file": "x/d.jpg", "image": "d.jpg", "caption_de": "ein Haus", "caption": "maison"}\n',
    )
    assert read(path) == {
        "a.jpg": [("en", "a dog"), ("en", "a small dog")],
        "b.jpg": [("en", "a cat"), ("ar", "قطة"), ("es", "un gato")],
        "c.jpg": [("und", "a bird")],
        "d.jpg": [("de", "ein Haus"), ("und", "maison")],
    }


@pytest.mark.parametrize(
    ("body", "given", "language"),
    [
        ("a dog", None, "und"),
        ("a dog", "en", "en"),
        ("कुत्ता", None, "hi"),
        ("犬が走る", None, "ja"),
        ("كلب", None, "ar"),
        ("كلب", "en", "ar"),
        ("kutta", "hi", "hi"),
        ("123", None, "und"),
    ],
)
def test_the_language_of_a_caption_that_does_not_say(
    tmp_path: Path, body: str, given: str | None, language: str
) -> None:
    path = write(tmp_path, "c.jsonl", json.dumps({"image": "a.jpg", "captions": [body]}))
    assert read(path, given) == {"a.jpg": [(language, body)]}


def test_a_stated_language_that_is_none_of_the_eight_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "c.jsonl", '{"image": "a.jpg", "captions": ["um cão"], "language": "pt-BR"}')
    assert read(path) == {"a.jpg": [("pt-br", "um cão")]}
    with pytest.raises(UnknownLanguageError):
        read(path, "Klingon")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{nonsense}", "not JSON"),
        ('["a.jpg", "a dog"]', "not an object"),
        ('{"captions": ["a dog"]}', "no picture"),
        ('{"image": 7, "captions": ["a dog"]}', "no picture"),
        ('{"image": "a.jpg"}', "no captions"),
        ('{"image": "a.jpg", "captions": 7}', "something else than texts"),
        ('{"image": "a.jpg", "captions": ["a dog"], "language": "???"}', "not a language"),
        (b'{"image": "a.jpg", "captions": ["caf\xe9"]}', "not UTF-8"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_malformed_line_is_named_and_the_others_are_read(
    tmp_path: Path, line: str | bytes, reason: str
) -> None:
    good = b'{"image": "good.jpg", "captions": ["good"]}'
    bad = line.encode() if isinstance(line, str) else line
    path = write(tmp_path, "c.jsonl", good + b"\n\n" + bad + b"\n" + good.replace(b"good.jpg", b"g2.jpg"))
    with pytest.raises(MalformedDataError, match=r"c\.jsonl, line 3: ") as caught:
        read(path)
    assert reason in caught.value.reason
    errors: list[MalformedDataError] = []
    assert [row.image for row in read_captions(path, on_error=errors.append)] == ["good.jpg", "g2.jpg"]
    assert [error.line for error in errors] == [3]


def test_csv_with_a_column_for_each_language(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "c.csv",
        "\ufefffilename,caption_en,caption_es,split\r\n"
        'a.jpg,"a dog, running",un perro,train\r\n'
        "b.jpg,a cat,,train\r\n"
        "\r\n"
        'c.jpg,"first\nsecond",,test\r\n',
    )
    assert read(path) == {
        "a.jpg": [("en", "a dog, running"), ("es", "un perro")],
        "b.jpg": [("en", "a cat")],
        "c.jpg": [("en", "first"), ("en", "second")],
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image,caption,language\na.jpg,un chien,fr\n", {"a.jpg": [("fr", "un chien")]}),
        ("path;de;French\na.jpg;Hund;chien\n", {"a.jpg": [("de", "Hund"), ("fr", "chien")]}),
        ("image\tcaption 1\tcaption 2\na.jpg\tx\ty\n", {"a.jpg": [("und", "x"), ("und", "y")]}),
    ],
)
def test_other_tables(tmp_path: Path, text: str, expected: object) -> None:
    assert read(write(tmp_path, "c.csv", text)) == expected


def test_flickr8k_captions_file(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "captions.txt",
        'image,caption\n1_a.jpg,A child , in a pink dress .\n1_a.jpg,A girl .\n2_b.jpg,"Two, dogs ."\n',
    )
    assert read(path, "en") == {
        "1_a.jpg": [("en", "A child , in a pink dress ."), ("en", "A girl .")],
        "2_b.jpg": [("en", "Two, dogs .")],
    }


def test_flickr30k_results_file(tmp_path: Path) -> None:
    path = write(
        tmp_path, "results.csv", "image_name| comment_number| comment\n1.jpg| 0| Two men .\n1.jpg| 1| Men .\n"
    )
    assert read(path) == {"1.jpg": [("und", "Two men ."), ("und", "Men .")]}


def test_flickr8k_token_file(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "Flickr8k.token.txt",
        '1_a.jpg#0\tA "child" in a pink dress .\n1_a.jpg#1\tA girl .\nbroken line\n2_b.jpg#0\tTwo dogs .\n',
    )
    errors: list[MalformedDataError] = []
    rows = {row.image: [c.body for c in row.captions] for row in read_captions(path, on_error=errors.append)}
    assert rows == {"1_a.jpg": ['A "child" in a pink dress .', "A girl ."], "2_b.jpg": ["Two dogs ."]}
    assert [error.line for error in errors] == [3]


def test_coco(tmp_path: Path) -> None:
    document = {
        "info": {"description": "x" * 70_000},
        "images": [{"id": 7, "file_name": "0007.jpg"}, {"id": 8, "file_name": "0008.jpg"}],
        "annotations": [
            {"image_id": 7, "id": 1, "caption": "a tram"},
            {"image_id": 8, "id": 2, "caption": "a pier"},
            {"image_id": 7, "id": 3, "caption": "a red tram"},
        ],
    }
    path = write(tmp_path, "captions_val2017.json", json.dumps(document))
    expected = {"0007.jpg": [("en", "a tram"), ("en", "a red tram")], "0008.jpg": [("en", "a pier")]}
    assert read(path, "en") == expected
    assert read(write(tmp_path, "b.json", json.dumps(document, indent=1)), "en") == expected


def test_karpathy_split(tmp_path: Path) -> None:
    images = [{"filename": "1.jpg", "filepath": "val2014", "sentences": [{"raw": "a tram", "tokens": []}]}]
    path = write(tmp_path, "dataset_coco.json", json.dumps({"images": images, "dataset": "coco"}))
    assert read(path, "en") == {"val2014/1.jpg": [("en", "a tram")]}


def test_a_list_of_records(tmp_path: Path) -> None:
    path = write(tmp_path, "c.json", '[{"image": "a.jpg", "caption": "x"},\n {"caption": "y"}]')
    with pytest.raises(MalformedDataError, match="record 2: no picture"):
        read(path)


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("c.csv", "a,b\n1,2\n", "no picture column"),
        ("c.csv", "image,size\na.jpg,2\n", "no caption column"),
        ("c.txt", "Just a letter to somebody.\n", "no picture column"),
        ("c.json", '{"something": 1,\n "else": 2}', "not a captions file"),
        ("c.json", '{"images": [\n {"id": 1,]}', "line 2: not JSON"),
        ("c.jsonl", "", "empty file"),
    ],
)
def test_files_of_no_known_format(tmp_path: Path, name: str, text: str, match: str) -> None:
    with pytest.raises(UnreadableFileError, match=match):
        read(write(tmp_path, name, text))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file"):
        read(tmp_path / "none.jsonl")


def test_lone_surrogates_and_nul_do_not_reach_the_catalog(tmp_path: Path) -> None:
    path = write(tmp_path, "c.jsonl", '{"image": "a.jpg", "captions": ["a\\ud800b", "c\\u0000d", "  "]}')
    assert read(path) == {"a.jpg": [("und", "a?b"), ("und", "c d")]}


def test_sidecars_hold_a_caption_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "\ufeffa dog\n\n  a small   dog\nकुत्ता\na dog\n")
    assert read_sidecar(path, language=None, default="en") == (
        WrittenCaption("a dog", "en"),
        WrittenCaption("a small dog", "en"),
        WrittenCaption("कुत्ता", "hi"),
    )
    assert read_sidecar(path, language="hi", default="en")[0].language == "hi"
    utf16 = write(tmp_path, "b.txt", "犬".encode("utf-16"))
    assert read_sidecar(utf16, language=None, default=None) == (WrittenCaption("犬", "ja"),)


@pytest.mark.parametrize(("content", "reason"), [(b"caf\xe9", "not UTF-8"), (b"a" * (1 << 21), "too long")])
def test_sidecars_that_are_no_captions(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        read_sidecar(write(tmp_path, "a.txt", content), language=None, default=None)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("IMG_house-wife_01.jpg", "house wife"),
        ("red car.png", "red car"),
        ("RedCar2.png", "Red Car"),
        ("20210703_beach_640x480.webp", "beach"),
        ("Straßenbahn.jpg", "Straßenbahn"),
        ("赤い車.jpg", "赤い車"),
        ("سيارة_حمراء_2.jpg", "سيارة حمراء"),
        ("लाल-कार.jpg", "लाल कार"),
        ("DSC_0042.jpg", None),
        ("IMG0042.jpg", None),
        ("1000268201_693b08cb0e.jpg", None),
        ("550e8400-e29b-41d4-a716-446655440000.png", None),
        ("WhatsApp Image 2021-07-03.jpg", None),
        ("_-_.jpg", None),
        ("caf\udce9.jpg", None),
    ],
)
def test_file_names_in_words(name: str, body: str | None) -> None:
    caption = filename_caption(f"/photos/{name}", default="en")
    assert (caption and caption.body) == body


def test_a_file_name_tells_its_language_by_script() -> None:
    assert filename_caption("/p/赤い車.jpg") == WrittenCaption("赤い車", "ja")
    assert filename_caption("/p/red car.jpg") == WrittenCaption("red car", "und")


def test_what_is_a_captions_file(tmp_path: Path) -> None:
    assert is_captions_file(write(tmp_path, "c.jsonl", "{}"))
    assert is_captions_file(write(tmp_path, "c.txt", "image,caption"))
    assert not is_captions_file(write(tmp_path, "p.txt", b"\xff\xd8\xff\xe0" + bytes(40)))
    assert not is_captions_file(write(tmp_path, "p.png", "text"))
    assert not is_captions_file(tmp_path)
    assert not is_captions_file(tmp_path / "none.csv")


def test_pictures_are_found_in_the_usual_places(tmp_path: Path) -> None:
    for name in (
        "data/a.jpg",
        "data/images/b.jpg",
        "data/Flicker8k_Dataset/c.jpg",
        "val2017/d.jpg",
        "other/e.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path, name, "x")
    asked: list[int] = []

    def by_name() -> dict[str, str | None]:
        asked.append(1)
        return {"deep.jpg": "/far/deep.jpg", "twice.jpg": None}

    locator = Locator(str(tmp_path / "data" / "captions_val2017.json"), [str(tmp_path / "other")], by_name)
    for name, place in (
        *(("a.jpg", "data/a.jpg"), ("b.jpg", "data/images/b.jpg"), ("c.jpg", "data/Flicker8k_Dataset/c.jpg")),
        *(("d.jpg", "val2017/d.jpg"), ("e.jpg", "other/e.jpg"), ("images/b.jpg", "data/images/b.jpg")),
        *(
            ("../other/e.jpg", "other/e.jpg"),
            (str(tmp_path / "other/e.jpg"), "other/e.jpg"),
            ("a.jpg", "data/a.jpg"),
        ),
    ):
        assert locator.find(name) == str(tmp_path / place), name
    assert not asked
    assert locator.find("x/deep.jpg") == "/far/deep.jpg"
    assert locator.find("twice.jpg") is None
    assert locator.find("none\0.jpg") is None
    assert len(asked) == 1
