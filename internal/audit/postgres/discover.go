package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// Proposal is a table that may hold exchange data, and how to read it.
type Proposal struct {
	Mapping Mapping `json:"mapping"`
	// Rows is the planner's estimate, 0 if it has none.
	Rows int64 `json:"rows"`
	// Lacks are fields that no column could be found for.
	Lacks []string `json:"lacks,omitempty"`
}

// maxTables bounds how many tables are looked at.
const maxTables = 2_000

// Discover proposes mappings for the tables of a database, from their columns'
// names. It reads the catalog only.
func (db *DB) Discover(ctx context.Context) ([]Proposal, error) {
	var proposals []Proposal
	err := db.with(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		// The rows of a partitioned table, or of a hypertable, are in those that
		// inherit from it, which are no tables to audit by themselves.
		rows, err := conn.Query(ctx, `SELECT n.nspname, c.relname, (
				WITH RECURSIVE part AS (SELECT c.oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN part ON i.inhparent = part.oid)
				SELECT sum(greatest(p.reltuples, 0)) FROM part JOIN pg_class p USING (oid) WHERE p.relkind <> 'p'
			)::bigint, array_agg(a.attname::text ORDER BY a.attnum)
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
				JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			WHERE c.relkind IN ('r', 'p', 'v', 'm') AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)
				AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT LIKE '\_timescaledb%' AND n.nspname <> 'information_schema'
			GROUP BY c.oid, 1, 2 ORDER BY 1, 2 LIMIT $1`, maxTables)
		if err != nil {
			return err
		}
		var schema, table string
		var count int64
		var columns []string
		_, err = pgx.ForEachRow(rows, []any{&schema, &table, &count, &columns}, func() error {
			if schema != "public" {
				table = schema + "." + table
			}
			if m, lacks, ok := propose(table, columns); ok {
				proposals = append(proposals, Proposal{Mapping: m, Rows: count, Lacks: lacks})
			}
			return nil
		})
		return err
	})
	return proposals, err
}

// propose finds the dataset whose fields a table's columns cover best.
func propose(table string, columns []string) (best Mapping, lacks []string, found bool) {
	for name, p := range Presets() {
		if name == table && covers(p, columns) {
			m := Mapping{Preset: name, Dataset: p.Dataset, Table: table}
			shape, _ := shapeOf(p.Dataset)
			for _, field := range shape.optional { // More columns are more checks.
				if c := columnFor(field, p.Dataset, columns); c != "" && p.Columns[field] == "" {
					if m.Columns == nil {
						m.Columns = map[string]string{}
					}
					m.Columns[field] = c
				}
			}
			whole(m.Columns)
			return m, nil, true
		}
	}
	most := 0
	for _, dataset := range []string{audit.Klines, audit.Incomes, audit.UserTrades, audit.AggTrades, audit.Trades} {
		shape, _ := shapeOf(dataset)
		m := Mapping{Dataset: dataset, Table: table, Columns: map[string]string{}}
		var without []string
		for _, field := range slices.Concat(shape.keys, shape.required, shape.optional) {
			if c := columnFor(field, dataset, columns); c != "" {
				m.Columns[field] = c
			} else if !slices.Contains(shape.optional, field) {
				without = append(without, field)
			}
		}
		whole(m.Columns)
		distinct := slices.Contains(shape.required, fieldID) && m.Columns[fieldID] == ""
		// A key that is missing can be given by hand; a value cannot.
		missing := slices.DeleteFunc(slices.Clone(without), func(f string) bool { return slices.Contains(shape.keys, f) })
		if len(missing) > 0 || distinct || dataset == audit.UserTrades && m.Columns[fieldAccount] == "" {
			continue
		}
		if len(m.Columns) > most {
			best, lacks, most = m, without, len(m.Columns)
		}
	}
	return best, lacks, most > 0
}

// whole leaves out one of first and last id if the other is not there.
func whole(columns map[string]string) {
	if columns["first_id"] == "" || columns["last_id"] == "" {
		delete(columns, "first_id")
		delete(columns, "last_id")
	}
}

func covers(m Mapping, columns []string) bool {
	for _, c := range m.Columns {
		if !slices.Contains(columns, c) {
			return false
		}
	}
	return true
}

// columnFor returns the column that a field is usually called.
func columnFor(field, dataset string, columns []string) string {
	names := map[string]string{
		fieldSymbol: "symbol pair market instrument", fieldInterval: "interval timeframe period granularity",
		fieldAccount: "account_id account accountid",
		"open_time":  "open_time opentime time ts timestamp bucket start_time time_unix", "open": "open o open_price", "high": "high h high_price",
		"low": "low l low_price", "close": "close c close_price", "volume": "volume v base_volume vol", "close_time": "close_time closetime end_time",
		"quote_volume": "quote_volume quote_asset_volume q", "trades": "trades trade_count num_trades number_of_trades count n",
		"taker_base":  "taker_base taker_buy_base taker_buy_base_volume taker_buy_base_asset_volume taker_buy_volume",
		"taker_quote": "taker_quote taker_buy_quote taker_buy_quote_volume taker_buy_quote_asset_volume",
		fieldCreated:  "created_at inserted_at stored_at ingested_at", "time": "time time_unix trade_time ts timestamp transact_time",
		"price": "price p", "quantity": "quantity qty q amount size", "quote_quantity": "quote_quantity quote_qty",
		"commission": "commission fee", "realized_pnl": "realized_pnl pnl", "first_id": "first_id first_trade_id f", "last_id": "last_id last_trade_id l",
		fieldType: "income_type type", "income": "income amount",
	}[field]
	if field == fieldID {
		names = map[string]string{
			audit.Incomes: "tran_id transaction_id", audit.UserTrades: "trade_id", audit.AggTrades: "agg_trade_id agg_id a", audit.Trades: "trade_id id t",
		}[dataset]
	}
	for name := range strings.FieldsSeq(names) {
		if i := slices.IndexFunc(columns, func(c string) bool { return strings.EqualFold(c, name) }); i >= 0 {
			return columns[i]
		}
	}
	return ""
}
