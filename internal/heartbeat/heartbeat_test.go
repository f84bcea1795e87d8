package heartbeat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/notifier"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const goodToken = "0123456789abcdef"

func job(name string) In {
	return In{
		Name: name, Interval: model.Duration(time.Hour), Grace: model.Duration(5 * time.Minute),
		Token: goodToken, Severity: "warning",
	}
}

// rig is Heartbeats that run, with what they sent.
type rig struct {
	*Heartbeats
	t    *testing.T
	deps Deps
	reg  *prometheus.Registry
	stop func()

	mu     sync.Mutex
	sent   []string // "HeartbeatLate backup firing", without repetitions
	health error
}

func newRig(t *testing.T, file string, cfg Config, client *http.Client) *rig {
	t.Helper()
	r := &rig{t: t, reg: prometheus.NewRegistry()}
	r.deps = Deps{
		Logger:     slog.New(slog.NewTextHandler(t.Output(), nil)),
		Registerer: r.reg,
		Path:       file,
		Send:       r.send,
		Healthy: func() error {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.health
		},
		Client: cmp.Or(client, http.DefaultClient),
	}
	h, err := New(cfg, r.deps)
	if err != nil {
		t.Fatal(err)
	}
	r.Heartbeats = h
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *rig) send(_ context.Context, alerts ...*notifier.Alert) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range alerts {
		state := "firing"
		if !a.EndsAt.After(time.Now()) {
			state = "resolved"
		}
		line := fmt.Sprintf("%s %s %s", a.Labels.Get("alertname"), a.Labels.Get("heartbeat"), state)
		if !slices.Contains(r.sent, line) {
			r.sent = append(r.sent, line)
		}
	}
}

// want compares what was sent since the last call.
func (r *rig) want(when string, want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.sent) // Heartbeats of one deadline have no order.
	if diff := gocmp.Diff(want, r.sent); diff != "" {
		r.t.Errorf("%s: alerts (-want +got):\n%s", when, diff)
	}
	r.sent = nil
}

func (r *rig) sick(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.health = err
}

// beat reports over the handler and returns code and body of the answer.
func (r *rig) beat(method, target, bearer, body string) (int, string) {
	r.t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/heartbeat/{name}", r)
	req := httptest.NewRequest(method, "/heartbeat/"+target, strings.NewReader(body))
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

func (r *rig) ok(target string) {
	r.t.Helper()
	if code, body := r.beat(http.MethodPost, target, goodToken, ""); code != http.StatusOK {
		r.t.Fatalf("got %d: %s", code, body)
	}
}

func TestLateHeartbeatAlertsAtItsDeadlineAndResolvesWithTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "heartbeats"), Config{In: []In{job("backup"), job("sync")}}, nil)
		time.Sleep(30 * time.Minute)
		r.ok("backup")
		time.Sleep(35*time.Minute - time.Nanosecond)
		r.want("before the deadline of the one never heard")
		time.Sleep(time.Nanosecond)
		r.want("at it", "HeartbeatLate sync firing")
		time.Sleep(30 * time.Minute)
		r.want("at the deadline of the other, and repeated", "HeartbeatLate backup firing", "HeartbeatLate sync firing")
		r.ok("sync")
		r.want("heard again", "HeartbeatLate sync resolved")
		metrics := strings.NewReader(`
# HELP hedgewatch_heartbeat_alerting 1 while a heartbeat is late or failed.
# TYPE hedgewatch_heartbeat_alerting gauge
hedgewatch_heartbeat_alerting{heartbeat="backup"} 1
hedgewatch_heartbeat_alerting{heartbeat="sync"} 0
`)
		if err := testutil.GatherAndCompare(r.reg, metrics, "hedgewatch_heartbeat_alerting"); err != nil {
			t.Error(err)
		}
	})
}

func TestFailureAlertsAtOnceUntilTheNextSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "heartbeats"), Config{In: []In{job("backup")}}, nil)
		if code, body := r.beat(http.MethodGet, "backup?status=fail&message=disk+full&token="+goodToken, "", ""); code != http.StatusOK || !strings.Contains(body, `"disk full"`) {
			t.Errorf("got %d: %s", code, body)
		}
		r.want("after the failure", "HeartbeatFailed backup firing")
		time.Sleep(2 * time.Hour)
		r.want("a failure stays one when it is late, too", "HeartbeatFailed backup firing")
		r.ok("backup")
		r.want("after the success", "HeartbeatFailed backup resolved")
		time.Sleep(65 * time.Minute)
		r.want("late", "HeartbeatLate backup firing")
		r.beat(http.MethodPost, "backup?status=fail", goodToken, "exit 3")
		r.want("late, then failed", "HeartbeatFailed backup firing", "HeartbeatLate backup resolved")
		if got := r.Statuses()[0].Message; got != "exit 3" {
			t.Errorf("got message %q, want that of the body", got)
		}
	})
}

func TestRestart(t *testing.T) {
	tests := []struct {
		name           string
		silent         bool          // there never was a beat
		before, down   time.Duration // after the only beat, or the start
		then           time.Duration // after the restart, when it fires
		firesBefore    bool
		firesAtRestart bool
	}{
		{name: "well, back at once", before: 30 * time.Minute, down: time.Minute, then: 34 * time.Minute},
		{name: "its time passed while nobody listened", before: 30 * time.Minute, down: 2 * time.Hour, then: 5 * time.Minute},
		{name: "late before", before: 66 * time.Minute, down: time.Minute, firesBefore: true, firesAtRestart: true},
		{name: "never heard, late before", silent: true, before: 66 * time.Minute, down: time.Minute, firesBefore: true, firesAtRestart: true},
		{name: "never heard, a restart in time", silent: true, before: 30 * time.Minute, down: time.Minute, then: 34 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "heartbeats")
				cfg := Config{In: []In{job("backup")}}
				r := newRig(t, file, cfg, nil)
				if !tt.silent {
					r.ok("backup")
				}
				time.Sleep(tt.before)
				r.stop()
				if fired := len(r.sent) > 0; fired != tt.firesBefore {
					t.Fatalf("got alerts %v before the restart", r.sent)
				}
				time.Sleep(tt.down)
				r = newRig(t, file, cfg, nil)
				if tt.firesAtRestart {
					r.want("at the restart", "HeartbeatLate backup firing")
					return
				}
				time.Sleep(tt.then - time.Nanosecond)
				r.want("before the deadline")
				time.Sleep(time.Nanosecond)
				r.want("at the deadline", "HeartbeatLate backup firing")
			})
		})
	}
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "heartbeats"), Config{In: []In{job("backup"), job("sync"), job("audit")}}, nil)
		time.Sleep(66 * time.Minute)
		r.want("late", "HeartbeatLate audit firing", "HeartbeatLate backup firing", "HeartbeatLate sync firing")
		relabelled := job("sync")
		relabelled.Severity = "critical"
		commit, err := r.Prepare(Config{In: []In{job("audit"), relabelled}})
		if err != nil {
			t.Fatal(err)
		}
		r.want("prepared only")
		commit()
		r.want("one removed, one with other labels", "HeartbeatLate backup resolved", "HeartbeatLate sync firing", "HeartbeatLate sync resolved")
		if _, err := r.Prepare(Config{In: []In{{Name: "a b"}}}); err == nil {
			t.Error("got no error for an invalid configuration")
		}
	})
}

func TestBadReportsGetAClearAnswerAndChangeNothing(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "heartbeats"), Config{In: []In{job("backup")}}, nil)
	tests := []struct {
		name, target, bearer string
		code                 int
		want, reason         string
	}{
		{"unknown", "backpu", goodToken, 404, `no heartbeat is called \"backpu\"; add it to heartbeats.in`, "unknown"},
		{"no token", "backup", "", 401, "wrong token", "token"},
		{"wrong token", "backup", "0123456789abcdeF", 401, "wrong token", "token"},
		{"wrong token in the query", "backup?token=x", "", 401, "wrong token", "token"},
		{"the bearer counts", "backup?token=" + goodToken, "x", 401, "wrong token", "token"},
		{"unknown status", "backup?status=bad", goodToken, 400, `status \"bad\" is unknown; use ok or fail`, "invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := testutil.ToFloat64(r.metrics.refused.WithLabelValues(tt.reason))
			code, body := r.beat(http.MethodGet, tt.target, tt.bearer, "")
			if code != tt.code || !strings.Contains(body, tt.want) {
				t.Errorf("got %d: %s; want %d with %q", code, body, tt.code, tt.want)
			}
			if strings.Contains(body, goodToken) {
				t.Errorf("the answer shows the token: %s", body)
			}
			if got := testutil.ToFloat64(r.metrics.refused.WithLabelValues(tt.reason)); got != before+1 {
				t.Errorf("got %v refusals by reason %s, want one more than %v", got, tt.reason, before)
			}
		})
	}
	if got := r.Statuses()[0]; got.State != StateNew || !got.Last.IsZero() {
		t.Errorf("got %+v, want one that was never heard", got)
	}
}

func TestRateAndSizeAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "heartbeats"), Config{In: []In{job("backup"), job("sync")}}, nil)
		for range beatBurst {
			r.ok("backup")
		}
		if code, body := r.beat(http.MethodPost, "backup", goodToken, ""); code != http.StatusTooManyRequests {
			t.Errorf("got %d: %s; want 429", code, body)
		}
		r.ok("sync")
		r.beat(http.MethodPost, "sync?status=fail", goodToken, strings.Repeat("ü", 4000))
		for _, s := range r.Statuses() {
			if s.Name == "sync" && s.Message != strings.Repeat("ü", maxMessageBytes/2) {
				t.Errorf("got a message of %d bytes, want %d", len(s.Message), maxMessageBytes)
			}
		}
	})
}

// roundTripper answers requests without a network, whose waits a synctest
// bubble cannot see.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestDeadMansSwitchHearsUsWhileAlertsArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		calls := map[string]int{}
		client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			calls[r.Method+" "+r.URL.Path]++
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("OK"))}, nil
		})}
		count := func(call string) int {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return calls[call]
		}
		r := newRig(t, filepath.Join(t.TempDir(), "heartbeats"), Config{Out: []Out{{
			URL: "https://hc.example/secret", FailURL: "https://hc.example/secret/fail", Method: http.MethodPost,
			Interval: model.Duration(time.Minute), Timeout: model.Duration(time.Second),
		}}}, client)
		time.Sleep(10*time.Minute + time.Second)
		if got := count("POST /secret"); got != 11 {
			t.Errorf("got %d calls in 10 minutes, want 11", got)
		}
		r.sick(errors.New("canary lost"))
		time.Sleep(5 * time.Minute)
		if got, fails := count("POST /secret"), count("POST /secret/fail"); got != 11 || fails != 5 {
			t.Errorf("got %d calls and %d of the fail URL while sick, want 11 and 5", got, fails)
		}
		r.sick(nil)
		time.Sleep(time.Minute)
		if got := count("POST /secret"); got != 12 {
			t.Errorf("got %d calls, want 12", got)
		}
		for outcome, want := range map[string]float64{"sent": 12, "withheld": 5, "failed": 0} {
			if got := testutil.ToFloat64(r.metrics.pings.WithLabelValues("hc.example", outcome)); got != want {
				t.Errorf("got %v pings %s, want %v", got, outcome, want)
			}
		}
	})
}

func TestStartIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []string
		client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			calls = append(calls, r.URL.Path)
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})}
		h, err := New(Config{Out: []Out{{
			URL: "https://hc.example/ping", FailURL: "https://hc.example/fail", Method: http.MethodGet,
			Interval: model.Duration(time.Minute), Timeout: model.Duration(time.Second),
		}}}, Deps{
			Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Path: filepath.Join(t.TempDir(), "h"),
			Send: func(context.Context, ...*notifier.Alert) {}, Client: client,
			Healthy: func() func() error {
				ready := time.Now().Add(5 * time.Second)
				return func() error {
					if time.Now().Before(ready) {
						return errors.New("starting")
					}
					return nil
				}
			}(),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := h.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff([]string{"/ping"}, calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestURLOfASwitchIsNeverShown(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	refused := gone.URL + "/hush"
	gone.Close()
	answers404 := httptest.NewServer(http.NotFoundHandler())
	defer answers404.Close()
	h, err := New(Config{}, Deps{
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Path: filepath.Join(t.TempDir(), "h"),
		Send: func(context.Context, ...*notifier.Alert) {}, Healthy: func() error { return nil }, Client: &http.Client{},
	})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		refused:                    "connection refused",
		answers404.URL + "/hush":   "it answered 404 Not Found",
		"http://bad host.x/hush":   "the URL cannot be called",
		"http://127.0.0.1:99/hush": "",
	} {
		err := h.call(t.Context(), Out{Method: http.MethodGet, Timeout: model.Duration(5 * time.Second)}, address)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("got error %v, want one with %q and without the path", err, want)
		}
	}
}

func TestDamagedFileIsForgotten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "heartbeats")
	for _, text := range []string{"", "{", "\x00\xff\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := newRig(t, file, Config{In: []In{job("backup")}}, nil)
		r.ok("backup")
		r.stop()
		r = newRig(t, file, Config{In: []In{job("backup")}}, nil)
		if got := r.Statuses()[0]; got.Last.IsZero() {
			t.Errorf("%q: got %+v after a restart, want when it was heard", text, got)
		}
		r.stop()
	}
}

func FuzzRestore(f *testing.F) {
	f.Add(`{"since": "2026-05-01T00:00:00Z", "heard": true, "failed": true, "message": "x", "alerting": "2026-05-01T00:00:00Z"}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, text string) {
		var s signs
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		now := time.Now()
		b := newBeat(job("backup"), now)
		b.restore(s, now)
		if b.Since.After(now) {
			t.Errorf("last heard in the future: %v", b.Since)
		}
		if _, next, _ := b.tick(now); !next.After(now) {
			t.Errorf("got the next tick at %v, before now", next)
		}
	})
}

func TestBadConfigurationsAreExplained(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"name", `in: [{name: a b, interval: 1m, token: 0123456789abcdef}]`, `heartbeats.in[0].name: "a b" does not fit into a path`},
		{"no name", `in: [{interval: 1m, token: 0123456789abcdef}]`, `heartbeats.in[0].name: ""`},
		{"same name", `in: [{name: a, interval: 1m, token: 0123456789abcdef}, {name: a, interval: 1m, token: 0123456789abcdef}]`, `heartbeats.in[1].name: "a" is also the name of heartbeats.in[0]`},
		{"no interval", `in: [{name: a, token: 0123456789abcdef}]`, `heartbeats.in[0].interval: 0s is too short`},
		{"short token", `in: [{name: a, interval: 1m, token: hush}]`, `heartbeats.in[0].token: at least 16 characters`},
		{"reserved label", `in: [{name: a, interval: 1m, token: 0123456789abcdef, labels: {alertname: x}}]`, `heartbeats.in[0].labels: "alertname" is set by hedgewatch`},
		{"bad label", `in: [{name: a, interval: 1m, token: 0123456789abcdef, labels: {"": x}}]`, `heartbeats.in[0].labels: "" is no name of a label`},
		{"URL", `out: [{url: "ftp://x/hush"}]`, `heartbeats.out[0].url: not a URL that starts with http:// or https://`},
		{"fail URL", `out: [{url: "http://x/hush", fail_url: hush}]`, `heartbeats.out[0].fail_url: not a URL`},
		{"method", `out: [{url: "http://x/hush", method: TRACE}]`, `heartbeats.out[0].method: got "TRACE"`},
		{"interval", `out: [{url: "http://x/hush", interval: 1ms}]`, `heartbeats.out[0].interval: 1ms is too short`},
		{"timeout", `out: [{url: "http://x/hush", timeout: 0s}]`, `heartbeats.out[0].timeout: 0s is not a positive duration`},
		{"same host", `out: [{url: "http://x/hush"}, {url: "http://x/hush2"}]`, `heartbeats.out[1].name: "x" is also the name of heartbeats.out[0]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var cfg Config
			if err := yaml.Unmarshal([]byte(tt.text), &cfg); err != nil {
				t.Fatal(err)
			}
			err := cfg.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	var got Config
	if err := yaml.Unmarshal([]byte(`
in: [{name: backup, interval: 1d, token: 0123456789abcdef}]
out: [{url: "https://hc.example/a"}]
`), &got); err != nil {
		t.Fatal(err)
	}
	want := Config{
		In:  []In{{Name: "backup", Interval: model.Duration(24 * time.Hour), Grace: model.Duration(time.Minute), Token: commoncfg.Secret(goodToken), Severity: "critical"}},
		Out: []Out{{URL: "https://hc.example/a", Method: "GET", Interval: model.Duration(time.Minute), Timeout: model.Duration(10 * time.Second)}},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}
