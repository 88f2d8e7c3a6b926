"""How good is the search? Measured on captions that people wrote, through the collection that users search.

sources      a data set, the bundled gallery or a collection -> the collection that is measured
corpus       its pictures and captions as arrays, and which belong together
retrieval    words to pictures and pictures to words, by language: as users get it, and by exact search
agreement    do parallel captions find the same? are captions near their own pictures?
no_match     does it know when it does not know?
evaluate     all of it, in order; one report
comparison   two encoders on the same pictures
report       report.json, report.md, report.html, queries.jsonl
"""

from .comparison import Comparison, compare
from .evaluate import Evaluation, evaluate
from .report import write_report

__all__ = ["Comparison", "Evaluation", "compare", "evaluate", "write_report"]
