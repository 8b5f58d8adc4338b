-- As on Node: small rows in the order of their keys' bytes.
CREATE TABLE rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
