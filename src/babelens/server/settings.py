"""What can be set when the service starts."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import ServiceError

MIN_KEY: Final = 16
_ANY: Final = ("0.0.0.0", "::", "")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service behaves. Sizes are bytes, times seconds unless named otherwise; 0 turns a limit off.

    ``collections`` are those that are served, by the name that clients use; the first one is meant where a request
    names none. ``allowed_hosts`` are further names that the service is reached by (see :mod:`.security`).
    """

    collections: Mapping[str, Path]
    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    """Addresses of reverse proxies, which are believed about who asks."""
    writable: bool = False
    show_paths: bool = False
    log_queries: bool = False
    rate: float = 50.0
    """Requests a second that one client may make in the long run; four seconds' worth at once."""
    body_bytes: int = 256 * 1024
    upload_bytes: int = 20 * 1024 * 1024
    upload_pixels: int = 50_000_000
    body_seconds: float = 30.0
    """How long a client may take to send a request."""
    connections: int = 512
    threads: int = 32
    waiting: int = 128
    """Requests that may wait for a thread; one more is answered 503."""
    batch_ms: float = 4.0
    batch_size: int = 64
    """How many texts are encoded in one call at most; 1 encodes each query by itself."""
    idle_seconds: float = 900.0
    """After this long without a request, models and indexes are let go."""
    shutdown_seconds: float = 10.0
    thumbnails: Path | None = None
    """Where thumbnails are kept; the user's cache without it."""
    thumbnail_bytes: int = 1 << 30

    def checked(self) -> Settings:
        """These settings. Raises :class:`ServiceError` where they would leave the service open to everybody."""
        if not self.collections:
            raise ServiceError("No collection to serve.", hint="Name one with -c.")
        if self.api_key is not None and len(self.api_key) < MIN_KEY:
            raise ServiceError(
                f"The API key is too short to be safe: {len(self.api_key)} characters.",
                hint=f"Take at least {MIN_KEY}, such as the output of: python -c 'import secrets; "
                "print(secrets.token_urlsafe())'",
            )
        if self.api_key is None and not is_loopback(self.host):
            raise ServiceError(
                f"Everybody who reaches {self.host or 'this machine'} could search these collections.",
                hint="Set a key with BABELENS_API_KEY, --api-key-file or --api-key, or stay on 127.0.0.1.",
            )
        return self


def read_key(path: Path) -> str:
    """The API key in a file, without the white space around it. Raises :class:`ServiceError`."""
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ServiceError(
            f"The API key cannot be read from {path}: {reason}.",
            hint="The file has to be there, and readable by the user that the service runs as.",
        ) from error
    if not key:
        raise ServiceError(f"{path} is empty; it should hold the API key.")
    return key


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host in _ANY:
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
