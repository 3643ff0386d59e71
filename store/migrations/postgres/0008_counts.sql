-- How many records an account has, so that nobody has to go through them to know.

ALTER TABLE mirrors ADD COLUMN standing   BIGINT NOT NULL DEFAULT 0 CHECK (standing >= 0);
ALTER TABLE mirrors ADD COLUMN unaccepted BIGINT NOT NULL DEFAULT 0 CHECK (unaccepted BETWEEN 0 AND standing);
ALTER TABLE mirrors ADD COLUMN told       BIGINT NOT NULL DEFAULT 0 CHECK (told BETWEEN 0 AND standing); -- of their expiry

UPDATE mirrors SET
    standing   = (SELECT count(*) FROM credentials c WHERE c.issuer = mirrors.issuer AND c.deleted = 0),
    unaccepted = (SELECT count(*) FROM credentials c WHERE c.issuer = mirrors.issuer AND c.deleted = 0 AND c.accepted = 0),
    told       = (SELECT count(*) FROM credentials c WHERE c.issuer = mirrors.issuer AND c.deleted = 0 AND c.told = 1);
