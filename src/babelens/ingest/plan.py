"""Which files need work: compared with the catalog by size and time, a chunk at a time."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Final

from ..sources.captions import filename_caption
from ..sources.images import EXTENSIONS, looks_like_picture
from ..sources.scan import FoundFile, Scan, Sidecar
from ..storage.catalog import Catalog
from ..storage.rows import FileState
from .decode import SIDECAR, Job
from .report import Tally

_CHUNK: Final = 1000


class Plan:
    """What a scan finds, and what is to be done about it. ``sample`` draws that many pictures by ``seed``."""

    def __init__(
        self,
        catalog: Catalog,
        scan: Scan,
        *,
        sample: int | None,
        seed: int,
        filename_captions: bool,
        caption_language: str | None,
    ) -> None:
        self._catalog = catalog
        self._scan = scan
        self._filename_captions = filename_captions
        self._caption_language = caption_language
        self._chosen: frozenset[str] | None = None
        if sample is not None:
            pictures = (file.path for file in scan.files() if _may_be_picture(file.path))
            lot = _Lot(scan.roots, seed)
            self._chosen = frozenset(heapq.nsmallest(sample, pictures, key=lot))

    def count(self, tally: Tally) -> int:
        """How many jobs there are; the files that need no work, and what the scan could not read, go to ``tally``."""
        jobs = sum(1 for _ in self.jobs(tally))
        tally.skipped += self._scan.skipped
        return jobs

    def jobs(self, tally: Tally) -> Iterator[Job]:
        """The files that need work. Those that need none are counted in ``tally``."""
        files = (file for file in self._scan.files() if self._chosen is None or file.path in self._chosen)
        while chunk := list(itertools.islice(files, _CHUNK)):
            paths = [file.path for file in chunk]
            paths += [sidecar.path for file in chunk for sidecar in file.sidecars]
            known = self._catalog.files_at(paths)
            unnamed = self._without_filename_caption(chunk, known)
            for file in chunk:
                state = known.get(file.path)
                if state is None or (state.size, state.mtime_ns) != (file.size, file.mtime_ns):
                    yield Job(file, state)
                elif state.status == "skipped":
                    tally.skip(state)
                elif state.reason != SIDECAR:
                    tally.unchanged += 1
                    same = all(_is_known(sidecar, known.get(sidecar.path)) for sidecar in file.sidecars)
                    if not same or file.path in unnamed:
                        yield Job(file, state, captions_only=True)

    def _without_filename_caption(self, chunk: list[FoundFile], known: dict[str, FileState]) -> set[str]:
        """The known pictures that lack the caption their name would give."""
        if not self._filename_captions:
            return set()
        ids = {path: state.item_id for path, state in known.items() if state.item_id}
        texts = self._catalog.texts_of(set(ids.values()))
        result = set()
        for file in chunk:
            caption = filename_caption(file.path, default=self._caption_language)
            item_id = ids.get(file.path)
            if (
                caption
                and item_id
                and not any(
                    text.origin == "filename" and text.body == caption.body for text in texts.get(item_id, ())
                )
            ):
                result.add(file.path)
        return result


class _Lot:
    """Draws a picture's lot: the same for the same seed and place below its root, on any machine."""

    def __init__(self, roots: Sequence[str], seed: int) -> None:
        self._roots = [root for root in roots if os.path.isdir(root)]
        self._seed = seed

    def __call__(self, path: str) -> bytes:
        root = max((root for root in self._roots if path.startswith(root)), key=len, default=None)
        below = os.path.basename(path) if root is None else path.removeprefix(root)
        return hashlib.blake2b(os.fsencode(f"{self._seed}:{below}"), digest_size=8).digest()


def _is_known(sidecar: Sidecar, state: FileState | None) -> bool:
    return (
        state is not None
        and state.reason == SIDECAR
        and (state.size, state.mtime_ns) == (sidecar.size, sidecar.mtime_ns)
    )


def _may_be_picture(path: str) -> bool:
    if os.path.splitext(path)[1][1:].lower() in EXTENSIONS:
        return True
    try:
        with open(path, "rb") as file:
            return looks_like_picture(file.read(32))
    except OSError:
        return False
