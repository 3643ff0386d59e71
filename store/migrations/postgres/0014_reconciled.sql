-- The ledger of the last listing that the credential index equalled; 0 where none has, or where the last one differed.

ALTER TABLE mirrors ADD COLUMN reconciled BIGINT NOT NULL DEFAULT 0 CHECK (reconciled BETWEEN 0 AND 4294967295);
