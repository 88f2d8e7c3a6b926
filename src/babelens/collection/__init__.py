"""The one front door: :class:`Collection`."""

from ..storage.paths import resolve_collection_path
from .care import CollectionInfo, ExportReport, IndexInfo, VerifyReport
from .collection import Collection
from .embeddings import EmbeddedItem, Embeddings
from .reindex import PendingReindex, ReindexReport
from .routing import RouteTrial, RoutingReport

__all__ = [
    "Collection",
    "CollectionInfo",
    "EmbeddedItem",
    "Embeddings",
    "ExportReport",
    "IndexInfo",
    "PendingReindex",
    "ReindexReport",
    "RouteTrial",
    "RoutingReport",
    "VerifyReport",
    "resolve_collection_path",
]
