package alerting

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// TestQueueAgainstModel changes groups and answers at random, restarts at
// random, and compares what arrives with what a person must know: for each
// group the states come in order, the last one arrives, and no end of an alert
// that was said to fire is missing.
func TestQueueAgainstModel(t *testing.T) {
	for _, groups := range []int{3, 30} { // Without and with storms.
		for seed := range uint64(20) {
			t.Run(fmt.Sprintf("%d groups/%d", groups, seed), func(t *testing.T) {
				queueAgainstModel(t, groups, rand.New(rand.NewPCG(seed, 0)))
			})
		}
	}
}

// queueModel is what a person in front of a destination knows.
type queueModel struct {
	seq   map[string]uint64          // of the last state told
	knows map[string]map[string]bool // group → alerts that fire
}

func (m queueModel) learn(t *testing.T, s *groupState) {
	t.Helper()
	if last := m.seq[s.GroupKey]; s.Seq <= last {
		t.Fatalf("group %s: state %d came after %d", s.GroupKey, s.Seq, last)
	}
	m.seq[s.GroupKey] = s.Seq
	for _, a := range s.Alerts {
		m.knows[s.GroupKey][a.Name()] = !a.Resolved()
	}
}

func queueAgainstModel(t *testing.T, groups int, rnd *rand.Rand) {
	path := filepath.Join(t.TempDir(), "outbox")
	logger := slog.New(slog.DiscardHandler)
	j, err := loadJournal(path, logger, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	key := destinationKey{"r", "webhook", 0}
	now := time.Unix(1e9, 0)
	d := newDestination(key, j, now)
	model := queueModel{seq: map[string]uint64{}, knows: map[string]map[string]bool{}}
	truth := map[string]map[string]bool{}
	for g := range groups {
		truth[fmt.Sprint(g)], model.knows[fmt.Sprint(g)] = map[string]bool{}, map[string]bool{}
	}
	var seq uint64
	change := func() {
		g := fmt.Sprint(rnd.IntN(groups))
		name := fmt.Sprint("A", rnd.IntN(4))
		truth[g][name] = !truth[g][name]
		seq++
		s := &groupState{ID: fmt.Sprint(seq), Seq: seq, GroupKey: g, QueuedAt: now, Since: now, Destination: key}
		for n, fires := range truth[g] {
			if fires || n == name { // An end is in the group's state once.
				s.Alerts = append(s.Alerts, modelAlert(n, fires))
			}
		}
		if err := d.put(s, now); err != nil {
			t.Fatal(err)
		}
	}
	attempt := func(works bool) {
		job, _ := d.next(now)
		if job == nil {
			return
		}
		if rnd.IntN(3) == 0 {
			change() // while it is on its way
		}
		switch {
		case !works && rnd.IntN(2) == 0:
			d.failed(job, errors.New("down"), now, now)
		case !works && rnd.IntN(2) == 0:
			d.failed(job, &receiver.Error{Kind: receiver.Paced, Err: errors.New("slower")}, now, now)
		case !works:
			d.interrupted(job)
		case job.digest != nil:
			d.mu.Lock()
			for _, sl := range d.slots {
				if s := sl.waiting; s != nil && s.Seq <= job.digest.seq && s.Seq > model.seq[s.GroupKey] {
					model.learn(t, s)
				}
			}
			d.mu.Unlock()
			d.delivered(job, nil, now)
		default:
			model.learn(t, job.state)
			d.delivered(job, nil, now)
		}
	}
	for range 400 {
		switch rnd.IntN(4) {
		case 0, 1:
			change()
		case 2:
			attempt(rnd.IntN(2) == 0)
		default:
			now = now.Add(time.Duration(rnd.IntN(2000)) * time.Millisecond)
		}
		if rnd.IntN(40) == 0 { // A restart: the journal's map is what was on disk.
			o := &outbox{journal: j, left: make(map[string]*destination), logger: logger}
			if err := o.load(now); err != nil {
				t.Fatal(err)
			}
			if d = o.left[key.String()]; d == nil {
				d = newDestination(key, j, now)
			}
			d.key = key
		}
	}
	for range 2000 {
		attempt(true)
		now = now.Add(500 * time.Millisecond)
	}
	if len(d.slots) != 0 || d.storm != nil {
		t.Errorf("%d groups are left, storm %v", len(d.slots), d.storm)
	}
	for g, alerts := range truth {
		for name, fires := range alerts {
			if model.knows[g][name] != fires {
				t.Errorf("group %s: %s fires: %v, and the destination was told %v", g, name, fires, model.knows[g][name])
			}
		}
	}
}

func modelAlert(name string, fires bool) *alert.Alert {
	a := &alert.Alert{Alert: model.Alert{Labels: model.LabelSet{"alertname": model.LabelValue(name)}, StartsAt: time.Unix(1e9, 0)}}
	if !fires {
		a.EndsAt = a.StartsAt.Add(time.Second)
	}
	return a
}

func TestPausesGrowWithTheOutage(t *testing.T) {
	for range 100 {
		for _, test := range []struct {
			failures  int
			lasted    time.Duration
			low, high time.Duration
		}{
			{1, 0, 50 * time.Millisecond, 100 * time.Millisecond},
			{4, time.Second, 400 * time.Millisecond, 800 * time.Millisecond},
			{50, 2 * time.Minute, 1500 * time.Millisecond, 3 * time.Second},
			{500, 20 * time.Minute, 15 * time.Second, 30 * time.Second},
			{5000, 10 * time.Hour, 30 * time.Second, time.Minute},
		} {
			if got := pauseAfter(test.failures, test.lasted); got < test.low || got > test.high {
				t.Fatalf("after %d failures in %v the pause is %v, want %v to %v", test.failures, test.lasted, got, test.low, test.high)
			}
		}
	}
	if got := []time.Duration{probeAfter(1), probeAfter(2), probeAfter(4), probeAfter(50)}; got[0] != time.Minute || got[1] != 2*time.Minute || got[2] != 8*time.Minute || got[3] != 15*time.Minute {
		t.Errorf("a dead destination is probed after %v", got)
	}
}
