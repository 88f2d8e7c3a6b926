"""What the processes of the catalog's fault tests do. A module of its own, since they import it by name."""

from __future__ import annotations

import contextlib
import time
from multiprocessing.connection import Connection
from pathlib import Path

from babelens.errors import CollectionLockedError
from babelens.storage import Catalog
from babelens.types import Text
from tests.catalogs import ENCODER, file_of, make_item, unit_rows

BATCH = 20


def write_batch(catalog: Catalog, number: int) -> None:
    """Batch ``number`` of a fixed history: adds a batch of items, replaces a vector, removes an item and a file."""
    encoder = catalog.encoder_id(ENCODER)
    items = [make_item(f"b{number}-{place}", batch=number) for place in range(BATCH)]
    ids = [item.id for item in items]
    with catalog.transaction():
        catalog.put_items(items)
        catalog.put_vectors(encoder, "image", ids, unit_rows(BATCH, seed=number))
        for item in items:
            catalog.put_file(file_of(item))
        texts = [Text(item_id, "en", f"zebra of batch {number}", "human") for item_id in ids[:5]]
        rows = catalog.put_texts(texts)
        catalog.put_vectors(encoder, "text", rows, unit_rows(len(rows), seed=number))
        if number:
            before = number - 1
            catalog.put_vectors(encoder, "image", [f"b{before}-1"], unit_rows(1, seed=1000 + number))
            catalog.remove_items([f"b{before}-2"])
            catalog.remove_files([f"/pictures/b{before}-3.jpg"])
            catalog.delete_texts(f"b{before}-0", ["human"])
        catalog.set_setting("batches", str(number + 1))


def write_history(folder: Path, until: int, channel: Connection) -> None:
    """Writes the batches that are missing, telling the number of each once it is committed."""
    with Catalog.open(folder) as catalog, catalog.writing():
        start = int(catalog.get_setting("batches") or 0)
        channel.send(start)
        for number in range(start, until):
            write_batch(catalog, number)
            channel.send(number + 1)


def hold_the_lock(folder: Path, channel: Connection) -> None:
    with Catalog.open(folder) as catalog, catalog.writing():
        channel.send("locked")
        time.sleep(600)


def try_to_write(folder: Path, channel: Connection) -> None:
    with Catalog.open(folder) as catalog:
        try:
            catalog.set_setting("x", "1")
            channel.send("")
        except CollectionLockedError as error:
            channel.send(str(error))


def read_all_the_time(folder: Path, until: int, channel: Connection) -> None:
    """Looks at snapshots until batch ``until`` is there; sends what did not hold together, then how often it looked."""
    looks, last = 0, 0
    with Catalog.open(folder, read_only=True) as catalog:
        while last < until:
            with catalog.snapshot():
                batches = int(catalog.get_setting("batches") or 0)
                encoder = catalog.encoder_id(ENCODER) if batches else 0
                items, vectors = catalog.count_items(), catalog.count_vectors(encoder, "image")
                words = len(catalog.search_words(f"zebra {batches - 1}", k=3))
            removed = 2 * max(batches - 1, 0)
            if (
                items != BATCH * batches - removed
                or vectors != items
                or (batches and words != 3)
                or batches < last
            ):
                channel.send(f"at {batches}: {items} items, {vectors} vectors, {words} by words")
            last, looks = batches, looks + 1
        channel.send(looks)


def write_and_compact(folder: Path, until: int, channel: Connection) -> None:
    with Catalog.open(folder) as catalog:
        for number in range(until):
            write_batch(catalog, number)
            if number % 10 == 5:
                catalog.compact()
    with contextlib.suppress(BrokenPipeError):
        channel.send("done")
