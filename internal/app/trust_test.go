package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ask sends a request with a JSON body and returns status and answer.
func (s *server) ask(method, path, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// must is ask for what has to succeed, decoded into v unless that is nil.
func (s *server) must(method, path, body string, v any) {
	s.t.Helper()
	code, text := s.ask(method, path, body)
	if code/100 != 2 {
		s.t.Fatalf("%s %s: got %d: %s", method, path, code, text)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

// tellingHook is a webhook that keeps what it was told, in order.
func tellingHook(t *testing.T) (address string, got chan string) {
	t.Helper()
	got = make(chan string, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct {
			Status string
			Alerts []struct{ Labels map[string]string }
		}
		if json.NewDecoder(r.Body).Decode(&m) == nil {
			for _, a := range m.Alerts {
				got <- m.Status + " " + a.Labels["alertname"] + " " + a.Labels["heartbeat"] + a.Labels["receiver"]
			}
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, got
}

func wantNext(t *testing.T, got <-chan string, want string) {
	t.Helper()
	select {
	case line := <-got:
		if line != want {
			t.Errorf("got notification %q, want %q", line, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no notification, want %q", want)
	}
}

const token = "0123456789abcdef"

func trustConfig(hook, switches string) string {
	return fmt.Sprintf(`
alertmanager:
  route: {receiver: traders, group_wait: 1ms, group_interval: 50ms, group_by: ['...']}
  receivers:
    - {name: traders, webhook_configs: [{url: %q}]}
    - {name: dead, webhook_configs: [{url: 'http://127.0.0.1:1/hush'}]}
heartbeats:
  in: [{name: backup, interval: 1h, token: %q}]
  out: [{name: outside, url: %q, interval: 1s}]
drills:
  - {receiver: traders, schedule: Mon 09:00, timezone: Asia/Tokyo}
`, hook, token, switches)
}

func TestTrust(t *testing.T) {
	var pings atomic.Int64
	outside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { pings.Add(1) }))
	t.Cleanup(outside.Close)
	address, got := tellingHook(t)
	s := startServer(t, t.TempDir(), trustConfig(address, outside.URL+"/hush"))

	t.Run("the canary arrives, and a dead man's switch hears of it", func(t *testing.T) {
		eventually(t, 20*time.Second, "a ping outside", func() bool { return pings.Load() > 0 })
		_, metrics := s.ask(http.MethodGet, "/metrics", "")
		if !strings.Contains(metrics, `hedgewatch_canary_alerts_total{outcome="arrived"} 1`) {
			t.Error("no canary has arrived")
		}
		if strings.Contains(metrics, "hush") {
			t.Error("a metric shows a secret")
		}
	})

	t.Run("a heartbeat alerts when it fails, and resolves", func(t *testing.T) {
		for path, want := range map[string]int{
			"backup?token=wrong": http.StatusUnauthorized, "other?token=" + token: http.StatusNotFound, "backup?status=x&token=" + token: http.StatusBadRequest,
		} {
			if code, text := s.ask(http.MethodPost, "/api/hw/v1/heartbeat/"+path, ""); code != want {
				t.Errorf("%s: got %d: %s; want %d", path, code, text, want)
			}
		}
		s.must(http.MethodGet, "/api/hw/v1/heartbeat/backup?status=fail&message=disk+full&token="+token, "", nil)
		wantNext(t, got, "firing HeartbeatFailed backup")
		s.must(http.MethodPost, "/api/hw/v1/heartbeat/backup?token="+token, "", nil)
		wantNext(t, got, "resolved HeartbeatFailed backup")
		var list []struct{ Name, State string }
		s.must(http.MethodGet, "/api/hw/v1/heartbeats", "", &list)
		if len(list) != 1 || list[0].State != "ok" {
			t.Errorf("got %+v", list)
		}
	})

	t.Run("a receiver is tested", func(t *testing.T) {
		var result struct {
			Delivered bool
			Attempts  []struct {
				Integration, Error string
				Delivered          bool
			}
		}
		s.must(http.MethodPost, "/api/hw/v1/receivers/traders/test", "", &result)
		if !result.Delivered || len(result.Attempts) != 1 {
			t.Errorf("got %+v", result)
		}
		wantNext(t, got, "firing HedgewatchTest traders")
		s.must(http.MethodPost, "/api/hw/v1/receivers/dead/test", "", &result)
		if result.Delivered || !strings.Contains(result.Attempts[0].Error, "refused") || strings.Contains(result.Attempts[0].Error, "hush") {
			t.Errorf("got %+v, want a refused connection without the URL's path", result)
		}
		if code, text := s.ask(http.MethodPost, "/api/hw/v1/receivers/tradres/test", ""); code != http.StatusNotFound || !strings.Contains(text, "there are dead, traders") {
			t.Errorf("got %d: %s", code, text)
		}
		var receivers []struct {
			Name         string
			Destinations []struct {
				Integration, State string
				LastDelivered      time.Time
			}
			LastTest struct{ Delivered bool }
		}
		s.must(http.MethodGet, "/api/hw/v1/receivers", "", &receivers)
		if len(receivers) != 2 || receivers[0].Destinations[0].State != "unused" || receivers[0].LastTest.Delivered ||
			receivers[1].Destinations[0].LastDelivered.IsZero() || !receivers[1].LastTest.Delivered {
			t.Errorf("got %+v", receivers)
		}
	})

	t.Run("routes say where an alert goes", func(t *testing.T) {
		var ways []struct{ Receiver, GroupKey string }
		s.must(http.MethodGet, "/api/hw/v1/routes/match?label=alertname=A&label=job=x", "", &ways)
		if len(ways) != 1 || ways[0].Receiver != "traders" || ways[0].GroupKey != `{}:{alertname="A", job="x"}` {
			t.Errorf("got %+v", ways)
		}
		s.must(http.MethodPost, "/api/hw/v1/routes/match", `{"labels": {"alertname": "A"}}`, &ways)
		if len(ways) != 1 {
			t.Errorf("got %+v", ways)
		}
	})

	t.Run("an alert is acknowledged", func(t *testing.T) {
		s.must(http.MethodPost, "/api/v2/alerts", `[{"labels": {"alertname": "Lag", "job": "x"}}]`, nil)
		wantNext(t, got, "firing Lag ")
		var alerts []struct {
			Fingerprint string
			Labels      map[string]string
		}
		s.must(http.MethodGet, "/api/v2/alerts", "", &alerts)
		if len(alerts) != 1 {
			t.Fatalf("got %+v, want the one alert", alerts)
		}
		path := "/api/hw/v1/alerts/" + alerts[0].Fingerprint + "/ack"
		s.must(http.MethodPost, path, `{"by": "ada", "comment": "on it", "for": "2h"}`, nil)
		var acks []struct {
			By     string
			Labels map[string]string
		}
		s.must(http.MethodGet, "/api/hw/v1/acknowledgements", "", &acks)
		if len(acks) != 1 || acks[0].By != "ada" || !cmp.Equal(acks[0].Labels, alerts[0].Labels) {
			t.Errorf("got %+v", acks)
		}
		s.must(http.MethodDelete, path, "", nil)
		if code, text := s.ask(http.MethodDelete, path, ""); code != http.StatusNotFound {
			t.Errorf("got %d: %s; want 404 the second time", code, text)
		}
	})

	t.Run("a calendar silence is a silence", func(t *testing.T) {
		var made struct{ ID string }
		const spec = `{"matchers": [{"name": "job", "value": "x"}], "schedule": "daily 02:00", "timeZone": "Asia/Tokyo", "duration": "1h", "createdBy": "ada", "comment": "copy"%s}`
		s.must(http.MethodPost, "/api/hw/v1/calendar-silences", fmt.Sprintf(spec, ""), &made)
		if got := s.silences(); got < 8 {
			t.Errorf("got %d silences, want one for each of the next 8 days", got)
		}
		s.must(http.MethodPut, "/api/hw/v1/calendar-silences/"+made.ID, fmt.Sprintf(strings.Replace(spec, "daily", "Mon,Thu", 1), ""), nil)
		if got := s.silences(); got > 4 {
			t.Errorf("got %d silences, want those of Mondays and Thursdays", got)
		}
		s.must(http.MethodDelete, "/api/hw/v1/calendar-silences/"+made.ID, "", nil)
		if got := s.silences(); got != 0 {
			t.Errorf("got %d silences after the end, want none", got)
		}
		if code, text := s.ask(http.MethodPut, "/api/hw/v1/calendar-silences/x", fmt.Sprintf(spec, "")); code != http.StatusNotFound {
			t.Errorf("got %d: %s; want 404", code, text)
		}
	})

	t.Run("bad requests are explained", func(t *testing.T) {
		for _, tt := range []struct {
			method, path, body string
			code               int
			want               string
		}{
			{"POST", "/alerts/0123456789abcdef/ack", `{"by": "ada"}`, 404, "alert 0123456789abcdef: no such alert fires"},
			{"POST", "/alerts/HighLag/ack", `{"by": "ada"}`, 400, `\"HighLag\" is no fingerprint`},
			{"POST", "/alerts/0123456789abcdef/ack", `{"by": "ada", "for": "long"}`, 400, `for: \"long\" is not a duration`},
			{"POST", "/alerts/0123456789abcdef/ack", `{"who": "ada"}`, 400, `unknown field \"who\"`},
			{"POST", "/alerts/0123456789abcdef/ack", ``, 400, "send JSON"},
			{"POST", "/calendar-silences", `{"schedule": "often"}`, 400, `schedule \"often\"`},
			{"GET", "/routes/match", ``, 400, "no labels"},
			{"GET", "/routes/match?label=x", ``, 400, `label \"x\": write name=value`},
		} {
			code, text := s.ask(tt.method, "/api/hw/v1"+tt.path, tt.body)
			if code != tt.code || !strings.Contains(text, tt.want) {
				t.Errorf("%s %s %s: got %d: %s; want %d with %q", tt.method, tt.path, tt.body, code, text, tt.code, tt.want)
			}
		}
	})

	t.Run("a reload takes a heartbeat away", func(t *testing.T) {
		s.must(http.MethodGet, "/api/hw/v1/heartbeat/backup?status=fail&token="+token, "", nil)
		wantNext(t, got, "firing HeartbeatFailed backup")
		s.write("hedgewatch.yml", strings.Replace(trustConfig(address, outside.URL), "name: backup", "name: copy", 1))
		if err := s.app.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantNext(t, got, "resolved HeartbeatFailed backup")
	})
}

// silences counts those that have not ended.
func (s *server) silences() int {
	s.t.Helper()
	var all []struct{ Status struct{ State string } }
	s.must(http.MethodGet, "/api/v2/silences", "", &all)
	n := 0
	for _, silence := range all {
		if silence.Status.State != "expired" {
			n++
		}
	}
	return n
}
