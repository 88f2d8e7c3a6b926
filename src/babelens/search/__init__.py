"""The way out: parse → encode → find → fuse → judge confidence → hits."""

from .changes import ResultChanges, compare_results
from .searcher import Searcher
from .upkeep import FreshIndex

__all__ = ["FreshIndex", "ResultChanges", "Searcher", "compare_results"]
