-- Review requests that ended without a credential: when, and a keyed hash of the client that made them. They are counted for a
-- day, and removed after a time.
ALTER TABLE applications ADD COLUMN closed INTEGER;
ALTER TABLE applications ADD COLUMN client TEXT NOT NULL DEFAULT '';
UPDATE applications SET closed = updated WHERE state IN ('rejected', 'lapsed', 'withdrawn');
CREATE INDEX applications_closed ON applications (closed, id) WHERE closed IS NOT NULL;
CREATE INDEX applications_closed_subject ON applications (issuer, subject, proven, closed) WHERE closed IS NOT NULL;
CREATE INDEX applications_closed_client ON applications (issuer, client, closed) WHERE closed IS NOT NULL;
