from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from babelens.storage import Catalog
from tests.catalogs import new_catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with new_catalog(tmp_path / "collection") as catalog:
        yield catalog
