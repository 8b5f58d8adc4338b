-- As on Node: records of the sync functions, all tables in one.
CREATE TABLE synced (
  table_name TEXT NOT NULL,
  id TEXT NOT NULL,
  data TEXT NOT NULL,
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  PRIMARY KEY (table_name, id)
) WITHOUT ROWID;
