"""The way out: parse → encode → find → fuse → judge confidence → hits."""

from .searcher import Searcher
from .upkeep import FreshIndex

__all__ = ["FreshIndex", "Searcher"]
