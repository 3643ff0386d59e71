-- Message authentication codes (HMAC-SHA256, hex) of open operations, renewals and review requests. The key is outside the
-- database. Empty: none, or the row is final.
ALTER TABLE operations ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE renewals ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE applications ADD COLUMN mac TEXT NOT NULL DEFAULT '';

-- Whether rows of an earlier release still need a code. The first start of the service with a key adds them, once.
CREATE TABLE adoption (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    open INTEGER NOT NULL CHECK (open IN (0, 1))
) STRICT;

INSERT INTO adoption (id, open) SELECT 1, CASE WHEN EXISTS (SELECT 1 FROM operations WHERE state IN ('pending', 'signed'))
    OR EXISTS (SELECT 1 FROM applications WHERE state IN ('waiting', 'approved')) THEN 1 ELSE 0 END;
