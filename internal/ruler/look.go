package ruler

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/prometheus/rules"
)

// doubts are the rules of a group whose outcome committed samples may have
// changed.
type doubts struct {
	mu    sync.Mutex
	all   bool
	rules map[*rules.AlertingRule]bool
}

// note adds a rule; nil stands for all of them.
func (d *doubts) note(rule *rules.AlertingRule) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if rule == nil {
		d.all = true
		return
	}
	if d.rules == nil {
		d.rules = map[*rules.AlertingRule]bool{}
	}
	d.rules[rule] = true
}

func (d *doubts) take() (some map[*rules.AlertingRule]bool, all bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	some, all = d.rules, d.all
	d.rules, d.all = nil, false
	return some, all
}

// quietAt looks at the rules in doubt and reports whether each was quiet and
// still is, so that an evaluation of the group would change nothing. On a large
// platform nearly all samples of costly rules end here, at the price of the
// queries that they concern.
func (r *runner) quietAt(ctx context.Context, at time.Time) bool {
	some, all := r.doubts.take()
	if all {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for rule := range some {
		if active(rule) {
			return false
		}
		// What goes wrong is reported where rules are evaluated.
		if result, err := r.guards.engine(ctx, rule.Query().String(), at); err != nil || len(result) > 0 {
			return false
		}
	}
	r.looked, r.took = at, time.Since(at)
	if len(r.urgent) == 0 {
		r.causes.take() // They caused nothing.
	}
	return true
}

// active reports whether a rule has alerts that pend or fire.
func active(rule *rules.AlertingRule) bool {
	found := false
	rule.ForEachActiveAlert(func(a *rules.Alert) { found = found || a.State != rules.StateInactive })
	return found
}
