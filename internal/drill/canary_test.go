package drill

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

func labelSet(m map[string]string) model.LabelSet {
	ls := model.LabelSet{}
	for k, v := range m {
		ls[model.LabelName(k)] = model.LabelValue(v)
	}
	return ls
}

// path is an alert path of a given delay and faults.
type path struct {
	mu      sync.Mutex
	refuses error
	swallow bool
	stale   bool
	put     int
}

func (p *path) set(refuses error, swallow, stale bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses, p.swallow, p.stale = refuses, swallow, stale
}

func startCanary(t *testing.T, p *path, delay time.Duration) *Canary {
	t.Helper()
	var c *Canary
	c = NewCanary(CanaryDeps{
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: prometheus.NewRegistry(),
		Put: func(ctx context.Context, alerts ...*alert.Alert) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.put++
			if p.refuses != nil {
				return p.refuses
			}
			if alerts[0].Resolved() || p.swallow {
				return nil
			}
			m := receiver.Message{Alerts: alerts}
			if p.stale {
				m.Alerts = []*alert.Alert{canaryAt("an older one", time.Now(), time.Time{})}
			}
			time.AfterFunc(delay, func() {
				if _, err := c.Send(ctx, m); err != nil {
					t.Error(err)
				}
			})
			return nil
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestCanaryMeasuresTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &path{}
		c := startCanary(t, p, 3*time.Millisecond)
		if err := c.Healthy(); err == nil {
			t.Error("healthy before the first canary")
		}
		time.Sleep(10*time.Minute + time.Second)
		if err := c.Healthy(); err != nil {
			t.Errorf("got %v, want healthy", err)
		}
		if got := testutil.ToFloat64(c.metrics.outcomes.WithLabelValues("arrived")); got != 11 {
			t.Errorf("got %v arrived, want 11", got)
		}
		want := strings.NewReader(`
# HELP hedgewatch_canary_last_success_timestamp_seconds When the last canary alert that arrived was sent; absent until one has.
# TYPE hedgewatch_canary_last_success_timestamp_seconds gauge
hedgewatch_canary_last_success_timestamp_seconds 9.466854e+08
`)
		if err := testutil.CollectAndCompare(c.metrics.lastSuccess, want); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.put != 22 {
			t.Errorf("got %d alerts handed over, want 11 that fire and 11 that end", p.put)
		}
	})
}

func TestLostCanariesAreNoticed(t *testing.T) {
	tests := []struct {
		name           string
		refuses        error
		swallow, stale bool
	}{
		{name: "nothing arrives", swallow: true},
		{name: "nothing is taken", refuses: errors.New("stopped")},
		{name: "only an older one arrives", stale: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &path{}
				c := startCanary(t, p, 0)
				time.Sleep(30 * time.Second)
				p.set(tt.refuses, tt.swallow, tt.stale)
				time.Sleep(2 * time.Minute)
				if err := c.Healthy(); err != nil {
					t.Errorf("got %v after two lost canaries, want healthy still", err)
				}
				time.Sleep(time.Minute)
				if err := c.Healthy(); err == nil || !strings.Contains(err.Error(), "no canary alert has arrived for") {
					t.Errorf("got %v, want an error", err)
				}
				p.set(nil, false, false)
				time.Sleep(time.Minute)
				if err := c.Healthy(); err != nil {
					t.Errorf("got %v, want healthy again", err)
				}
			})
		})
	}
}

func TestCanaryDisturbsNoRoute(t *testing.T) {
	cfg := loadConfig(t, `
route: {receiver: team, group_by: ['...'], routes: [{receiver: all, matchers: ['alertname=~".+"'], continue: true}]}
receivers: [{name: team}, {name: all}]`)
	with, err := WithCanary(cfg)
	if err != nil {
		t.Fatal(err)
	}
	alert := map[string]string{"alertname": "A", "severity": "critical"}
	if diff := cmp.Diff(Matches(cfg, labelSet(alert), time.Now()), Matches(with, labelSet(alert), time.Now())); diff != "" {
		t.Errorf("other alerts go elsewhere (-before +after):\n%s", diff)
	}
	got := Matches(with, canaryAt("x", time.Now(), time.Time{}).Labels, time.Now())
	if len(got) != 1 || got[0].Receiver != CanaryReceiver || got[0].GroupWait != "0s" {
		t.Errorf("the canary goes to %+v, want its own receiver only, at once", got)
	}
	if len(cfg.Receivers) != 2 || len(cfg.Route.Routes) != 1 {
		t.Error("the given configuration was changed")
	}
	if _, err := WithCanary(with); err == nil || !strings.Contains(err.Error(), "the name is taken") {
		t.Errorf("got error %v, want one about the name", err)
	}
}
