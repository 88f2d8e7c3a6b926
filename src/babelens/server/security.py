"""What stands before every request: who may ask, how often, how much, and what browsers may do with the answer.

Written as plain ASGI, so that bodies are counted while they come and streams pass through as they are.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import logging
import re
import secrets
import time
from collections import OrderedDict
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request

from .problems import ProblemError, answer_of, fitting, wants_page
from .settings import Settings, is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .metrics import Metrics

_LOG: Final = logging.getLogger("babelens.access")
_FAULTS: Final = logging.getLogger("babelens.server")
REQUEST_ID: Final[ContextVar[str]] = ContextVar("babelens_request_id", default="-")
"""The id of the request that is being answered, for logs."""

_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OPEN_TO_ALL: Final = frozenset({"/health", "/ready"})
_STATIC: Final = (
    "/static/"  # styles and scripts of Babelens itself: pages that refuse somebody need them, too
)
_UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_FORM_ROOM: Final = 64 * 1024  # what a form takes besides its file
_CLIENTS: Final = 10_000
_BURST_SECONDS: Final = 4.0

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
}


class Guard:
    """Checks host, rate, key and origin, bounds the body in size and time, adds headers, logs and counts."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._rates = RateLimit(settings.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        token = REQUEST_ID.set(exchange.request_id)
        try:
            self._check(scope, exchange.headers)
            body = _Body(receive, self._body_limit(exchange.headers), self._settings.body_seconds)
            await self._app(scope, body.receive, exchange.send)
        except ProblemError as error:
            if error.status_code == 413 and wants_page(exchange.headers):
                await _hear_out(receive, self._settings.body_seconds)
            await exchange.answer(error)
        except Exception:
            _FAULTS.exception("request %s failed", exchange.request_id)
            if exchange.status:
                raise  # part of the answer is sent: all that is left is to break the connection
            hint = f"The service's log has the details under {exchange.request_id}."
            await exchange.answer(ProblemError(500, "internal", "This is a bug in Babelens.", hint=hint))
        finally:
            REQUEST_ID.reset(token)
            self._note(scope, exchange)

    def _check(self, scope: Scope, headers: Headers) -> None:
        public = scope["path"].startswith(_STATIC)
        if not public:
            check_host(headers.get("host", ""), self._settings)
        if scope["path"] in _OPEN_TO_ALL:
            return
        client = scope.get("client")
        self._rates.take(client[0] if client else "")
        if self._settings.api_key is not None and not public:
            check_key(headers, self._settings.api_key)
        if scope["method"] in _UNSAFE:
            check_origin(headers)

    def _body_limit(self, headers: Headers) -> int:
        form = headers.get("content-type", "").lower().startswith("multipart/form-data")
        limit = self._settings.upload_bytes + _FORM_ROOM if form else self._settings.body_bytes
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        return limit

    def _note(self, scope: Scope, exchange: _Exchange) -> None:
        route = getattr(scope.get("route"), "path", None) or "unmatched"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        seconds = time.perf_counter() - exchange.started
        self._metrics.requests.labels(method, route, str(exchange.status or 499)).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        _LOG.info(
            "request",
            extra={
                "request_id": exchange.request_id,
                "method": method,
                "path": scope["path"][:200],
                "status": exchange.status or 499,  # the client left before there was an answer
                "milliseconds": round(1000 * seconds, 1),
                "bytes": exchange.sent,
            },
        )


_METHODS: Final = _UNSAFE | {"GET", "HEAD", "OPTIONS"}


class _Exchange:
    """A request on its way, and what was sent for it so far."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.headers = Headers(scope=scope)
        given = self.headers.get("x-request-id", "")
        self.request_id = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
        scope["babelens.request_id"] = self.request_id
        self.started = time.perf_counter()
        self.status = 0
        self.sent = 0
        self._scope = scope
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            headers["X-Request-Id"] = self.request_id
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)

    async def answer(self, error: ProblemError) -> None:
        """Answers with a problem in place of the application."""
        if self.status:
            return
        request = Request(self._scope)
        response = fitting(request, answer_of(request, error), error.name)
        await response(self._scope, _nothing, self.send)


async def _hear_out(receive: Receive, seconds: float) -> None:
    """Takes what is still coming and forgets it: a browser shows no answer while it has more to send."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds or None):
            while (await receive()).get("more_body", False):
                pass


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


class _Body:
    """A body that may have so many bytes and take so many seconds."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive = receive
        self._room = self._limit = limit
        self._deadline = time.monotonic() + seconds if seconds > 0 else None
        self._seconds = seconds
        self._over = False

    async def receive(self) -> Message:
        if self._over or self._deadline is None:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._deadline - time.monotonic()))
        except TimeoutError:
            self._over = True
            raise ProblemError(
                408,
                "too-slow",
                f"The request did not arrive within {self._seconds:g} s.",
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.request":
            self._room -= len(message.get("body", b""))
            self._over = not message.get("more_body", False)
            if self._room < 0:
                self._over = True
                raise _too_large(self._limit)
        return message


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        413,
        "too-large",
        f"The request has more than {limit:,} bytes.",
        hint="Send a smaller picture or text.",
        headers={"Connection": "close"},
    )


class RateLimit:
    """A bucket of tokens for each client: ``rate`` a second, four seconds' worth at most; 0 is no limit."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._burst = max(1.0, _BURST_SECONDS * rate)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Takes a token. Raises a problem, 429, when there is none."""
        if self._rate <= 0:
            return
        now = time.monotonic()
        tokens, then = self._buckets.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - 1 if allowed else tokens, now)
        while len(self._buckets) > _CLIENTS:  # the one that has been quiet longest has a full bucket by now
            self._buckets.popitem(last=False)
        if not allowed:
            wait = max(1, round((1 - tokens) / self._rate + 0.5))
            raise ProblemError(
                429,
                "too-many-requests",
                f"More than {self._rate:g} requests a second.",
                hint=f"Ask again in {wait} s.",
                headers={"Retry-After": str(wait)},
            )


def check_host(host: str, settings: Settings) -> None:
    """Refuses names that the service is not known by: a page elsewhere could otherwise have its own name point here and
    read everything (DNS rebinding). Addresses in figures cannot be used so.

    On a public address without names of its own anything goes: there the key protects.
    """
    name = _without_port(host)
    known = {"localhost", settings.host.lower(), *(one.lower() for one in settings.allowed_hosts)}
    if name in known or _is_address(name):
        return
    if not is_loopback(settings.host) and not settings.allowed_hosts:
        return
    raise ProblemError(
        421,
        "unknown-host",
        "This service is not known by the name in the Host header.",
        hint="Start it with --allowed-host NAME to use another name.",
    )


def check_key(headers: Headers, key: str) -> None:
    """Wants the key as a bearer token, in ``X-API-Key``, or as the password of HTTP Basic, which browsers ask for."""
    given = headers.get("x-api-key") or _authorized(headers.get("authorization", ""))
    if hmac.compare_digest(given.encode("utf-8", "surrogateescape"), key.encode()):
        return
    asks = "Basic" if wants_page(headers) else "Bearer"
    raise ProblemError(
        401,
        "key-needed",
        "The API key is missing or wrong.",
        hint="Send it as `Authorization: Bearer KEY`.",
        headers={"WWW-Authenticate": f'{asks} realm="Babelens", charset="UTF-8"'},
    )


def check_origin(headers: Headers) -> None:
    """Refuses what pages of other sites make a browser send."""
    origin = headers.get("origin")
    same = origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    if not same or headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise ProblemError(403, "other-site", "Pages of other sites may not send this.")


def _authorized(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(rest.strip(), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return decoded.partition(":")[2]
    return ""


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
