-- Instants are milliseconds since 1970, 0 for never. Roles are 1 viewer,
-- 2 editor, 3 admin.

CREATE TABLE users (
  name        TEXT PRIMARY KEY,
  role        INTEGER NOT NULL,
  hash        TEXT NOT NULL,    -- bcrypt; empty if an identity provider vouches
  provider    TEXT NOT NULL,    -- the identity provider's subject; empty if local
  must_change INTEGER NOT NULL, -- the password was given by somebody else
  disabled    INTEGER NOT NULL,
  created     INTEGER NOT NULL,
  last_login  INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
  id       BLOB PRIMARY KEY, -- SHA-256 of the cookie
  user     TEXT NOT NULL,
  file     INTEGER NOT NULL, -- the user stands in the web config file, not in users
  created  INTEGER NOT NULL,
  seen     INTEGER NOT NULL,
  client   TEXT NOT NULL     -- where from
) STRICT;

CREATE TABLE tokens (
  name       TEXT PRIMARY KEY,
  hash       BLOB NOT NULL UNIQUE, -- SHA-256 of the secret
  role       INTEGER NOT NULL,
  created    INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  expires    INTEGER NOT NULL,
  last_used  INTEGER NOT NULL
) STRICT;

CREATE TABLE changes (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  at     INTEGER NOT NULL,
  who    TEXT NOT NULL,
  client TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  status INTEGER NOT NULL,
  detail TEXT NOT NULL
) STRICT;

CREATE TABLE dashboards (
  uid     TEXT PRIMARY KEY,
  version INTEGER NOT NULL, -- the current one of dashboard_versions
  title   TEXT NOT NULL,
  folder  TEXT NOT NULL,
  tags    TEXT NOT NULL     -- a JSON array
) STRICT;

CREATE TABLE dashboard_versions (
  uid     TEXT NOT NULL REFERENCES dashboards ON DELETE CASCADE,
  version INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  who     TEXT NOT NULL,
  message TEXT NOT NULL,
  json    TEXT NOT NULL,
  PRIMARY KEY (uid, version)
) STRICT;

CREATE TABLE rule_groups (
  name    TEXT PRIMARY KEY,
  version INTEGER NOT NULL -- the current one of rule_group_versions
) STRICT;

CREATE TABLE rule_group_versions (
  name    TEXT NOT NULL REFERENCES rule_groups ON DELETE CASCADE,
  version INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  who     TEXT NOT NULL,
  message TEXT NOT NULL,
  yaml    TEXT NOT NULL, -- a rule file with this one group
  PRIMARY KEY (name, version)
) STRICT;

CREATE TABLE alerts (
  id          INTEGER PRIMARY KEY,
  fingerprint TEXT NOT NULL UNIQUE,
  alertname   TEXT NOT NULL,
  labels      TEXT NOT NULL -- a JSON object
) STRICT;
CREATE INDEX alerts_alertname ON alerts (alertname);

CREATE TABLE transitions (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  at          INTEGER NOT NULL,
  alert       INTEGER NOT NULL REFERENCES alerts,
  was         TEXT NOT NULL,
  became      TEXT NOT NULL,
  value       REAL,
  annotations TEXT NOT NULL, -- a JSON object
  receiver    TEXT NOT NULL,
  message     TEXT NOT NULL,
  who         TEXT NOT NULL,
  note        TEXT NOT NULL
) STRICT;
CREATE INDEX transitions_at ON transitions (at, id);
CREATE INDEX transitions_alert ON transitions (alert, at, id);
