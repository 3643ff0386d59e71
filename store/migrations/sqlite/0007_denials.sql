-- JWTs of the identity provider that are refused though they hold: those of a subject, or a single one by its id.
CREATE TABLE denials (
    kind    TEXT    NOT NULL CHECK (kind IN ('subject', 'jti')),
    value   TEXT    NOT NULL CHECK (length(value) BETWEEN 1 AND 255),
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
