"""Captioned data sets on disk: read, checked, converted and split."""

from ._old import CheckReport, Finding, SplitReport, SplitSummary, check, split
from .pictures import CaptionedPicture, read_pictures

__all__ = [
    "CaptionedPicture",
    "CheckReport",
    "Finding",
    "SplitReport",
    "SplitSummary",
    "check",
    "read_pictures",
    "split",
]
