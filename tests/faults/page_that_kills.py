"""A worker that reads PDFs as usual but meets its end on some pages: 2 crashes it, 4 hangs it, 6 takes all memory."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from babelens.sources.documents import serving, worker


class Doomed(serving.Server):
    def answer(self, request: dict[str, Any]) -> serving.Reply:
        page = request.get("page")
        if page == 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        if page == 4:
            time.sleep(600)
        if page == 6:
            bytearray(1 << 40)
        return super().answer(request)


if __name__ == "__main__":
    serving.Server = Doomed  # type: ignore[misc]
    worker.main()
