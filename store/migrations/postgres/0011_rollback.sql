-- The history of the database itself. A restored copy, or a standby that lacks the last transactions, has an older generation or
-- another identity than a process remembers.
CREATE TABLE lineage (
    id         BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    generation BIGINT NOT NULL CHECK (generation > 0),
    identity   TEXT NOT NULL -- of the server, the database and its timeline; empty where the server does not say
);
INSERT INTO lineage (id, generation, identity) VALUES (1, 1, '');

-- One row for each time that a process found the database replaced by an older state.
CREATE TABLE rollbacks (
    generation   BIGINT NOT NULL PRIMARY KEY,
    detected     BIGINT NOT NULL,
    cause        TEXT NOT NULL,
    proven       BIGINT NOT NULL CHECK (proven IN (0, 1)), -- transactions are missing that a process has committed
    first_ledger BIGINT NOT NULL, -- lost operations are in this ledger or later ones
    recovered    BIGINT, -- open operations are compared with the ledger
    acknowledged BIGINT
);
