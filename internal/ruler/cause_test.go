package ruler_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/ruler"
)

// stagesNow returns the stages that were measured since the last call.
func (p *platform) stagesNow() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	stages := p.stages
	p.stages = nil
	return stages
}

func TestChangesAreMeasuredFromTheirSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watched(t, `
  - {alert: High, expr: used_weight > 2000}
  - {alert: Busy, expr: 'max by (market) (requests) > 50'}
  - {alert: Late, expr: queue > 5, for: 10s}
`)
		p.setAt(time.Now().Add(-40*time.Millisecond), weight("usdm"), 3000)
		if diff := cmp.Diff([]string{"scrape 40ms", "evaluate 0s"}, p.stagesNow()); diff != "" {
			t.Errorf("firing (-want +got):\n%s", diff)
		}
		pass(2 * time.Minute)
		p.set(weight("usdm"), 3001)
		pass(time.Second)
		if got := p.stagesNow(); len(got) > 0 {
			t.Errorf("a change that is none was measured: %v", got)
		}
		p.set(weight("usdm"), 1)
		if diff := cmp.Diff([]string{"scrape 0s", "evaluate 0s"}, p.stagesNow()); diff != "" {
			t.Errorf("resolved (-want +got):\n%s", diff)
		}
		p.set(series("queue"), 9)
		pass(20 * time.Second)
		p.expect("at its deadline", "High usdm inactive", "Late usdm firing")
		if got := p.stagesNow(); len(got) > 0 {
			t.Errorf("a deadline was measured: %v", got)
		}
		// The throttle makes the second of two samples wait.
		p.set(series("requests"), 1)
		pass(100 * time.Millisecond)
		p.set(series("requests"), 99)
		pass(2 * time.Second)
		if diff := cmp.Diff([]string{"scrape 0s", "evaluate 900ms"}, p.stagesNow()); diff != "" {
			t.Errorf("throttled (-want +got):\n%s", diff)
		}
	})
}

func TestThrottleOfAGroup(t *testing.T) {
	const (
		rule = "  - {alert: High, expr: 'rate(used_weight[1m]) >= 0'}\n"
		asks = "  - {alert: %s, expr: 'rate(used_weight[1m]) >= 0', annotations: {hedgewatch_throttle: %s}}\n"
	)
	quarter := []ruler.GroupSettings{{Name: "g", File: "a.yml", Throttle: model.Duration(250 * time.Millisecond)}}
	for name, test := range map[string]struct {
		rules    string
		settings []ruler.GroupSettings
	}{
		"in the configuration": {rule, quarter},
		"on a rule":            {rule + fmt.Sprintf(asks, "Slow", "5s") + fmt.Sprintf(asks, "Fast", "250ms"), nil},
		"on both":              {fmt.Sprintf(asks, "Slow", "5s"), quarter},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := watched(t, test.rules)
				p.settings.Groups = test.settings
				if err := reload(p, slow, ruler.Shipped{}); err != nil {
					t.Fatal(err)
				}
				before := p.evaluations("commit")
				for range 200 {
					p.set(weight("usdm"), 1)
					pass(50 * time.Millisecond)
				}
				if got := p.evaluations("commit") - before; got < 36 || got > 41 {
					t.Errorf("got %v evaluations in 10 s, want four a second", got)
				}
			})
		})
	}
}
