package httpsource_test

// This file is a whole server of the contract in docs/audit.md, to copy from. It
// reads MySQL, SQLite and what else takes ? for a parameter and has these tables:
//
//	candles(symbol, interval_name, open_ms, o, h, l, c, v)
//	fills(account, symbol, trade_id, time_ms, price, qty, realized_pnl, commission, commission_asset)
//
// In front of MySQL, open it with a user that may only SELECT.

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// table is a dataset: how its series are listed, and how a page is read.
type table struct {
	series, rows string
	columns      []string
}

func tables() map[string]table {
	return map[string]table{
		"klines": {
			series: `SELECT DISTINCT symbol, '', interval_name FROM candles`,
			// The cursor is the time and the id of the last row; bars have no id.
			rows: `SELECT open_ms, o, h, l, c, v, open_ms, 0 FROM candles
				WHERE symbol = ? AND '' = ? AND interval_name = ? AND open_ms >= ? AND open_ms < ? AND (open_ms > ? OR open_ms = ? AND 0 > ?)
				ORDER BY open_ms LIMIT ?`,
			columns: []string{"open_time", "open", "high", "low", "close", "volume"},
		},
		"userTrades": {
			series: `SELECT DISTINCT symbol, account, '' FROM fills`,
			rows: `SELECT time_ms, trade_id, price, qty, realized_pnl, commission, commission_asset, time_ms, trade_id FROM fills
				WHERE symbol = ? AND account = ? AND '' = ? AND time_ms >= ? AND time_ms < ? AND (time_ms > ? OR time_ms = ? AND trade_id > ?)
				ORDER BY time_ms, trade_id LIMIT ?`,
			columns: []string{"time", "id", "price", "quantity", "realized_pnl", "commission", "commission_asset"},
		},
	}
}

// newServer answers /series and /rows.
func newServer(db *sql.DB) http.Handler {
	serve := func(answer func(t table, r *http.Request) (any, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			t, ok := tables()[r.FormValue("dataset")]
			if !ok {
				fail(w, http.StatusNotFound, fmt.Errorf("there is no dataset %q", r.FormValue("dataset")))
				return
			}
			page, err := answer(t, r)
			if err != nil {
				fail(w, http.StatusInternalServerError, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(page) // The client has left if it fails.
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /series", serve(func(t table, r *http.Request) (any, error) { return readSeries(db, t, r) }))
	mux.HandleFunc("GET /rows", serve(func(t table, r *http.Request) (any, error) { return readRows(db, t, r) }))
	return mux
}

func fail(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) // As above.
}

func readSeries(db *sql.DB, t table, r *http.Request) (any, error) {
	rows, err := db.QueryContext(r.Context(), t.series)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []map[string]string{}
	for rows.Next() {
		var symbol, account, interval string
		if err := rows.Scan(&symbol, &account, &interval); err != nil {
			return nil, err
		}
		list = append(list, map[string]string{"symbol": symbol, "account": account, "interval": interval})
	}
	return map[string]any{"series": list}, rows.Err()
}

func readRows(db *sql.DB, t table, r *http.Request) (any, error) {
	bound := func(name, absent string) string {
		if text := r.FormValue(name); text != "" {
			return text
		}
		return absent
	}
	limit, err := strconv.Atoi(r.FormValue("limit"))
	if err != nil || limit < 1 || limit > 100_000 {
		return nil, fmt.Errorf("limit %q: use 1 to 100000", r.FormValue("limit"))
	}
	lastTime, lastID, _ := strings.Cut(bound("after", "-1,-1"), ",")
	var args []any
	for _, text := range []string{bound("from", "0"), bound("to", "9999999999999"), lastTime, lastTime, lastID} {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, err
		}
		args = append(args, n)
	}
	args = append([]any{r.FormValue("symbol"), r.FormValue("account"), r.FormValue("interval")}, append(args, limit)...)
	found, err := db.QueryContext(r.Context(), t.rows, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	page := map[string]any{"columns": t.columns}
	rows := [][]any{}
	for found.Next() {
		row := make([]any, len(t.columns)+2) // And the cursor.
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		for i, v := range row {
			if text, ok := v.([]byte); ok { // MySQL's DECIMAL.
				row[i] = string(text)
			}
		}
		rows = append(rows, row[:len(t.columns)])
		if len(rows) == limit {
			page["next"] = fmt.Sprintf("%v,%v", row[len(t.columns)], row[len(t.columns)+1])
		}
	}
	page["rows"] = rows
	return page, found.Err()
}
