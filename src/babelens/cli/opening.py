"""Collections that a command is going to write to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .progress import reporting

if TYPE_CHECKING:
    from ..collection import Collection


@contextmanager
def opened_to_write(name: str, **options: Any) -> Iterator[Collection]:
    """As ``Collection.open``, with progress where a collection of an older version is brought up to date first."""
    from ..collection import Collection

    with reporting("Analysing words again", "texts") as reporter:
        collection = Collection.open(name, progress=reporter.update, **options)
    with collection:
        yield collection
