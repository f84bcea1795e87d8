CREATE TABLE accounts (
  id uuid PRIMARY KEY,
  name text NOT NULL
);
CREATE TABLE klines (
  symbol text NOT NULL,
  interval text NOT NULL,
  open_time timestamptz NOT NULL,
  open numeric NOT NULL,
  high numeric NOT NULL,
  low numeric NOT NULL,
  close numeric NOT NULL,
  volume numeric NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (symbol, interval, open_time)
);
CREATE TABLE ts_user_trades (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  buyer bool NOT NULL,
  commission numeric NOT NULL,
  commission_asset text NOT NULL,
  trade_id int8 NOT NULL,
  maker bool NOT NULL,
  order_id int8 NOT NULL,
  price numeric NOT NULL,
  qty numeric NOT NULL,
  quote_qty numeric NOT NULL,
  realized_pnl numeric NOT NULL,
  side text NOT NULL,
  position_side text NOT NULL,
  symbol text NOT NULL,
  time timestamptz NOT NULL,
  time_unix int8 NOT NULL,
  account_id uuid NOT NULL REFERENCES accounts (id),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (account_id, symbol, trade_id, time)
);
CREATE INDEX ON ts_user_trades (account_id, symbol, time);
CREATE INDEX ON ts_user_trades (time);
CREATE TABLE ts_future_incomes (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  account_id uuid NOT NULL REFERENCES accounts (id),
  symbol text NOT NULL,
  income_type text NOT NULL,
  income numeric NOT NULL,
  asset text NOT NULL,
  info text NOT NULL,
  time timestamptz NOT NULL,
  time_unix int8 NOT NULL,
  trade_id text NOT NULL,
  tran_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (account_id, income_type, tran_id, time_unix)
);
CREATE INDEX ON ts_future_incomes (account_id, time_unix);
CREATE INDEX ON ts_future_incomes (time_unix);
