-- Version 3: a correction of hubness for the vectors of an encoder, with the bank of queries that it was learnt from.
-- The number is never used again, so a reader that compares numbers notices every change.

CREATE TABLE corrections (
    n       INTEGER PRIMARY KEY AUTOINCREMENT,
    encoder INTEGER NOT NULL UNIQUE REFERENCES encoders (n) ON DELETE CASCADE,
    facts   TEXT NOT NULL,    -- JSON: what was chosen and what was measured
    owners  TEXT NOT NULL,    -- JSON list: the picture that each query of the bank asks for (see corrections.py)
    bank    BLOB NOT NULL     -- as many rows of dim float32, little-endian
);
