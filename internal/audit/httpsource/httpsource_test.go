package httpsource_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	_ "modernc.org/sqlite"

	"github.com/hedgewatch/hedgewatch/internal/audit"
	"github.com/hedgewatch/hedgewatch/internal/audit/httpsource"
)

// database has 2,500 minutes of two symbols, without the faults of a test.
func database(t *testing.T, faults ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	statements := append([]string{
		`CREATE TABLE candles (symbol TEXT, interval_name TEXT, open_ms INTEGER, o TEXT, h TEXT, l TEXT, c TEXT, v TEXT)`,
		`CREATE INDEX key ON candles (symbol, interval_name, open_ms)`,
		`CREATE TABLE fills (account TEXT, symbol TEXT, trade_id INTEGER, time_ms INTEGER, price TEXT, qty TEXT, realized_pnl TEXT, commission TEXT, commission_asset TEXT)`,
		`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2499)
			INSERT INTO candles SELECT s.symbol, '1m', 1679616000000 + 60000 * i, '10.1', '12', '9', '11', '5'
			FROM n, (SELECT 'BTCUSDT' AS symbol UNION SELECT 'ETHUSDT') s`,
		`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 349)
			INSERT INTO fills SELECT 'a', 'BTCUSDT', 7000 + i, 1679616000000 + 100 * (i / 150), '10.123456789012', '0.5', '-0.25', '0.0001', 'BNB' FROM n`,
	}, faults...)
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return db
}

func serve(t *testing.T, h http.Handler) *httpsource.Source {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c := httpsource.DefaultConfig()
	c.URL, c.PageRows, c.Timeout = server.URL+"/", 100, model.Duration(10*time.Second)
	source, err := httpsource.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return source
}

func once(t *testing.T, source *httpsource.Source, dataset string) audit.Report {
	t.Helper()
	table, err := source.Table(httpsource.Mapping{Dataset: dataset}, audit.Series{Source: "platform", Market: "spot"})
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Once(t.Context(), table, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func lines(findings []audit.Finding) []string {
	list := []string{}
	for _, f := range findings {
		list = append(list, fmt.Sprintf("%s %s %s %d %s %s", f.Series.Symbol, f.Kind, f.Cause, f.Count, f.From.Format("15:04"), strings.Join(f.Fields, ",")))
	}
	return list
}

// The server that the documentation points to, over a real database.
func TestDatabaseBehindTheExampleServer(t *testing.T) {
	sound := once(t, serve(t, newServer(database(t))), audit.Klines)
	if sound.Rows != 5000 || len(sound.Findings) > 0 {
		t.Errorf("got %d rows and findings %v, want 5000 and none", sound.Rows, lines(sound.Findings))
	}
	broken := once(t, serve(t, newServer(database(t,
		`DELETE FROM candles WHERE symbol = 'ETHUSDT' AND open_ms BETWEEN 1679616600000 AND 1679616779999`,
		`INSERT INTO candles SELECT * FROM candles WHERE symbol = 'BTCUSDT' AND open_ms = 1679622000000 + 60000`,
		`UPDATE candles SET h = '10' WHERE symbol = 'BTCUSDT' AND open_ms = 1679623260000`,
		`UPDATE candles SET c = 'much' WHERE symbol = 'BTCUSDT' AND open_ms = 1679626800000`,
		`UPDATE candles SET v = NULL WHERE symbol = 'BTCUSDT' AND open_ms = 1679630400000`,
	))), audit.Klines)
	want := []string{
		"ETHUSDT missing platform 3 00:10 ", "BTCUSDT duplicate platform 1 01:41 ", "BTCUSDT mismatch platform 1 02:01 high",
		"BTCUSDT mismatch platform 1 03:00 ", "BTCUSDT mismatch platform 1 04:00 ",
	}
	if diff := cmp.Diff(want, lines(broken.Findings)); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
}

// Rows that share a time are on two pages, and amounts are exact.
func TestFillsOfOneMillisecondAreAllRead(t *testing.T) {
	table, err := serve(t, newServer(database(t))).Table(httpsource.Mapping{Dataset: audit.UserTrades}, audit.Series{Market: "usdm"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := table.Series(t.Context())
	if err != nil || len(list) != 1 || list[0].Account != "a" {
		t.Fatalf("got series %v, %v", list, err)
	}
	next := int64(7000)
	err = table.Entries(t.Context(), list[0], time.Time{}, time.Time{}, func(e *audit.Entry) {
		if e.ID != next || e.Amounts[0].String() != "10.123456789012" || e.Amounts[4].String() != "-0.25" || e.Asset != "BNB" || e.Broken != "" {
			t.Fatalf("got %+v, want id %d", e, next)
		}
		next++
	})
	if err != nil || next != 7350 {
		t.Errorf("read until id %d, %v; want 7350", next, err)
	}
}

func TestAnswersThatBreakTheContract(t *testing.T) {
	const head = `{"columns":["open_time","open","high","low","close","volume"],"rows":`
	for _, tt := range []struct{ name, answer, want string }{
		{"no JSON", `<html>`, "is not the JSON of the contract"},
		{"half of it", head + `[[1679616000000,"1"`, "is not the JSON of the contract"},
		{"another object", `{"data":[]}`, "the source has no column open_time"},
		{"no rows", head + `null}`, "has no list called rows"},
		{"an unknown column", `{"columns":["open_time","open","high","low","close","volume","colour"],"rows":[]}`, `column "colour" is unknown`},
		{"a column twice", `{"columns":["open_time","open","high","low","close","volume","open"],"rows":[]}`, "the column open twice"},
		{"a short row", head + `[[1679616000000,"1"]]}`, "row 1 of klines BTCUSDT 1m: it has 2 values for 6 columns"},
		{"a row of another time", head + `[[1679702400000,1,1,1,1,1]]}`, "must keep to from and to"},
		{"no time", head + `[[null,1,1,1,1,1]]}`, "open_time is null"},
		{"a time without a zone", head + `[["2023-03-24 00:00:00",1,1,1,1,1]]}`, "RFC 3339 with its zone"},
		{"a time that is an object", head + `[[{},1,1,1,1,1]]}`, "open_time is neither a number nor a text"},
		{"the same page for ever", head + `[[1679616000000,1,1,1,1,1]],"next":"x"}`, `gives the same page again: next is "x"`},
		{"a page without an end", strings.Repeat(" ", 33<<20), "longer than 32 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := read(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tt.answer) })))
			if got == nil || !strings.Contains(got.Error(), tt.want) {
				t.Errorf("got %v, want %q", got, tt.want)
			}
		})
	}
}

// read reads an hour of a series.
func read(t *testing.T, source *httpsource.Source) error {
	t.Helper()
	table, err := source.Table(httpsource.Mapping{Dataset: audit.Klines, Table: "t1"}, audit.Series{Market: "spot"})
	if err != nil {
		t.Fatal(err)
	}
	from := time.UnixMilli(1679616000000)
	return table.Klines(t.Context(), audit.Series{Dataset: audit.Klines, Symbol: "BTCUSDT", Interval: "1m"}, from, from.Add(time.Hour), func(*audit.Kline, bool) {})
}

func TestServersThatFail(t *testing.T) {
	if err := read(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("table") != "t1" || r.FormValue("from") != "1679616000000" || r.FormValue("to") != "1679619600000" || r.FormValue("limit") != "100" {
			t.Errorf("got query %s", r.URL.RawQuery)
		}
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, `{"error":"the replica is `+"\\n"+`in recovery"}`)
	}))); err == nil || !strings.Contains(err.Error(), "answered 502: the replica is  in recovery") {
		t.Errorf("got %v", err)
	}
	// The connection breaks in the middle of an answer.
	if err := read(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"columns":[`)
		panic(http.ErrAbortHandler)
	}))); err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Errorf("got %v", err)
	}
	// Series that nobody could tell apart.
	table, err := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"series":[{"symbol":"BTCUSDT"}]}`)
	})).Table(httpsource.Mapping{Dataset: audit.Klines}, audit.Series{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Series(t.Context()); err == nil || !strings.Contains(err.Error(), "series 1 of the source: it has no interval") {
		t.Errorf("got %v", err)
	}
}

func TestServerThatHangs(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	c := httpsource.DefaultConfig()
	c.URL, c.Timeout = server.URL, model.Duration(time.Second)
	source, err := httpsource.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if err := read(t, source); err == nil || !strings.Contains(err.Error(), "no answer within 1s") {
		t.Errorf("got %v", err)
	}
}

func TestTokenIsSentAndNeverShown(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hunter2" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	c := httpsource.DefaultConfig()
	c.URL = server.URL
	c.HTTPConfig.Authorization = &commoncfg.Authorization{Type: "Bearer", Credentials: "hunter2"}
	source, err := httpsource.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if err := read(t, source); err == nil || !strings.Contains(err.Error(), "418") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestConfigurationsThatCannotWork(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		change     func(*httpsource.Config)
	}{
		{"no URL", "http.url", func(c *httpsource.Config) { c.URL = "localhost:80" }},
		{"a query", "leave out", func(c *httpsource.Config) { c.URL += "?x=1" }},
		{"a password", "use http_config.basic_auth", func(c *httpsource.Config) { c.URL = "http://u:hunter2@h" }},
		{"no time", "http.timeout", func(c *httpsource.Config) { c.Timeout = 0 }},
		{"no rows", "http.page_rows", func(c *httpsource.Config) { c.PageRows = 0 }},
		{"two ways in", "http.http_config", func(c *httpsource.Config) {
			c.HTTPConfig.BasicAuth = &commoncfg.BasicAuth{Username: "a"}
			c.HTTPConfig.Authorization = &commoncfg.Authorization{Credentials: "b"}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := httpsource.DefaultConfig()
			c.URL = "http://h"
			tt.change(&c)
			if err := c.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
