package state_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// recordDir makes the test binary record transitions until it is killed.
const recordDir = "HEDGEWATCH_TEST_RECORD_DIR"

func recordForever(dir string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s, err := state.New(state.Config{Dir: dir}, state.Deps{})
	if err != nil {
		fail(err)
	}
	go func() { fail(s.Run(context.Background())) }()
	for n := 0; ; n++ {
		s.Record(step(n))
		if n%100 == 0 {
			last := -1
			for last < n {
				err := s.Transitions(context.Background(), state.TransitionFilter{}, func(t state.Transition) bool {
					last, _ = strconv.Atoi(t.Note)
					return false
				})
				if err != nil {
					fail(err)
				}
			}
			fmt.Println(n) // It was read back, so it is committed.
		}
	}
}

func step(n int) state.Transition {
	return state.Transition{
		Time: time.UnixMilli(1_800_000_000_000 + int64(n)), Fingerprint: fmt.Sprint(n % 7),
		Labels: map[string]string{"alertname": "Lag", "n": fmt.Sprint(n % 7)},
		From:   "pending", To: "firing", Value: state.Value(n), Note: strconv.Itoa(n),
	}
}

// TestHistorySurvivesAKill: what was visible stays, in one piece and without
// holes, whenever the process dies.
func TestHistorySurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	must(t, err)
	known := -1
	for round := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, self)
		cmd.Env = append(os.Environ(), recordDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		seen := 0
		for range 20 + 7*round {
			if !lines.Scan() {
				t.Fatal("the recorder ended by itself")
			}
			seen, err = strconv.Atoi(lines.Text())
			must(t, err)
		}
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // It was killed.
		cancel()
		known = max(known, seen)

		s, stop := open(t, state.Config{Dir: dir}, state.Deps{})
		if s.SetAside() != "" {
			t.Fatal("the file was taken for corrupt")
		}
		found := map[string]int{}
		must(t, s.Transitions(t.Context(), state.TransitionFilter{}, func(tr state.Transition) bool {
			found[tr.Note]++
			return true
		}))
		for n := range seen {
			if found[strconv.Itoa(n)] == 0 {
				t.Fatalf("round %d: step %d was visible before the kill and is lost", round, n)
			}
		}
		stop()
	}
}

// TestFullQueueDropsAndCounts: a writer that does not come along holds up
// nobody.
func TestFullQueueDropsAndCounts(t *testing.T) {
	reg := prometheus.NewRegistry()
	s, err := state.New(state.Config{Dir: t.TempDir()}, state.Deps{Registerer: reg})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	for n := range 20_000 { // Nobody runs it.
		s.Record(step(n))
	}
	const want = `
# HELP hedgewatch_state_dropped_entries_total Entries that were not written because the queue was full or the process stopped, by kind.
# TYPE hedgewatch_state_dropped_entries_total counter
hedgewatch_state_dropped_entries_total{kind="change"} 0
hedgewatch_state_dropped_entries_total{kind="last_used"} 0
hedgewatch_state_dropped_entries_total{kind="transition"} 3616
`
	must(t, testutil.GatherAndCompare(reg, strings.NewReader(want), "hedgewatch_state_dropped_entries_total"))
}

func TestHistoryIsBounded(t *testing.T) {
	dir := t.TempDir()
	s, stop := open(t, state.Config{Dir: dir}, state.Deps{})
	now := time.Now()
	for n := range 30 {
		tr := step(n)
		tr.Time = now.Add(-time.Duration(n) * time.Hour)
		s.Record(tr)
	}
	stop() // Writes the rest.

	count := func(s *state.State) (n int) {
		must(t, s.Transitions(t.Context(), state.TransitionFilter{}, func(state.Transition) bool { n++; return true }))
		return n
	}
	for _, tc := range []struct {
		name string
		c    state.Config
		want int
	}{
		{"nothing is over", state.Config{}, 30},
		{"age", state.Config{AlertHistory: model.Duration(20*time.Hour + 30*time.Minute)}, 21},
		{"count", state.Config{MaxTransitions: 9}, 9},
	} {
		tc.c.Dir = dir
		s, stop := open(t, tc.c, state.Deps{})
		got := -1
		eventually(t, tc.name, func() bool { got = count(s); return got == tc.want })
		stop()
	}
}

// BenchmarkRecord is one transition from Record to the disk, in a storm.
func BenchmarkRecord(b *testing.B) {
	s, err := state.New(state.Config{Dir: b.TempDir()}, state.Deps{})
	must(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	const storm = 10_000
	for b.Loop() {
		for n := range storm {
			s.Record(step(n))
		}
		s.Record(state.Transition{Time: time.Now().Add(1000 * time.Hour), Fingerprint: "last", Note: fmt.Sprint(b.N)})
		for n := 0; n < storm; {
			n = 0
			must(b, s.Transitions(ctx, state.TransitionFilter{}, func(state.Transition) bool { n++; return n < storm }))
		}
	}
	cancel()
	must(b, <-done)
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*storm), "µs/transition")
}
