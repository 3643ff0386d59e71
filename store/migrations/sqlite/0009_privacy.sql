-- Which key a hash is made with: those of before this were made with none, and are put under one when the service starts.
ALTER TABLE idempotency_keys ADD COLUMN hash_key TEXT NOT NULL DEFAULT '';
ALTER TABLE batch_sums ADD COLUMN hash_key TEXT NOT NULL DEFAULT '';

-- Reasons that are to be erased.
CREATE INDEX applications_reasons ON applications (issuer, erase, id) WHERE state = 'rejected' AND reason <> '(erased)';
