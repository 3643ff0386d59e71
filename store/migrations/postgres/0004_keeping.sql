-- What validated ledgers say of an account's credentials, renewals, and which webhooks are still to be told of what.

-- How far an account's mirror has come: all changes in ledgers up to complete are in it.
CREATE TABLE mirrors (
    issuer     TEXT    NOT NULL PRIMARY KEY CHECK (length(issuer) BETWEEN 25 AND 35),
    known      BIGINT NOT NULL CHECK (known IN (0, 1)), -- all that stood was listed once
    complete   BIGINT NOT NULL CHECK (complete BETWEEN 0 AND 4294967295),
    close_time BIGINT NOT NULL CHECK (close_time BETWEEN 0 AND 4294967295), -- of the newest ledger that was told of
    updated    BIGINT NOT NULL,
    CHECK (known = 1 OR complete = 0)
);

-- Times are seconds since the Ripple Epoch.
CREATE TABLE credentials (
    issuer     TEXT    NOT NULL CHECK (length(issuer) BETWEEN 25 AND 35),
    subject    TEXT    NOT NULL CHECK (length(subject) BETWEEN 25 AND 35),
    type       TEXT    NOT NULL CHECK (length(type) BETWEEN 2 AND 128 AND length(type) % 2 = 0),
    expiration BIGINT CHECK (expiration BETWEEN 1 AND 4294967295),
    uri        TEXT    CHECK (length(uri) BETWEEN 2 AND 512 AND length(uri) % 2 = 0),
    accepted   BIGINT NOT NULL CHECK (accepted IN (0, 1)),
    entry      TEXT    NOT NULL CHECK (length(entry) = 64),
    issued     BIGINT NOT NULL CHECK (issued BETWEEN 0 AND 4294967295),
    ledger     BIGINT NOT NULL CHECK (ledger BETWEEN 0 AND 4294967295), -- that changed it last
    place      BIGINT NOT NULL CHECK (place BETWEEN 0 AND 4294967295), -- of the transaction in that ledger
    seen       BIGINT NOT NULL CHECK (seen BETWEEN 0 AND 4294967295), -- the ledger of the last listing that found it; 0 for none
    deleted    BIGINT NOT NULL CHECK (deleted IN (0, 1)), -- kept until its ledger is complete, so that what came before is not taken for news
    told       BIGINT NOT NULL CHECK (told IN (0, 1)), -- of its expiry
    PRIMARY KEY (issuer, subject, type)
);

CREATE INDEX credentials_unaccepted ON credentials (issuer, type, issued, subject) WHERE deleted = 0 AND accepted = 0;
CREATE INDEX credentials_expiring ON credentials (issuer, expiration, subject, type) WHERE deleted = 0 AND expiration IS NOT NULL;
CREATE INDEX credentials_expiring_type ON credentials (issuer, type, expiration, subject) WHERE deleted = 0 AND expiration IS NOT NULL;
CREATE INDEX credentials_untold ON credentials (issuer, expiration, subject, type) WHERE deleted = 0 AND told = 0 AND expiration IS NOT NULL;
CREATE INDEX credentials_deleted ON credentials (issuer, ledger) WHERE deleted = 1;

-- An operation that issues what another one deletes first. It is stored among the operations, under its id, once that one is over.
CREATE TABLE renewals (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 26),
    deletion   TEXT    NOT NULL UNIQUE REFERENCES operations (id),
    issuer     TEXT    NOT NULL CHECK (length(issuer) BETWEEN 25 AND 35),
    subject    TEXT    NOT NULL CHECK (length(subject) BETWEEN 25 AND 35),
    type       TEXT    NOT NULL CHECK (length(type) BETWEEN 2 AND 128 AND length(type) % 2 = 0),
    expiration BIGINT CHECK (expiration BETWEEN 0 AND 4294967295),
    uri        TEXT    CHECK (length(uri) BETWEEN 2 AND 512 AND length(uri) % 2 = 0),
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'over')),
    actor      TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    created    BIGINT NOT NULL
);

CREATE UNIQUE INDEX renewals_waiting ON renewals (issuer, subject, type) WHERE state = 'waiting';

-- What is counted against the limits of unaccepted credentials: by type, and what succeeded in ledgers that the mirror does not have.
CREATE INDEX operations_issuing ON operations (issuer, type, subject) WHERE kind = 'issue' AND state IN ('pending', 'signed');
CREATE INDEX attempts_ledger ON attempts (issuer, ledger_index) WHERE state = 'validated';
CREATE INDEX applications_operation ON applications (operation) WHERE operation IS NOT NULL;

-- Who is told of events, and up to which of them there are deliveries.
CREATE TABLE endpoints (
    issuer   TEXT    NOT NULL CHECK (length(issuer) BETWEEN 25 AND 35),
    endpoint TEXT    NOT NULL CHECK (length(endpoint) BETWEEN 1 AND 64),
    made     BIGINT NOT NULL CHECK (made >= 0),
    created  BIGINT NOT NULL,
    PRIMARY KEY (issuer, endpoint)
);

-- What an endpoint was not told of yet, and what was given up. What was delivered is not kept.
CREATE TABLE deliveries (
    issuer   TEXT    NOT NULL,
    endpoint TEXT    NOT NULL,
    seq      BIGINT NOT NULL CHECK (seq >= 1),
    subject  TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    held     TEXT    CHECK (length(held) = 26), -- until this operation is final
    state    TEXT    NOT NULL CHECK (state IN ('open', 'givenUp')),
    attempts BIGINT NOT NULL CHECK (attempts >= 0),
    first    BIGINT NOT NULL, -- 0: there was none
    next     BIGINT NOT NULL,
    failure  TEXT    NOT NULL,
    updated  BIGINT NOT NULL,
    PRIMARY KEY (issuer, endpoint, state, seq)
);

CREATE INDEX deliveries_credential ON deliveries (issuer, endpoint, subject, type, seq) WHERE state = 'open';
CREATE INDEX deliveries_over ON deliveries (updated) WHERE state = 'givenUp';

-- Events that are forgotten after a time.
CREATE INDEX events_time ON events (time) WHERE application IS NULL;
