"""Pages as answers, without a browser."""

from __future__ import annotations

import io
import re

from PIL import Image

from babelens.server.pages.pictures import KeptPictures
from tests.serving import Served


def test_every_page_answers_in_every_language(served: Served) -> None:
    found = served.client.post("/search", json={"query": "red apple", "k": 1}).json()
    item = found["hits"][0]["item"]["id"]
    for tag in ("en", "es", "fr", "hi", "de", "it", "ja", "ar"):
        for path in ("/", "/?q=apple", f"/view/{item}?q=apple", "/question", "/about", "/atlas"):
            answer = served.client.get(path, headers={"Accept-Language": tag})
            assert answer.status_code == 200, (tag, path)
            assert f'<html lang="{tag}" dir="{"rtl" if tag == "ar" else "ltr"}">' in answer.text
            assert answer.headers["content-language"] == tag


def test_a_language_that_was_chosen_is_kept_in_a_cookie(served: Served) -> None:
    answer = served.client.get("/?lang=hi")
    assert "babelens_language=hi" in answer.headers["set-cookie"]
    assert "HttpOnly" in answer.headers["set-cookie"]
    served.client.cookies.clear()


def test_no_page_tells_where_files_are(served: Served) -> None:
    found = served.client.post("/search", json={"query": "fuse", "k": 5}).json()
    for hit in found["hits"]:
        page = served.client.get(f"/view/{hit['item']['id']}").text
        assert str(served.service.open().path.parent) not in page


def test_invalid_search_is_explained(served: Served) -> None:
    answer = served.client.get("/?like=nothing")
    assert answer.status_code == 404
    assert "<h1>This is not here</h1>" in answer.text


def test_only_leaving_out_is_no_search(served: Served) -> None:
    page = served.client.get("/?minus=red").text
    assert "Say also what you look for" in page


def test_sent_picture_gets_an_address_without_its_metadata(served: Served) -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    Image.new("RGB", (900, 300), (220, 40, 40)).save(stream, "JPEG", exif=exif)
    sent = served.client.post(
        "/picture", files={"file": ("a.jpg", stream.getvalue())}, data={"back": "q=apple&kind=image"}
    )
    assert sent.status_code == 303
    name = re.search(r"picture=([\w-]+)", sent.headers["location"])
    assert name is not None
    assert "q=apple" in sent.headers["location"]
    kept = served.client.get(f"/picture/{name[1]}")
    assert kept.headers["content-type"] == "image/webp"
    assert b"secret" not in kept.content
    assert max(Image.open(io.BytesIO(kept.content)).size) <= 512
    assert "<img" in served.client.get(sent.headers["location"]).text


def test_other_sites_cannot_send_pictures(served: Served) -> None:
    answer = served.client.post(
        "/picture", files={"file": b"x"}, headers={"Origin": "https://elsewhere.example"}
    )
    assert answer.status_code == 403


def test_files_of_the_page_are_sent_once(served: Served) -> None:
    first = served.client.get("/static/wall.js")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = served.client.get("/static/wall.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_pictures_are_forgotten() -> None:
    kept = KeptPictures(most=2, seconds=60)
    names = [kept.put(Image.new("RGB", (4, 4))) for _ in range(3)]
    assert kept.get(names[0]) is None
    assert kept.get(names[2]) is not None
    assert KeptPictures().get("unknown") is None
    old = KeptPictures(seconds=-1)
    assert old.get(old.put(Image.new("RGB", (4, 4)))) is None
