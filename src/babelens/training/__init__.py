"""Training of two-tower image-text encoders, and the data the bundled one is trained on (extra ``[torch]``).

Reads top to bottom: `recipe` reads the TOML, `train` starts a run, `loop` is what all runs have in common, `towers` are
the two networks, `losses` the objectives, `validate` says what was found, `export` writes the folder that
`babelens.models` serves. Each kind of data has its own: `pictographs` builds a data set of drawings, `data` draws
batches of them, `augment` changes them, `pictograph_run` trains; `photographs` reads captioned pictures, `sides` says
which may be mirrored, `photograph_batches` draws, `photograph_run` trains. Importing this package imports no torch.
"""
