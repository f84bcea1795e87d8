package ruler_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"

	"github.com/hedgewatch/hedgewatch/internal/ruler"
)

// slow has an interval so long that only evaluation on commit explains what
// happens in a test.
const slow = "global: {evaluation_interval: 1h}\nrule_files: ['*.yml']\n"

// watched starts a platform with one group of the given rules, on a schedule
// that does not matter.
func watched(t *testing.T, ruleList string) *platform {
	t.Helper()
	return newPlatform(t, slow, ruler.Shipped{}, map[string]string{"a.yml": "groups:\n- name: g\n  rules:\n" + ruleList})
}

// states are the alerts of all rules as "name{labels} state", sorted.
func (p *platform) states() []string {
	synctest.Wait()
	var out []string
	for _, rule := range p.ruler.Manager().AlertingRules() {
		rule.ForEachActiveAlert(func(a *rules.Alert) {
			out = append(out, rule.Name()+" "+a.Labels.Get("market")+" "+a.State.String())
		})
	}
	slices.Sort(out)
	return out
}

// expect compares the states now with want.
func (p *platform) expect(what string, want ...string) {
	p.t.Helper()
	if diff := cmp.Diff(want, p.states()); diff != "" {
		p.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// pass lets time pass, and evaluations that are due happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func weight(market string) labels.Labels {
	return labels.FromStrings(model.MetricNameLabel, "used_weight", "market", market)
}

func TestBreachIsSeenAtItsCommit(t *testing.T) {
	tests := []struct {
		name, expr string
		// quiet and loud are values on the two sides of the rule.
		quiet, loud float64
	}{
		{"greater", "used_weight > 2000", 2000, 2001},
		{"greater or equal", "used_weight >= 2000", 1999, 2000},
		{"less", "used_weight < -5", -5, -6},
		{"equal", "used_weight == 0", 1, 0},
		{"not equal", "used_weight != 1", 1, 0},
		{"number first", "2000 < used_weight", 2000, 2001},
		{"in parentheses", "((used_weight) > (2000))", 2000, 2001},
		{"with a matcher", `used_weight{market=~"u.*"} > 2000`, 2000, 2001},
		{"costly: an aggregation", "max by (market) (used_weight) > 2000", 2000, 2001},
		{"costly: a function", "abs(used_weight) > 2000", 2000, 2001},
		{"costly: a join", "used_weight > on (market) used_weight * 0 + 2000", 2000, 2001},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := watched(t, "  - {alert: High, expr: '"+tt.expr+"'}\n")
				p.set(weight("usdm"), tt.quiet)
				pass(2 * time.Second)
				p.expect("quiet")
				p.set(weight("usdm"), tt.loud)
				pass(10 * time.Millisecond)
				p.expect("loud", "High usdm firing")
				pass(2 * time.Second)
				p.set(weight("usdm"), tt.quiet)
				pass(10 * time.Millisecond)
				p.expect("quiet again", "High usdm inactive")
			})
		})
	}
}

func TestOtherSeriesDoNotWakeARule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watched(t, "  - {alert: High, expr: 'used_weight{market=\"usdm\"} > 2000'}\n")
		for i := range 100 {
			p.set(weight("spot"), 3000)
			p.set(weight("usdm"), float64(i))
			p.set(labels.FromStrings(model.MetricNameLabel, "other"), 3000)
			pass(time.Second)
		}
		if got := p.evaluations("commit"); got != 0 {
			t.Errorf("got %v evaluations, want none", got)
		}
	})
}

func TestStaleSeriesResolvesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watched(t, "  - {alert: High, expr: used_weight > 2000}\n")
		p.set(weight("usdm"), 3000)
		pass(10 * time.Millisecond)
		p.expect("firing", "High usdm firing")
		pass(time.Second)
		p.set(weight("usdm"), math.Float64frombits(value.StaleNaN))
		pass(10 * time.Millisecond)
		p.expect("resolved", "High usdm inactive")
	})
}

func TestForEndsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watched(t, "  - {alert: High, expr: used_weight > 2000, for: 10s}\n")
		p.set(weight("usdm"), 3000)
		pass(9900 * time.Millisecond)
		p.expect("before", "High usdm pending")
		pass(200 * time.Millisecond)
		p.expect("after", "High usdm firing")
	})
}

func TestKeepFiringForEndsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watched(t, "  - {alert: High, expr: used_weight > 2000, keep_firing_for: 10s}\n")
		p.set(weight("usdm"), 3000)
		pass(time.Second)
		p.set(weight("usdm"), 1)
		pass(9900 * time.Millisecond)
		p.expect("kept", "High usdm firing")
		pass(200 * time.Millisecond)
		p.expect("over", "High usdm inactive")
	})
}

func TestDeadlineSurvivesAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watched(t, "  - {alert: High, expr: used_weight > 2000, for: 10s}\n")
		p.set(weight("usdm"), 3000)
		pass(time.Second)
		if err := reload(p, slow, ruler.Shipped{}); err != nil {
			t.Fatal(err)
		}
		pass(9100 * time.Millisecond)
		p.expect("ten seconds after the breach", "High usdm firing")
	})
}

func TestSampleOfTheFutureIsSeenWhenItsTimeComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watched(t, "  - {alert: High, expr: used_weight > 2000}\n")
		now := time.Now()
		p.setAt(now.Add(2*time.Second), weight("usdm"), 3000)
		p.setAt(now.Add(5*time.Second), weight("spot"), 3000)
		pass(time.Second)
		p.expect("before both")
		pass(1100 * time.Millisecond)
		p.expect("after the first", "High usdm firing")
		pass(3 * time.Second)
		p.expect("after the second", "High spot firing", "High usdm firing")
	})
}

func TestRecordedSeriesWakeTheRulesThatReadThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform(t, slow, ruler.Shipped{}, map[string]string{"a.yml": `
groups:
- name: record
  rules: [{record: 'market:used_weight:max', expr: 'max by (market) (used_weight)'}]
- name: record-again
  rules: [{record: 'market:used_weight:share', expr: 'market:used_weight:max / 2400'}]
- name: alert
  rules: [{alert: High, expr: 'market:used_weight:share > 0.8'}]
`})
		p.set(weight("usdm"), 2300)
		pass(50 * time.Millisecond)
		p.expect("through two recordings", "High usdm firing")
	})
}

// TestQuietCostlyRulesAreOnlyLookedAt has a group of which one rule is in doubt
// all the time, and comes to fire.
func TestQuietCostlyRulesAreOnlyLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watched(t, `
  - {alert: High, expr: 'max by (market) (used_weight) > 2000'}
  - {alert: Other, expr: 'max by (market) (other) > 1e6', for: 1s}
`)
		for range 100 {
			p.set(weight("usdm"), 1)
			pass(100 * time.Millisecond)
		}
		if got := p.evaluations("commit"); got != 0 {
			t.Errorf("got %v evaluations in 10 s, want none", got)
		}
		p.set(weight("usdm"), 3000)
		pass(1100 * time.Millisecond)
		p.expect("after the throttle's second", "High usdm firing")
		p.set(weight("usdm"), 1)
		pass(1100 * time.Millisecond)
		p.expect("and again", "High usdm inactive")
		before := p.evaluations("commit")
		for range 20 {
			p.set(weight("usdm"), 1)
			pass(100 * time.Millisecond)
		}
		if got := p.evaluations("commit") - before; got != 0 {
			t.Errorf("got %v evaluations of a quiet group that has fired, want none", got)
		}
	})
}

func TestCostlyRulesAreThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watched(t, "  - {alert: High, expr: 'rate(used_weight[1m]) >= 0'}\n")
		for range 100 {
			p.set(weight("usdm"), 1)
			pass(100 * time.Millisecond)
		}
		if got := p.evaluations("commit"); got < 9 || got > 11 {
			t.Errorf("got %v evaluations in 10 s, want one a second", got)
		}
	})
}

func TestRolledBackSamplesWakeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watched(t, "  - {alert: High, expr: used_weight > 2000}\n")
		app := p.ruler.Tap(p.db).Appender(context.Background())
		if _, err := app.Append(0, weight("usdm"), time.Now().UnixMilli(), 3000); err != nil {
			t.Fatal(err)
		}
		if err := app.Rollback(); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if got := p.evaluations("commit"); got != 0 {
			t.Errorf("got %v evaluations, want none", got)
		}
	})
}

// TestEveryWayIn covers the four methods by which samples are appended.
func TestEveryWayIn(t *testing.T) {
	h := &histogram.Histogram{Count: 5, Sum: 5, Schema: 0, ZeroThreshold: 1e-9, PositiveSpans: []histogram.Span{{Length: 1}}, PositiveBuckets: []int64{5}}
	tests := []struct {
		name   string
		append func(*ruler.Tap, int64) error
	}{
		{"float, remote write", func(tap *ruler.Tap, now int64) error {
			app := tap.Appender(context.Background())
			_, err := app.Append(0, weight("usdm"), now, 5)
			return commit(app, err)
		}},
		{"histogram, remote write", func(tap *ruler.Tap, now int64) error {
			app := tap.Appender(context.Background())
			_, err := app.AppendHistogram(0, weight("usdm"), now, h, nil)
			return commit(app, err)
		}},
		{"float, scrape", func(tap *ruler.Tap, now int64) error {
			app := tap.AppenderV2(context.Background())
			_, err := app.Append(0, weight("usdm"), 0, now, 5, nil, nil, storage.AOptions{})
			return commit(app, err)
		}},
		{"histogram, scrape", func(tap *ruler.Tap, now int64) error {
			app := tap.AppenderV2(context.Background())
			_, err := app.Append(0, weight("usdm"), 0, now, 0, h, nil, storage.AOptions{})
			return commit(app, err)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := watched(t, "  - {alert: Any, expr: 'count by (market) (used_weight) > 0'}\n")
				if err := tt.append(p.ruler.Tap(p.db), time.Now().UnixMilli()); err != nil {
					t.Fatal(err)
				}
				pass(10 * time.Millisecond)
				p.expect("after the commit", "Any usdm firing")
			})
		})
	}
}

func commit(app storage.AppenderTransaction, err error) error {
	if err != nil {
		return err
	}
	return app.Commit()
}

// TestAlertsFollowTheSamples compares with a naive model: after each commit, the
// series above the limit are those that fire.
func TestAlertsFollowTheSamples(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				p := watched(t, "  - {alert: High, expr: used_weight > 50}\n")
				model := map[string]float64{}
				for range 200 {
					market := string('a' + rune(random.IntN(5)))
					model[market] = float64(random.IntN(100))
					p.set(weight(market), model[market])
					pass(time.Duration(random.IntN(500)+10) * time.Millisecond)
					if random.IntN(50) == 0 {
						if err := reload(p, slow, ruler.Shipped{}); err != nil {
							t.Fatal(err)
						}
					}
					var want, got []string
					for m, v := range model {
						if v > 50 {
							want = append(want, "High "+m+" firing")
						}
					}
					slices.Sort(want)
					for _, s := range p.states() {
						if strings.HasSuffix(s, "firing") {
							got = append(got, s)
						}
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("(-want +got):\n%s", diff)
					}
				}
			})
		})
	}
}

// evaluations counts the evaluations with the given cause.
func (p *platform) evaluations(trigger string) float64 {
	families, err := p.reg.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "hedgewatch_ruler_evaluations_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == trigger {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}
