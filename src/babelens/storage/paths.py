"""Where collections are kept."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import CollectionError


def resolve_collection_path(name_or_path: str | Path) -> Path:
    """The folder of a collection: a bare name lives in the user's data directory, anything else is a path.

    A path is a :class:`Path`, a string with a separator, ``.``, ``..`` or ``~``, or the name of a folder here that
    holds a collection.
    """
    if isinstance(name_or_path, Path):
        return name_or_path.expanduser().absolute()
    name = name_or_path
    if not name.strip() or "\0" in name:
        raise CollectionError("The name of a collection cannot be empty.", hint="Give a name or a path.")
    separators = {os.sep, os.altsep or os.sep, "/"}
    if name in (".", "..") or name.startswith("~") or any(separator in name for separator in separators):
        return Path(name).expanduser().absolute()
    if (Path(name) / "catalog.db").is_file():
        return Path(name).absolute()
    import platformdirs

    return platformdirs.user_data_path("babelens", appauthor=False) / "collections" / name
