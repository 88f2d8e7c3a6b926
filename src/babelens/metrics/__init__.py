"""Measures of retrieval, on ids and scores alone: ranks of what is relevant, what they are worth, how sure that is.

    ranking      where the relevant documents stand: from scores, from vectors, from lists that a search gave
    retrieval    hit_rate@k, recall@k, MRR, nDCG, average precision, per query; and what chance would give
    statistics   means with bootstrap intervals, two systems compared, area under the ROC curve
    gate         whether a change of what is searched with has earned its place

NumPy only; nothing here knows what a collection or an encoder is.
"""
