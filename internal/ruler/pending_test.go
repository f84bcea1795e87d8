package ruler_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/ruler"
)

func TestPendingAlertsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const file = "groups: [{name: g, rules: [{alert: High, expr: used_weight > 2000, for: 1m}, {alert: Now, expr: used_weight > 2000}]}]"
		p := newPlatform(t, "global: {evaluation_interval: 5s}\nrule_files: ['*.yml']\n", ruler.Shipped{}, map[string]string{"a.yml": file})
		p.scrapeFor(20*time.Second, 1000)
		p.scrapeFor(30*time.Second, 3000) // Begins to pend, and ends.
		p.scrapeFor(30*time.Second, 1000)
		p.scrapeFor(2*time.Minute, 3000) // Fires.
		p.scrapeFor(30*time.Second, 1000)
		want := []string{"High pending 3000", "High ended 3000", "High pending 3000"}
		if diff := cmp.Diff(want, p.told()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}

		p.scrapeFor(20*time.Second, 3000)
		p.told()
		p.stop()
		p.start("global: {evaluation_interval: 5s}\nrule_files: ['*.yml']\n", ruler.Shipped{})
		p.scrapeFor(30*time.Second, 3000)
		if got := p.told(); len(got) != 0 {
			t.Errorf("after a restart got %q again", got)
		}
		p.scrapeFor(10*time.Second, 1000)
		if diff := cmp.Diff([]string{"High ended 3000"}, p.told()); diff != "" {
			t.Errorf("what pended before the restart (-want +got):\n%s", diff)
		}
	})
}

// scrapeFor sets a value every five seconds.
func (p *platform) scrapeFor(d time.Duration, v float64) {
	for began := time.Now(); time.Since(began) < d; pass(5 * time.Second) {
		p.set(weight("usdm"), v)
	}
}

// pends notes what is told of alerts that pend.
func (p *platform) pends(a ruler.Pending) {
	what := "pending"
	if a.Ended {
		what = "ended"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = append(p.pending, fmt.Sprint(a.Alert.Name(), " ", what, " ", a.Value))
}

// told returns that, once.
func (p *platform) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	told := p.pending
	p.pending = nil
	return told
}
