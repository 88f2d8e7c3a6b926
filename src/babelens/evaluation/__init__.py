"""How good are search and texts? Measured on captions that people wrote, through the collection that users search.

sources      a data set, the bundled gallery or a collection -> the collection that is measured
corpus       its pictures and captions as arrays, and which belong together
retrieval    words to pictures and pictures to words, by language: as users get it, and by exact search
agreement    do parallel captions find the same? are captions near their own pictures?
no_match     does it know when it does not know?
evaluate     all of it, in order; one report
comparison   two encoders on the same pictures
report       report.json, report.md, report.html, queries.jsonl

index_report, index_plot    a study of index settings: tables, latency against recall

translation    BLEU and chrF of texts in one language, and two systems compared
bertscore      BERTScore within one language
translations   the translations of a collection, plain files, translation there and back

figures        the common look of all plots, and writing them to files
plots          one function for a plot, from plain values to a figure
training_log   the log of a training run, read back
modality_gap   how far apart pictures and texts lie
projection     vectors to places in the plane
embedding_map  pictures and texts of a collection as a map
map_page       the same as one interactive page
"""

from .comparison import Comparison, compare
from .evaluate import Evaluation, evaluate
from .report import write_report

__all__ = ["Comparison", "Evaluation", "compare", "evaluate", "write_report"]
