package alerting

import (
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

const (
	// maxWaiting bounds the groups that wait for one destination. One more is
	// refused: its alerts stay with the dispatcher, which offers them again.
	maxWaiting = 20000
	// memoKept is how long a group's memo outlives the last message about it.
	memoKept = 30 * 24 * time.Hour
	// maxMemoBytes bounds what a destination may leave to be remembered.
	maxMemoBytes = 64 << 10
)

var errFull = fmt.Errorf("%d groups wait for this destination already", maxWaiting)

// destinationKey names one integration of one receiver.
type destinationKey struct {
	Receiver    string `json:"receiver"`
	Integration string `json:"integration"`
	Index       int    `json:"index"`
}

func (k destinationKey) String() string {
	return fmt.Sprintf("%s/%s[%d]", k.Receiver, k.Integration, k.Index)
}

// destination is the queue in front of one integration, and what we know of its
// health. It outlives configurations; the worker that empties it does not.
//
// A group is in one place at a time: fresh, tried, flying, or part of a storm.
type destination struct {
	key     destinationKey
	hidden  bool // nobody is shown that it exists
	journal *journal
	wake    chan struct{} // one slot: there may be something to do

	mu       sync.Mutex
	settings deliverySettings
	slots    map[string]*slot // by group key
	fresh    []*slot          // not tried yet, the oldest first
	tried    slotHeap
	health   health
	burst    burst
	storm    *storm
}

// slot is a group with something to tell.
type slot struct {
	waiting *groupState // the newest state; nil while only flying is there
	flying  *groupState // the state that a worker tries to deliver now

	failures  int
	firstFail time.Time
	notBefore time.Time
}

// health is what the last attempts say about a destination.
type health struct {
	failures int // in a row
	since    time.Time
	until    time.Time // no attempt before
	dead     bool
	reason   string // of the last failure
}

// job is one attempt to make.
type job struct {
	slot    *slot
	state   *groupState
	digest  *digest // instead of slot and state
	attempt int
	memo    json.RawMessage
	// expired says that it is too late for an attempt.
	expired bool
}

func newDestination(key destinationKey, j *journal, now time.Time) *destination {
	return &destination{
		key:      key,
		journal:  j,
		wake:     make(chan struct{}, 1),
		settings: DefaultDelivery().settings(key.Receiver),
		slots:    make(map[string]*slot),
		burst:    burst{start: now},
	}
}

func (d *destination) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// put makes s the state of its group, instead of an older one that waits.
func (d *destination) put(s *groupState, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	sl := d.slots[s.GroupKey]
	if sl == nil {
		if len(d.slots) >= maxWaiting {
			return errFull
		}
		sl = &slot{}
		d.slots[s.GroupKey] = sl
	}
	isNew := sl.waiting == nil && sl.flying == nil
	if d.storm.told(sl.waiting) {
		sl.waiting = nil
	}
	sl.waiting = s.after(sl.waiting)
	d.save(sl)
	if d.burst.add(s.GroupKey, now, d.settings) && d.storm == nil {
		d.beginStorm(now)
	}
	if isNew && d.storm == nil {
		d.fresh = append(d.fresh, sl)
		until, all := d.burst.hold(now, d.settings)
		sl.notBefore = until
		if all {
			for _, other := range d.fresh {
				other.notBefore = until
			}
		}
	}
	d.signal()
	return nil
}

// save writes down, under mu, what a restart would have to tell of a group.
func (d *destination) save(sl *slot) {
	state := sl.waiting
	switch {
	case state == nil:
		state = sl.flying
	case sl.flying != nil:
		state = state.after(sl.flying)
	}
	value, err := json.Marshal(state)
	if err != nil { // Labels and times always marshal.
		d.journal.logger.Error("A notification will not survive a restart", "destination", d.key.String(), "err", err)
		return
	}
	d.journal.set(messageKey(d.key, state.GroupKey), entry{value: value})
}

// next returns what to attempt now, or how long there is nothing to attempt.
func (d *destination) next(now time.Time) (*job, time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if pause := d.health.until.Sub(now); pause > 0 {
		return nil, pause
	}
	if d.storm != nil {
		return d.nextDigest(now)
	}
	sl, wait := d.take(now)
	if sl == nil {
		return nil, wait
	}
	sl.flying, sl.waiting = sl.waiting, nil
	return &job{
		slot:    sl,
		state:   sl.flying,
		attempt: sl.failures + 1,
		memo:    d.memo(sl.flying.GroupKey),
		expired: now.Sub(sl.flying.QueuedAt) > d.settings.giveUpAfter,
	}, 0
}

// take removes, under mu, the next slot from its queue. A message that failed
// and is due again is older than all that were never tried.
func (d *destination) take(now time.Time) (*slot, time.Duration) {
	const idle = time.Hour // whoever adds something signals
	wait := idle
	if len(d.tried) > 0 {
		if wait = d.tried[0].notBefore.Sub(now); wait <= 0 {
			return heap.Pop(&d.tried).(*slot), 0
		}
	}
	if len(d.fresh) == 0 {
		return nil, wait
	}
	if hold := d.fresh[0].notBefore.Sub(now); hold > 0 {
		return nil, min(wait, hold)
	}
	sl := d.fresh[0]
	d.fresh[0] = nil
	d.fresh = d.fresh[1:]
	return sl, 0
}

// delivered notes that the destination has taken a message, and reports whether
// it failed before.
func (d *destination) delivered(j *job, memo json.RawMessage, now time.Time) (recovered bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	recovered = d.health.failures > 0
	d.health = health{}
	d.remember(j.group(), memo, now)
	d.finish(j, now)
	return recovered
}

// learn keeps what an attempt that failed leaves to be remembered: how far it
// got.
func (d *destination) learn(j *job, memo json.RawMessage, now time.Time) {
	if memo == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remember(j.group(), memo, now)
}

// giveUp forgets a message that cannot be delivered.
func (d *destination) giveUp(j *job, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.finish(j, now)
}

// finish takes, under mu, a message off the queue.
func (d *destination) finish(j *job, now time.Time) {
	if j.digest != nil {
		d.finishDigest(j.digest, now)
		return
	}
	sl := j.slot
	if d.slots[j.state.GroupKey] != sl {
		return // The destination was abandoned meanwhile.
	}
	if d.storm != nil && sl.waiting == nil {
		// The digest goes on counting it; its sequence number says that it is told.
		sl.waiting = sl.flying
	}
	sl.flying, sl.failures, sl.firstFail, sl.notBefore = nil, 0, time.Time{}, time.Time{}
	if sl.waiting == nil {
		d.forget(j.state.GroupKey)
		return
	}
	d.save(sl)
	if d.storm == nil {
		d.fresh = append(d.fresh, sl)
	}
}

// forget removes, under mu, a group that has nothing to tell.
func (d *destination) forget(group string) {
	delete(d.slots, group)
	d.journal.delete(messageKey(d.key, group))
}

// failed puts a message back after an attempt and draws the conclusions. A pause
// counts from the attempt's start: one that hung has been a pause by itself.
func (d *destination) failed(j *job, err error, start, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var asked time.Duration
	if e := (*receiver.Error)(nil); errors.As(err, &e) {
		asked = e.After
	}
	h := &d.health
	h.reason = err.Error()
	kind := receiver.KindOf(err)
	if kind == receiver.Paced {
		h.until = now.Add(pacedFor(asked))
		d.putBack(j)
		return
	}
	h.failures++
	if h.since.IsZero() {
		h.since = now
	}
	h.dead = kind == receiver.Dead
	pause := pauseAfter(h.failures, now.Sub(h.since))
	if h.dead {
		pause = probeAfter(h.failures)
	}
	h.until = start.Add(pause)
	if sl := j.slot; sl != nil {
		sl.failures++
		if sl.firstFail.IsZero() {
			sl.firstFail = now
		}
		sl.notBefore = start.Add(pauseAfter(sl.failures, now.Sub(sl.firstFail)))
	}
	d.putBack(j)
}

// interrupted puts a message back whose attempt we broke off ourselves.
func (d *destination) interrupted(j *job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.putBack(j)
}

// putBack returns, under mu, a message to its queue, with newer states that
// came while it was on its way.
func (d *destination) putBack(j *job) {
	if j.digest != nil {
		if d.storm != nil {
			d.storm.flying = false
		}
		return
	}
	sl := j.slot
	if sl.waiting == nil {
		sl.waiting = sl.flying
	} else {
		sl.waiting = sl.waiting.after(sl.flying)
	}
	sl.flying = nil
	if d.storm == nil {
		heap.Push(&d.tried, sl)
	}
}

// memo is what the destination's last answer about a group left to remember.
func (d *destination) memo(group string) json.RawMessage {
	e, ok := d.journal.get(memoKey(d.key, group))
	if !ok || e.expired(time.Now()) {
		return nil
	}
	return e.value
}

func (d *destination) remember(group string, memo json.RawMessage, now time.Time) {
	key := memoKey(d.key, group)
	switch {
	case string(memo) == "null":
		d.journal.delete(key)
	case memo == nil: // The old one stays, and lives on.
		if e, ok := d.journal.get(key); ok {
			d.journal.set(key, entry{value: e.value, expires: now.Add(memoKept)})
		}
	case len(memo) > maxMemoBytes:
		d.journal.logger.Warn("A destination leaves too much to remember; its next message will not refer to this one",
			"destination", d.key.String(), "bytes", len(memo), "limit", maxMemoBytes)
		d.journal.delete(key)
	default:
		d.journal.set(key, entry{value: memo, expires: now.Add(memoKept)})
	}
}

// renew forgives what happened under another configuration, so that a mended
// destination is tried at once.
func (d *destination) renew(s deliverySettings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settings = s
	d.health.until = time.Time{}
	d.signal()
}

func (j *job) group() string {
	if j.digest != nil {
		return stormGroup
	}
	return j.state.GroupKey
}

// waits reports whether a group has a state to tell that is no newer than seq.
func (d *destination) waits(group string, seq uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	sl := d.slots[group]
	if sl == nil {
		return false
	}
	return sl.flying != nil && sl.flying.Seq <= seq || sl.waiting != nil && sl.waiting.Seq <= seq && !d.storm.told(sl.waiting)
}

// slotHeap has the slot that is due first in front.
type slotHeap []*slot

func (h slotHeap) Len() int           { return len(h) }
func (h slotHeap) Less(i, j int) bool { return h[i].notBefore.Before(h[j].notBefore) }
func (h slotHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *slotHeap) Push(x any) { *h = append(*h, x.(*slot)) }

// Pop implements heap.Interface.
func (h *slotHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return s
}
