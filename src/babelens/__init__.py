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
    DescribeReport,
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
    Translation,
)

if TYPE_CHECKING:
    from .collection import (
        Collection,
        CollectionInfo,
        Embeddings,
        ExportReport,
        IndexInfo,
        PendingReindex,
        ReindexReport,
        VerifyReport,
        resolve_collection_path,
    )
    from .describing import generate_caption, translate
    from .encoding import encode_image, encode_text
    from .models.captioners import Captioner, load_captioner
    from .models.protocols import Encoder, ImageEncoder, TextEncoder
    from .models.registry import ModelInfo, list_models, load_encoder
    from .models.translators import Translator, load_translator
    from .search import ResultChanges

_LAZY = {
    "Captioner": "models.captioners",
    "Collection": "collection",
    "CollectionInfo": "collection",
    "Embeddings": "collection",
    "Encoder": "models.protocols",
    "ExportReport": "collection",
    "ImageEncoder": "models.protocols",
    "IndexInfo": "collection",
    "ModelInfo": "models.registry",
    "PendingReindex": "collection",
    "ReindexReport": "collection",
    "ResultChanges": "search",
    "TextEncoder": "models.protocols",
    "Translator": "models.translators",
    "VerifyReport": "collection",
    "encode_image": "encoding",
    "encode_text": "encoding",
    "generate_caption": "describing",
    "list_models": "models.registry",
    "load_captioner": "models.captioners",
    "load_encoder": "models.registry",
    "load_translator": "models.translators",
    "resolve_collection_path": "collection",
    "translate": "describing",
}

__all__ = [
    "LANGUAGES",
    "BabelensError",
    "Caption",
    "Captioner",
    "Collection",
    "CollectionError",
    "CollectionInfo",
    "CollectionLockedError",
    "CollectionNotFoundError",
    "CorruptCatalogError",
    "CorruptIndexError",
    "DatasetError",
    "DescribeReport",
    "Embeddings",
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
    "Translation",
    "Translator",
    "UnknownItemError",
    "UnknownLanguageError",
    "UnknownModelError",
    "UnreadableFileError",
    "VerifyReport",
    "WeightsUnavailableError",
    "__version__",
    "encode_image",
    "encode_text",
    "generate_caption",
    "get_language",
    "list_models",
    "load_captioner",
    "load_encoder",
    "load_translator",
    "resolve_collection_path",
    "translate",
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
