-- Version 4: the full text is of an analysis that has a number (fulltext.ANALYSIS). What was written before is of the
-- first; reanalysis.py makes it anew.

INSERT OR IGNORE INTO settings VALUES ('words_analysis', '1');

-- Pages, figures and passages among a million pictures.
CREATE INDEX items_of_documents ON items (kind) WHERE kind <> 'image';
