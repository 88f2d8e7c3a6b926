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
    GenerationError,
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
    from .answering import Answer, Citation, Generator
    from .collection import (
        Collection,
        CollectionInfo,
        Embeddings,
        ExportReport,
        IndexInfo,
        IndexStudy,
        PassageInfo,
        PassageReport,
        PendingReindex,
        ReindexReport,
        RoutingReport,
        StudyPlan,
        VerifyReport,
        resolve_collection_path,
    )
    from .describing import generate_caption, translate
    from .encoding import encode_image, encode_text
    from .models.captioners import Captioner, load_captioner
    from .models.passages import PassageModelInfo, list_passage_encoders, load_passage_encoder
    from .models.protocols import Encoder, ImageEncoder, PassageEncoder, TextEncoder
    from .models.registry import ModelInfo, list_models, load_encoder
    from .models.translators import Translator, load_translator
    from .search import CorrectionInfo, HubnessReport, LanguageGain, ResultChanges, Route

_LAZY = {
    "Answer": "answering",
    "Captioner": "models.captioners",
    "Citation": "answering",
    "Collection": "collection",
    "CollectionInfo": "collection",
    "CorrectionInfo": "search",
    "Embeddings": "collection",
    "Encoder": "models.protocols",
    "ExportReport": "collection",
    "Generator": "answering",
    "HubnessReport": "search",
    "ImageEncoder": "models.protocols",
    "IndexInfo": "collection",
    "IndexStudy": "collection",
    "LanguageGain": "search",
    "ModelInfo": "models.registry",
    "PassageEncoder": "models.protocols",
    "PassageInfo": "collection",
    "PassageModelInfo": "models.passages",
    "PassageReport": "collection",
    "PendingReindex": "collection",
    "ReindexReport": "collection",
    "ResultChanges": "search",
    "Route": "search",
    "RoutingReport": "collection",
    "StudyPlan": "collection",
    "TextEncoder": "models.protocols",
    "Translator": "models.translators",
    "VerifyReport": "collection",
    "encode_image": "encoding",
    "encode_text": "encoding",
    "generate_caption": "describing",
    "list_models": "models.registry",
    "list_passage_encoders": "models.passages",
    "load_captioner": "models.captioners",
    "load_encoder": "models.registry",
    "load_passage_encoder": "models.passages",
    "load_translator": "models.translators",
    "resolve_collection_path": "collection",
    "translate": "describing",
}

__all__ = [
    "LANGUAGES",
    "Answer",
    "BabelensError",
    "Caption",
    "Captioner",
    "Citation",
    "Collection",
    "CollectionError",
    "CollectionInfo",
    "CollectionLockedError",
    "CollectionNotFoundError",
    "CorrectionInfo",
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
    "GenerationError",
    "Generator",
    "Hit",
    "HubnessReport",
    "ImageEncoder",
    "IncompleteReindexError",
    "IndexInfo",
    "IndexStudy",
    "IngestReport",
    "InvalidQueryError",
    "Item",
    "Language",
    "LanguageGain",
    "MalformedDataError",
    "MissingExtraError",
    "ModelInfo",
    "PassageEncoder",
    "PassageInfo",
    "PassageModelInfo",
    "PassageReport",
    "PendingReindex",
    "Query",
    "Reason",
    "ReindexReport",
    "ResultChanges",
    "Route",
    "RoutingReport",
    "SearchResult",
    "Skip",
    "Source",
    "StorageFullError",
    "StudyPlan",
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
    "list_passage_encoders",
    "load_captioner",
    "load_encoder",
    "load_passage_encoder",
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
