-- Requests that nobody decides on lapse, and those who made them can withdraw them. Two tables are made anew, as neither database
-- can change a CHECK in the same words as the other.

-- Keys refer to requests, and have to refer to the new table. Each table is renamed before it is read, so that nobody writes to it
-- any more.
DROP INDEX idempotency_keys_created;
ALTER TABLE idempotency_keys RENAME TO kept_keys;

DROP INDEX applications_waiting;
DROP INDEX applications_state;
DROP INDEX applications_all;
DROP INDEX applications_erase;
DROP INDEX applications_operation;
ALTER TABLE applications RENAME TO kept_applications;

-- Requests that a person decides on.
CREATE TABLE applications (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 26),
    issuer      TEXT    NOT NULL CHECK (length(issuer) BETWEEN 25 AND 35),
    subject     TEXT    NOT NULL CHECK (length(subject) BETWEEN 25 AND 35),
    type        TEXT    NOT NULL CHECK (length(type) BETWEEN 2 AND 128 AND length(type) % 2 = 0),
    expiration  BIGINT CHECK (expiration BETWEEN 0 AND 4294967295),
    uri         TEXT    CHECK (length(uri) BETWEEN 2 AND 512 AND length(uri) % 2 = 0),
    renew       BIGINT NOT NULL CHECK (renew IN (0, 1)),
    proven      BIGINT NOT NULL CHECK (proven IN (0, 1)),
    secret_hash TEXT    NOT NULL CHECK (length(secret_hash) = 64), -- SHA-256, in hex
    keep        BIGINT NOT NULL CHECK (keep >= 0), -- microseconds
    decide_by   BIGINT NOT NULL, -- from then on it lapses
    state       TEXT    NOT NULL CHECK (state IN ('waiting', 'approved', 'rejected', 'lapsed', 'withdrawn')),
    operation   TEXT    CHECK (length(operation) = 26), -- may be one that is stored later
    decided_by  TEXT,
    decision    TEXT, -- which call made it
    reason      TEXT    CHECK (length(reason) BETWEEN 1 AND 1000),
    erase       BIGINT,
    request_id  TEXT    NOT NULL,
    created     BIGINT NOT NULL,
    updated     BIGINT NOT NULL,
    documents   BYTEA    CHECK (length(documents) BETWEEN 1 AND 4194304), -- sealed; NULL once they are erased
    CHECK ((decided_by IS NULL) = (state = 'waiting')),
    CHECK ((decision IS NULL) = (state = 'waiting')),
    CHECK ((erase IS NULL) = (state = 'waiting')),
    CHECK ((reason IS NOT NULL) = (state = 'rejected')),
    CHECK (state = 'rejected' OR (operation IS NOT NULL) = (state = 'approved'))
);

-- Those from before had no time in which to be decided on: they get 90 days, from when the account's house was kept last.
INSERT INTO applications (id, issuer, subject, type, expiration, uri, renew, proven, secret_hash, keep, decide_by, state, operation,
    decided_by, decision, reason, erase, request_id, created, updated, documents)
    SELECT a.id, a.issuer, a.subject, a.type, a.expiration, a.uri, a.renew, a.proven, a.secret_hash, a.keep,
        7776000000000 + coalesce((SELECT m.updated FROM mirrors m WHERE m.issuer = a.issuer AND m.updated > a.created), a.created), a.state,
        a.operation, a.decided_by, a.decision, a.reason, a.erase, a.request_id, a.created, a.updated, a.documents
    FROM kept_applications a;

-- At most one request for a credential waits at a time.
CREATE UNIQUE INDEX applications_waiting ON applications (issuer, subject, type) WHERE state = 'waiting';
CREATE INDEX applications_state ON applications (issuer, state, id);
CREATE INDEX applications_all ON applications (issuer, id);
CREATE INDEX applications_erase ON applications (issuer, erase, id) WHERE erase IS NOT NULL AND documents IS NOT NULL;
CREATE INDEX applications_decide ON applications (issuer, decide_by, id) WHERE state = 'waiting';
CREATE INDEX applications_operation ON applications (operation) WHERE operation IS NOT NULL;

CREATE TABLE idempotency_keys (
    issuer       TEXT    NOT NULL,
    key          TEXT    NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash TEXT    NOT NULL CHECK (length(request_hash) = 64),
    operation    TEXT    UNIQUE REFERENCES operations (id) DEFERRABLE INITIALLY DEFERRED,
    batch        TEXT    UNIQUE REFERENCES batches (id) DEFERRABLE INITIALLY DEFERRED,
    application  TEXT    UNIQUE REFERENCES applications (id) DEFERRABLE INITIALLY DEFERRED,
    renewal      TEXT    UNIQUE CHECK (length(renewal) = 26),
    created      BIGINT NOT NULL,
    PRIMARY KEY (issuer, key),
    CHECK (CASE WHEN operation IS NULL THEN 0 ELSE 1 END + CASE WHEN batch IS NULL THEN 0 ELSE 1 END + CASE WHEN application IS NULL THEN 0 ELSE 1 END + CASE WHEN renewal IS NULL THEN 0 ELSE 1 END = 1)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created);
INSERT INTO idempotency_keys (issuer, key, request_hash, operation, batch, application, renewal, created)
    SELECT issuer, key, request_hash, operation, batch, application, renewal, created FROM kept_keys;
DROP TABLE kept_keys;
DROP TABLE kept_applications;

DROP INDEX events_issuer;
DROP INDEX events_credential;
DROP INDEX events_application;
DROP INDEX events_time;
ALTER TABLE events RENAME TO kept_events;

CREATE TABLE events (
    seq         BIGINT NOT NULL PRIMARY KEY CHECK (seq >= 1),
    id          TEXT    NOT NULL CHECK (length(id) = 26),
    time        BIGINT NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('request.received', 'request.approved', 'request.rejected', 'request.lapsed', 'request.withdrawn', 'request.documents_erased', 'credential.issued', 'credential.revoked', 'credential.failed', 'credential.accepted', 'credential.expired', 'credential.deleted')),
    actor       TEXT    NOT NULL,
    issuer      TEXT    NOT NULL CHECK (length(issuer) BETWEEN 25 AND 35),
    subject     TEXT    NOT NULL CHECK (length(subject) BETWEEN 25 AND 35),
    type        TEXT    NOT NULL CHECK (length(type) BETWEEN 2 AND 128 AND length(type) % 2 = 0),
    application TEXT    CHECK (length(application) = 26),
    operation   TEXT    CHECK (length(operation) = 26),
    data        TEXT -- one JSON object
);

INSERT INTO events (seq, id, time, kind, actor, issuer, subject, type, application, operation, data)
    SELECT seq, id, time, kind, actor, issuer, subject, type, application, operation, data FROM kept_events;
DROP TABLE kept_events;

CREATE UNIQUE INDEX events_issuer ON events (issuer, seq);
CREATE UNIQUE INDEX events_credential ON events (issuer, subject, type, seq);
CREATE UNIQUE INDEX events_application ON events (application, seq) WHERE application IS NOT NULL;
-- Events that are forgotten after a time.
CREATE INDEX events_time ON events (time) WHERE application IS NULL;
