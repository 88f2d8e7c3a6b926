"""Runs the application under uvicorn."""

from __future__ import annotations

import socket

import uvicorn

from ..errors import ServiceError
from .app import create_app
from .connections import ImpatientProtocol
from .logs import log_to_stderr
from .settings import Settings

_BACKLOG = 512


def listening(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say. Raises :class:`ServiceError`."""
    try:
        info = socket.getaddrinfo(
            settings.host or None, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = info[0]
        listener = socket.create_server((str(address[0]), int(address[1])), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ServiceError(
            f"Cannot listen on {settings.host}, port {settings.port}: {error.strerror or error}.",
            hint="Take another --port, or 0 for a free one.",
        ) from error
    listener.setblocking(False)
    return listener


def server_of(settings: Settings) -> uvicorn.Server:
    """A server that is ready to run on a socket of :func:`listening`. Logs go to stderr."""
    log_to_stderr()
    config = uvicorn.Config(
        create_app(settings),
        http=ImpatientProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        limit_concurrency=settings.connections,
        timeout_graceful_shutdown=round(settings.shutdown_seconds),
    )
    return uvicorn.Server(config)
