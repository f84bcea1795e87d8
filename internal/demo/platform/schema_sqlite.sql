-- The tables of schema.sql. Decimals are texts, for SQLite's numbers are floats, and
-- times are milliseconds.
CREATE TABLE accounts (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL
);
CREATE TABLE klines (
  symbol TEXT NOT NULL,
  interval TEXT NOT NULL,
  open_time TIMESTAMP NOT NULL,
  open TEXT NOT NULL,
  high TEXT NOT NULL,
  low TEXT NOT NULL,
  close TEXT NOT NULL,
  volume TEXT NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (symbol, interval, open_time)
);
CREATE TABLE ts_user_trades (
  buyer BOOLEAN NOT NULL,
  commission TEXT NOT NULL,
  commission_asset TEXT NOT NULL,
  trade_id INTEGER NOT NULL,
  maker BOOLEAN NOT NULL,
  order_id INTEGER NOT NULL,
  price TEXT NOT NULL,
  qty TEXT NOT NULL,
  quote_qty TEXT NOT NULL,
  realized_pnl TEXT NOT NULL,
  side TEXT NOT NULL,
  position_side TEXT NOT NULL,
  symbol TEXT NOT NULL,
  time TIMESTAMP NOT NULL,
  time_unix INTEGER NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  created_at TIMESTAMP NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  UNIQUE (account_id, symbol, trade_id, time)
);
CREATE INDEX ts_user_trades_of_account ON ts_user_trades (account_id, symbol, time);
CREATE INDEX ts_user_trades_by_time ON ts_user_trades (time);
CREATE TABLE ts_future_incomes (
  account_id TEXT NOT NULL REFERENCES accounts (id),
  symbol TEXT NOT NULL,
  income_type TEXT NOT NULL,
  income TEXT NOT NULL,
  asset TEXT NOT NULL,
  info TEXT NOT NULL,
  time TIMESTAMP NOT NULL,
  time_unix INTEGER NOT NULL,
  trade_id TEXT NOT NULL,
  tran_id TEXT NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  UNIQUE (account_id, income_type, tran_id, time_unix)
);
CREATE INDEX ts_future_incomes_by_time ON ts_future_incomes (account_id, time_unix);
