from __future__ import annotations

import json
import re
import struct
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from babelens.cli import app
from babelens.collection import Collection
from babelens.errors import CollectionError, InvalidQueryError, UnknownLanguageError
from babelens.evaluation import map_page
from babelens.evaluation.embedding_map import embedding_map
from babelens.types import Item, Source, Text
from tests.conftest import COLOURS, TRANSLATIONS, FakeEncoder

for package in ("matplotlib", "sklearn"):
    pytest.importorskip(package, reason="needs pip install 'babelens[eval]'")

HOSTILE = "</script><script>alert(1)</script><!-- & \u2028 \" ' \\u003c"


class Page(HTMLParser):
    """The elements of a page, and the data in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text("utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(self.source)
        self.data: dict[str, Any] = json.loads(self.texts["application/json"])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = (dict(attrs).get("type") or tag) if tag == "script" else tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts[self._open] = self.texts.get(self._open, "") + data


def make(
    folder: Path, pictures: Path, encoder: FakeEncoder, captions: list[dict[str, object]] | None = None
) -> Collection:
    """A collection of coloured pictures; without ``captions``, each has its colour's name in all languages known."""
    if captions is None:
        captions = [
            {"image": f"{name}.png", "captions": [word], "language": tag}
            for name in COLOURS
            for tag, word in {"en": name, **TRANSLATIONS.get(name, {})}.items()
        ]
    listed = pictures / "captions.jsonl"
    listed.write_text("\n".join(json.dumps(row) for row in captions), "utf-8")
    collection = Collection.open(folder, model=encoder)
    collection.add(pictures, captions=[listed] if captions else [])
    return collection


@pytest.fixture
def collection(tmp_path: Path, pictures: Path, encoder: FakeEncoder) -> Collection:
    return make(tmp_path / "collection", pictures, encoder)


def test_files_counts_and_the_gap_beside_the_map(collection: Collection, tmp_path: Path) -> None:
    report = embedding_map(collection, tmp_path / "out")
    assert report.pictures == len(COLOURS)
    assert report.texts == {"en": 8, **dict.fromkeys(("es", "fr", "hi", "de", "it", "ja", "ar"), 3)}
    assert report.gap is not None
    assert report.gap.matched.value > report.gap.mismatched.value
    assert struct.unpack(">II", report.png.read_bytes()[16:24]) == (1600, 1520)
    page = Page(report.html)
    assert report.html_bytes == len(page.source.encode())
    assert "An illustration" in page.source
    for shown in (report.gap.distance, report.gap.matched, report.gap.mismatched):
        assert f"{shown.value:.3f} [{shown.low:.3f}, {shown.high:.3f}]" in page.source
    assert "8 pictures" in page.source
    assert "29 captions" in page.source
    assert "perplexity 12, iterations" in page.source
    assert [group["key"] for group in page.data["groups"]["language"]] == ["", *report.texts]


def test_the_page_asks_for_nothing(collection: Collection, tmp_path: Path) -> None:
    page = Page(embedding_map(collection, tmp_path, method="pca").html)
    assert not re.findall(r"https?:|//[\w-]+\.\w|url\(|@import|fetch\(|XMLHttp", page.texts["style"])
    assert not re.findall(r"https?:|fetch\(|XMLHttp|import\(|\$", page.texts["script"])
    assert "http://" not in page.source
    assert "https://" not in page.source
    named = [
        (tag, name) for tag, given in page.elements for name in given if name in ("src", "href", "srcset")
    ]
    assert named == []  # pictures come from the data
    (policy,) = (given["content"] for _, given in page.elements if "http-equiv" in given)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert all(row["thumbnail"].startswith("data:image/webp;base64,") for row in page.data["pictures"])


def test_texts_are_kept_letter_by_letter_and_end_nothing(
    tmp_path: Path, pictures: Path, encoder: FakeEncoder
) -> None:
    captions = [
        {"image": "red.png", "captions": [HOSTILE], "language": "en"},
        {"image": "red.png", "captions": ["قطة <b>سوداء</b> على السجادة"], "language": "ar"},
    ]
    collection = make(tmp_path / "collection", pictures, encoder, captions)
    page = Page(embedding_map(collection, tmp_path / "out", method="pca").html)
    bodies = {text["language"]: text["body"] for text in page.data["texts"]}
    assert bodies["ar"] == "قطة <b>سوداء</b> على السجادة"
    stored = {text.language: text.body for item in collection.items() for text in collection.texts(item.id)}
    assert bodies["en"] == stored["en"]
    assert "</script><script>alert" in bodies["en"]
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert page.source.count("</script>") == 2


def test_the_same_seed_gives_the_same_files(collection: Collection, tmp_path: Path) -> None:
    kept = []
    for name in ("one", "two"):
        report = embedding_map(collection, tmp_path / name, limit=12, seed=4)
        kept.append([path.read_bytes() for path in (report.html, report.png, report.svg)])
    assert kept[0] == kept[1]
    other = embedding_map(collection, tmp_path / "three", limit=12, seed=5)
    assert other.html.read_bytes() != kept[0][0]


def test_a_text_lies_with_its_own_picture_in_the_data(collection: Collection, tmp_path: Path) -> None:
    page = Page(embedding_map(collection, tmp_path, method="pca").html)
    for text in page.data["texts"]:
        name = page.data["pictures"][text["picture"]]["name"].removesuffix(".png")
        assert text["body"] in {name, *TRANSLATIONS.get(name, {}).values()}


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 20])
def test_no_more_points_than_asked_for(collection: Collection, tmp_path: Path, limit: int) -> None:
    report = embedding_map(collection, tmp_path, limit=limit, method="pca")
    assert 1 <= report.pictures + sum(report.texts.values()) <= limit


def test_languages_are_those_asked_for(collection: Collection, tmp_path: Path) -> None:
    report = embedding_map(collection, tmp_path, languages=["Arabic", "ja"], method="pca")
    assert report.texts == {"ja": 3, "ar": 3}
    with pytest.raises(UnknownLanguageError):
        embedding_map(collection, tmp_path, languages=["xx"])
    with pytest.raises(InvalidQueryError):
        embedding_map(collection, tmp_path, limit=0)


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("captioned", [False, True])
def test_tiny_collections(
    tmp_path: Path, pictures: Path, encoder: FakeEncoder, n: int, captioned: bool
) -> None:
    for name in list(COLOURS)[n:]:
        (pictures / f"{name}.png").unlink()
    rows: list[dict[str, object]] = [
        {"image": f"{name}.png", "captions": [name, "another"], "language": "en"}
        for name in list(COLOURS)[:n]
    ]
    collection = make(tmp_path / "collection", pictures, encoder, rows if captioned else [])
    report = embedding_map(collection, tmp_path / "out")
    assert report.pictures == n
    assert report.texts == ({"en": n} if captioned else {})
    assert (report.gap is not None) == (captioned and n > 1)
    assert report.method == ("tsne" if captioned and n == 4 else "pca")
    assert bool(report.notes) == (not captioned or report.method == "pca")


def test_an_empty_collection_has_no_map(tmp_path: Path, encoder: FakeEncoder) -> None:
    collection = Collection.open(tmp_path / "empty", model=encoder)
    with pytest.raises(CollectionError, match="nothing to draw"):
        embedding_map(collection, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pictures_that_are_gone_are_blank_and_counted(
    collection: Collection, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "red.png").unlink()
    (pictures / "blue.png").write_bytes(b"no picture any more")
    report = embedding_map(collection, tmp_path / "out", method="pca")
    assert {Path(skip.path).name for skip in report.blank} == {"red.png", "blue.png"}
    assert report.unreadable == 2
    rows = {row["name"]: row for row in Page(report.html).data["pictures"]}
    assert rows["red.png"]["thumbnail"] is None
    assert "No such file" in rows["red.png"]["blank"]
    assert rows["green.png"]["blank"] is None
    collection.close()
    arguments = ["-c", str(collection.path), "--out", str(tmp_path / "again"), "--method", "pca"]
    assert app.run(["plot", "map", *arguments]) == 3
    assert "2 pictures without a thumbnail" in capsys.readouterr().err


def test_a_page_holds_only_so_many_thumbnails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collection: Collection
) -> None:
    monkeypatch.setattr(map_page, "THUMBNAILS", 3)
    report = embedding_map(collection, tmp_path, method="pca")
    assert len(report.blank) == len(COLOURS) - 3
    assert report.unreadable == 0


def test_thumbnails_are_small_upright_and_of_the_item_s_part(tmp_path: Path) -> None:
    import base64
    import io

    Image.effect_noise((1200, 800), 80).convert("RGB").save(tmp_path / "noise.png")
    whole = Item("a", "image", Source(str(tmp_path / "noise.png"), ""))
    part = Item("b", "figure", Source(str(tmp_path / "noise.png"), "", box=(0, 0, 100, 400)))
    places = [map_page.MapPicture(item, (0.0, 0.0)) for item in (whole, part)]
    source, blank = map_page.map_page(
        places, [map_page.MapText(Text("a", "en", "x", "human"), 0, (1, 1))], caption=()
    )
    assert blank == ()
    (tmp_path / "page.html").write_text(source, "utf-8")
    sizes = []
    for row in Page(tmp_path / "page.html").data["pictures"]:
        data = base64.b64decode(row["thumbnail"].partition(",")[2])
        assert len(data) < 20_000  # noise is the worst there is
        sizes.append(Image.open(io.BytesIO(data)).size)
    assert sizes == [(160, 107), (40, 160)]


def test_folders_beyond_the_palette_share_a_group() -> None:
    rows = [{"folder": f"f{number}"} for number in range(9) for _ in range(9 - number)]
    groups = map_page._folders(rows, [])
    assert [(group["key"], group["n"]) for group in groups] == [
        *((f"f{number}", 9 - number) for number in range(7)),
        (None, 3),
    ]


def test_the_collection_is_only_read(collection: Collection, tmp_path: Path) -> None:
    collection.close()
    before = (collection.path / "catalog.db").read_bytes()
    with Collection.open(collection.path, create=False, read_only=True) as opened:
        report = embedding_map(opened, tmp_path / "out", method="pca")
        assert report.pictures == len(COLOURS)
    assert (collection.path / "catalog.db").read_bytes() == before


def test_the_commands(collection: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collection.close()
    arguments = ["-c", str(collection.path), "--out", str(tmp_path), "--method", "pca"]
    assert app.run(["plot", "map", *arguments, "--languages", "en,ar", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    report = json.loads(line)
    assert report["texts"] == {"en": 8, "ar": 3}
    assert report["gap"]["distance"]["n"] == 11
    assert Path(report["html"]).is_file()
    assert app.run(["plot", "map", *arguments]) == 0
    assert "Modality gap" in capsys.readouterr().out
    log = Path(__file__).parents[3] / "docs" / "training-mini" / "mini.jsonl"
    assert app.run(["plot", "training", str(log), "--out", str(tmp_path), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["validations"], made["steps"]) == (13, 4600)
    assert Path(made["png"]).is_file()
    assert app.run(["plot", "training", __file__, "--out", str(tmp_path)]) == 1
