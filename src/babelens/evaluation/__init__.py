"""Judging a collection and an encoder: figures, and pictures of them.

    figures         the common look of all plots, and writing them to files
    plots           one function for a plot, from plain values to a figure
    training_log    the log of a training run, read back
    modality_gap    how far apart pictures and texts lie
    projection      vectors to places in the plane
    embedding_map   pictures and texts of a collection as a map
"""
