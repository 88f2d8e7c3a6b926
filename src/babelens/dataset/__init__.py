"""Captioned data sets on disk: read, checked, converted, split and fetched.

reading.py     rows of any source: a captions file, a folder, a collection
faults.py      what can be wrong with one caption
checking.py    whether a data set holds together
pictures.py    the pictures that can be used, with captions by language
converting.py  one form for all, with checksums and a card (card.py)
splitting.py   train, val and test by picture, or as published
fetching.py    from the hubs where people's sets are
"""

from .checking import CheckReport, Finding, SplitSummary, check
from .converting import ConvertReport, convert
from .fetching import FetchReport, fetch
from .pictures import CaptionedPicture, read_pictures
from .splitting import SplitReport, split
from .statistics import LanguageStatistics

__all__ = [
    "CaptionedPicture",
    "CheckReport",
    "ConvertReport",
    "FetchReport",
    "Finding",
    "LanguageStatistics",
    "SplitReport",
    "SplitSummary",
    "check",
    "convert",
    "fetch",
    "read_pictures",
    "split",
]
