-- What waits for a person, and how many bytes of sealed documents that is.
ALTER TABLE applications ADD COLUMN size BIGINT NOT NULL DEFAULT 0;
UPDATE applications SET size = coalesce(length(documents), 0) WHERE state = 'waiting';
CREATE INDEX applications_load ON applications (issuer, type, size) WHERE state = 'waiting';
