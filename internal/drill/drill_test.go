package drill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

const twoReceivers = `
route: {receiver: team, routes: [{receiver: desk, matchers: ['job="desk"']}]}
receivers: [{name: team}, {name: desk}, {name: spare}]`

func loadConfig(t *testing.T, text string) *amconfig.Config {
	t.Helper()
	c, err := amconfig.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rig is Drills that run, with what they sent.
type rig struct {
	*Drills
	t    *testing.T
	reg  *prometheus.Registry
	stop func()

	mu     sync.Mutex
	config *amconfig.Config
	broken map[string]string // receiver to error
	sent   []string
}

func newRig(t *testing.T, path string, cfg Config) *rig {
	t.Helper()
	r := &rig{t: t, reg: prometheus.NewRegistry(), config: loadConfig(t, twoReceivers), broken: map[string]string{}}
	var err error
	r.Drills, err = New(cfg, Deps{
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: r.reg, Path: path,
		Alertmanager: func() *amconfig.Config {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.config
		},
		Try:   r.try,
		Raise: r.raise,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *rig) try(_ context.Context, name string, reason receiver.Reason, about *alert.Alert) ([]Attempt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, fmt.Sprintf("%s: %s %s", name, reason, about.Labels["alertname"]))
	a := Attempt{Integration: "webhook[0]", Delivered: true}
	switch fault := r.broken[name]; fault {
	case "":
	case "nobody":
		return nil, nil
	default:
		a.Delivered, a.Error = false, fault
	}
	return []Attempt{a}, nil
}

func (r *rig) raise(_ context.Context, about *alert.Alert) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := "fires"
	if !about.EndsAt.IsZero() {
		state = "ends"
	}
	r.sent = append(r.sent, fmt.Sprintf("%s %s for %s", about.Labels["alertname"], state, about.Labels["receiver"]))
	return nil
}

func (r *rig) fault(name, fault string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken[name] = fault
}

// want compares what was sent since the last call.
func (r *rig) want(when string, want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(want, r.sent); diff != "" {
		r.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
	r.sent = nil
}

func TestDrillsAreHeldOnSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // It begins at midnight, UTC, on a Saturday.
		r := newRig(t, filepath.Join(t.TempDir(), "drills"), Config{
			{Receiver: "team", Schedule: "daily 09:00", TimeZone: "Asia/Tokyo"},
			{Receiver: "desk", Schedule: "Sun 01:00"},
		})
		time.Sleep(24*time.Hour - time.Nanosecond)
		r.want("before the first")
		time.Sleep(time.Nanosecond)
		r.want("at 09:00 in Tokyo", "team: test HedgewatchTest")
		time.Sleep(time.Hour)
		r.want("on Sunday", "desk: test HedgewatchTest")
		got := r.Statuses()
		if got[0].Last == nil || !got[0].Last.Delivered || got[0].Last.By != "schedule" || !got[0].Next.Equal(time.Now().Add(23*time.Hour)) {
			t.Errorf("got %+v", got[0])
		}
		if n := testutil.ToFloat64(r.metrics.outcomes.WithLabelValues("team", "delivered")); n != 1 {
			t.Errorf("got %v delivered tests, want 1", n)
		}
	})
}

func TestFailedDrillAlertsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "drills")
		plans := Config{{Receiver: "desk", Schedule: "daily 01:00"}, {Receiver: "team", Schedule: "daily 02:00"}}
		r := newRig(t, path, plans)
		r.fault("desk", "status 404")
		r.fault("team", "status 404")
		time.Sleep(time.Hour)
		r.want("desk: the alert is routed to team", "desk: test HedgewatchTest", "DrillFailed fires for desk")
		time.Sleep(time.Hour)
		r.want("team: routing leads to team only, so the others are told directly",
			"team: test HedgewatchTest", "DrillFailed fires for team", "desk: firing DrillFailed", "spare: firing DrillFailed")

		r.stop()
		r = newRig(t, path, plans)
		if got, ok := r.Last("desk"); !ok || got.Attempts[0].Error != "status 404" {
			t.Errorf("got %+v after a restart", got)
		}
		if _, err := r.Test(t.Context(), "desk", "ada"); err != nil {
			t.Fatal(err)
		}
		r.want("repaired, and tested by hand", "desk: test HedgewatchTest", "DrillFailed ends for desk")

		commit, err := r.Prepare(Config{})
		if err != nil {
			t.Fatal(err)
		}
		commit()
		r.want("without a plan, nothing would end the alert", "DrillFailed ends for team")
	})
}

func TestTestByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "drills"), Config{})
		r.fault("desk", "connection refused")
		r.fault("team", "nobody")
		tests := []struct {
			receiver, text string
			delivered      bool
		}{
			{"spare", "", true},
			{"desk", "webhook[0]: connection refused", false},
			{"team", "it has no integrations: nobody hears of its alerts", false},
		}
		for _, tt := range tests {
			got, err := r.Test(t.Context(), tt.receiver, "ada")
			if err != nil || got.Delivered != tt.delivered || summary(got) != tt.text {
				t.Errorf("%s: got %+v, %v; want delivered %v and %q", tt.receiver, got, err, tt.delivered, tt.text)
			}
		}
		r.want("nobody is alerted: who asked has the answer",
			"spare: test HedgewatchTest", "desk: test HedgewatchTest", "team: test HedgewatchTest")

		_, err := r.Test(t.Context(), "dsek", "ada")
		if !errors.Is(err, ErrUnknownReceiver) || !strings.Contains(err.Error(), `"dsek"; there are desk, spare, team`) {
			t.Errorf("got error %v, want one that lists the receivers", err)
		}
	})
}

func TestBadPlansAreExplained(t *testing.T) {
	err := Config{
		{Schedule: "daily 09:00"},
		{Receiver: "team", Schedule: "often"},
		{Receiver: "team", Schedule: "daily 09:00", TimeZone: "Mars"},
	}.Validate()
	for _, want := range []string{
		"drills[0].receiver: missing",
		`drills[1].schedule: schedule "often"`,
		`drills[2].receiver: "team" has drills[1] already`,
		`drills[2].schedule: time zone "Mars"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}

func TestMatches(t *testing.T) {
	cfg := loadConfig(t, `
route:
  receiver: team
  group_by: [alertname]
  routes:
    - {receiver: desk, matchers: ['job="desk"'], continue: true, group_by: [job, market], group_wait: 5s, mute_time_intervals: [weekend]}
    - {receiver: night, matchers: ['severity="critical"'], active_time_intervals: [weekend], group_by: ['...']}
receivers: [{name: team}, {name: desk, webhook_configs: [{url: "http://a"}, {url: "http://b"}]}, {name: night}]
time_intervals: [{name: weekend, time_intervals: [{weekdays: [saturday, sunday]}]}]`)
	saturday := time.Date(2026, 5, 2, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name   string
		labels map[string]string
		at     time.Time
		want   []string
	}{
		{"the root", map[string]string{"alertname": "A"}, saturday, []string{"team {}:{alertname=\"A\"} muted=false 30s"}},
		{"two ways", map[string]string{"alertname": "A", "job": "desk", "severity": "critical"}, saturday, []string{
			`desk {}/{job="desk"}:{job="desk"} muted=true 5s`,
			`night {}/{severity="critical"}:{alertname="A", job="desk", severity="critical"} muted=false 30s`,
		}},
		{"a weekday", map[string]string{"alertname": "A", "severity": "critical"}, saturday.Add(48 * time.Hour), []string{
			`night {}/{severity="critical"}:{alertname="A", severity="critical"} muted=true 30s`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, m := range Matches(cfg, labelSet(tt.labels), tt.at) {
				got = append(got, fmt.Sprintf("%s %s muted=%v %s", m.Receiver, m.GroupKey, m.Muted, m.GroupWait))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	want := []Receiver{
		{Name: "desk", Integrations: []string{"webhook[0]", "webhook[1]"}, Routes: []string{`{}/{job="desk"}`}},
		{Name: "night", Integrations: []string{}, Routes: []string{`{}/{severity="critical"}`}},
		{Name: "team", Integrations: []string{}, Routes: []string{"{}"}},
	}
	if diff := cmp.Diff(want, Receivers(cfg)); diff != "" {
		t.Errorf("receivers (-want +got):\n%s", diff)
	}
}
