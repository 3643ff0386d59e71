-- Which kinds of events an endpoint is told of, with a space around each; empty for all.
ALTER TABLE endpoints ADD COLUMN kinds TEXT NOT NULL DEFAULT '';
