"""The bundled gallery keeps the promises that the rates rest on."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from PIL import Image

from babelens.demo.bundled import load_gallery
from babelens.errors import MalformedDataError, UnreadableFileError
from babelens.languages import LANGUAGES, main_script

GALLERY = load_gallery()


def test_size() -> None:
    files = [path for path in GALLERY.folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 4_000_000
    assert len(GALLERY.pictures) == len(list(GALLERY.pictures_folder.iterdir())) == 360


def test_pictures_open_and_are_not_too_small() -> None:
    for picture in GALLERY.pictures:
        with Image.open(picture.path) as opened:
            opened.load()
            assert min(opened.size) >= 256
            assert opened.format == "WEBP"


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_are_unique_and_in_their_script(language: str) -> None:
    captions = [picture.captions[language] for picture in GALLERY.pictures]
    assert len(set(captions)) == len(captions)
    for caption in captions:
        assert main_script(caption) in LANGUAGES[language].scripts, caption
        assert caption == caption.strip()
        assert "," not in caption or language not in ("ja", "ar")


def test_captions_join_names_as_each_language_does() -> None:
    by_things = {picture.things: picture.captions for picture in GALLERY.pictures}
    triple = next(captions for things, captions in by_things.items() if len(things) == 3)
    assert triple["en"].count(",") == 1
    assert " and " in triple["en"]
    assert " und " in triple["de"]
    assert " और " in triple["hi"]
    assert triple["ja"].count("と") >= 2
    assert triple["ar"].count(" و") >= 2
    for picture in GALLERY.pictures:
        assert " y i" not in picture.captions["es"]  # "e iglesia"
        assert " e e" not in picture.captions["it"].lower()  # "ed elefante"


def test_no_two_things_meet_twice() -> None:
    met = Counter(pair for picture in GALLERY.pictures for pair in combinations(sorted(picture.things), 2))
    assert max(met.values()) == 1


def test_everything_is_shown_twice_and_absent_things_never() -> None:
    shown = Counter(thing for picture in GALLERY.pictures for thing in picture.things)
    assert set(shown) == set(GALLERY.things)
    assert min(shown.values()) >= 2
    assert not set(GALLERY.absent) & set(GALLERY.things)
    for language in LANGUAGES:
        names = {names[language] for names in GALLERY.things.values()}
        assert not names & {names[language] for names in GALLERY.absent.values()}


def test_who_drew_it_is_said() -> None:
    text = (GALLERY.folder / "ATTRIBUTION.md").read_text("utf-8")
    assert "Microsoft" in text
    assert "Permission is hereby granted" in text
    assert "Unicode" in text


def test_missing_gallery(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"gallery\.json"):
        load_gallery(tmp_path)


def test_broken_captions_name_the_line(tmp_path: Path) -> None:
    (tmp_path / "gallery.json").write_text('{"pictures": {}, "things": {}, "absent": {}}')
    (tmp_path / "captions.jsonl").write_text(
        '{"image": "a", "captions": ["x"], "language": "en"}\n{"image"\n'
    )
    with pytest.raises(MalformedDataError, match="line 2"):
        load_gallery(tmp_path)
