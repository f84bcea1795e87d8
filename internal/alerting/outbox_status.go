package alerting

import "time"

// OutboxDestination is what waits for one destination.
type OutboxDestination struct {
	Receiver    string `json:"receiver"`
	Integration string `json:"integration"`
	Index       int    `json:"index"`
	State       string `json:"state"`
	// Waiting is the number of groups with something to tell.
	Waiting int `json:"waiting"`
	// Oldest is since when the oldest of them waits.
	Oldest *time.Time `json:"oldest,omitempty"`
	// NextAttempt is when the destination is tried again, if it must be left
	// alone until then.
	NextAttempt  *time.Time `json:"nextAttempt,omitempty"`
	FailingSince *time.Time `json:"failingSince,omitempty"`
	Failures     int        `json:"failures,omitempty"`
	LastError    string     `json:"lastError,omitempty"`
	StormSince   *time.Time `json:"stormSince,omitempty"`
}

// The states of a destination.
const (
	destinationWorking = "working"
	destinationPaced   = "paced"
	destinationFailing = "failing"
	destinationDead    = "dead"
)

// Outbox says what waits, for each destination.
func (a *Alerting) Outbox() []OutboxDestination {
	now := time.Now()
	list := []OutboxDestination{}
	for _, d := range a.outbox.shown() {
		list = append(list, d.status(now))
	}
	return list
}

func (d *destination) status(now time.Time) OutboxDestination {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := OutboxDestination{
		Receiver: d.key.Receiver, Integration: d.key.Integration, Index: d.key.Index,
		State: destinationWorking, Failures: d.health.failures,
	}
	var oldest time.Time
	older := func(state *groupState) {
		if state != nil && (oldest.IsZero() || state.Since.Before(oldest)) {
			oldest = state.Since
		}
	}
	for _, sl := range d.slots {
		if sl.flying == nil && d.storm.told(sl.waiting) {
			continue
		}
		s.Waiting++
		older(sl.flying)
		if !d.storm.told(sl.waiting) {
			older(sl.waiting)
		}
	}
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	s.Oldest, s.FailingSince = at(oldest), at(d.health.since)
	if d.health.until.After(now) {
		s.NextAttempt = at(d.health.until)
		s.State = destinationPaced
	}
	if d.storm != nil {
		s.StormSince = at(d.storm.Since)
	}
	switch {
	case d.health.dead:
		s.State = destinationDead
	case d.health.failures > 0:
		s.State = destinationFailing
	}
	if s.State != destinationWorking {
		s.LastError, _ = beginning(d.health.reason, maxErrorBytes)
	}
	return s
}
