-- Version 1 of the catalog. Never edit a released step: add `step_002.sql` and so on (see database.py).
--
-- Paths are the bytes the operating system gave (BLOB), since a file name need not be UTF-8.
-- AUTOINCREMENT keys are never reused: an index or a reader that holds a stale one finds nothing, not a stranger.

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE items (
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL,
    path     BLOB NOT NULL,
    sha256   TEXT NOT NULL,
    page     INTEGER,
    box      TEXT,            -- JSON [x0, y0, x1, y1]
    metadata TEXT NOT NULL    -- JSON object
);
CREATE INDEX items_by_path ON items (path);
CREATE INDEX items_by_sha256 ON items (sha256);

CREATE TABLE files (
    path     BLOB PRIMARY KEY,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    status   TEXT NOT NULL CHECK (status IN ('ok', 'skipped')),
    reason   TEXT,
    item_id  TEXT REFERENCES items (id) ON UPDATE CASCADE ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX files_by_sha256 ON files (sha256);
CREATE INDEX files_by_item ON files (item_id);

CREATE TABLE texts (
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    item     INTEGER NOT NULL REFERENCES items (n) ON DELETE CASCADE,
    language TEXT NOT NULL,
    origin   TEXT NOT NULL,
    status   TEXT NOT NULL,
    model    TEXT,
    reason   TEXT,
    body     TEXT NOT NULL
);
CREATE INDEX texts_by_item ON texts (item, language);
CREATE INDEX texts_by_language ON texts (language);

CREATE TABLE encoders (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    revision   TEXT NOT NULL,
    preprocess TEXT NOT NULL,
    dim        INTEGER NOT NULL CHECK (dim > 0),
    UNIQUE (name, revision, preprocess, dim)
);

CREATE TABLE vectors (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    encoder  INTEGER NOT NULL REFERENCES encoders (n),
    modality INTEGER NOT NULL,                                   -- 0 image, 1 text
    item     INTEGER NOT NULL REFERENCES items (n) ON DELETE CASCADE,
    text     INTEGER REFERENCES texts (n) ON DELETE CASCADE,     -- the text a text vector is of
    vector   BLOB NOT NULL                                       -- dim float16 or float32, little-endian
);
CREATE INDEX vectors_by_encoder ON vectors (encoder, modality);  -- ends in seq, as every index does
CREATE INDEX vectors_by_item ON vectors (item, encoder, modality);
CREATE INDEX vectors_by_text ON vectors (text) WHERE text IS NOT NULL;

-- What indexes must forget, in order.
CREATE TABLE removals (
    n   INTEGER PRIMARY KEY AUTOINCREMENT,
    seq INTEGER NOT NULL
);

-- Full text. Bodies are tokens of fulltext.analyze joined by blanks, so the plainest tokenizer does.
-- rowid = 2 * texts.n for a text, 2 * items.n + 1 for an item's file name.
CREATE VIRTUAL TABLE words USING fts5 (tokens, tokenize = 'ascii');
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, row);    -- in how many texts a token is

-- Triggers see the deletions that cascade too, so nothing can be forgotten.
CREATE TRIGGER vectors_removed AFTER DELETE ON vectors BEGIN
    INSERT INTO removals (seq) VALUES (old.seq);
END;
CREATE TRIGGER texts_removed AFTER DELETE ON texts BEGIN
    DELETE FROM words WHERE rowid = 2 * old.n;
END;
CREATE TRIGGER items_removed AFTER DELETE ON items BEGIN
    DELETE FROM words WHERE rowid = 2 * old.n + 1;
END;
