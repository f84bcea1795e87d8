package alerting

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/alert"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// When many groups come at once, a destination gets one digest instead of a
// message for each. The groups stay in its queue until the last digest has been
// delivered; a state counts as told when a digest with its sequence number or a
// higher one has been. What changes after the last digest is told as usual.
//
// Say 10,000 groups fire at noon. The first is told as it comes. The others are
// held for a moment, the eleventh makes it a storm, and at 12:00:01 the first
// digest tells what there is. A destination that can edit it does so every ten
// seconds. Half a minute after the last news the final digest says what fires.
const (
	// burstGap: a group that comes this soon after another one is held for
	// burstHold, in which a storm shows itself. When half as many as make a storm
	// have come like that, all are held for burstDoubt.
	burstGap   = 100 * time.Millisecond
	burstHold  = 10 * time.Millisecond
	burstDoubt = 50 * time.Millisecond
	// stormSettle is from the begin of a storm to its first digest.
	stormSettle = time.Second
	// stormEdit is between digests where the destination edits its message, and
	// stormRepeat where each is a message of its own.
	stormEdit   = 10 * time.Second
	stormRepeat = 10 * time.Minute
	// stormCalm is how long few groups must come until a storm is over.
	stormCalm = 30 * time.Second
	// stormPoll is how often a storm is looked at.
	stormPoll = time.Second
	// maxDigestAlerts bounds the alerts that a digest names; it counts them all.
	maxDigestAlerts = 200
)

// stormGroup stands for the group key in the messages and memos of a storm.
const stormGroup = "storm"

// storm is a destination's storm, as the journal keeps it.
type storm struct {
	ID    string    `json:"id"`
	Since time.Time `json:"since"`
	// Told is the last sequence number that a delivered digest covers.
	Told      uint64    `json:"told,omitempty"`
	Delivered int       `json:"delivered,omitempty"`
	Last      time.Time `json:"last,omitzero"` // delivery of a digest

	flying bool
}

// digest is a message about all groups of a storm.
type digest struct {
	id    string
	seq   uint64 // the last state that it covers
	since time.Time
	sum   receiver.Storm
	// alerts are some of the storm's, those that fire first.
	alerts []*alert.Alert
}

// told reports whether a digest has told a state. Without a storm none has.
func (s *storm) told(state *groupState) bool {
	return s != nil && state != nil && state.Seq <= s.Told
}

// beginStorm turns, under mu, all that waits into a storm.
func (d *destination) beginStorm(now time.Time) {
	d.storm = &storm{ID: newMessageID(now), Since: now}
	d.fresh, d.tried = nil, nil
	d.saveStorm()
}

func (d *destination) saveStorm() {
	value, err := json.Marshal(d.storm)
	if err != nil { // It always marshals.
		return
	}
	d.journal.set(stormKey(d.key), entry{value: value})
}

// nextDigest returns, under mu, the digest that is due, or when to look again.
func (d *destination) nextDigest(now time.Time) (*job, time.Duration) {
	s := d.storm
	if s.flying {
		return nil, stormPoll
	}
	memo := d.memo(stormGroup)
	over := d.burst.calm(s.Since, now, d.settings)
	due := s.Since.Add(stormSettle)
	switch {
	case s.Delivered == 0 || over:
	case memo != nil:
		due = s.Last.Add(stormEdit)
	default:
		due = s.Last.Add(stormRepeat)
	}
	if wait := due.Sub(now); wait > 0 {
		return nil, min(wait, stormPoll)
	}
	dg := d.sumUp(over)
	if dg.seq <= s.Told && !over {
		return nil, stormPoll
	}
	s.flying = true
	return &job{digest: dg, attempt: 1, memo: memo}, 0
}

// sumUp makes, under mu, a digest of all groups.
func (d *destination) sumUp(over bool) *digest {
	s := d.storm
	dg := &digest{since: s.Since, sum: receiver.Storm{Since: s.Since, ByName: make(map[string]int), Over: over}}
	var firing, resolved []*alert.Alert
	for _, sl := range d.slots {
		state := sl.waiting
		if state == nil {
			continue // It flies: a message of its own tells it.
		}
		dg.seq = max(dg.seq, state.Seq)
		dg.sum.Groups++
		for _, a := range state.Alerts {
			if a.Resolved() {
				resolved = append(resolved, a)
				continue
			}
			firing = append(firing, a)
			dg.sum.ByName[a.Name()]++
		}
	}
	dg.sum.Firing, dg.sum.Resolved = len(firing), len(resolved)
	byStart := func(a, b *alert.Alert) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt), cmp.Compare(a.Fingerprint(), b.Fingerprint()))
	}
	slices.SortFunc(firing, byStart)
	slices.SortFunc(resolved, byStart)
	dg.alerts = append(firing, resolved...)
	dg.alerts = slices.Clip(dg.alerts[:min(len(dg.alerts), maxDigestAlerts)])
	// The same content has the same ID, so that a repetition can be known.
	dg.id = fmt.Sprintf("%s-%d", s.ID, dg.seq)
	if over {
		dg.id += "-over"
	}
	return dg
}

// finishDigest notes, under mu, that a digest was taken. The last one ends the
// storm: what it told leaves the queue, what is newer is told as usual.
func (d *destination) finishDigest(dg *digest, now time.Time) {
	if d.storm == nil {
		return // The destination was abandoned meanwhile.
	}
	if !dg.sum.Over {
		d.storm.flying = false
		d.storm.Told, d.storm.Last = dg.seq, now
		d.storm.Delivered++
		d.saveStorm()
		return
	}
	for group, sl := range d.slots {
		switch {
		case sl.flying != nil:
			if sl.waiting != nil && sl.waiting.Seq <= dg.seq {
				sl.waiting = nil
			}
		case sl.waiting.Seq <= dg.seq:
			d.forget(group)
		default:
			d.fresh = append(d.fresh, sl)
		}
	}
	slices.SortFunc(d.fresh, func(a, b *slot) int { return cmp.Compare(a.waiting.Seq, b.waiting.Seq) })
	d.storm = nil
	d.burst = burst{start: now}
	d.journal.delete(stormKey(d.key))
	d.journal.delete(memoKey(d.key, stormGroup))
}

// burst counts the groups that come to a destination.
type burst struct {
	start time.Time
	last  time.Time
	// row counts the groups that came within burstGap of the one before.
	row int
	// recent has the groups of the last window, as long as they are few.
	recent map[string]time.Time
	// seconds counts arrivals by second, in a ring for stormCalm.
	seconds [int(stormCalm/time.Second) + 1]struct {
		unix int64
		n    int
	}
}

// add counts a group and reports whether so many have come that it is a storm.
func (b *burst) add(group string, now time.Time, s deliverySettings) bool {
	if s.stormGroups == 0 {
		return false
	}
	second := &b.seconds[now.Unix()%int64(len(b.seconds))]
	if second.unix != now.Unix() {
		second.unix, second.n = now.Unix(), 0
	}
	second.n++
	for g, at := range b.recent {
		if now.Sub(at) > s.stormWindow {
			delete(b.recent, g)
		}
	}
	if b.recent == nil {
		b.recent = make(map[string]time.Time)
	}
	if len(b.recent) > s.stormGroups {
		return true // Enough to know.
	}
	b.recent[group] = now
	return len(b.recent) > s.stormGroups
}

// hold is when a group that has just come may be told, and whether that holds for
// those that wait too.
func (b *burst) hold(now time.Time, s deliverySettings) (until time.Time, all bool) {
	if now.Sub(b.last) > burstGap {
		b.row = 0
	}
	b.last = now
	b.row++
	switch {
	case s.stormGroups == 0 || b.row == 1:
		return now, false
	case b.row <= s.stormGroups/2:
		return now.Add(burstHold), false
	}
	return now.Add(burstDoubt), true
}

// calm reports whether few groups came since stormCalm ago. It takes as long to
// know.
func (b *burst) calm(since, now time.Time, s deliverySettings) bool {
	if b.start.After(since) {
		since = b.start
	}
	if now.Sub(since) < stormCalm {
		return false
	}
	n := 0
	for _, second := range b.seconds {
		if now.Unix()-second.unix <= int64(stormCalm/time.Second) {
			n += second.n
		}
	}
	return n <= s.stormGroups
}
