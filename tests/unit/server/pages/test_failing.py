"""Refusals as pages: where a browser asked for one, in its language, with the status that programs get."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.serving import Served, serving

KEY = "a-long-secret-of-many-letters"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "de"}


@pytest.fixture(scope="module")
def strict(gallery: Path) -> Iterator[Served]:
    with serving(
        {"gallery": gallery}, body_bytes=2000, upload_bytes=50_000, upload_pixels=250_000
    ) as running:
        yield running


def large_picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (600, 600)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "title"),
    [
        ("GET", "/nowhere", {}, 404, "Das gibt es hier nicht"),
        ("GET", "//elsewhere.example/x", {}, 404, "Das gibt es hier nicht"),
        ("GET", "/items/nothing/image", {}, 404, "Das gibt es hier nicht"),
        ("GET", "/picture/gone", {}, 404, "Das Bild, mit dem Sie gesucht haben"),
        ("POST", "/picture", {"files": {"file": b"x" * 200_000}}, 413, "Dieses Bild ist zu groß"),
        ("POST", "/picture", {"files": {"file": large_picture()}}, 413, "Dieses Bild ist zu groß"),
        ("POST", "/picture", {"files": {"file": b"no picture"}}, 422, "Diese Datei ist kein lesbares Bild"),
        ("GET", "/", {"headers": {"Host": "evil.example"}}, 421, "Unter diesem Namen"),
        ("GET", "/", {"headers": {"Host": "[evil"}}, 421, "Unter diesem Namen"),
        ("POST", "/picture", {"headers": {"Sec-Fetch-Site": "cross-site"}}, 403, "Das kam von einer Seite"),
    ],
)
def test_refusals(
    strict: Served, method: str, path: str, sent: dict[str, dict[str, str]], status: int, title: str
) -> None:
    headers = {**BROWSER, **sent.get("headers", {})}
    answer = strict.client.request(method, strict.url + path, **{**sent, "headers": headers})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert f"<h1>{title}" in answer.text
    assert '<html lang="de"' in answer.text
    assert 'href="//' not in answer.text  # which would lead to another host
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_programs_get_problems(strict: Served) -> None:
    for accept in ("application/json", "*/*"):
        answer = strict.client.get("/nowhere", headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/problem+json"


def test_waiting_and_keys(gallery: Path) -> None:
    with serving({"gallery": gallery}, rate=0.25, api_key=KEY) as running:  # one request in four seconds
        asked = running.client.get("/", headers=BROWSER)
        assert asked.status_code == 401
        assert "<h1>Hier wird ein Schlüssel gebraucht</h1>" in asked.text
        assert asked.headers["www-authenticate"].startswith("Basic")
        refused = running.client.get("/", headers=BROWSER)
        assert refused.status_code == 429
        assert "<h1>Zu viele Anfragen in kurzer Zeit</h1>" in refused.text
        assert int(refused.headers["retry-after"]) >= 1


def test_styles_of_refusals_need_no_key(gallery: Path) -> None:
    with serving({"gallery": gallery}, api_key=KEY) as running:
        assert running.client.get("/static/page.css", headers={"Host": "evil.example"}).status_code == 200
        assert running.client.get("/static/../collections").status_code == 401
        assert running.client.get("/static/%2e%2e/collections").status_code in (401, 404)
