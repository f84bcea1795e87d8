package instrument_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/instrument"
	"github.com/prometheus/client_golang/prometheus"
)

// show prints the counters and gauges of some names, as /metrics would.
func show(reg prometheus.Gatherer, names ...string) {
	families, err := reg.Gather()
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range names {
		for _, f := range families {
			for _, m := range f.GetMetric() {
				value := m.GetCounter().GetValue() + m.GetGauge().GetValue()
				if f.GetName() != name || value == 0 {
					continue
				}
				fmt.Print(name)
				for _, l := range m.GetLabel() {
					if l.GetValue() != "" {
						fmt.Printf(" %s=%s", l.GetName(), l.GetValue())
					}
				}
				fmt.Println(" ", value)
			}
		}
	}
}

func ExampleHTTPServer() {
	reg := prometheus.NewRegistry()
	server, err := instrument.NewHTTPServer(reg, instrument.HTTPServerConfig{Routes: []string{"GET /orders/{id}"}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") == "8" {
			http.Error(w, "the ledger is gone", http.StatusInternalServerError)
		}
	})
	handler := server.Handler(mux)
	for _, path := range []string{"/orders/7", "/orders/8", "/orders/9"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	show(reg, "http_server_requests_total")
	// Output:
	// http_server_requests_total code=2xx method=GET route=/orders/{id}  2
	// http_server_requests_total code=5xx method=GET route=/orders/{id}  1
}

func ExampleHTTPClient_Transport() {
	ledger := httptest.NewServer(http.NotFoundHandler())
	defer ledger.Close()
	reg := prometheus.NewRegistry()
	clients, err := instrument.NewHTTPClient(reg, instrument.HTTPClientConfig{})
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: clients.Transport("ledger", new(http.Transport))}
	defer client.CloseIdleConnections()
	resp, err := client.Get(ledger.URL)
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	show(reg, "http_client_requests_total")
	// Output:
	// http_client_requests_total code=4xx method=GET peer=ledger  1
}

func ExampleBinance_Transport() {
	exchange := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-MBX-USED-WEIGHT-1M", "12")
	}))
	defer exchange.Close()
	reg := prometheus.NewRegistry()
	binance, err := instrument.NewBinance(reg, instrument.BinanceConfig{Next: new(http.Transport)})
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: binance.Transport("alpha")}
	defer client.CloseIdleConnections()
	resp, err := client.Get(exchange.URL + "/fapi/v1/klines?symbol=BTCUSDT&interval=1m")
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	show(reg, "hedgewatch_binance_used_weight", "hedgewatch_binance_responses_total")
	// Output:
	// hedgewatch_binance_used_weight market=usdm window=1m  12
	// hedgewatch_binance_responses_total code=200 market=usdm  1
}

// A backfill gives way to everything else.
func ExampleWithPriority() {
	ctx := instrument.WithPriority(context.Background(), instrument.Backfill)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://fapi.binance.com/fapi/v1/klines", nil)
	fmt.Println(r.URL.Path, err)
	// Output:
	// /fapi/v1/klines <nil>
}

func ExampleSync_Kline() {
	reg := prometheus.NewRegistry()
	rows, err := instrument.NewSync(reg, instrument.SyncConfig{})
	if err != nil {
		log.Fatal(err)
	}
	bars, err := rows.Kline(instrument.Dataset{Market: instrument.USDM, Symbol: "BTCUSDT", Interval: "1m"})
	if err != nil {
		log.Fatal(err)
	}
	open := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	bars.Resume(open)                      // SELECT max(open_time)
	bars.Stored(open.Add(1 * time.Minute)) // After each commit.
	bars.Stored(open.Add(4 * time.Minute)) // 09:02 and 09:03 are missing,
	bars.Stored(open.Add(3 * time.Minute)) // one of them comes late,
	bars.Stored(open.Add(3 * time.Minute)) // and twice.
	show(reg, "hedgewatch_sync_missing_rows", "hedgewatch_sync_rows_total")
	// Output:
	// hedgewatch_sync_missing_rows dataset=klines interval=1m market=usdm symbol=BTCUSDT  1
	// hedgewatch_sync_rows_total dataset=klines interval=1m market=usdm outcome=duplicate symbol=BTCUSDT  1
	// hedgewatch_sync_rows_total dataset=klines interval=1m market=usdm outcome=new symbol=BTCUSDT  2
	// hedgewatch_sync_rows_total dataset=klines interval=1m market=usdm outcome=out_of_order symbol=BTCUSDT  1
}

func ExampleStreams_Stream() {
	reg := prometheus.NewRegistry()
	streams, err := instrument.NewStreams(reg, instrument.StreamsConfig{})
	if err != nil {
		log.Fatal(err)
	}
	stream, err := streams.Stream(instrument.USDM, "btcusdt@aggTrade")
	if err != nil {
		log.Fatal(err)
	}
	stream.Subscribed() // The exchange acknowledges anything, so this proves nothing yet.
	show(reg, "hedgewatch_binance_stream_awaiting_first_message")
	stream.Message(time.Now()) // Data: now it does.
	show(reg, "hedgewatch_binance_stream_awaiting_first_message", "hedgewatch_binance_stream_messages_total")
	stream.Disconnected()
	// Output:
	// hedgewatch_binance_stream_awaiting_first_message market=usdm stream=btcusdt@aggTrade  1
	// hedgewatch_binance_stream_messages_total market=usdm stream=btcusdt@aggTrade  1
}

func ExampleJob_Run() {
	reg := prometheus.NewRegistry()
	jobs, err := instrument.NewJobs(reg)
	if err != nil {
		log.Fatal(err)
	}
	job, err := jobs.Job("reconcile", time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	err = job.Run(context.Background(), func(context.Context) error { return errors.New("balances differ") })
	fmt.Println(err)
	show(reg, "hedgewatch_job_runs_total", "hedgewatch_job_interval_seconds")
	// Output:
	// balances differ
	// hedgewatch_job_runs_total outcome=failure task=reconcile  1
	// hedgewatch_job_interval_seconds task=reconcile  60
}

func ExamplePanics_Recover() {
	reg := prometheus.NewRegistry()
	panics, err := instrument.NewPanics(reg, "fills")
	if err != nil {
		log.Fatal(err)
	}
	func() {
		defer panics.Recover("fills", func(err error) {
			first, _, _ := strings.Cut(err.Error(), "\n") // The stack follows.
			fmt.Println(first)
		})
		panic("bug")
	}()
	show(reg, "hedgewatch_service_panics_total")
	// Output:
	// panic in fills: bug
	// hedgewatch_service_panics_total place=fills  1
}
