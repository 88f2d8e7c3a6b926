"""Where a collection is kept: ``catalog.db``, the only truth.

    from babelens.storage import Catalog

`catalog` is the front desk; `database` opens and locks the file; `items`, `texts` and `embeddings` are its shelves;
`fulltext` says what words are, `likeness` which belong together, `wordsearch` finds them, `reanalysis` brings older
ones up to date, `where` compiles filters, `verify` looks for damage, `export` writes files to take away.
"""

from __future__ import annotations

from .catalog import Catalog
from .rows import FileState, Found, Owner, Watermark, WordHit

__all__ = ["Catalog", "FileState", "Found", "Owner", "Watermark", "WordHit"]
