-- The journal: what is asked of the ledger, what was signed for it, and what became of it.
-- Times are microseconds since 1970-01-01T00:00:00Z. Credential types and URIs are upper-case hex, as on the ledger.

CREATE TABLE batches (
    id      TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 26),
    issuer  TEXT    NOT NULL CHECK (length(issuer) BETWEEN 25 AND 35),
    state   TEXT    NOT NULL CHECK (state IN ('receiving', 'received')),
    rows    BIGINT NOT NULL DEFAULT 0 CHECK (rows >= 0),
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL
);

CREATE TABLE operations (
    id              TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 26),
    issuer          TEXT    NOT NULL CHECK (length(issuer) BETWEEN 25 AND 35),
    kind            TEXT    NOT NULL CHECK (kind IN ('issue', 'revoke', 'fill', 'tickets')),
    subject         TEXT    CHECK (length(subject) BETWEEN 25 AND 35),
    type            TEXT    CHECK (length(type) BETWEEN 2 AND 128 AND length(type) % 2 = 0),
    expiration      BIGINT CHECK (expiration BETWEEN 0 AND 4294967295),
    uri             TEXT    CHECK (length(uri) BETWEEN 2 AND 512 AND length(uri) % 2 = 0),
    tickets         BIGINT CHECK (tickets BETWEEN 1 AND 250),
    batch           TEXT    REFERENCES batches (id),
    batch_row       BIGINT CHECK (batch_row >= 1),
    priority        BIGINT NOT NULL CHECK (priority IN (0, 1)), -- 0 comes first: somebody waits for it; 1 is a batch's row
    state           TEXT    NOT NULL
        CHECK (state IN ('pending', 'signed', 'succeeded', 'failed', 'expired', 'refused', 'cancelled')),
    failure_code    TEXT,
    failure_message TEXT,
    created         BIGINT NOT NULL,
    updated         BIGINT NOT NULL,
    CHECK ((kind IN ('issue', 'revoke')) = (subject IS NOT NULL)),
    CHECK ((kind IN ('issue', 'revoke')) = (type IS NOT NULL)),
    CHECK ((kind = 'tickets') = (tickets IS NOT NULL)),
    CHECK (kind = 'issue' OR (expiration IS NULL AND uri IS NULL)),
    CHECK (kind IN ('issue', 'revoke') OR state <> 'pending'), -- what the lane makes itself is signed at once
    CHECK ((batch IS NULL) = (batch_row IS NULL)),
    CHECK ((failure_code IS NOT NULL) = (state IN ('failed', 'expired', 'refused', 'cancelled'))),
    CHECK ((failure_message IS NOT NULL) = (failure_code IS NOT NULL))
);

-- At most one operation for a credential is open at a time, whatever its kind.
CREATE UNIQUE INDEX operations_standing ON operations (issuer, subject, type) WHERE state IN ('pending', 'signed');
CREATE INDEX operations_pending ON operations (issuer, priority, id) WHERE state = 'pending';
CREATE INDEX operations_signed ON operations (issuer, id) WHERE state = 'signed';
CREATE UNIQUE INDEX operations_row ON operations (batch, batch_row) WHERE batch IS NOT NULL;

CREATE TABLE attempts (
    hash                 TEXT    NOT NULL PRIMARY KEY CHECK (length(hash) = 64),
    operation            TEXT    NOT NULL REFERENCES operations (id),
    n                    BIGINT NOT NULL CHECK (n >= 1),
    issuer               TEXT    NOT NULL,
    blob                 BYTEA   NOT NULL CHECK (length(blob) BETWEEN 32 AND 65536),
    sequence             BIGINT NOT NULL CHECK (sequence BETWEEN 0 AND 4294967295),
    ticket               BIGINT NOT NULL CHECK (ticket BETWEEN 0 AND 4294967295),
    last_ledger_sequence BIGINT NOT NULL CHECK (last_ledger_sequence BETWEEN 1 AND 4294967295),
    first_ledger         BIGINT NOT NULL CHECK (first_ledger BETWEEN 0 AND 4294967295),
    fee                  BIGINT NOT NULL CHECK (fee > 0),
    replaces             BIGINT NOT NULL CHECK (replaces >= 0 AND replaces < n),
    epoch                BIGINT NOT NULL CHECK (epoch >= 1),
    state                TEXT    NOT NULL CHECK (state IN ('signed', 'absent', 'validated')),
    compact_id           TEXT,
    ledger_index         BIGINT,
    result               TEXT,
    result_code          BIGINT,
    result_message       TEXT,
    body                 TEXT,
    created              BIGINT NOT NULL,
    updated              BIGINT NOT NULL,
    UNIQUE (operation, n),
    CHECK ((sequence > 0) <> (ticket > 0)),
    CHECK ((state = 'validated') = (ledger_index IS NOT NULL)),
    CHECK ((state = 'validated') = (result IS NOT NULL)),
    CHECK ((state = 'validated') = (body IS NOT NULL))
);

CREATE UNIQUE INDEX attempts_validated ON attempts (operation) WHERE state = 'validated';
-- Two operations never sign the same sequence or ticket at the same time; a replacement shares that of its own operation.
CREATE UNIQUE INDEX attempts_sequence ON attempts (issuer, sequence, replaces) WHERE state = 'signed' AND sequence > 0;
CREATE UNIQUE INDEX attempts_ticket ON attempts (issuer, ticket, replaces) WHERE state = 'signed' AND ticket > 0;

CREATE TABLE idempotency_keys (
    issuer       TEXT    NOT NULL,
    key          TEXT    NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash TEXT    NOT NULL CHECK (length(request_hash) = 64),
    operation    TEXT    UNIQUE REFERENCES operations (id) DEFERRABLE INITIALLY DEFERRED,
    batch        TEXT    UNIQUE REFERENCES batches (id) DEFERRABLE INITIALLY DEFERRED,
    created      BIGINT NOT NULL,
    PRIMARY KEY (issuer, key),
    CHECK ((operation IS NULL) <> (batch IS NULL))
);

CREATE INDEX idempotency_keys_created ON idempotency_keys (created);

CREATE TABLE batch_rejections (
    batch           TEXT    NOT NULL REFERENCES batches (id),
    batch_row       BIGINT NOT NULL CHECK (batch_row >= 1),
    failure_code    TEXT    NOT NULL,
    failure_message TEXT    NOT NULL,
    created         BIGINT NOT NULL,
    PRIMARY KEY (batch, batch_row)
);

CREATE TABLE lanes (
    issuer  TEXT    NOT NULL PRIMARY KEY,
    holder  TEXT    NOT NULL, -- empty: given back
    epoch   BIGINT NOT NULL CHECK (epoch >= 0),
    expires BIGINT NOT NULL  -- by the database's clock
);

-- One row that is written to find out whether there is room to write.
CREATE TABLE probe (
    id      BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    at      BIGINT NOT NULL,
    ballast BYTEA
);

INSERT INTO probe (id, at) VALUES (1, 0);
