-- What the holder of the lease says of itself at each renewal: the checks that fail in its process, as JSON; empty if none does.
ALTER TABLE lanes ADD COLUMN condition TEXT NOT NULL DEFAULT '';
