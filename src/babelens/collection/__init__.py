"""The one front door: :class:`Collection`."""

from ..storage.paths import resolve_collection_path
from .care import CollectionInfo, ExportReport, IndexInfo, VerifyReport
from .collection import Collection
from .embeddings import EmbeddedItem, Embeddings
from .index_study import IndexStudy, StudyPlan
from .passage_vectors import PassageInfo, PassageReport
from .reindex import PendingReindex, ReindexReport
from .routing import RouteTrial, RoutingReport

__all__ = [
    "Collection",
    "CollectionInfo",
    "EmbeddedItem",
    "Embeddings",
    "ExportReport",
    "IndexInfo",
    "IndexStudy",
    "PassageInfo",
    "PassageReport",
    "PendingReindex",
    "ReindexReport",
    "RouteTrial",
    "RoutingReport",
    "StudyPlan",
    "VerifyReport",
    "resolve_collection_path",
]
