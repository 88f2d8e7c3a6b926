"""What must hold for any file, name or caption."""

from __future__ import annotations

import csv
import fnmatch
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from babelens.errors import UnreadableFileError
from babelens.sources.captions import filename_caption, read_captions, read_sidecar
from babelens.sources.images import load_image, looks_like_picture, path_metadata
from babelens.sources.scan import Scan

BODIES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=20)
files_in_tmp_path = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def tidy(body: str) -> str:
    return " ".join(body.replace("\0", " ").split())


@files_in_tmp_path
@given(rows=st.lists(st.lists(BODIES, max_size=4), max_size=6))
def test_json_lines_give_back_what_was_written(tmp_path: Path, rows: list[list[str]]) -> None:
    path = tmp_path / "c.jsonl"
    lines = [
        json.dumps({"image": f"{n}.png", "captions": row, "language": "fr"}) for n, row in enumerate(rows)
    ]
    path.write_text("\n".join([*lines, "{}"]))
    read = list(read_captions(path, on_error=lambda _: None))
    expected = [list(dict.fromkeys(filter(None, map(tidy, row)))) for row in rows]
    assert [[caption.body for caption in row.captions] for row in read] == expected
    assert {caption.language for row in read for caption in row.captions} <= {"fr"}


@files_in_tmp_path
@given(rows=st.lists(st.tuples(PLAIN, PLAIN), min_size=1, max_size=6))
def test_csv_gives_back_what_was_written(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "c.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("filename", "caption_en", "caption_ja")])
        csv.writer(file).writerows((f"{n}.png", *row) for n, row in enumerate(rows))
    read = {row.image: {(c.language, c.body) for c in row.captions} for row in read_captions(path)}
    assert read == {f"{n}.png": {("en", en), ("ja", ja)} for n, (en, ja) in enumerate(rows)}


@files_in_tmp_path
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".jsonl", ".json", ".csv", ".txt"]))
def test_any_bytes_are_captions_or_a_typed_error(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"c{suffix}"
    path.write_bytes(content)
    try:
        rows = list(read_captions(path, on_error=lambda _: None))
        captions = [caption for row in rows for caption in row.captions]
        captions += read_sidecar(path, language=None, default=None)
    except UnreadableFileError:
        return
    for caption in captions:
        caption.body.encode()
        assert caption.body == tidy(caption.body) != ""


@given(name=st.text(max_size=40))
def test_a_file_name_is_a_tidy_caption_or_none(name: str) -> None:
    caption = filename_caption(f"/p/{name.replace('/', '_')}.png")
    if caption is not None:
        assert any(map(str.isalpha, caption.body))
        assert not set(caption.body) & set("_-")
        assert caption.body == caption.body.strip()
        caption.body.encode()


@given(
    words=st.lists(st.from_regex(r"[g-z]{3,8}", fullmatch=True), min_size=1, max_size=4),
    number=st.integers(0, 9999),
)
def test_words_in_a_file_name_come_back(words: list[str], number: int) -> None:
    caption = filename_caption(f"/p/IMG_{'-'.join(words)}_{number:04}.jpg")
    assert caption is not None
    assert caption.body.split() == words or words[0] in ("img", "pxl", "mvi", "sgi")


@given(path=st.binary(min_size=1, max_size=60).filter(lambda raw: b"\0" not in raw))
def test_path_metadata_can_be_written_down(path: bytes) -> None:
    for value in path_metadata("/" + path.decode("utf-8", "surrogateescape")).values():
        value.encode()


@given(
    content=st.binary(max_size=400),
    head=st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"8BPS", b"P6\n"]
    ),
)
def test_any_bytes_are_a_picture_or_a_typed_error(content: bytes, head: bytes) -> None:
    looks_like_picture(head + content)
    assert _mode_or_reason(head + content)


def _mode_or_reason(content: bytes) -> str:
    try:
        image = load_image(content, target=8)
    except UnreadableFileError as error:
        return error.reason
    assert image.mode == "RGB"
    return image.mode


def _sample(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.linear_gradient("L").resize((40, 30)).convert("RGB").save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000", "QOI"])
def test_a_picture_cut_or_bent_anywhere_is_a_picture_or_a_typed_error(kind: str) -> None:
    data = _sample(kind)
    step = max(1, len(data) // 40)
    for place in range(0, len(data), step):
        for broken in (data[:place], data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]):
            assert _mode_or_reason(broken)


@files_in_tmp_path
@given(glob=st.text("ab*?.", min_size=1, max_size=6))
def test_globs_without_folders_agree_with_fnmatch(tmp_path: Path, glob: str) -> None:
    names = ["a", "b", "ab", "a.b", "aab", "b.a.b", "ba"]
    for name in names:
        (tmp_path / name).touch()
    found = [Path(file.path).name for file in Scan([str(tmp_path)], [glob]).files()]
    assert found == sorted(name for name in names if fnmatch.fnmatchcase(name, glob))
