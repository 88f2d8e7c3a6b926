"""The way out: parse → encode → find → fuse → judge confidence → hits."""

from .changes import ResultChanges, compare_results
from .routes import Gain, Route, Router
from .searcher import Searcher
from .upkeep import FreshIndex

__all__ = ["FreshIndex", "Gain", "ResultChanges", "Route", "Router", "Searcher", "compare_results"]
