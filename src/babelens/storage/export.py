"""What people take away from a collection: plain files that need no Babelens to read.

captions.csv           id, filename and a column of captions for each language, UTF-8
image_embeddings.npy   (n, dim) float32 rows of unit length
ids.txt                the item id of each row, line by line
image_index.faiss      an index over the rows, when the caller gives a writer for it
manifest.json          what these files are, with sizes and hashes; written last
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import CollectionError
from ..types import Item, Text
from ..vectors import Floats
from .catalog import Catalog
from .database import os_errors
from .texts import NO_CAPTIONS

_PAGE: Final = 1000

# Writes an index over the rows of a (memory-mapped) matrix to a path.
IndexWriter = Callable[[Path, Floats], None]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """``path`` is the folder or the zip; counts are of items, captions and vectors written."""

    path: Path
    files: tuple[str, ...]
    items: int
    captions: int
    vectors: int


def export_catalog(
    catalog: Catalog,
    folder: str | Path,
    *,
    encoder: int,
    write_index: IndexWriter | None = None,
    as_zip: bool = False,
    about: Mapping[str, Any] | None = None,
) -> ExportReport:
    """Writes the files above into ``folder``, or into ``folder.zip``; ``about`` is added to the manifest.

    Everything is written beside the target first: a run that fails leaves what was there before.
    """
    target = Path(folder)
    draft = target.with_name(f".{target.name}.new-{os.getpid()}")
    with os_errors(target):
        try:
            draft.mkdir(parents=True)
            counts = _write(catalog, draft, encoder=encoder, write_index=write_index, about=about or {})
            files = sorted(path.name for path in draft.iterdir())
            target = _zip(draft, target) if as_zip else _move(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return ExportReport(target, tuple(files), *counts)


def _write(
    catalog: Catalog, draft: Path, *, encoder: int, write_index: IndexWriter | None, about: Mapping[str, Any]
) -> tuple[int, int, int]:
    with catalog.snapshot():
        fingerprint = catalog.encoders()[encoder]
        items, captions = _write_captions(catalog, draft / "captions.csv")
        vectors = _write_vectors(catalog, draft, encoder=encoder, dim=fingerprint.dim)
    if write_index is not None and vectors:
        rows = np.load(draft / "image_embeddings.npy", mmap_mode="r")
        write_index(draft / "image_index.faiss", rows)
        del rows
    manifest = {
        "format": 1,
        **about,
        "encoder": asdict(fingerprint),
        "metric": "inner product of unit vectors: cosine, higher is better",
        "items": items,
        "captions": captions,
        "vectors": vectors,
        "files": {path.name: _describe(path) for path in sorted(draft.iterdir())},
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=2)
    (draft / "manifest.json").write_text(text + "\n", encoding="utf-8")
    return items, captions, vectors


def _write_captions(catalog: Catalog, path: Path) -> tuple[int, int]:
    """What has a picture has as many lines as it has captions in its best served language, and at least one."""
    languages = list(catalog.caption_languages())
    items = captions = 0
    # A file name that is not UTF-8 is shown with escapes: the file as a whole has to be readable.
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "filename", *(f"caption_{language}" for language in languages)])
        for page in _pages(catalog.items(["image", "page", "figure"])):
            texts = catalog.texts_of([item.id for item in page])
            for item in page:
                columns = _columns(texts.get(item.id, []), languages)
                lines = list(zip_longest(*columns, fillvalue="")) or [("",) * len(languages)]
                writer.writerows([item.id, item.source.path, *line] for line in lines)
                items += 1
                captions += sum(map(len, columns))
    return items, captions


def _columns(texts: list[Text], languages: list[str]) -> list[list[str]]:
    good = [text for text in texts if text.status == "ok" and text.origin not in NO_CAPTIONS]
    return [[text.body for text in good if text.language == language] for language in languages]


def _pages(items: Iterator[Item]) -> Iterator[list[Item]]:
    page: list[Item] = []
    for item in items:
        page.append(item)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def _write_vectors(catalog: Catalog, draft: Path, *, encoder: int, dim: int) -> int:
    count = catalog.count_vectors(encoder, "image")
    path = draft / "image_embeddings.npy"
    if count == 0:  # an empty file cannot be mapped
        np.save(path, np.empty((0, dim), dtype=np.float32))
        (draft / "ids.txt").write_text("", encoding="utf-8")
        return 0
    matrix = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, dim))
    start = 0
    with (draft / "ids.txt").open("w", encoding="utf-8", newline="\n") as stream:
        for seqs, vectors in catalog.iter_vectors(encoder, "image"):
            owners = catalog.owners(seqs.tolist())
            stream.writelines(f"{owners[seq].item_id}\n" for seq in seqs.tolist())
            matrix[start : start + len(seqs)] = vectors
            start += len(seqs)
    matrix.flush()
    return count


def _describe(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def _move(draft: Path, target: Path) -> Path:
    if target.exists() and not target.is_dir():
        raise CollectionError(
            f"{target} is not a folder.", hint="Name a folder, or one that is not there yet."
        )
    target.mkdir(parents=True, exist_ok=True)
    (target / "manifest.json").unlink(missing_ok=True)  # what it says is about to become untrue
    for path in sorted(draft.iterdir(), key=lambda path: path.name == "manifest.json"):
        path.replace(target / path.name)
    return target


def _zip(draft: Path, target: Path) -> Path:
    target = target if target.suffix == ".zip" else target.with_name(f"{target.name}.zip")
    packed = draft / "export.zip"
    names = sorted(path.name for path in draft.iterdir())
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in names:
            archive.write(draft / name, name)
    packed.replace(target)
    return target
