"""Which files need work: compared with the catalog by size and time, a chunk at a time."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Final

from ..errors import UnreadableFileError
from ..sources.captions import filename_caption
from ..sources.documents import is_document_name
from ..sources.images import EXTENSIONS, looks_like_picture
from ..sources.scan import FoundFile, Scan, Sidecar
from ..storage.catalog import Catalog
from ..storage.rows import FileState
from ..types import Skip
from .decode import NOT_A_PICTURE, SIDECAR, UNREAD, Job, is_document
from .documents import DocumentJob, page_folder
from .report import Tally

_CHUNK: Final = 1000


class Plan:
    """What a scan finds, and what is to be done about it. ``sample`` draws that many pictures by ``seed``.

    ``page_scans`` are folders whose pictures are the pages of a document, ``not_documents`` files that only look like
    one. Documents with pages that OCR was not allowed to read are read again when ``unread_too``.
    """

    def __init__(
        self,
        catalog: Catalog,
        scan: Scan,
        *,
        sample: int | None,
        seed: int,
        filename_captions: bool,
        caption_language: str | None,
        page_scans: Sequence[str] = (),
        not_documents: Sequence[str] = (),
        unread_too: bool = True,
    ) -> None:
        self._catalog = catalog
        self._scan = scan
        self._page_scans = page_scans
        self._not_documents = frozenset(not_documents)
        self._unread_too = unread_too
        self._filename_captions = filename_captions
        self._caption_language = caption_language
        self._documents_seen = False
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
            paths += {os.path.dirname(file.path) for file in chunk}
            known = self._catalog.files_at(paths)
            unnamed = self._without_filename_caption(chunk, known)
            for file in chunk:
                folder = os.path.dirname(file.path)
                if folder in self._page_scans or is_document(known.get(folder)):
                    continue  # a page of the document that the folder is
                state = known.get(file.path)
                if self._is_document(file.path):
                    self._documents_seen = True
                elif state is None or (state.size, state.mtime_ns) != (file.size, file.mtime_ns):
                    yield Job(file, state)
                elif state.status == "skipped":
                    tally.skip(state)
                elif state.reason != SIDECAR:
                    tally.unchanged += 1
                    same = all(_is_known(sidecar, known.get(sidecar.path)) for sidecar in file.sidecars)
                    if not same or file.path in unnamed:
                        yield Job(file, state, captions_only=True)

    def documents(self, tally: Tally) -> Iterator[DocumentJob]:
        """The documents that need work, after :meth:`jobs`. Those that need none are counted in ``tally``."""
        files = self._page_folders(tally)
        if self._documents_seen:
            named = (file for file in self._scan.files() if self._is_document(file.path))
            files = itertools.chain(files, named)
        while chunk := list(itertools.islice(files, _CHUNK)):
            known = self._catalog.files_at([file.path for file in chunk])
            for file in chunk:
                state = known.get(file.path)
                if state is not None and state.reason == SIDECAR:
                    continue  # captions that their picture left behind
                if state is None or (state.size, state.mtime_ns) != (file.size, file.mtime_ns):
                    yield DocumentJob(file, state)
                elif state.status == "skipped" and state.reason != NOT_A_PICTURE:
                    tally.skip(state)
                elif not is_document(state) or (state.reason == UNREAD and self._unread_too):
                    yield DocumentJob(file, state)
                else:
                    tally.unchanged += 1

    def _page_folders(self, tally: Tally) -> Iterator[FoundFile]:
        """The folders of page scans: those named now, and those known below the roots."""
        roots = tuple(root.rstrip(os.sep) + os.sep for root in self._scan.roots)
        known = [
            path for path in self._catalog.paged_documents() if path.startswith(roots) and os.path.isdir(path)
        ]
        for folder in sorted({*self._page_scans, *known}):
            try:
                yield page_folder(folder)
            except (UnreadableFileError, OSError) as error:
                reason = (
                    error.reason
                    if isinstance(error, UnreadableFileError)
                    else f"cannot be read: {error.strerror}"
                )
                tally.skipped.append(Skip(folder, reason))

    def _is_document(self, path: str) -> bool:
        return is_document_name(path) and path not in self._not_documents and self._chosen is None

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
