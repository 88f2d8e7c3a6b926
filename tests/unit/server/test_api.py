"""The API as clients meet it: a real server, real requests."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.serving import Served, serving


def search(served: Served, **body: Any) -> dict[str, Any]:
    answer = served.client.post("/search", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def first_id(served: Served, query: str = "red apple", **body: Any) -> str:
    return str(search(served, query=query, k=1, **body)["hits"][0]["item"]["id"])


# -- searching -----------------------------------------------------------------------------------------------


def test_smallest_body(served: Served) -> None:
    found = search(served, query="a futuristic cityscape", k=3)
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3]
    assert found["confident"] is False


def test_finds_by_words_in_another_language(served: Served) -> None:
    found = search(served, query="ein roter Apfel", k=3, kinds=["image"])
    assert found["confident"] is True
    assert "apple" in " ".join(
        text["body"] for text in served.client.get(f"/items/{found['hits'][0]['item']['id']}").json()["texts"]
    )


def test_shows_a_text_in_the_language_asked_for(served: Served) -> None:
    found = search(served, query="सेब", k=1, language="hi", kinds=["image"])
    assert found["hits"][0]["text"]["language"] == "hi"


def test_says_why(served: Served) -> None:
    hit = search(served, query="red apple", k=1, kinds=["image"])["hits"][0]
    assert {reason["ranking"] for reason in hit["why"]} == {"image", "caption", "words"}
    assert hit["confidence"] == max(reason["confidence"] for reason in hit["why"])


def test_filter_and_mode(served: Served) -> None:
    found = search(served, query="fuse F7", mode="text", filter="extension = 'pdf'", k=5)
    assert {hit["item"]["document"] for hit in found["hits"]} == {"Pump manual"}
    assert all(hit["score"] is None for hit in found["hits"])


def test_by_the_picture_of_an_item_with_words_beside(served: Served) -> None:
    item = first_id(served)
    found = search(served, image_id=item, minus=[{"text": "dog", "weight": 0.3}], plus=["apple"], k=1)
    assert found["hits"][0]["item"]["id"] == item


def test_pages_are_the_same_list_as_one_long_page(served: Served) -> None:
    whole = search(served, query="dog", k=60)["hits"]
    pages: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = search(served, query="dog", k=7, **({"cursor": cursor} if cursor else {}))
        pages += page["hits"]
        cursor = page["next"]
        if cursor is None:
            break
    assert [hit["rank"] for hit in pages] == list(range(1, len(pages) + 1))
    assert len({hit["item"]["id"] for hit in pages}) == len(pages) >= 60
    assert [hit["item"]["id"] for hit in pages[:60]] == [hit["item"]["id"] for hit in whole]


def test_cursor_of_another_query_is_refused(served: Served) -> None:
    cursor = search(served, query="dog", k=2)["next"]
    for body in ({"query": "cat", "cursor": cursor}, {"query": "dog", "cursor": "x" * 20}):
        answer = served.client.post("/search", json=body)
        assert answer.status_code == 422
        assert "cursor" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, None),
        ({"query": ""}, "query"),
        ({"query": "x", "k": 0}, "k"),
        ({"query": "x", "k": "3"}, "k"),
        ({"query": "x", "k": 10_000}, "k"),
        ({"query": "x", "mode": "magic"}, "mode"),
        ({"query": "x", "kinds": ["film"]}, "kinds.0"),
        ({"query": "x", "kk": 3}, "kk"),
        ({"query": "x", "language": "xx"}, None),
        ({"query": "x", "filter": "year >"}, None),
        ({"minus": ["dog"]}, None),
        ({"query": "x", "plus": [{"weight": 2}]}, None),
        ({"query": "a\0b"}, "query"),
    ],
)
def test_bad_bodies_are_explained(served: Served, body: dict[str, Any], where: str | None) -> None:
    answer = served.client.post("/search", json=body)
    told = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == 422
    assert told["detail"]
    assert told["request_id"] == answer.headers["x-request-id"]
    if where:
        assert where in [error["field"] for error in told["errors"]]


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[1]", b'"x"', b'{"query": "\xff"}', b'{"query": "\\ud800"}', b"[" * 9000]
)
def test_what_is_no_json_is_explained(served: Served, body: bytes) -> None:
    answer = served.client.post("/search", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_unknown_collection_names_those_that_are_served(served: Served) -> None:
    answer = served.client.post("/search", json={"query": "x", "collection": "../other"})
    assert answer.status_code == 404
    assert "gallery" in answer.json()["hint"]


# -- pictures from clients -----------------------------------------------------------------------------------


def test_search_by_an_uploaded_picture(served: Served) -> None:
    item = first_id(served, kinds=["image"])
    picture = served.client.get(f"/items/{item}/image").content
    answer = served.client.post("/search/image", files={"file": ("a.webp", picture)}, data={"k": "2"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["hits"][0]["item"]["id"] == item
    more = {"k": "2", "cursor": found["next"]}
    following = served.client.post("/search/image", files={"file": ("b.webp", picture)}, data=more).json()
    assert [hit["rank"] for hit in following["hits"]] == [3, 4]


def test_uploaded_picture_with_words(served: Served) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(stream, "PNG")
    data = {"query": "apple", "language": "en", "kinds": "image", "k": "1"}
    answer = served.client.post("/search/image", files={"file": ("a.png", stream.getvalue())}, data=data)
    assert answer.status_code == 200, answer.text
    assert answer.json()["hits"][0]["item"]["kind"] == "image"


# -- items ---------------------------------------------------------------------------------------------------


def test_item_with_its_texts(served: Served) -> None:
    item = served.client.get(f"/items/{first_id(served, kinds=['image'])}").json()
    assert {text["language"] for text in item["texts"]} == {"en", "es", "fr", "hi", "de", "it", "ja", "ar"}
    assert item["path"] is None
    assert "/" not in item["document"]


def test_pictures_of_items_of_each_kind(served: Served) -> None:
    for kind in ("image", "page", "passage"):
        where = "extension != 'md'"
        item = search(served, query="pump fuse", kinds=[kind], filter=where, k=1)["hits"][0]["item"]
        answer = served.client.get(item["image"], params={"max_side": 200})
        assert answer.status_code == 200, answer.text
        picture = Image.open(io.BytesIO(answer.content))
        assert picture.format == "WEBP"
        assert max(picture.size) <= 200
        small = served.client.get(item["thumbnail"])
        assert small.headers["content-type"] == "image/webp"


def test_what_has_no_looks_says_so(served: Served) -> None:
    item = search(served, query="relief valve", filter="extension = 'md'", k=1)["hits"][0]["item"]
    assert item["image"] is None
    answer = served.client.get(f"/items/{item['id']}/image")
    assert answer.status_code == 404
    assert "notes.md" not in answer.text


def test_thumbnails_are_made_once(served: Served, gallery: Path) -> None:
    item = first_id(served)
    first = served.client.get(f"/items/{item}/thumbnail")
    kept = list((gallery.parent / "thumbnails").glob("*/*.webp"))
    assert first.content in [path.read_bytes() for path in kept]
    for path in kept:
        path.write_bytes(b"kept")
    assert served.client.get(f"/items/{item}/thumbnail").content == b"kept"
    for path in kept:
        path.unlink()


def test_what_the_client_has_is_not_sent_again(served: Served) -> None:
    item = first_id(served)
    for path in (
        f"/items/{item}",
        f"/items/{item}/image",
        f"/items/{item}/thumbnail",
        f"/items/{item}/similar",
        f"/items/{item}/captions?language=hi",
        "/map?method=pca",
    ):
        tag = served.client.get(path).headers["etag"]
        again = served.client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["etag"] == tag
        assert served.client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_similar_leaves_the_item_out_and_pages(served: Served) -> None:
    item = first_id(served, kinds=["image"])
    page = served.client.get(f"/items/{item}/similar", params={"k": 3}).json()
    following = served.client.get(f"/items/{item}/similar", params={"k": 3, "cursor": page["next"]}).json()
    ids = [hit["item"]["id"] for hit in page["hits"] + following["hits"]]
    assert item not in ids
    assert len(set(ids)) == 6


def test_captions_in_a_language(served: Served) -> None:
    item = first_id(served, "ein roter Apfel", kinds=["image"])
    found = served.client.get(f"/items/{item}/captions", params={"language": "hi", "k": 3}).json()["captions"]
    assert [caption["rank"] for caption in found] == [1, 2, 3]
    assert {caption["text"]["language"] for caption in found} == {"hi"}
    unknown = served.client.get(f"/items/{item}/captions", params={"language": "tlh"})
    assert unknown.status_code == 422


@pytest.mark.parametrize("path", ["", "/image", "/thumbnail", "/similar", "/captions?language=en"])
def test_unknown_items_are_404(served: Served, path: str) -> None:
    answer = served.client.get(f"/items/0123456789{path}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:babelens:problem:unknown-item"


# -- answers -------------------------------------------------------------------------------------------------


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in blocks]


def test_answers_as_events_with_citations(served: Served) -> None:
    question = {"question": "Which fuse feeds the pump?", "language": "en"}
    with served.client.stream("POST", "/ask", json=question) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = events_of(answer.read().decode())
    assert [kind for kind, _ in events] == ["piece"] * (len(events) - 1) + ["answer"]
    last = events[-1][1]
    assert last["grounded"]
    assert "F7" in last["text"]
    assert last["citations"][0]["item"]["page"] == 1
    assert last["citations"][0]["document"] == "pump.pdf"


def test_what_is_wrong_with_a_question_is_said_with_a_status(served: Served) -> None:
    answer = served.client.post("/ask", json={"question": "What?", "language": "tlh"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


# -- the whole -----------------------------------------------------------------------------------------------


def test_collections(served: Served) -> None:
    (only,) = served.client.get("/collections").json()["collections"]
    assert only["name"] == "gallery"
    assert only["kinds"]["image"] == 60
    assert only["indexes"]["image"]["vectors"] >= 60


def test_several_collections_have_their_own_items(gallery: Path, tmp_path: Path) -> None:
    import babelens

    Image.new("RGB", (32, 32), "red").save(tmp_path / "red.png")
    with babelens.Collection.open(tmp_path / "second", model="mini") as collection:
        collection.add(tmp_path / "red.png")
    with serving({"gallery": gallery, "second": tmp_path / "second"}) as both:
        (hit,) = search(both, query="red", collection="second")["hits"]
        assert hit["item"]["thumbnail"].endswith("?collection=second")
        assert both.client.get(hit["item"]["thumbnail"]).status_code == 200
        assert both.client.get(f"/items/{hit['item']['id']}").status_code == 404
        assert both.client.get(f"/items/{hit['item']['id']}?collection=second").status_code == 200


def test_map_names_items_that_are_there(served: Served) -> None:
    points = served.client.get("/map", params={"limit": 199, "method": "pca"}).json()["points"]
    assert 0 < len(points) <= 100
    assert {point["kind"] for point in points} == {"picture", "text"}
    assert all(0 <= point[axis] <= 1 for point in points for axis in ("x", "y"))
    assert served.client.get(points[0]["thumbnail"]).status_code == 200


def test_operation(served: Served) -> None:
    assert served.client.get("/health").json()["status"] == "ok"
    assert served.client.get("/ready").json()["status"] == "ready"
    search(served, query="counted")
    text = served.client.get("/metrics").text
    assert 'babelens_requests_total{method="POST",route="/search",status="200"}' in text
    assert "counted" not in text


def test_a_collection_that_is_gone_is_not_ready(own: Path) -> None:
    import shutil

    with serving({"own": own}) as running:
        shutil.rmtree(own)
        assert running.client.get("/health").status_code == 200
        answer = running.client.get("/ready")
        assert answer.status_code == 503
        assert str(own) not in answer.text
        gone = running.client.post("/search", json={"query": "x"})
        assert gone.status_code == 404
        assert str(own) not in gone.text
