package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Handover is how a plan was handed to who repairs.
type Handover struct {
	// Key is the same for each attempt at one plan, also after a restart; a
	// finding that has grown has a new one.
	Key      string `json:"key"`
	Attempts int    `json:"attempts"`
	// TakenAt is when it was accepted; zero if it was not yet.
	TakenAt time.Time `json:"takenAt,omitzero"`
	// Refused says that this plan will not be offered again.
	Refused bool   `json:"refused,omitempty"`
	Error   string `json:"error,omitempty"` // of the last attempt
}

// Repair is the body that is posted for a finding.
type Repair struct {
	Version  int       `json:"version"` // 1
	Key      string    `json:"key"`
	OpenedAt time.Time `json:"openedAt"`
	Finding  Finding   `json:"finding"`
	Plan     Plan      `json:"plan"`
}

const (
	// handOverAfter leaves rows that are just late the time to come.
	handOverAfter = 15 * time.Second
	// growAfter is how often a finding that grows is handed over again.
	growAfter = 5 * time.Minute
	// repairPoll is how often there may be something new to hand over.
	repairPoll     = time.Second
	minRepairPause = 5 * time.Second
	maxRepairPause = 10 * time.Minute
)

// key tells a plan from the one of the same finding before it grew.
func (r *Record) repairKey() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d|%d|%d", r.From.UnixMicro(), r.To.UnixMicro(), r.Count)
	return r.ID + "-" + fmt.Sprintf("%08x", uint32(h.Sum64()))
}

// handOver says whether the plan waits to be handed over.
func (r *Record) handOver(now time.Time) bool {
	switch h := r.Handover; {
	case !r.ours() || r.Plan == nil || now.Sub(r.OpenedAt) < handOverAfter:
		return false
	case !r.Plan.Until.IsZero() && r.Plan.Until.Before(now):
		return false // The exchange has it no more.
	case h == nil:
		return true
	case h.Key != r.repairKey():
		return now.Sub(h.TakenAt) >= growAfter
	default:
		return h.TakenAt.IsZero() && !h.Refused
	}
}

// waiting is a plan that is to be handed over, and whose it is.
type waiting struct {
	w *watch
	r Record
}

// nextRepair is the plan to hand over next: those with fewer attempts first, so
// that one that nobody can take holds up no other, then the most urgent.
func (a *Auditor) nextRepair(now time.Time) (next waiting, n int) {
	urgent := []string{"now", "today", "any"}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.watches {
		for _, r := range w.book.records {
			if !r.handOver(now) {
				continue
			}
			if n++; n == 1 || cmp.Or(
				cmp.Compare(r.attempts(), next.r.attempts()),
				cmp.Compare(slices.Index(urgent, urgency(r.Plan.Until, now)), slices.Index(urgent, urgency(next.r.Plan.Until, now))),
				r.OpenedAt.Compare(next.r.OpenedAt), cmp.Compare(r.ID, next.r.ID)) < 0 {
				next = waiting{w, *r}
			}
		}
	}
	return next, n
}

func (r *Record) attempts() int {
	if r.Handover == nil || r.Handover.Key != r.repairKey() {
		return 0
	}
	return r.Handover.Attempts
}

// runRepairs hands plans over, one at a time. What waits is not a queue of its own
// but the open findings, which are bounded and survive a restart.
func (a *Auditor) runRepairs(ctx context.Context) {
	failures := 0
	for {
		pause := repairPoll
		if next, n := a.nextRepair(time.Now()); n > 0 {
			err := a.deps.Repair(ctx, next.r.repairKey(), next.r.repair(time.Now()))
			if ctx.Err() != nil {
				return
			}
			var kind receiver.Kind
			var refusal *receiver.Error
			if errors.As(err, &refusal) {
				kind = refusal.Kind
			}
			a.noteRepair(&next, err, kind == receiver.Rejected)
			switch {
			case err == nil || kind == receiver.Rejected:
				failures, pause = 0, 0
			case kind == receiver.Paced:
				pause = max(refusal.After, repairPoll)
			default:
				pause = min(minRepairPause<<min(failures, 10), maxRepairPause)
				pause = pause/2 + rand.N(pause/2) // Half of it is chance.
				failures++
			}
		}
		if sleep(ctx, pause) != nil {
			return
		}
	}
}

func (r *Record) repair(now time.Time) []byte {
	plan := *r.Plan
	plan.Urgency = urgency(plan.Until, now)
	body, err := json.Marshal(Repair{Version: 1, Key: r.repairKey(), OpenedAt: r.OpenedAt, Finding: r.Finding, Plan: plan})
	if err != nil {
		panic(fmt.Sprintf("audit: a plan does not encode: %v", err))
	}
	return body
}

// noteRepair keeps what became of an attempt.
func (a *Auditor) noteRepair(tried *waiting, err error, refused bool) {
	w, now := tried.w, time.Now()
	outcome := "taken"
	a.mu.Lock()
	if r := w.book.records[tried.r.ID]; r != nil {
		h := &Handover{Key: tried.r.repairKey(), Attempts: tried.r.attempts() + 1, Refused: refused}
		if err == nil {
			h.TakenAt = now
			r.CheckedAt = now // What is being mended is looked at again soon.
		} else {
			h.Error = err.Error()
		}
		r.Handover = h
		w.book.save(r)
	}
	a.mu.Unlock()
	switch {
	case refused:
		outcome = "refused"
		w.logger.Warn("Repair plan was refused; it is not offered again", "finding", tried.r.ID, "err", err)
	case err != nil:
		outcome = "failed"
		if tried.r.attempts() == 0 {
			w.logger.Warn("Repair plan not handed over; it is tried again", "finding", tried.r.ID, "err", err)
		}
	}
	w.hurry()
	a.repairs.WithLabelValues(outcome).Inc()
	w.flush()
}

// repairMetrics are registered where plans are handed over.
func repairMetrics(a *Auditor) []prometheus.Collector {
	for _, outcome := range []string{"taken", "refused", "failed"} {
		a.repairs.WithLabelValues(outcome)
	}
	return []prometheus.Collector{a.repairs, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hedgewatch_audit_repairs_waiting", Help: "Repair plans that the platform has not taken yet.",
	}, func() float64 {
		_, n := a.nextRepair(time.Now())
		return float64(n)
	})}
}
