"""The way out: parse → encode → find → fuse → judge confidence → hits."""

from .changes import ResultChanges, compare_results
from .correction import CorrectionInfo, LanguageGain
from .hubness import HubnessReport
from .searcher import Searcher
from .upkeep import FreshIndex

__all__ = [
    "CorrectionInfo",
    "FreshIndex",
    "HubnessReport",
    "LanguageGain",
    "ResultChanges",
    "Searcher",
    "compare_results",
]
