"""The one front door: :class:`Collection`."""

from ..storage.paths import resolve_collection_path
from .care import CollectionInfo, ExportReport, IndexInfo, VerifyReport
from .collection import Collection
from .embeddings import Embeddings
from .reindex import PendingReindex, ReindexReport

__all__ = [
    "Collection",
    "CollectionInfo",
    "Embeddings",
    "ExportReport",
    "IndexInfo",
    "PendingReindex",
    "ReindexReport",
    "VerifyReport",
    "resolve_collection_path",
]
