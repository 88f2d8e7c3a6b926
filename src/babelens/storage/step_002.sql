-- Version 2: a translation knows the text it was made from, and goes with it.

ALTER TABLE texts ADD COLUMN source INTEGER REFERENCES texts (n) ON DELETE CASCADE;
CREATE INDEX texts_by_source ON texts (source) WHERE source IS NOT NULL;
