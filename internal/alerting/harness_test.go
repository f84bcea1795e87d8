package alerting

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

// patience bounds every wait in these tests; none is expected to need it but on a
// machine that does much else.
const patience = 2 * time.Minute

func loadConfig(t testing.TB, format string, args ...any) Config {
	t.Helper()
	c, err := amconfig.Load(fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	return Config{Alertmanager: c, Delivery: withoutStorms()}
}

// withoutStorms has every group told, which most tests look for.
func withoutStorms() *DeliveryConfig {
	d := DefaultDelivery()
	d.Storm.Groups = 0
	return &d
}

func testDeps(t testing.TB, dir string) Deps {
	return Deps{
		Logger:      slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
		Registerer:  prometheus.NewRegistry(),
		Dir:         dir,
		ExternalURL: &url.URL{Scheme: "http", Host: "hedgewatch.example"},
	}
}

// instance is an Alerting that runs until the test ends or stop is called.
type instance struct {
	*Alerting
	reg  *prometheus.Registry
	stop func()
}

func startAlerting(t testing.TB, cfg Config, d Deps) *instance {
	t.Helper()
	a, err := New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run did not return after its context ended")
		}
	})
	t.Cleanup(stop)
	select {
	case <-a.Ready():
	case <-time.After(patience):
		t.Fatal("not ready")
	}
	return &instance{Alerting: a, reg: d.Registerer.(*prometheus.Registry), stop: stop}
}

func (i *instance) put(t testing.TB, as ...*alert.Alert) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := i.Put(ctx, as...); err != nil {
		t.Fatal(err)
	}
}

// value is a sample of the instance's metrics, summed over the label sets that
// contain labels.
func (i *instance) value(t testing.TB, name string, labels map[string]string) float64 {
	t.Helper()
	families, err := i.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	sample:
		for _, m := range f.GetMetric() {
			have := make(map[string]string)
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			for k, v := range labels {
				if have[k] != v {
					continue sample
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func firing(labels ...string) *alert.Alert {
	now := time.Now()
	return &alert.Alert{Alert: model.Alert{Labels: labelSet(labels), StartsAt: now, EndsAt: now.Add(time.Hour)}}
}

func resolved(labels ...string) *alert.Alert {
	now := time.Now()
	return &alert.Alert{Alert: model.Alert{Labels: labelSet(labels), StartsAt: now.Add(-time.Second), EndsAt: now}}
}

func labelSet(pairs []string) model.LabelSet {
	ls := make(model.LabelSet)
	for i := 0; i < len(pairs); i += 2 {
		ls[model.LabelName(pairs[i])] = model.LabelValue(pairs[i+1])
	}
	return ls
}

// message is a notification as Alertmanager's webhook sends it.
type message struct {
	Receiver string `json:"receiver"`
	Status   string `json:"status"`
	Alerts   []struct {
		Status   string            `json:"status"`
		Labels   map[string]string `json:"labels"`
		StartsAt time.Time         `json:"startsAt"`
	} `json:"alerts"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
}

// brief is what most tests compare: "firing A=firing B=resolved".
func (m message) brief() string {
	s := m.Status
	for _, a := range m.Alerts {
		s += " " + a.Labels["alertname"] + "=" + a.Status
	}
	return s
}

// webhook is a receiver's end of the wire.
type webhook struct {
	*httptest.Server
	got chan message

	mu          sync.Mutex
	code        int
	connections int
}

func newWebhook(t testing.TB) *webhook {
	t.Helper()
	w := &webhook{got: make(chan message, 10000), code: http.StatusOK}
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var m message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			// A sender that is killed while it writes; nothing has arrived.
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		w.mu.Lock()
		code := w.code
		w.mu.Unlock()
		if code == http.StatusOK {
			w.got <- m
		}
		rw.WriteHeader(code)
	}))
	w.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch s {
		case http.StateNew:
			w.connections++
		case http.StateClosed:
			w.connections--
		}
	}
	w.Start()
	t.Cleanup(w.Close)
	return w
}

func (w *webhook) connected() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.connections > 0
}

func (w *webhook) answer(code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.code = code
}

func (w *webhook) next(t testing.TB) message {
	t.Helper()
	select {
	case m := <-w.got:
		return m
	case <-time.After(patience):
		t.Fatal("no notification arrived")
		panic("unreachable")
	}
}

func (w *webhook) want(t testing.TB, brief string) message {
	t.Helper()
	m := w.next(t)
	if got := m.brief(); got != brief {
		t.Fatalf("got notification %q, want %q", got, brief)
	}
	return m
}

// quiet fails when something arrives within a few flushes of a group.
func (w *webhook) quiet(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case m := <-w.got:
		t.Fatalf("got notification %q, want none", m.brief())
	case <-time.After(d):
	}
}
