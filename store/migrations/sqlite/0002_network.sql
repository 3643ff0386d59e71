-- Which ledger the journal belongs to, and what shows that a batch that is sent again is the same one.

-- One row, written when the journal is first used. Each ledger stands for all that came before it.
CREATE TABLE network (
    id               INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    name             TEXT    NOT NULL,
    network_id       INTEGER NOT NULL CHECK (network_id BETWEEN 0 AND 4294967295),
    first_index      INTEGER NOT NULL CHECK (first_index BETWEEN 1 AND 4294967295),
    first_hash       TEXT    NOT NULL CHECK (length(first_hash) = 64),
    first_close_time INTEGER NOT NULL CHECK (first_close_time BETWEEN 0 AND 4294967295),
    flag_index       INTEGER CHECK (flag_index BETWEEN 256 AND 4294967295 AND flag_index % 256 = 0),
    flag_hash        TEXT    CHECK (length(flag_hash) = 64),
    last_index       INTEGER NOT NULL CHECK (last_index BETWEEN 1 AND 4294967295),
    last_hash        TEXT    NOT NULL CHECK (length(last_hash) = 64),
    last_close_time  INTEGER NOT NULL CHECK (last_close_time BETWEEN 0 AND 4294967295),
    bound            INTEGER NOT NULL,
    updated          INTEGER NOT NULL,
    CHECK ((flag_index IS NULL) = (flag_hash IS NULL)),
    CHECK (last_index >= first_index)
) STRICT;

-- When a batch was cancelled; NULL where it was not.
ALTER TABLE batches ADD COLUMN cancelled INTEGER;

-- What tells the rows of a batch from others: 16 bytes of a hash for each, as they were stored together.
CREATE TABLE batch_sums (
    batch     TEXT    NOT NULL REFERENCES batches (id),
    first_row INTEGER NOT NULL CHECK (first_row >= 1),
    sums      BLOB    NOT NULL CHECK (length(sums) >= 16 AND length(sums) % 16 = 0),
    PRIMARY KEY (batch, first_row)
) STRICT, WITHOUT ROWID;

-- What a batch's rows are counted by, and where its failures are.
CREATE INDEX operations_batch ON operations (batch, state) WHERE batch IS NOT NULL;
CREATE INDEX operations_failures ON operations (batch, batch_row) WHERE batch IS NOT NULL AND failure_code IS NOT NULL;
-- Batches whose rows are not all there.
CREATE INDEX batches_receiving ON batches (updated) WHERE state = 'receiving';
