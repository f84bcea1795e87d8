package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A database that is down keeps nothing else from starting; it is no success, and
// its password is shown to nobody.
func TestAuditOfADatabaseThatIsDown(t *testing.T) {
	config := `
audit:
  sources: [{name: platform, postgres: {dsn: 'postgres://audit:hunter2@127.0.0.1:1/platform'}}]
  datasets: [{source: platform, market: usdm, preset: ts_user_trades}]
`
	s := startServer(t, t.TempDir(), config)
	var status struct {
		Datasets []struct{ Dataset, Error string }
	}
	eventually(t, 10*time.Second, "the error", func() bool {
		s.get("/api/hw/v1/audit/status", &status)
		return len(status.Datasets) == 1 && strings.Contains(status.Datasets[0].Error, "is it up")
	})
	var findings []any
	s.get("/api/hw/v1/audit/findings", &findings)
	if len(findings) > 0 {
		t.Errorf("got findings %v of a table that was not read", findings)
	}
	_, metrics := s.ask(http.MethodGet, "/metrics", "")
	if want := `hedgewatch_audit_failing{dataset="platform/usdm/ts_user_trades",source="platform"} 1`; !strings.Contains(metrics, want) {
		t.Errorf("metrics lack %s", want)
	}
	_, shown := s.ask(http.MethodGet, "/api/v1/status/config", "")
	if strings.Contains(shown+status.Datasets[0].Error, "hunter2") || !strings.Contains(shown, "ts_user_trades") {
		t.Errorf("the configuration is shown as %s", shown)
	}
	s.write("hedgewatch.yml", strings.Replace(config, "usdm", "coinm", 1))
	if code, text := s.ask(http.MethodPost, "/-/reload", ""); code == http.StatusOK || !strings.Contains(text, "restart hedgewatch") {
		t.Errorf("another market: got %d %s", code, text)
	}
	s.stop()
}
