"""Babelens finds pictures and pages by meaning, in eight languages, on your own machine.

    from babelens import Collection

    with Collection.open("holiday", model="mini") as collection:
        collection.add("~/photos")
        for hit in collection.search("un perro en la playa").hits:
            print(hit.rank, hit.score, hit.item.source.path)

Names are imported when they are first used, so that ``import babelens`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .collection import (
        Collection,
        CollectionInfo,
        ExportReport,
        IndexInfo,
        VerifyReport,
        resolve_collection_path,
    )
    from .encoding import encode_image, encode_text
    from .errors import (
        BabelensError,
        CollectionError,
        CollectionLockedError,
        CollectionNotFoundError,
        CorruptCatalogError,
        CorruptIndexError,
        DatasetError,
        EncoderMismatchError,
        FilterError,
        InvalidQueryError,
        MalformedDataError,
        MissingExtraError,
        StorageFullError,
        TrainingError,
        UnknownItemError,
        UnknownLanguageError,
        UnknownModelError,
        UnreadableFileError,
        WeightsUnavailableError,
    )
    from .languages import LANGUAGES, Language, get_language
    from .models.protocols import Encoder, ImageEncoder, TextEncoder
    from .models.registry import ModelInfo, list_models, load_encoder
    from .types import (
        Caption,
        EncoderFingerprint,
        Hit,
        IngestReport,
        Item,
        Query,
        Reason,
        SearchResult,
        Skip,
        Source,
        Term,
        Text,
    )

_HOMES = {
    "collection": (
        "Collection",
        "CollectionInfo",
        "ExportReport",
        "IndexInfo",
        "VerifyReport",
        "resolve_collection_path",
    ),
    "encoding": ("encode_image", "encode_text"),
    "errors": (
        "BabelensError",
        "CollectionError",
        "CollectionLockedError",
        "CollectionNotFoundError",
        "CorruptCatalogError",
        "CorruptIndexError",
        "DatasetError",
        "EncoderMismatchError",
        "FilterError",
        "InvalidQueryError",
        "MalformedDataError",
        "MissingExtraError",
        "StorageFullError",
        "TrainingError",
        "UnknownItemError",
        "UnknownLanguageError",
        "UnknownModelError",
        "UnreadableFileError",
        "WeightsUnavailableError",
    ),
    "languages": ("LANGUAGES", "Language", "get_language"),
    "models.protocols": ("Encoder", "ImageEncoder", "TextEncoder"),
    "models.registry": ("ModelInfo", "list_models", "load_encoder"),
    "types": (
        "Caption",
        "EncoderFingerprint",
        "Hit",
        "IngestReport",
        "Item",
        "Query",
        "Reason",
        "SearchResult",
        "Skip",
        "Source",
        "Term",
        "Text",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "LANGUAGES",
    "BabelensError",
    "Caption",
    "Collection",
    "CollectionError",
    "CollectionInfo",
    "CollectionLockedError",
    "CollectionNotFoundError",
    "CorruptCatalogError",
    "CorruptIndexError",
    "DatasetError",
    "Encoder",
    "EncoderFingerprint",
    "EncoderMismatchError",
    "ExportReport",
    "FilterError",
    "Hit",
    "ImageEncoder",
    "IndexInfo",
    "IngestReport",
    "InvalidQueryError",
    "Item",
    "Language",
    "MalformedDataError",
    "MissingExtraError",
    "ModelInfo",
    "Query",
    "Reason",
    "SearchResult",
    "Skip",
    "Source",
    "StorageFullError",
    "Term",
    "Text",
    "TextEncoder",
    "TrainingError",
    "UnknownItemError",
    "UnknownLanguageError",
    "UnknownModelError",
    "UnreadableFileError",
    "VerifyReport",
    "WeightsUnavailableError",
    "__version__",
    "encode_image",
    "encode_text",
    "get_language",
    "list_models",
    "load_encoder",
    "resolve_collection_path",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("babelens")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
