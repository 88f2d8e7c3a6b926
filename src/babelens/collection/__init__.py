"""The one front door: :class:`Collection`."""

from .care import CollectionInfo, ExportReport, IndexInfo, VerifyReport
from .collection import Collection
from .embeddings import Embeddings
from .paths import resolve_collection_path
from .reindex import PendingReindex, ReindexReport
from .routing import RouteTrial, RoutingReport

__all__ = [
    "Collection",
    "CollectionInfo",
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
