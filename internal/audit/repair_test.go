package audit

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// backfiller takes plans and mends what they say, once it is up.
type backfiller struct {
	*world
	down, refuse bool
	keys         []string
	taken        []Repair
}

func (b *backfiller) post(_ context.Context, key string, body []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys = append(b.keys, key)
	var r Repair
	if err := json.Unmarshal(body, &r); err != nil || r.Key != key || r.Version != 1 {
		b.t.Errorf("got body %s, %v", body, err)
	}
	switch {
	case b.down:
		return errors.New("connection refused")
	case b.refuse:
		return &receiver.Error{Kind: receiver.Rejected, Err: errors.New("400")}
	}
	b.taken = append(b.taken, r)
	for at := r.Finding.From; at.Before(r.Finding.To); at = at.Add(time.Minute) {
		delete(b.lost, id(r.Finding.Series.Symbol, at))
	}
	return nil
}

func TestPlanIsHandedOverUntilItIsTakenAndTheFindingCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := &backfiller{world: w, down: true}
		w.repair = b.post
		gap := w.start.Add(200 * time.Minute)
		w.lost[id("ETHUSDT", gap)] = true
		dir := t.TempDir()
		a, reg, stop := w.audit(dir, w, "spot")
		time.Sleep(10 * time.Second)
		w.change(func() {
			if len(b.keys) > 0 {
				t.Errorf("handed over %v at once; the row may be late only", b.keys)
			}
		})
		time.Sleep(30 * time.Minute)
		first := ""
		w.change(func() {
			if n := len(b.keys); n < 5 || n > 15 {
				t.Errorf("got %d attempts in half an hour, want some that become rarer", n)
			}
			first = b.keys[0]
		})
		if h := a.Findings()[0].Handover; h == nil || h.Error != "connection refused" || !h.TakenAt.IsZero() {
			t.Errorf("got %+v", h)
		}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(`# HELP hedgewatch_audit_repairs_waiting Repair plans that the platform has not taken yet.
# TYPE hedgewatch_audit_repairs_waiting gauge
hedgewatch_audit_repairs_waiting 1
`), "hedgewatch_audit_repairs_waiting"); err != nil {
			t.Error(err)
		}
		stop()

		// The next process goes on, with the same key.
		w.change(func() { b.down = false })
		a, reg, stop = w.audit(dir, w, "spot")
		time.Sleep(12 * time.Second)
		expect(t, a)
		w.change(func() {
			if len(b.taken) != 1 || b.taken[0].Key != first || b.taken[0].Finding.Series.Symbol != "ETHUSDT" || len(b.taken[0].Plan.Requests) != 1 {
				t.Errorf("got %+v, want one plan with key %s", b.taken, first)
			}
		})
		if got := testutil.ToFloat64(a.repairs.WithLabelValues("taken")); got != 1 {
			t.Errorf("got %v plans taken, want 1", got)
		}
		if n, err := testutil.GatherAndCount(reg, "hedgewatch_audit_repairs_waiting"); n != 1 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		stop()
	})
}

// A plan that is refused stands in no other one's way, and is not offered again.
func TestRefusedPlanIsOfferedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := &backfiller{world: w, refuse: true}
		w.repair = b.post
		for _, minutes := range []time.Duration{200, 300, 400} {
			w.lost[id("ETHUSDT", w.start.Add(minutes*time.Minute))] = true
		}
		a, _, stop := w.audit(t.TempDir(), w, "spot")
		defer stop()
		time.Sleep(time.Hour)
		w.change(func() {
			if len(b.keys) != 3 {
				t.Errorf("offered %v, want each once", b.keys)
			}
		})
		for _, r := range a.Findings() {
			if r.Handover == nil || !r.Handover.Refused || !r.open() {
				t.Errorf("got %+v", r)
			}
		}
	})
}

func TestExpiredPlanIsNotHandedOver(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	r := Record{Finding: Finding{Kind: Missing, Cause: Platform}, OpenedAt: now.Add(-time.Hour), Plan: &Plan{Until: now.Add(time.Minute)}}
	if !r.handOver(now) || r.handOver(now.Add(2*time.Minute)) {
		t.Error("want it handed over until the exchange has the rows no more")
	}
	r.Handover = &Handover{Key: r.repairKey(), TakenAt: now}
	r.Count++ // It grew.
	if r.handOver(now.Add(30*time.Second)) || r.handOver(now.Add(50*time.Second)) {
		t.Error("handed over again at once")
	}
	r.Plan.Until = now.Add(time.Hour)
	if !r.handOver(now.Add(growAfter)) {
		t.Error("what has grown is not handed over again")
	}
}
