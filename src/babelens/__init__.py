"""Babelens finds pictures and pages by meaning, in eight languages, on your own machine.

    from babelens import Collection

    with Collection.open("holiday", model="mini") as collection:
        collection.add("~/photos")
        for hit in collection.search("un perro en la playa").hits:
            print(hit.rank, hit.score, hit.item.source.path)

What needs numpy is imported when it is first used, so that ``import babelens`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    BabelensError,
    CollectionError,
    CollectionLockedError,
    CollectionNotFoundError,
    CorruptCatalogError,
    CorruptIndexError,
    DatasetError,
    EncoderMismatchError,
    ExportError,
    FilterError,
    IncompleteReindexError,
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

if TYPE_CHECKING:
    from .collection import (
        Collection,
        CollectionInfo,
        ExportReport,
        IndexInfo,
        PendingReindex,
        ReindexReport,
        VerifyReport,
        resolve_collection_path,
    )
    from .encoding import encode_image, encode_text
    from .models.protocols import Encoder, ImageEncoder, TextEncoder
    from .models.registry import ModelInfo, list_models, load_encoder
    from .search import ResultChanges

_LAZY = {
    "Collection": "collection",
    "CollectionInfo": "collection",
    "Encoder": "models.protocols",
    "ExportReport": "collection",
    "ImageEncoder": "models.protocols",
    "IndexInfo": "collection",
    "ModelInfo": "models.registry",
    "PendingReindex": "collection",
    "ReindexReport": "collection",
    "ResultChanges": "search",
    "TextEncoder": "models.protocols",
    "VerifyReport": "collection",
    "encode_image": "encoding",
    "encode_text": "encoding",
    "list_models": "models.registry",
    "load_encoder": "models.registry",
    "resolve_collection_path": "collection",
}

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
    "ExportError",
    "ExportReport",
    "FilterError",
    "Hit",
    "ImageEncoder",
    "IncompleteReindexError",
    "IndexInfo",
    "IngestReport",
    "InvalidQueryError",
    "Item",
    "Language",
    "MalformedDataError",
    "MissingExtraError",
    "ModelInfo",
    "PendingReindex",
    "Query",
    "Reason",
    "ReindexReport",
    "ResultChanges",
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
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
