"""The way out: parse → encode → find → fuse → judge confidence → hits."""

from .changes import ResultChanges, compare_results
from .correction import CorrectionInfo, LanguageGain
from .hubness import HubnessReport
from .routes import Gain, Route, Router
from .searcher import Searcher
from .upkeep import FreshIndex

__all__ = [
    "CorrectionInfo",
    "FreshIndex",
    "Gain",
    "HubnessReport",
    "LanguageGain",
    "ResultChanges",
    "Route",
    "Router",
    "Searcher",
    "compare_results",
]
