package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A ban pages by an event within a second, a reload cuts no connection, and an
// address that was banned stays silent after a restart.
func TestGovernorServesAndPages(t *testing.T) {
	exchange := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/fapi") {
			w.Header().Set("Retry-After", "300")
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.Header().Set("X-MBX-USED-WEIGHT-1M", "321")
		fmt.Fprintf(w, `{"serverTime":%d}`, time.Now().UnixMilli())
	}))
	defer exchange.Close()
	config := fmt.Sprintf("global: {scrape_interval: 1s}\ngovernor:\n  listen: 127.0.0.1:0\nbinance:\n  markets:\n    spot: {url: %[1]s}\n    usdm: {url: %[1]s}\nalertmanager:\n  route: {receiver: x}\n  receivers: [{name: x}]\n", exchange.URL)
	s := startServer(t, t.TempDir(), config)
	var status struct {
		Listen  string
		Markets []struct {
			Market string
			Egress []struct{ Used int64 }
		}
	}
	s.get("/api/hw/v1/governor/status", &status)
	client := &http.Client{}
	defer client.CloseIdleConnections()
	ask := func(path string, want int) {
		t.Helper()
		resp, err := client.Get("http://" + status.Listen + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: got %d, want %d", path, resp.StatusCode, want)
		}
	}
	ask("/api/v3/klines?symbol=A", http.StatusOK)
	s.get("/api/hw/v1/governor/status", &status)
	if used := status.Markets[0].Egress[0].Used; used < 321 {
		t.Errorf("got %d used, want what the exchange said", used)
	}
	ask("/fapi/v1/klines", http.StatusTeapot)
	eventually(t, 5*time.Second, "the page", func() bool {
		return len(bans(s)) == 1
	})
	// The rule sees the same ban: it must not be another alert. Its value is exact.
	var found struct {
		Data struct {
			Result []struct{ Metric map[string]string }
		}
	}
	eventually(t, 20*time.Second, "the scrape of the ban", func() bool {
		s.get("/api/v1/query?query="+url.QueryEscape("hedgewatch_binance_banned_until_timestamp_seconds > time()"), &found)
		return len(found.Data.Result) == 1
	})
	want := found.Data.Result[0].Metric
	delete(want, "__name__")
	want["alertname"], want["severity"] = "BinanceBanned", "critical"
	if diff := cmp.Diff([]map[string]string{want}, bans(s)); diff != "" {
		t.Errorf("labels of the rule's alert and of the event differ (-rule +event):\n%s", diff)
	}
	s.must(http.MethodPost, "/api/hw/v1/governor/observed", `[{"market":"spot","status":200,"headers":{"X-MBX-USED-WEIGHT-1M":"777"}}]`, nil)
	s.must(http.MethodGet, "/api/hw/v1/governor/whatif?growth=2", "", nil)

	s.write("hedgewatch.yml", config+"mixin: {}\n")
	s.must(http.MethodPost, "/-/reload", "", nil)
	ask("/api/v3/klines?symbol=B", http.StatusOK)
	s.write("hedgewatch.yml", strings.Replace(config, "127.0.0.1:0", "127.0.0.1:1", 1))
	if code, text := s.ask(http.MethodPost, "/-/reload", ""); code == http.StatusOK || !strings.Contains(text, "restart hedgewatch") {
		t.Errorf("another address: got %d %s", code, text)
	}
	s.stop()
	if text, err := os.ReadFile(s.dir + "/data/governor/bans.json"); err != nil || !strings.Contains(string(text), `"usdm"`) {
		t.Errorf("the ban is not written down: %s, %v", text, err)
	}
}

// bans are the labels of the alerts about bans.
func bans(s *server) (all []map[string]string) {
	var alerts []struct{ Labels map[string]string }
	s.get("/api/v2/alerts", &alerts)
	for _, a := range alerts {
		if a.Labels["alertname"] == "BinanceBanned" {
			all = append(all, a.Labels)
		}
	}
	return all
}
