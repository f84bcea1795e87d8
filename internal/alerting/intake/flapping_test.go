package intake_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"

	"github.com/hedgewatch/hedgewatch/internal/alerting/intake"
)

// gate is an Intake in the time of a synctest bubble. It keeps the last alert
// that came out, by its labels, merged as Alertmanager does.
type gate struct {
	*intake.Intake
	t    *testing.T
	reg  *prometheus.Registry
	last map[string]*alert.Alert
	stop func()
}

func newGate(t *testing.T, path string, f intake.Flapping) *gate {
	t.Helper()
	g := &gate{t: t, reg: prometheus.NewRegistry(), last: map[string]*alert.Alert{}}
	sd, err := discovery.CreateAndRegisterSDMetrics(g.reg)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t, "")
	cfg.Flapping = f
	g.Intake, err = intake.New(cfg, intake.Deps{
		Logger:     slog.New(slog.DiscardHandler),
		Registerer: g.reg,
		SDMetrics:  sd,
		StatePath:  path,
		Put: func(_ context.Context, alerts ...*alert.Alert) error {
			for _, a := range alerts {
				if err := a.Validate(); err != nil {
					t.Error(err)
				}
				g.last[string(a.Labels["n"])] = a
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- g.Run(ctx) }()
	stopped := false
	g.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(g.stop)
	synctest.Wait()
	return g
}

// say sends the alert as its rule does; started is when it began to fire.
func (g *gate) say(name string, firing bool, annotations ...string) {
	now := time.Now()
	a := &notifier.Alert{
		Labels:      labels.FromStrings("alertname", "A", "n", name),
		Annotations: labels.FromStrings(annotations...),
		StartsAt:    now.Add(-time.Second),
		EndsAt:      now,
	}
	if firing {
		a.EndsAt = now.Add(4 * time.Minute)
	}
	g.Send(g.t.Context(), a)
}

// fires reports what people are told now.
func (g *gate) fires(name string) bool {
	a := g.last[name]
	return a != nil && !a.Resolved()
}

func (g *gate) mark(name string) string { return string(g.last[name].Annotations["flapping"]) }

func TestFlappingAlertIsHeldUntilItIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, "", intake.DefaultFlapping())
		for i := range 6 {
			g.say("x", i%2 == 0)
			if got := g.fires("x"); got != (i%2 == 0) || g.mark("x") != "" {
				t.Errorf("change %d: fires %v, mark %q", i+1, got, g.mark("x"))
			}
			time.Sleep(time.Minute)
		}
		g.say("x", true)
		if got, want := g.mark("x"), "7 changes in 10m"; got != want {
			t.Errorf("got mark %q, want %q", got, want)
		}
		time.Sleep(time.Second)
		g.say("x", false)
		if !g.fires("x") {
			t.Error("resolved while it flaps")
		}
		want := "# HELP hedgewatch_intake_flapping_alerts Alerts that are held firing because they change too often.\n" +
			"# TYPE hedgewatch_intake_flapping_alerts gauge\nhedgewatch_intake_flapping_alerts 1\n"
		if err := testutil.GatherAndCompare(g.reg, strings.NewReader(want), "hedgewatch_intake_flapping_alerts"); err != nil {
			t.Error(err)
		}
		time.Sleep(5*time.Minute - time.Second)
		if !g.fires("x") {
			t.Error("resolved before it was quiet")
		}
		time.Sleep(time.Second)
		if g.fires("x") {
			t.Error("not resolved after it was quiet")
		}
		g.say("x", true)
		if g.mark("x") != "" {
			t.Errorf("marked %q after it was quiet", g.mark("x"))
		}
	})
}

func TestFlappingCanBeSwitchedOff(t *testing.T) {
	off := intake.DefaultFlapping()
	off.Enabled = false
	tests := []struct {
		name        string
		setting     intake.Flapping
		annotations []string
	}{
		{"for all", off, nil},
		{"for a rule", intake.DefaultFlapping(), []string{"hedgewatch_flapping", "off"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, "", tt.setting)
				for i := range 20 {
					g.say("x", i%2 == 0, tt.annotations...)
					if g.fires("x") != (i%2 == 0) {
						t.Fatalf("change %d is not told", i+1)
					}
				}
			})
		})
	}
}

func TestOurAnnotationsDoNotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, "", intake.DefaultFlapping())
		g.say("x", true, "summary", "s", "hedgewatch_no_data", "keep", "hedgewatch_flapping", "on")
		if diff := cmp.Diff(model.LabelSet{"summary": "s"}, g.last["x"].Annotations); diff != "" {
			t.Errorf("annotations (-want +got):\n%s", diff)
		}
	})
}

// TestFlappingSurvivesACrash starts anew from the file. The rule has forgotten
// the alert and says nothing.
func TestFlappingSurvivesACrash(t *testing.T) {
	for _, down := range []time.Duration{time.Minute, time.Hour} {
		t.Run(down.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "flapping")
				g := newGate(t, path, intake.DefaultFlapping())
				for i := range 8 {
					g.say("x", i%2 == 0)
				}
				if !g.fires("x") {
					t.Fatal("not held")
				}
				g.stop()
				time.Sleep(down)
				g = newGate(t, path, intake.DefaultFlapping())
				if g.last["x"] == nil || g.fires("x") != (down < 5*time.Minute) {
					t.Errorf("after %v: %v", down, g.last["x"])
				}
				time.Sleep(5 * time.Minute)
				if g.fires("x") {
					t.Error("held for good")
				}
			})
		})
	}
}

// TestFlappingFollowsItsModel compares with a model that keeps every change.
func TestFlappingFollowsItsModel(t *testing.T) {
	setting := intake.Flapping{Enabled: true, Changes: 4, Window: model.Duration(time.Minute), Quiet: model.Duration(20 * time.Second)}
	type state struct {
		changes  []time.Time
		firing   bool
		flapping bool
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 2))
				g := newGate(t, "", setting)
				states := map[string]*state{"a": {}, "b": {}}
				for step := range 1000 {
					name := string('a' + rune(random.IntN(2)))
					s, now, firing := states[name], time.Now(), random.IntN(2) == 0
					if s.flapping && now.Sub(s.changes[len(s.changes)-1]) >= 20*time.Second {
						s.flapping, s.changes = false, nil
					}
					if firing != s.firing {
						s.firing, s.changes = firing, append(s.changes, now)
					}
					recent := 0
					for _, at := range s.changes {
						if now.Sub(at) <= time.Minute {
							recent++
						}
					}
					s.flapping = s.flapping || recent > 4
					g.say(name, firing)
					if got, want := g.fires(name), s.firing || s.flapping; got != want {
						t.Fatalf("step %d: fires %v, want %v", step, got, want)
					}
					if got := g.mark(name) != ""; got != s.flapping {
						t.Fatalf("step %d: marked %v, want %v", step, got, s.flapping)
					}
					time.Sleep(time.Duration(random.IntN(12)) * time.Second)
				}
			})
		})
	}
}

func TestTrackedAlertsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, "", intake.DefaultFlapping())
		for i := range 10010 {
			g.say(fmt.Sprint(i), true)
		}
		want := "# HELP hedgewatch_intake_untracked_alerts_total Alerts whose changes were not counted, because too many others' are.\n" +
			"# TYPE hedgewatch_intake_untracked_alerts_total counter\nhedgewatch_intake_untracked_alerts_total 10\n"
		if err := testutil.GatherAndCompare(g.reg, strings.NewReader(want), "hedgewatch_intake_untracked_alerts_total"); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Hour)
		g.say("0", true)
		g.say("new", true)
		if err := testutil.GatherAndCompare(g.reg, strings.NewReader(want), "hedgewatch_intake_untracked_alerts_total"); err != nil {
			t.Errorf("alerts that are not heard of are not forgotten: %v", err)
		}
	})
}
