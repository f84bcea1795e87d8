package alerting

import (
	"math"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
)

// State is what an alert has come to.
type State string

// The states.
const (
	StateFiring       State = "firing"
	StateResolved     State = "resolved"
	StateAcknowledged State = "acknowledged"
	// StateSilenced, StateInhibited and StateMuted are firing too, and nobody is
	// told. The last one is by the hours of all routes of the alert.
	StateSilenced  State = "silenced"
	StateInhibited State = "inhibited"
	StateMuted     State = "muted"
	// StateNotified is no state of an alert: a destination was told of it.
	StateNotified State = "notified"
)

// Transition is something that happened to an alert, for its history.
type Transition struct {
	Fingerprint model.Fingerprint
	Labels      model.LabelSet
	Annotations model.LabelSet
	// From is empty where the alert was not known before, and for StateNotified.
	From, To State
	At       time.Time
	// Value is the last one of the rule's expression; NaN if it is not known.
	Value float64

	// Of StateNotified only. MessageID is the key to the delivery ledger.
	GroupKey    string
	Receiver    string
	Integration string
	MessageID   string

	// Of StateAcknowledged and StateSilenced: who did it, and what they said.
	By, Note string
}

// transitionOf is one of an alert to a state, without a value.
func transitionOf(al *alert.Alert, to State, at time.Time) Transition {
	return Transition{Fingerprint: al.Fingerprint(), Labels: al.Labels, Annotations: al.Annotations, To: to, At: at, Value: math.NaN()}
}

// transitions finds changes of state among what alerts are said to be.
type transitions struct {
	report func(Transition)

	// mu guards states: of the alerts that fire, muted or not.
	mu     sync.Mutex
	states map[model.Fingerprint]State
}

// is notes what an alert is now and returns whether that is a change. The end of
// an alert that was not known to fire is none.
func (t *transitions) is(al *alert.Alert, value float64, now time.Time) (changed bool) {
	fp := al.Fingerprint()
	resolved := !al.EndsAt.IsZero() && al.ResolvedAt(now)
	t.mu.Lock()
	was, fired := t.states[fp]
	switch {
	case resolved:
		delete(t.states, fp)
	case !fired:
		t.states[fp] = StateFiring
	}
	t.mu.Unlock()
	if fired == !resolved {
		return false
	}
	tr := transitionOf(al, StateFiring, al.StartsAt)
	if resolved {
		tr = transitionOf(al, StateResolved, al.EndsAt)
		tr.From = was
	}
	tr.Value = value
	t.report(tr)
	return true
}

// muted notes whether a firing alert is withheld from people: to is
// StateSilenced, StateInhibited or StateMuted, or StateFiring if it is not. It
// returns a transition to report, and false if that is no change.
func (t *transitions) muted(al *alert.Alert, to State, now time.Time) (Transition, bool) {
	tr := transitionOf(al, to, now)
	t.mu.Lock()
	defer t.mu.Unlock()
	was, fires := t.states[tr.Fingerprint]
	if !fires || was == to {
		return Transition{}, false
	}
	t.states[tr.Fingerprint] = to
	tr.From = was
	return tr, true
}

// was notes what an alert that fires was before the restart, which is no news.
func (t *transitions) was(fp model.Fingerprint, s State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.states[fp] = s
}

// of is what an alert that fires is; empty for others.
func (t *transitions) of(fp model.Fingerprint) State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.states[fp]
}
