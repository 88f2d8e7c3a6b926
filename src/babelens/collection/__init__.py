"""The one front door: :class:`Collection`."""

from .care import CollectionInfo, ExportReport, IndexInfo, VerifyReport
from .collection import Collection
from .index_study import IndexStudy, StudyPlan
from .paths import resolve_collection_path
from .reindex import PendingReindex, ReindexReport

__all__ = [
    "Collection",
    "CollectionInfo",
    "ExportReport",
    "IndexInfo",
    "IndexStudy",
    "PendingReindex",
    "ReindexReport",
    "StudyPlan",
    "VerifyReport",
    "resolve_collection_path",
]
