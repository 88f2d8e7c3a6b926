"""Training of two-tower image-text encoders, and the data the bundled one is trained on (extra ``[torch]``).

Reads top to bottom: `pictographs` builds the data, `recipe` reads the TOML, `data` draws batches, `augment` changes
pictures, `towers` are the two networks, `losses` the objectives, `loop` ties them together, `export` writes the
folder that `babelens.models` serves. Importing this package imports no torch.
"""
