"""Opens an old catalog for writing, says each batch on stdout, and waits there to be killed: FOLDER BATCHES."""

from __future__ import annotations

import sys
import time

from babelens.storage import Catalog, reanalysis

if __name__ == "__main__":
    folder, wait_at = sys.argv[1], int(sys.argv[2])
    reanalysis._BATCH = 10

    def told(done: int, total: int | None = None, note: str = "") -> None:
        sys.stdout.write(f"{done}\n")
        sys.stdout.flush()
        if done >= wait_at:
            time.sleep(600)

    Catalog.open(folder, progress=told)
