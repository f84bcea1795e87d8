package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// RowServer reads the platform's tables to whoever audits them, by the two paths of
// docs/audit.md, "Any other database". It is for databases that an audit cannot read
// by itself.
const RowServer = "row-server"

// A rowTable is a table as a dataset. Its rows begin with their time and end, after
// the columns, with an id that gives rows of one time an order.
type rowTable struct {
	series, rows string
	columns      []string
}

func rowTables() map[string]rowTable {
	return map[string]rowTable{
		"klines": {
			series:  `SELECT DISTINCT symbol, '', interval FROM klines`,
			columns: []string{"open_time", "open", "high", "low", "close", "volume", "created_at"},
			rows: `SELECT open_time, open, high, low, close, volume, created_at, 0 FROM klines
				WHERE symbol = $1 AND $2 = '' AND interval = $3 AND open_time >= $4 AND open_time < $5 AND (open_time > $6 OR open_time = $6 AND $7 < 0)
				ORDER BY open_time LIMIT $8`,
		},
		"userTrades": {
			series:  `SELECT DISTINCT symbol, account_id, '' FROM ts_user_trades`,
			columns: []string{"time", "price", "quantity", "quote_quantity", "commission", "commission_asset", "realized_pnl", "created_at", "id"},
			rows: `SELECT time, price, qty, quote_qty, commission, commission_asset, realized_pnl, created_at, trade_id, trade_id FROM ts_user_trades
				WHERE symbol = $1 AND account_id = $2 AND $3 = '' AND time >= $4 AND time < $5 AND (time > $6 OR time = $6 AND trade_id > $7)
				ORDER BY time, trade_id LIMIT $8`,
		},
		"incomes": {
			series:  `SELECT DISTINCT '', account_id, '' FROM ts_future_incomes`,
			columns: []string{"time", "type", "income", "asset", "created_at", "id"},
			rows: `SELECT time, income_type, income, asset, created_at, tran_id, CAST(tran_id AS BIGINT) FROM ts_future_incomes
				WHERE $1 = '' AND account_id = $2 AND $3 = '' AND time >= $4 AND time < $5 AND (time > $6 OR time = $6 AND CAST(tran_id AS BIGINT) > $7)
				ORDER BY time, CAST(tran_id AS BIGINT) LIMIT $8`,
		},
	}
}

// serveRows answers /series and /rows until ctx ends.
func serveRows(ctx context.Context, s *service) error {
	serve := func(read func(context.Context, rowTable, url.Values) (any, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			name := r.FormValue("dataset")
			table, ok := rowTables()[name]
			var page any
			status, err := http.StatusNotFound, fmt.Errorf("there is no dataset %q", name)
			if ok {
				ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
				defer cancel()
				status = http.StatusInternalServerError
				page, err = read(ctx, table, r.Form)
			}
			w.Header().Set("Content-Type", "application/json")
			if err != nil {
				w.WriteHeader(status)
				page = map[string]string{"error": err.Error()}
			}
			_ = json.NewEncoder(w).Encode(page) // The client may have gone.
		}
	}
	s.routes.HandleFunc("GET /series", serve(s.db.series))
	s.routes.HandleFunc("GET /rows", serve(s.db.rows))
	<-ctx.Done()
	return nil
}

func (s *Store) series(ctx context.Context, t rowTable, _ url.Values) (any, error) {
	list := []map[string]string{}
	err := each(ctx, s.db, t.series, nil, func(scan func(...any) error) error {
		var symbol, account, interval string
		err := scan(&symbol, &account, &interval)
		list = append(list, map[string]string{"symbol": symbol, "account": account, "interval": interval})
		return err
	})
	return map[string]any{"series": list}, err
}

// maxRows bounds a page.
const maxRows = 50_000

func (s *Store) rows(ctx context.Context, t rowTable, p url.Values) (any, error) {
	limit, err := strconv.Atoi(p.Get("limit"))
	if err != nil || limit < 1 || limit > maxRows {
		return nil, fmt.Errorf("limit: %q; use 1 to %d", p.Get("limit"), maxRows)
	}
	const endless = 253402300800000 // The year 10000.
	from, err1 := milli(p.Get("from"), 0)
	to, err2 := milli(p.Get("to"), endless)
	// The cursor is the last row's time and id; before the first one, both are -1.
	after, id, _ := strings.Cut(p.Get("after"), ",")
	last, err3 := milli(after, -1)
	lastID, err4 := milli(id, -1)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	found, cursor := [][]any{}, ""
	args := []any{p.Get("symbol"), p.Get("account"), p.Get("interval"), time.UnixMilli(from), time.UnixMilli(to), time.UnixMilli(last), lastID, limit}
	err = each(ctx, s.db, t.rows, args, func(scan func(...any) error) error {
		row := make([]any, len(t.columns)+1)
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		err := scan(into...)
		for i, value := range row {
			if at, ok := value.(time.Time); ok {
				row[i] = at.UnixMilli()
			}
		}
		found = append(found, row[:len(t.columns)])
		cursor = fmt.Sprintf("%v,%v", row[0], row[len(t.columns)])
		return err
	})
	page := map[string]any{"columns": t.columns, "rows": found}
	if len(found) == limit {
		page["next"] = cursor
	}
	return page, err
}

func milli(text string, absent int64) (int64, error) {
	if text == "" {
		return absent, nil
	}
	return strconv.ParseInt(text, 10, 64)
}
