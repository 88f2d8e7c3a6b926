"""The process that opens one PDF and answers about its pages. PDFium parses hostile bytes here, and nowhere else.

Run as ``python -m babelens.sources.documents.worker MEMORY_MB``. Requests are lines of JSON on standard input; a reply
is a frame on standard output: the length of a JSON object, the object, and after it the ``payload`` bytes it names.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import IO, Any, Final

HEADER: Final = struct.Struct("!I")


def main() -> None:
    _limit_memory(int(sys.argv[1]))
    # What native code prints must not get among the frames.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from .serving import Server

    server = Server()
    for line in sys.stdin.buffer:
        try:
            reply, payload = server.answer(json.loads(line))
        except MemoryError:
            reply, payload = {"error": "out of memory"}, b""
        except Exception as error:  # a parser's bug is this page's fault, not the run's
            reply, payload = {"error": f"{type(error).__name__}: {error}"}, b""
        _send(replies, reply, payload)


def _send(stream: IO[bytes], reply: dict[str, Any], payload: bytes) -> None:
    body = json.dumps({**reply, "payload": len(payload)}).encode("ascii")
    stream.write(HEADER.pack(len(body)))
    stream.write(body)
    stream.write(payload)
    stream.flush()


def _limit_memory(megabytes: int) -> None:
    if sys.platform == "win32":  # there is no such limit; the time limit still holds
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
