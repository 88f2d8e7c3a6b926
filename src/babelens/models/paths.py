"""Where what models leave behind is kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The user's cache directory; the environment variable ``BABELENS_CACHE`` names another."""
    if given := os.environ.get("BABELENS_CACHE"):
        return Path(given).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("babelens", appauthor=False)
