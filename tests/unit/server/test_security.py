"""What must not get through, by a real socket."""

from __future__ import annotations

import io
import json
import logging
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from babelens.errors import ServiceError
from babelens.server import Settings
from babelens.server.security import RateLimit, check_host
from tests.serving import Served, serving

KEY = "a-long-secret-of-many-letters"


@pytest.fixture(scope="module")
def locked(gallery: Path) -> Iterator[Served]:
    with serving({"gallery": gallery}, api_key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def strict(gallery: Path) -> Iterator[Served]:
    """Small limits, so that tests reach them at once."""
    with serving(
        {"gallery": gallery},
        body_bytes=2000,
        upload_bytes=50_000,
        upload_pixels=250_000,
        body_seconds=0.6,
        head_seconds=0.6,
    ) as running:
        yield running


def raw(served: Served, data: bytes, *, wait: float = 5.0) -> bytes:
    """What comes back for bytes on a connection, until the server closes it."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=wait) as connection:
        connection.sendall(data)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    got = b""
    try:
        while chunk := connection.recv(65536):
            got += chunk
    except (TimeoutError, ConnectionError):
        pass
    return got


def request_bytes(head: str, body: bytes = b"", host: str = "localhost") -> bytes:
    return f"{head} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n".encode() + body


def png(width: int, height: int, *, claimed: tuple[int, int] | None = None) -> bytes:
    """A PNG of one colour, or one whose header claims another size."""
    stream = io.BytesIO()
    Image.new("L", (width, height)).save(stream, "PNG")
    data = bytearray(stream.getvalue())
    if claimed:
        data[16:24] = struct.pack(">II", *claimed)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


# -- the key -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": "Basic !!!"},
        {"Authorization": KEY},
        {"X-API-Key": "wrong"},
        {"X-API-Key": "ключ".encode()},
    ],
)
def test_wrong_keys_are_refused(locked: Served, headers: dict[str, str | bytes]) -> None:
    for method, path in (
        ("GET", "/collections"),
        ("POST", "/search"),
        ("GET", "/metrics"),
        ("GET", "/nothing"),
    ):
        answer = locked.client.request(method, path, headers=headers)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert KEY not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer {KEY}"},
        {"X-API-Key": KEY},
        {"Authorization": httpx.BasicAuth("anybody", KEY)._auth_header},
    ],
)
def test_the_key_lets_in(locked: Served, headers: dict[str, str]) -> None:
    assert locked.client.get("/collections", headers=headers).status_code == 200


def test_browsers_are_asked_for_the_key(locked: Served) -> None:
    answer = locked.client.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_health_needs_no_key(locked: Served) -> None:
    assert locked.client.get("/health").status_code == 200
    assert locked.client.get("/ready").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_a_public_address_demands_a_key(host: str) -> None:
    with pytest.raises(ServiceError, match="search these collections"):
        Settings({"a": Path("a")}, host=host).checked()
    assert Settings({"a": Path("a")}, host=host, api_key=KEY).checked().host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_none(host: str) -> None:
    assert Settings({"a": Path("a")}, host=host).checked().api_key is None


def test_short_keys_are_refused_and_keys_are_not_shown() -> None:
    with pytest.raises(ServiceError, match="too short"):
        Settings({"a": Path("a")}, api_key="secret").checked()
    assert KEY not in repr(Settings({"a": Path("a")}, api_key=KEY))


# -- who asks ------------------------------------------------------------------------------------------------


def test_names_that_point_here_from_elsewhere_are_refused(served: Served) -> None:
    for host in ("evil.example", "evil.example:80", "localhost.evil.example", ""):
        answer = served.client.get("/collections", headers={"Host": host})
        assert answer.status_code == 421, host
    for host in ("localhost", f"127.0.0.1:{served.port}", "[::1]:80", "LOCALHOST:1"):
        assert served.client.get("/collections", headers={"Host": host}).status_code == 200, host


def test_allowed_hosts(gallery: Path) -> None:
    settings = Settings({"a": gallery}, allowed_hosts=("photos.example",))
    check_host("photos.example:443", settings)
    with pytest.raises(Exception, match="Host header"):
        check_host("other.example", settings)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_pages_of_other_sites_may_not_send(served: Served, headers: dict[str, str]) -> None:
    answer = served.client.post("/search", json={"query": "x"}, headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_the_own_page_may_send(served: Served) -> None:
    headers = {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}
    assert served.client.post("/search", json={"query": "x"}, headers=headers).status_code == 200


def test_no_other_site_may_read(served: Served) -> None:
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = served.client.options("/search", headers=preflight)
    assert "access-control-allow-origin" not in answer.headers
    assert answer.status_code == 405


def test_rate_for_each_client() -> None:
    limit = RateLimit(1.0)
    for _ in range(4):
        limit.take("a")
    with pytest.raises(Exception, match="requests a second") as refused:
        limit.take("a")
    assert int(refused.value.headers["Retry-After"]) >= 1
    limit.take("b")
    nothing = RateLimit(0)
    for _ in range(100):
        nothing.take("a")


def test_too_many_requests(gallery: Path) -> None:
    with serving({"gallery": gallery}, rate=1.0) as limited:
        codes = [limited.client.get("/nothing").status_code for _ in range(6)]
        refused = limited.client.get("/nothing")
        assert codes[0] == 404
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert limited.client.get("/health").status_code == 200


# -- paths ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/items/../../../../etc/passwd",
        "/items/..%2f..%2f..%2fetc%2fpasswd",
        "/items/..%2f..%2fetc%2fpasswd/image",
        "/items/%2e%2e/image",
        "/items/%00/image",
        "/items/a%00b/thumbnail",
        "/items/%ff%fe/image",
        "/items/" + "a" * 5000,
        "//etc/passwd",
        "/items/%2Fetc%2Fpasswd/thumbnail",
    ],
)
def test_paths_lead_nowhere(served: Served, path: str) -> None:
    answer = raw(served, request_bytes(f"GET {path}", b"\r\n"))
    assert answer.split(b" ", 2)[1] in (b"404", b"422"), answer[:200]
    assert b"root:" not in answer


def test_collections_are_names_not_paths(served: Served, gallery: Path) -> None:
    for name in (str(gallery), "../gallery", "/", "gallery/../gallery"):
        assert served.client.get("/map", params={"collection": name}).status_code == 404


def test_image_ids_are_no_files(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(png(8, 8))
    for body in ({"image_id": str(path)}, {"query": "x", "plus": [{"image_id": str(path)}]}):
        answer = served.client.post("/search", json=body)
        assert answer.status_code == 404, answer.text
    quoted = str(path).replace("/", "%2F")
    for part in ("similar", "captions?language=en", "image"):
        assert served.client.get(f"/items/{quoted}/{part}").status_code == 404


def test_answers_hold_no_paths_unless_asked_to(gallery: Path, served: Served) -> None:
    body = {"query": "pump fuse dog", "k": 62}
    assert str(gallery.parent) not in served.client.post("/search", json=body).text
    assert str(gallery.parent) not in served.client.get("/collections").text
    with serving({"gallery": gallery}, show_paths=True) as open_handed:
        shown = open_handed.client.post("/search", json=body).json()["hits"]
        assert all(hit["item"]["path"].startswith(str(gallery.parent)) for hit in shown)


# -- sizes ---------------------------------------------------------------------------------------------------


def test_bodies_have_an_end(strict: Served) -> None:
    answer = strict.client.post("/search", json={"query": "x" * 1900, "minus": ["y" * 1000]})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_bodies_without_a_length_have_one_too(strict: Served) -> None:
    chunks = (b"x" * 500 for _ in range(100))
    answer = strict.client.post("/search", content=chunks, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_uploads_have_an_end(strict: Served) -> None:
    noise = Image.effect_noise((400, 400), 90)
    stream = io.BytesIO()
    noise.save(stream, "PNG")
    assert len(stream.getvalue()) > 115_000
    answer = strict.client.post("/search/image", files={"file": ("a.png", stream.getvalue())})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("nothing", b""),
        ("text", b"hello"),
        ("header alone", b"\x89PNG\r\n\x1a\n"),
        ("cut", png(400, 400)[:200]),
        ("script", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        ("postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n"),
        ("claims less than it has", png(400, 400, claimed=(40, 4000))),
        ("gif without a picture", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"),
        ("webp of nothing", b"RIFF\x00\x00\x00\x00WEBPVP8 "),
        ("tiff to nowhere", b"II*\x00\xff\xff\xff\xff"),
        ("heif of nothing", b"\x00\x00\x00\x18ftypheic" + b"\0" * 16),
    ],
)
def test_broken_uploads_are_refused(strict: Served, name: str, data: bytes) -> None:
    answer = strict.client.post("/search/image", files={"file": ("a.png", data)})
    assert answer.status_code == 422, name
    assert answer.json()["type"].startswith("urn:babelens:problem:")


@pytest.mark.parametrize("claimed", [(1000, 1000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_decompression_bombs_are_refused_by_their_header(strict: Served, claimed: tuple[int, int]) -> None:
    started = time.perf_counter()
    answer = strict.client.post("/search/image", files={"file": ("a.png", png(8, 8, claimed=claimed))})
    assert answer.status_code in (413, 422)
    assert time.perf_counter() - started < 2
    assert strict.client.get("/health").status_code == 200


def test_malformed_forms_are_refused(strict: Served) -> None:
    for kind, body in (
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"--b\r\n\r\n"),
        ("multipart/form-data; boundary=a", b'--a\r\nContent-Disposition: form-data; name="file"\r\n\r\n'),
        ("application/json", b"{}"),
    ):
        answer = strict.client.post("/search/image", content=body, headers={"Content-Type": kind})
        assert answer.status_code in (400, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


# -- time ----------------------------------------------------------------------------------------------------


def test_slow_heads_are_cut_off(strict: Served) -> None:
    def drip(connection: socket.socket) -> int:
        """A header line now and then; how many were taken."""
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        for number in range(40):
            time.sleep(0.1)
            try:
                connection.sendall(f"X-{number}: y\r\n".encode())
            except ConnectionError:
                return number
        return 40

    with socket.create_connection(("127.0.0.1", strict.port), timeout=5) as connection:
        assert drip(connection) < 20


def test_silent_connections_are_cut_off(strict: Served) -> None:
    started = time.perf_counter()
    assert raw(strict, b"") == b""
    assert 0.4 < time.perf_counter() - started < 3


def test_slow_bodies_are_cut_off(strict: Served) -> None:
    head = "POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
    with socket.create_connection(("127.0.0.1", strict.port), timeout=5) as connection:
        connection.sendall(head.encode() + b'{"query": ')
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in answer


def test_slow_clients_do_not_hold_up_others(strict: Served) -> None:
    slow = [socket.create_connection(("127.0.0.1", strict.port)) for _ in range(30)]
    for connection in slow:
        connection.sendall(b"POST /search HTTP/1.1\r\nHost: localhost\r\n")
    assert strict.client.post("/search", json={"query": "dog", "k": 1}).status_code == 200
    for connection in slow:
        connection.close()


def test_a_slow_answer_is_not_cut_off(strict: Served) -> None:
    """The limits are on what clients send, not on how long an answer takes."""
    blocking = [
        strict.service.workers.submit(time.sleep, 1.2) for _ in range(strict.service.settings.threads)
    ]
    started = time.perf_counter()
    assert strict.client.post("/search", json={"query": "dog", "k": 1}).status_code == 200
    assert time.perf_counter() - started > 1
    for future in blocking:
        future.result()


# -- headers and logs ----------------------------------------------------------------------------------------


def test_headers_of_every_answer(served: Served) -> None:
    for answer in (
        served.client.get("/health"),
        served.client.get("/nothing"),
        served.client.post("/search"),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "server" not in answer.headers


@pytest.mark.parametrize("given", ["a b", "x" * 65, 'a"b', "a;b", "", "é"])
def test_request_ids_are_taken_only_where_they_are_harmless(served: Served, given: str) -> None:
    answer = served.client.get("/health", headers={"X-Request-Id": given.encode()})
    assert answer.headers["x-request-id"] != given
    assert answer.headers["x-request-id"].isalnum()


def test_request_ids_are_given_back(served: Served) -> None:
    assert (
        served.client.get("/health", headers={"X-Request-Id": "my-id.1"}).headers["x-request-id"] == "my-id.1"
    )


def test_headers_cannot_be_injected(served: Served) -> None:
    for line in ("GET /items/a%0d%0aSet-Cookie:%20x=1/image", "GET /map?collection=%0d%0aSet-Cookie:%20x=1"):
        head, _, _ = raw(served, request_bytes(line, b"\r\n")).partition(b"\r\n\r\n")
        assert b"set-cookie" not in head.lower()
    broken = raw(served, request_bytes("GET /health", b"X-Request-Id: a\rSet-Cookie: x=1\r\n\r\n"))
    assert b"set-cookie" not in broken.lower()
    assert broken.startswith(b"HTTP/1.1 400")


def test_two_lengths_are_refused(served: Served) -> None:
    lengths = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    smuggled = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = raw(served, request_bytes("POST /search", lengths + smuggled))
    assert answer.count(b"HTTP/1.1") == 1


def test_queries_are_not_logged(gallery: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "babelens"), serving({"gallery": gallery}) as running:
        running.client.post("/search", json={"query": "confidential matter"})
        running.client.get("/map", params={"collection": "confidential"})
    said = [json.dumps(vars(record), default=str) for record in caplog.records]
    assert any('"path": "/search"' in line for line in said)
    assert not any("confidential" in line for line in said)


def test_queries_are_logged_when_asked(gallery: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, "babelens"),
        serving({"gallery": gallery}, log_queries=True) as running,
    ):
        running.client.post("/search", json={"query": "public matter"})
    assert "public matter" in [getattr(record, "query", None) for record in caplog.records]


def test_log_lines_cannot_be_forged() -> None:
    from babelens.server.logs import JsonFormatter

    record = logging.LogRecord("babelens.access", logging.INFO, "", 0, "request", None, None)
    record.path = '/a\n{"level": "error"}\x1b[31m\u2028'
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert line.isascii()
    assert "\x1b" not in line
    assert json.loads(line)["path"] == record.path
