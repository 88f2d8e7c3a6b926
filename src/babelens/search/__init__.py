"""The way out: parse → encode → find → fuse → judge confidence → hits."""

from .changes import ResultChanges, compare_results
from .correction import CorrectionInfo, LanguageGain
from .documents import DocumentSearch
from .hubness import HubnessReport
from .other_languages import OtherLanguages
from .passages import PassageSearch
from .routes import Gain, Route, Router
from .searcher import Searcher
from .upkeep import FreshIndex

__all__ = [
    "CorrectionInfo",
    "DocumentSearch",
    "FreshIndex",
    "Gain",
    "HubnessReport",
    "LanguageGain",
    "OtherLanguages",
    "PassageSearch",
    "ResultChanges",
    "Route",
    "Router",
    "Searcher",
    "compare_results",
]
