"""Adding and removing over HTTP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.serving import Served, serving


@pytest.fixture
def writable(own: Path) -> Iterator[Served]:
    with serving({"own": own}, writable=True, upload_pixels=1_000_000) as running:
        yield running


def picture(colour: str = "red", side: int = 64) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(stream, "PNG")
    return stream.getvalue()


def test_nothing_is_written_unless_asked_for(served: Served) -> None:
    assert served.client.post("/items", files={"file": ("a.png", picture())}).status_code in (404, 405)
    hit = served.client.post("/search", json={"query": "dog", "k": 1}).json()["hits"][0]
    assert served.client.delete(f"/items/{hit['item']['id']}").status_code == 405


def test_add_find_remove(writable: Served, own: Path) -> None:
    form = {"caption": "ein karmesinrotes Quadrat", "language": "de"}
    answer = writable.client.post("/items", files={"file": ("../../evil.png", picture())}, data=form)
    assert answer.status_code == 201, answer.text
    item = answer.json()
    assert [(text["body"], text["language"]) for text in item["texts"]] == [
        ("ein karmesinrotes Quadrat", "de")
    ]
    assert answer.headers["location"] == f"/items/{item['id']}"
    assert writable.client.get(answer.headers["location"]).status_code == 200
    found = writable.client.post("/search", json={"query": "karmesinrotes", "mode": "text"}).json()["hits"]
    assert found[0]["item"]["id"] == item["id"]
    assert writable.client.get(item["image"]).status_code == 200

    kept = list((own / "uploads").iterdir())
    assert len(kept) == 2
    assert not any("evil" in path.name for path in kept)
    assert not list(own.parent.glob("**/evil*"))

    assert writable.client.delete(f"/items/{item['id']}").status_code == 204
    assert writable.client.get(f"/items/{item['id']}").status_code == 404
    assert writable.client.delete(f"/items/{item['id']}").status_code == 404
    assert list((own / "uploads").iterdir()) == []


def test_the_same_picture_twice_is_one_item(writable: Served) -> None:
    first, second = (
        writable.client.post("/items", files={"file": ("a", picture("blue"))}).json() for _ in range(2)
    )
    assert first["id"] == second["id"]


def test_removing_leaves_files_alone_that_came_otherwise(writable: Served, gallery: Path) -> None:
    files = sorted((gallery.parent / "pictures").iterdir())
    body = {"query": "dog", "k": 1, "kinds": ["image"]}
    item = writable.client.post("/search", json=body).json()["hits"][0]["item"]
    assert writable.client.delete(f"/items/{item['id']}").status_code == 204
    assert sorted((gallery.parent / "pictures").iterdir()) == files


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", 422), (b"hello", 422), (picture()[:60], 422), (picture(side=1100), 413)],
)
def test_what_is_of_no_use_is_not_kept(writable: Served, own: Path, data: bytes, code: int) -> None:
    answer = writable.client.post("/items", files={"file": ("a.png", data)})
    assert answer.status_code == code, answer.text
    assert not (own / "uploads").exists() or not list((own / "uploads").iterdir())


def test_bad_language_keeps_nothing(writable: Served, own: Path) -> None:
    form = {"caption": "x", "language": "tlh"}
    answer = writable.client.post("/items", files={"file": ("a.png", picture())}, data=form)
    assert answer.status_code == 422
    assert not list((own / "uploads").iterdir())


def test_another_writer_is_waited_for_by_the_client(writable: Served, own: Path) -> None:
    import babelens

    with babelens.Collection.open(own) as other, other._catalog.writing():
        answer = writable.client.post("/items", files={"file": ("a.png", picture("green"))})
    assert answer.status_code == 409
    assert answer.headers["retry-after"]
    assert str(own) not in answer.text
