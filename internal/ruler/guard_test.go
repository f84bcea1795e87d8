package ruler_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"github.com/hedgewatch/hedgewatch/internal/ruler"
)

var stale = math.Float64frombits(value.StaleNaN)

// tick is a schedule that sees to what no sample wakes.
const tick = "global: {evaluation_interval: 15s}\nrule_files: ['*.yml']\n"

func ticking(t *testing.T, ruleList string) *platform {
	t.Helper()
	return newPlatform(t, tick, ruler.Shipped{}, map[string]string{"a.yml": "groups:\n- name: g\n  rules:\n" + ruleList})
}

// annotation returns an annotation of the alert that was sent last for a market.
func (p *platform) annotation(market, name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.last {
		if a.Labels.Get("market") == market {
			return a.Annotations.Get(name)
		}
	}
	return "no alert"
}

func TestAlertWithoutDataFollowsItsPolicy(t *testing.T) {
	tests := []struct {
		name, expr, policy string
		want               string // of the alert, once its series is stale
	}{
		{"default", "used_weight > 2000", "", "inactive"},
		{"ok", "used_weight > 2000", "hedgewatch_no_data: ok", "inactive"},
		{"keep", "used_weight > 2000", "hedgewatch_no_data: keep", "firing"},
		{"keep, an aggregation", "max by (market) (used_weight) > 2000", "hedgewatch_no_data: keep", "firing"},
		{"keep, a join", "used_weight > on (market) (used_weight * 0 + 2000)", "hedgewatch_no_data: keep", "firing"},
		{"keep, two conditions", "used_weight > 2000 and used_weight < 9000", "hedgewatch_no_data: keep", "firing"},
		{"keep, an exception", "used_weight > 2000 unless on (market) maintenance == 1", "hedgewatch_no_data: keep", "firing"},
		{"keep, the largest", "topk(1, used_weight > 2000)", "hedgewatch_no_data: keep", "firing"},
		{"fire", "used_weight > 2000", "hedgewatch_no_data: fire", "firing"},
		{"recovery alone", "used_weight > 2000", "hedgewatch_recovery: used_weight < 1000", "inactive"},
		{"recovery and keep", "used_weight > 2000", "hedgewatch_recovery: used_weight < 1000, hedgewatch_no_data: keep", "firing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := ticking(t, "  - {alert: High, expr: '"+tt.expr+"', annotations: {"+tt.policy+"}}\n")
				p.set(weight("usdm"), 3000)
				pass(20 * time.Second)
				p.expect("breach", "High usdm firing")
				p.set(weight("usdm"), stale)
				pass(10 * time.Minute)
				p.expect("no data", "High usdm "+tt.want)
				if got := p.annotation("usdm", "no_data"); (tt.want == "firing") != strings.HasPrefix(got, "since 2000-01-01T00:00:") {
					t.Errorf("annotation no_data: %q", got)
				}
				p.set(weight("usdm"), 10)
				pass(1500 * time.Millisecond)
				if tt.want == "firing" {
					p.expect("evidence of recovery", "High usdm inactive")
				}
				if got := p.annotation("usdm", "no_data"); got != "" {
					t.Errorf("resolved with the annotation no_data: %q", got)
				}
			})
		})
	}
}

func TestAlertResolvesAtItsRecovery(t *testing.T) {
	tests := []struct{ name, recovery string }{
		{"same labels", "used_weight < 1000"},
		{"fewer labels", "max by (market) (used_weight) < 1000"},
		{"no labels", "sum(used_weight) < 1000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := watched(t, "  - {alert: High, expr: used_weight > 2000, annotations: {hedgewatch_recovery: '"+tt.recovery+"'}}\n")
				p.set(weight("usdm"), 1500)
				pass(2 * time.Second)
				p.expect("between the thresholds, from below")
				p.set(weight("usdm"), 2500)
				pass(2 * time.Second)
				p.expect("above", "High usdm firing")
				for _, v := range []float64{1500, 1999, 1000} {
					p.set(weight("usdm"), v)
					pass(2 * time.Minute)
					p.expect("between the thresholds, from above", "High usdm firing")
				}
				p.set(weight("usdm"), 999)
				pass(1100 * time.Millisecond)
				p.expect("below", "High usdm inactive")
				p.set(weight("usdm"), 1500)
				pass(2 * time.Second)
				p.expect("between the thresholds again", "High usdm inactive")
			})
		})
	}
}

func TestWaitingAlertSaysForWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := ticking(t, "  - {alert: High, expr: used_weight > 2000, annotations: {hedgewatch_recovery: used_weight < 1000}}\n")
		p.hold(weight("usdm"), 2500, time.Minute)
		p.hold(weight("usdm"), 1500, 2*time.Minute)
		if got, want := p.annotation("usdm", "waits_for"), "used_weight < 1000, since 2000-01-01T00:01:00Z"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestHeldAlertsSurviveACrash starts anew from database and journal. A stop
// writes nothing to the journal that was not there before.
func TestHeldAlertsSurviveACrash(t *testing.T) {
	tests := []struct {
		name, policy string
		after        float64 // what the series does before the crash
		again        float64 // what ends the alert
	}{
		{"no data", "hedgewatch_no_data: keep", stale, 10},
		{"recovery", "hedgewatch_recovery: used_weight < 1000", 1500, 10},
		{"firing, and no data since", "hedgewatch_no_data: keep", 3000, 10},
		{"firing, and between the thresholds since", "hedgewatch_recovery: used_weight < 1000", 3000, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := ticking(t, "  - {alert: High, expr: used_weight > 2000, annotations: {"+tt.policy+"}}\n")
				p.set(weight("usdm"), 3000)
				pass(20 * time.Second)
				p.set(weight("usdm"), tt.after)
				pass(20 * time.Second)
				p.expect("before", "High usdm firing")
				p.stop()
				pass(4 * time.Minute)
				if tt.after == 3000 {
					tt.after = map[bool]float64{true: stale, false: 1500}[strings.Contains(tt.policy, "keep")]
				}
				p.start(tick, ruler.Shipped{})
				p.set(weight("usdm"), tt.after)
				pass(30 * time.Second)
				p.expect("after", "High usdm firing")
				p.set(weight("usdm"), tt.again)
				pass(2 * time.Second)
				p.expect("recovered", "High usdm inactive")
			})
		})
	}
}

func TestHeldAlertSurvivesAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := "  - {alert: High, expr: used_weight > 2000, annotations: {summary: '%s', hedgewatch_no_data: keep}}\n"
		p := ticking(t, fmt.Sprintf(rule, "first"))
		p.set(weight("usdm"), 3000)
		pass(20 * time.Second)
		p.set(weight("usdm"), stale)
		pass(20 * time.Second)
		p.write("a.yml", "groups:\n- name: g\n  rules:\n"+fmt.Sprintf(rule, "second"))
		if err := reload(p, tick, ruler.Shipped{}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		p.expect("another summary", "High usdm firing")
		p.write("a.yml", "groups:\n- name: g\n  rules:\n  - {alert: High, expr: used_weight > 2000}\n")
		if err := reload(p, tick, ruler.Shipped{}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		p.expect("the policy is gone", "High usdm inactive")
	})
}

// target is a series of one target.
func target(name, job, instance string) labels.Labels {
	return labels.FromStrings(model.MetricNameLabel, name, "job", job, "instance", instance)
}

func TestMissingDataIsOneIncidentBySource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := ticking(t, `
  - {alert: Lag, expr: lag > 5, for: 30s, annotations: {hedgewatch_no_data: fire}}
  - {alert: Queue, expr: queue > 5, annotations: {hedgewatch_no_data: fire}}
  - {alert: Other, expr: other > 5}
`)
		both := func(v float64) {
			for _, s := range []labels.Labels{target("lag", "feed", "a"), target("queue", "feed", "a"), target("lag", "feed", "b"), target("queue", "feed", "b")} {
				p.set(s, v)
			}
			p.set(target("other", "feed", "b"), v)
			p.set(target("up", "feed", "a"), 1)
		}
		for range 7 { // A start is no time to miss anything.
			both(1)
			pass(time.Minute)
		}

		expect := func(what string, want ...string) {
			t.Helper()
			p.mu.Lock()
			defer p.mu.Unlock()
			if diff := cmp.Diff(want, p.incidents); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
			p.incidents = nil
		}
		expect("all is well")
		p.set(target("lag", "feed", "b"), stale)
		pass(20 * time.Second)
		expect("before the rule's `for` is over")
		pass(40 * time.Second)
		expect("after", `{instance="b", job="feed"}: series missing, says Lag`)
		p.set(target("lag", "feed", "a"), stale)
		p.set(target("queue", "feed", "a"), stale)
		pass(time.Minute)
		expect("a whole source", `{instance="a", job="feed"}: everything missing, says Queue`)

		p.stop()
		p.start(tick, ruler.Shipped{})
		pass(30 * time.Second)
		expect("after a restart: known")
		both(1)
		pass(20 * time.Second)
		p.mu.Lock()
		back := strings.Join(p.incidents, "\n")
		p.mu.Unlock()
		if strings.Count(back, "back") != 2 || len(p.incidents) != 2 {
			t.Errorf("all back: %v", back)
		}
	})
}

// TestIncidentEndsWithItsRule covers a rule that a reload removes, and one that
// is gone after a restart.
func TestIncidentEndsWithItsRule(t *testing.T) {
	for _, how := range []string{"reload", "restart"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := ticking(t, "")
				p.write("a.yml", "groups: [{name: g, rules: [{alert: Lag, expr: lag > 5, annotations: {hedgewatch_no_data: fire}}]}]\n")
				if err := reload(p, tick, ruler.Shipped{}); err != nil {
					t.Fatal(err)
				}
				p.set(target("lag", "feed", "a"), 1)
				pass(20 * time.Second)
				p.set(target("lag", "feed", "a"), stale)
				pass(20 * time.Second)
				p.write("a.yml", "")
				if how == "reload" {
					if err := reload(p, tick, ruler.Shipped{}); err != nil {
						t.Fatal(err)
					}
				} else {
					p.stop()
					p.start(tick, ruler.Shipped{})
				}
				synctest.Wait()
				p.mu.Lock()
				defer p.mu.Unlock()
				want := []string{`{instance="a", job="feed"}: everything missing, says Lag`, `{instance="a", job="feed"}: back`}
				if diff := cmp.Diff(want, p.incidents); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestGuardFollowsItsModel compares a rule with both policies with a naive
// model, over restarts and reloads.
func TestGuardFollowsItsModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				p := ticking(t, "  - {alert: High, expr: used_weight > 60, annotations: {hedgewatch_no_data: keep, hedgewatch_recovery: used_weight < 40}}\n")
				firing, now := map[string]bool{}, map[string]float64{}
				for step := range 150 {
					market := string('a' + rune(random.IntN(3)))
					switch v := float64(random.IntN(100)); {
					case random.IntN(4) == 0:
						now[market] = stale
					default:
						now[market] = v
						if v > 60 {
							firing[market] = true
						} else if v < 40 {
							firing[market] = false
						}
					}
					p.set(weight(market), now[market])
					pass(1200 * time.Millisecond)
					switch random.IntN(20) {
					case 0:
						p.stop()
						p.start(tick, ruler.Shipped{})
						for m, v := range now { // The next scrape.
							p.set(weight(m), v)
						}
						pass(20 * time.Second)
					case 1:
						if err := reload(p, tick, ruler.Shipped{}); err != nil {
							t.Fatal(err)
						}
					}
					for m, want := range firing {
						got := strings.Contains(strings.Join(p.states(), "\n"), "High "+m+" firing")
						if got != want {
							t.Fatalf("step %d: %s fires: got %v, want %v; %v", step, m, got, want, p.states())
						}
					}
				}
			})
		})
	}
}

func series(name string) labels.Labels {
	return labels.FromStrings(model.MetricNameLabel, name, "market", "usdm")
}
