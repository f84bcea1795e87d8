package ruler

import (
	"sync"
	"time"

	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/rules"
)

// Pending is an alert whose condition has begun to hold, but not yet for as long
// as its rule asks; or one whose condition has ended before.
type Pending struct {
	// Alert is as it would be sent.
	Alert *notifier.Alert
	Ended bool
	At    time.Time
	Value float64
}

// pendings tells of alerts that pend, of rules with a `for`. It knows what was
// told before a restart by its time.
type pendings struct {
	report  func(Pending) // nil tells nobody
	started time.Time

	// mu guards byGroup: what pends now, by the group's key and the alert's hash.
	mu      sync.Mutex
	byGroup map[string]map[uint64]Pending
}

func newPendings(report func(Pending)) *pendings {
	return &pendings{report: report, started: time.Now(), byGroup: map[string]map[uint64]Pending{}}
}

// evaluated looks at a group that was evaluated at a time. Calls for a group must
// take turns.
func (p *pendings) evaluated(g *rules.Group, at time.Time) {
	if p.report == nil {
		return
	}
	now, fires := map[uint64]Pending{}, map[uint64]bool{}
	for _, rule := range g.AlertingRules() {
		// Before the library has restored them, all seem to have begun just now.
		if rule.HoldDuration() == 0 || !rule.Restored() {
			continue
		}
		rule.ForEachActiveAlert(func(a *rules.Alert) {
			switch a.State {
			case rules.StatePending:
				now[a.Labels.Hash()] = Pending{
					Alert: &notifier.Alert{Labels: a.Labels, Annotations: a.Annotations, StartsAt: a.ActiveAt},
					At:    a.ActiveAt,
					Value: a.Value,
				}
			case rules.StateFiring:
				fires[a.Labels.Hash()] = true
			}
		})
	}
	key := rules.GroupKey(g.File(), g.Name())
	p.mu.Lock()
	before := p.byGroup[key]
	if p.byGroup[key] = now; len(now) == 0 {
		delete(p.byGroup, key)
	}
	p.mu.Unlock()
	for hash, a := range now {
		if _, known := before[hash]; !known && !a.At.Before(p.started) {
			p.report(a)
		}
	}
	for hash, a := range before {
		if _, pends := now[hash]; !pends && !fires[hash] {
			a.Ended, a.At = true, at
			p.report(a)
		}
	}
}

// keep forgets all but some groups.
func (p *pendings) keep(groups []*rules.Group) {
	current := map[string]bool{}
	for _, g := range groups {
		current[rules.GroupKey(g.File(), g.Name())] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.byGroup {
		if !current[key] {
			delete(p.byGroup, key)
		}
	}
}
