package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// A server stands for the platform's database and lacks a bar that the exchange
// has. The exchange is asked through the governor, in this process: it wants a
// token of everybody who comes by its listener.
func TestAuditOfAServerThroughTheGovernor(t *testing.T) {
	sim := exchangesim.New(exchangesim.Config{Seed: 7})
	t.Cleanup(sim.Close)
	exchange := httptest.NewServer(sim.Handler())
	t.Cleanup(exchange.Close)
	lost := time.Now().Add(-20 * time.Minute).Truncate(time.Minute).UnixMilli()
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/series") {
			fmt.Fprint(w, `{"series":[{"symbol":"BTCUSDT","interval":"1m"},{"symbol":"ETHUSDT","interval":"1m"}]}`)
			return
		}
		ask := httptest.NewRequest(http.MethodGet, fmt.Sprintf("/api/v3/klines?symbol=%s&interval=1m&limit=1000&startTime=%s&endTime=%s",
			r.FormValue("symbol"), r.FormValue("from"), r.FormValue("to")), nil)
		answer := httptest.NewRecorder()
		sim.Handler().ServeHTTP(answer, ask)
		var bars [][]any
		if err := json.Unmarshal(answer.Body.Bytes(), &bars); err != nil {
			http.Error(w, answer.Body.String(), http.StatusBadGateway)
			return
		}
		bars = slices.DeleteFunc(bars, func(b []any) bool {
			at := int64(b[0].(float64))
			return at == lost && r.FormValue("symbol") == "ETHUSDT" || fmt.Sprint(at) == r.FormValue("to")
		})
		rows := [][]any{}
		for _, b := range bars {
			rows = append(rows, []any{int64(b[0].(float64)), b[1], b[2], b[3], b[4], b[5]})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"columns": []string{"open_time", "open", "high", "low", "close", "volume"}, "rows": rows})
	}))
	t.Cleanup(platform.Close)
	s := startServer(t, t.TempDir(), fmt.Sprintf(`
governor:
  listen: 127.0.0.1:0
  clients: [{name: trader, token: only-for-the-trader-of-this-test}]
binance:
  markets:
    spot: {url: %[1]s}
audit:
  sources: [{name: platform, http: {url: '%[2]s/v1'}}]
  datasets: [{source: platform, market: spot, dataset: klines, history: 1h}]
`, exchange.URL, platform.URL))
	var findings []struct {
		Series          struct{ Symbol string }
		Kind, Cause     string
		Evidence        string
		From            time.Time
		Count           int64
		ClosedAt        time.Time
		Plan            *struct{ Weight int64 }
		Fields, Symbols []string
	}
	eventually(t, time.Minute, "the finding", func() bool {
		s.get("/api/hw/v1/audit/findings", &findings)
		return len(findings) > 0
	})
	f := findings[0]
	if len(findings) != 1 || f.Series.Symbol != "ETHUSDT" || f.Kind != "missing" || f.Cause != "platform" || f.From.UnixMilli() != lost ||
		f.Evidence != "the exchange has these bars" || f.Plan == nil {
		t.Errorf("got %+v", findings)
	}
	for query, want := range map[string]int{
		"symbol=ETHUSDT&cause=platform&state=open&brief=true": http.StatusOK,
		"limit=many": http.StatusBadRequest,
		"from=now":   http.StatusBadRequest,
		"state=gone": http.StatusBadRequest,
		"symbols=X":  http.StatusBadRequest,
	} {
		if code, text := s.ask(http.MethodGet, "/api/hw/v1/audit/findings?"+query, ""); code != want || strings.Contains(text, "the exchange has these") {
			t.Errorf("%s: got %d %s, want %d", query, code, text, want)
		}
	}
	verify := func(symbol string) (int, string) {
		return s.ask(http.MethodPost, "/api/hw/v1/audit/verify", fmt.Sprintf(`{"series":{"source":"platform","dataset":"klines","market":"spot","symbol":%q,"interval":"1m"},"from":%q,"to":%q}`,
			symbol, f.From.Format(time.RFC3339), f.From.Add(time.Minute).Format(time.RFC3339)))
	}
	if code, text := verify("DOGEUSDT"); code != http.StatusNotFound {
		t.Errorf("an unknown series: got %d %s", code, text)
	}
	if code, text := verify("ETHUSDT"); code != http.StatusOK {
		t.Errorf("got %d %s", code, text)
	}
	var status struct {
		Datasets []struct {
			Asked []struct {
				DoneAt time.Time
				Error  string
			}
		}
	}
	eventually(t, time.Minute, "the verification", func() bool {
		s.get("/api/hw/v1/audit/status", &status)
		return len(status.Datasets[0].Asked) == 1 && !status.Datasets[0].Asked[0].DoneAt.IsZero()
	})
	if text := status.Datasets[0].Asked[0].Error; text != "" {
		t.Error(text)
	}
	_, metrics := s.ask(http.MethodGet, "/metrics", "")
	passed := false
	for line := range strings.Lines(metrics) {
		passed = passed || strings.HasPrefix(line, "hedgewatch_governor_requests_total{") &&
			strings.Contains(line, `client="audit"`) && strings.Contains(line, `priority="backfill"`) && strings.Contains(line, `market="spot"`)
	}
	if !passed {
		t.Error("no request of the audit has passed the governor as backfill")
	}
	s.stop()
}
