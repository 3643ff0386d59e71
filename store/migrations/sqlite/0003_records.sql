-- Who may do what, requests that a person decides on, what was decided, and what happened, in order.

-- How far the two logs have come. Whatever is added to one of them locks this row first, and keeps it until it is committed:
-- so both are numbered without gaps in the order of the commits.
CREATE TABLE heads (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    event INTEGER NOT NULL CHECK (event >= 0), -- seq of the last event
    entry INTEGER NOT NULL CHECK (entry >= 0), -- seq of the last entry of the audit log
    hash  TEXT    NOT NULL CHECK (length(hash) = 64) -- that entry's
) STRICT;

INSERT INTO heads (id, event, entry, hash) VALUES (1, 0, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- The two logs refer to nothing by a foreign key: its check would lock a row that another transaction has, which waits for
-- the row above.
CREATE TABLE events (
    seq         INTEGER NOT NULL PRIMARY KEY CHECK (seq >= 1),
    id          TEXT    NOT NULL CHECK (length(id) = 26),
    time        INTEGER NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('request.received', 'request.approved', 'request.rejected', 'request.documents_erased', 'credential.issued', 'credential.revoked', 'credential.failed', 'credential.accepted', 'credential.expired', 'credential.deleted')),
    actor       TEXT    NOT NULL,
    issuer      TEXT    NOT NULL CHECK (length(issuer) BETWEEN 25 AND 35),
    subject     TEXT    NOT NULL CHECK (length(subject) BETWEEN 25 AND 35),
    type        TEXT    NOT NULL CHECK (length(type) BETWEEN 2 AND 128 AND length(type) % 2 = 0),
    application TEXT    CHECK (length(application) = 26),
    operation   TEXT    CHECK (length(operation) = 26),
    data        TEXT -- one JSON object
) STRICT;

CREATE UNIQUE INDEX events_issuer ON events (issuer, seq);
CREATE UNIQUE INDEX events_credential ON events (issuer, subject, type, seq);
CREATE UNIQUE INDEX events_application ON events (application, seq) WHERE application IS NOT NULL;

-- The audit log. Hashes are lower-case hex; each entry's is over its fields and the hash of the one before.
CREATE TABLE audit (
    seq        INTEGER NOT NULL PRIMARY KEY CHECK (seq >= 1),
    time       INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    action     TEXT    NOT NULL CHECK (length(action) >= 1),
    target     TEXT    NOT NULL,
    status     INTEGER NOT NULL CHECK (status BETWEEN 0 AND 999),
    request_id TEXT    NOT NULL,
    detail     TEXT, -- one JSON object
    previous   TEXT    NOT NULL CHECK (length(previous) = 64),
    hash       TEXT    NOT NULL CHECK (length(hash) = 64)
) STRICT;

-- Who asked for it, and the id of the call; empty where nobody said.
ALTER TABLE operations ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
ALTER TABLE batches ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE batches ADD COLUMN request_id TEXT NOT NULL DEFAULT '';

-- Nonces of challenges that were answered: SHA-256 of each, in hex, and the operation or request that it was answered for.
CREATE TABLE spent_nonces (
    nonce   TEXT    NOT NULL PRIMARY KEY CHECK (length(nonce) = 64),
    owner   TEXT    NOT NULL CHECK (length(owner) = 26),
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_nonces_expires ON spent_nonces (expires);

-- Bearer tokens. Of the secret part there is only SHA-256, in hex.
CREATE TABLE tokens (
    id        TEXT    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    name      TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    role      TEXT    NOT NULL CHECK (role IN ('reader', 'reviewer', 'admin')),
    hash      TEXT    NOT NULL CHECK (length(hash) = 64),
    created   INTEGER NOT NULL,
    expires   INTEGER,
    revoked   INTEGER,
    last_used INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked IS NULL;

-- What the replicas of an issuer have to share: random bytes, in hex, made at the first asking.
CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
    value TEXT NOT NULL CHECK (length(value) = 64)
) STRICT, WITHOUT ROWID;

-- Requests that a person decides on.
CREATE TABLE applications (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 26),
    issuer      TEXT    NOT NULL CHECK (length(issuer) BETWEEN 25 AND 35),
    subject     TEXT    NOT NULL CHECK (length(subject) BETWEEN 25 AND 35),
    type        TEXT    NOT NULL CHECK (length(type) BETWEEN 2 AND 128 AND length(type) % 2 = 0),
    expiration  INTEGER CHECK (expiration BETWEEN 0 AND 4294967295),
    uri         TEXT    CHECK (length(uri) BETWEEN 2 AND 512 AND length(uri) % 2 = 0),
    renew       INTEGER NOT NULL CHECK (renew IN (0, 1)),
    proven      INTEGER NOT NULL CHECK (proven IN (0, 1)),
    secret_hash TEXT    NOT NULL CHECK (length(secret_hash) = 64), -- SHA-256, in hex
    keep        INTEGER NOT NULL CHECK (keep >= 0), -- microseconds
    state       TEXT    NOT NULL CHECK (state IN ('waiting', 'approved', 'rejected')),
    operation   TEXT    CHECK (length(operation) = 26), -- may be one that is stored later
    decided_by  TEXT,
    decision    TEXT, -- which call made it
    reason      TEXT    CHECK (length(reason) BETWEEN 1 AND 1000),
    erase       INTEGER,
    request_id  TEXT    NOT NULL,
    created     INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    documents   BLOB    CHECK (length(documents) BETWEEN 1 AND 4194304), -- sealed; NULL once they are erased
    CHECK ((decided_by IS NULL) = (state = 'waiting')),
    CHECK ((decision IS NULL) = (state = 'waiting')),
    CHECK ((erase IS NULL) = (state = 'waiting')),
    CHECK ((reason IS NOT NULL) = (state = 'rejected')),
    CHECK (state = 'rejected' OR (operation IS NOT NULL) = (state = 'approved'))
) STRICT;

-- At most one request for a credential waits at a time.
CREATE UNIQUE INDEX applications_waiting ON applications (issuer, subject, type) WHERE state = 'waiting';
CREATE INDEX applications_state ON applications (issuer, state, id);
CREATE INDEX applications_all ON applications (issuer, id);
CREATE INDEX applications_erase ON applications (issuer, erase, id) WHERE erase IS NOT NULL AND documents IS NOT NULL;

-- A key can belong to a request too, or to a renewal, whose second operation has its id before it is stored.
CREATE TABLE kept_keys AS SELECT issuer, key, request_hash, operation, batch, created FROM idempotency_keys;
DROP TABLE idempotency_keys;
CREATE TABLE idempotency_keys (
    issuer       TEXT    NOT NULL,
    key          TEXT    NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash TEXT    NOT NULL CHECK (length(request_hash) = 64),
    operation    TEXT    UNIQUE REFERENCES operations (id) DEFERRABLE INITIALLY DEFERRED,
    batch        TEXT    UNIQUE REFERENCES batches (id) DEFERRABLE INITIALLY DEFERRED,
    application  TEXT    UNIQUE REFERENCES applications (id) DEFERRABLE INITIALLY DEFERRED,
    renewal      TEXT    UNIQUE CHECK (length(renewal) = 26),
    created      INTEGER NOT NULL,
    PRIMARY KEY (issuer, key),
    CHECK (CASE WHEN operation IS NULL THEN 0 ELSE 1 END + CASE WHEN batch IS NULL THEN 0 ELSE 1 END + CASE WHEN application IS NULL THEN 0 ELSE 1 END + CASE WHEN renewal IS NULL THEN 0 ELSE 1 END = 1)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_created ON idempotency_keys (created);
-- The last of all that is done to this table: its deferred checks are open until the commit.
INSERT INTO idempotency_keys (issuer, key, request_hash, operation, batch, created)
    SELECT issuer, key, request_hash, operation, batch, created FROM kept_keys;
DROP TABLE kept_keys;
