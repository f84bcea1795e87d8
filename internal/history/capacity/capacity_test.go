package capacity_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/history"
	"github.com/hedgewatch/hedgewatch/internal/history/capacity"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// monday is when all stores begin: a Monday, 00:00 UTC.
var monday = time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// world is a store with one sample of each series a minute.
type world struct {
	t  testing.TB
	db *tsdb.DB
	// length of its series.
	length time.Duration
}

func newWorld(t testing.TB, length time.Duration) world {
	t.Helper()
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = 0
	opts.MinBlockDuration, opts.MaxBlockDuration = (1000 * time.Hour).Milliseconds(), (1000 * time.Hour).Milliseconds()
	db, err := tsdb.Open(t.TempDir(), slog.New(slog.DiscardHandler), nil, opts, nil)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return world{t, db, length}
}

// gauge appends f for each minute; NaN is no sample. Series are written as
// `name{a="b"}`.
func (w world) gauge(series string, f func(at time.Duration) float64) {
	w.t.Helper()
	ls, err := parser.NewParser(parser.Options{}).ParseMetric(series)
	must(w.t, err)
	app := w.db.Appender(context.Background())
	for at := time.Duration(0); at < w.length; at += time.Minute {
		if v := f(at); !math.IsNaN(v) {
			_, err := app.Append(0, ls, monday.Add(at).UnixMilli(), v)
			must(w.t, err)
		}
	}
	must(w.t, app.Commit())
}

func (w world) constant(series string, v float64) {
	w.t.Helper()
	w.gauge(series, func(time.Duration) float64 { return v })
}

// counter appends what rate makes in the minute before, with a reset to 0 every
// resets, if that is not 0.
func (w world) counter(series string, resets time.Duration, rate func(at time.Duration) float64) {
	w.t.Helper()
	total := 0.0
	w.gauge(series, func(at time.Duration) float64 {
		if resets != 0 && at%resets == 0 {
			total = 0
		}
		r := rate(at)
		if math.IsNaN(r) {
			return r
		}
		total += 60 * r
		return total
	})
}

func (w world) capacity() *capacity.Capacity {
	w.t.Helper()
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 50e6, Timeout: time.Minute, Parser: p, LookbackDelta: 5 * time.Minute})
	w.t.Cleanup(func() { must(w.t, engine.Close()) })
	h, err := history.New(history.Deps{Engine: engine, Storage: w.db, Parser: p})
	must(w.t, err)
	return capacity.New(h)
}

func (w world) report(r capacity.Request) capacity.Report {
	w.t.Helper()
	if r.To.IsZero() {
		r.To = monday.Add(w.length - time.Minute)
	}
	report, err := w.capacity().Report(w.t.Context(), r)
	must(w.t, err)
	return report
}

// item is the one of that kind, name and resource.
func item(t testing.TB, r capacity.Report, what string) capacity.Item {
	t.Helper()
	for _, i := range r.Items {
		if i.Kind+" "+i.Name+" "+i.Resource == what {
			return i
		}
	}
	var there []string
	for _, i := range r.Items {
		there = append(there, i.Kind+" "+i.Name+" "+i.Resource)
	}
	t.Fatalf("no item %q among %q", what, there)
	return capacity.Item{}
}

const (
	mib = 1 << 20
	gib = 1 << 30
)

// weekly is low at night, higher by day, and has a peak of some minutes when the
// market opens at 13:30 from Monday to Friday.
func weekly(low, day, peak float64) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		hour, weekday := (at % (24 * time.Hour)).Hours(), int(at/(24*time.Hour))%7
		v := low + (day-low)*math.Max(0, math.Sin((hour-6)/24*2*math.Pi))
		if weekday < 5 && hour >= 13.5 && hour < 13.75 {
			v = peak * (1 - 0.01*float64(weekday)) // Highest on Monday.
		}
		return v
	}
}

// fill makes a platform of one of each kind.
func fill(w world) {
	cadvisor := func(labels string, cpu, mem func(time.Duration) float64) {
		w.counter("container_cpu_usage_seconds_total{"+labels+`,cpu="total"}`, 0, cpu)
		w.gauge("container_memory_working_set_bytes{"+labels+"}", mem)
	}
	flat := func(v float64) func(time.Duration) float64 { return func(time.Duration) float64 { return v } }

	// A host with room, whose disk fills up by 5 GiB a day.
	for core := range 8 {
		for mode, share := range map[string]float64{"user": 0.2, "idle": 0.8} {
			w.counter(fmt.Sprintf(`node_cpu_seconds_total{job="node",instance="db1",cpu="%d",mode=%q}`, core, mode), 0, flat(share))
		}
	}
	w.constant(`node_memory_MemTotal_bytes{job="node",instance="db1"}`, 32*gib)
	w.gauge(`node_memory_MemAvailable_bytes{job="node",instance="db1"}`, func(at time.Duration) float64 { return 32*gib - weekly(20, 22, 28)(at)*gib })
	w.constant(`node_filesystem_size_bytes{job="node",instance="db1",device="/dev/sda1",fstype="ext4",mountpoint="/"}`, 200*gib)
	w.gauge(`node_filesystem_avail_bytes{job="node",instance="db1",device="/dev/sda1",fstype="ext4",mountpoint="/"}`, func(at time.Duration) float64 { return 100*gib - 5*gib*at.Hours()/24 })

	// A workload of two replicas, replaced by new pods on the third day; far more
	// is reserved than its peaks need.
	for replica, pod := range []string{"feed-7d9f8b6c5d-x2x9z", "feed-7d9f8b6c5d-bbq4k", "feed-5c6d7f8b9d-zz2lp", "feed-5c6d7f8b9d-7gk5t"} {
		life := func(f func(time.Duration) float64) func(time.Duration) float64 {
			return func(at time.Duration) float64 {
				if old := at < 3*day; old != (replica < 2) {
					return math.NaN()
				}
				return f(at) * (1 - 0.1*float64(replica%2))
			}
		}
		labels := fmt.Sprintf(`namespace="trading",pod=%q,container="feed"`, pod)
		cadvisor(labels, life(weekly(0.1, 0.3, 0.9)), life(flat(200*mib)))
		w.gauge(`kube_pod_container_resource_requests{resource="cpu",`+labels+`}`, life(flat(4)))
		w.gauge(`kube_pod_container_resource_limits{resource="cpu",`+labels+`}`, life(flat(4)))
		w.gauge(`kube_pod_container_resource_requests{resource="memory",`+labels+`}`, life(flat(2*gib)))
		w.gauge(`kube_pod_container_resource_limits{resource="memory",`+labels+`}`, life(flat(2*gib)))
	}

	// A container that is held back in its bursts, and one that leaks.
	burst := func(at time.Duration) float64 {
		if at%(6*time.Hour) < 10*time.Minute {
			return 1
		}
		return 0.05
	}
	cadvisor(`name="orders",job="cadvisor",instance="app1"`, burst, flat(100*mib))
	w.constant(`container_spec_cpu_quota{name="orders",job="cadvisor",instance="app1"}`, 100_000)
	w.constant(`container_spec_cpu_period{name="orders",job="cadvisor",instance="app1"}`, 100_000)
	w.constant(`container_spec_memory_limit_bytes{name="orders",job="cadvisor",instance="app1"}`, 128*mib)
	w.counter(`container_cpu_cfs_periods_total{name="orders",job="cadvisor",instance="app1"}`, 0, flat(10))
	w.counter(`container_cpu_cfs_throttled_periods_total{name="orders",job="cadvisor",instance="app1"}`, 0, flat(1.2))
	cadvisor(`name="leaky",job="cadvisor",instance="app1"`, flat(0.2), func(at time.Duration) float64 {
		since := at % (84 * time.Hour) // It was restarted once.
		return (300+4*since.Hours()+5*math.Sin(at.Hours()*7))*mib - float64(at%(10*time.Minute))/float64(time.Minute)*mib
	})
	w.constant(`container_spec_memory_limit_bytes{name="leaky",job="cadvisor",instance="app1"}`, gib)

	// A unit that was killed for memory, a process group, and something that is gone.
	cadvisor(`id="/system.slice/balancer.service",job="cadvisor",instance="app1"`, flat(0.1), flat(250*mib))
	w.constant(`container_spec_memory_limit_bytes{id="/system.slice/balancer.service",job="cadvisor",instance="app1"}`, 256*mib)
	w.gauge(`container_oom_events_total{id="/system.slice/balancer.service",job="cadvisor",instance="app1"}`, func(at time.Duration) float64 { return math.Floor(at.Hours() / 50) })
	w.counter(`namedprocess_namegroup_cpu_seconds_total{job="host",instance="app1",groupname="crawler",mode="user"}`, 7*time.Hour, weekly(0.2, 0.4, 1.7))
	w.gauge(`namedprocess_namegroup_memory_bytes{job="host",instance="app1",groupname="gone",memtype="resident"}`, func(at time.Duration) float64 {
		if at > 2*day {
			return math.NaN()
		}
		return 50 * mib
	})
	w.gauge(`namedprocess_namegroup_memory_bytes{job="host",instance="app1",groupname="young",memtype="resident"}`, func(at time.Duration) float64 {
		if at < w.length-5*time.Hour {
			return math.NaN()
		}
		return 50 * mib
	})

	// The exchange, with backfill at night, and a database.
	w.gauge(`hedgewatch_binance_used_weight{job="hedgewatch",instance="h",market="usdm",egress="default",window="1m"}`, func(at time.Duration) float64 {
		if at%day < 30*time.Minute {
			return 2390
		}
		return 600
	})
	w.constant(`hedgewatch_binance_weight_limit{job="hedgewatch",instance="h",market="usdm",window="1m"}`, 2400)
	w.gauge(`hedgewatch_binance_orders_used{job="hedgewatch",instance="h",market="usdm",account="main",window="10s"}`, weekly(10, 290, 300))
	w.constant(`hedgewatch_binance_orders_limit{job="hedgewatch",instance="h",market="usdm",window="10s"}`, 300)
	w.constant(`pg_stat_database_numbackends{job="postgres",instance="db1",datname="a"}`, 40)
	w.constant(`pg_stat_database_numbackends{job="postgres",instance="db1",datname="b"}`, 50)
	w.constant(`pg_settings_max_connections{job="postgres",instance="db1"}`, 100)
	w.gauge(`pg_database_size_bytes{job="postgres",instance="db1",datname="a"}`, func(at time.Duration) float64 { return (50 + at.Hours()/24) * gib })
}

// TestReport is golden: what a week of everything comes to, in numbers and words.
func TestReport(t *testing.T) {
	w := newWorld(t, 7*day)
	fill(w)
	report := w.report(capacity.Request{})
	for i := range report.Items {
		report.Items[i].Week = nil // TestPeaksAreNamedByTheirTime looks at it.
	}
	got, err := json.MarshalIndent(report, "", "  ")
	must(t, err)
	const path = "testdata/report.json"
	if *update {
		must(t, os.WriteFile(path, append(got, '\n'), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestVerdicts(t *testing.T) {
	w := newWorld(t, 7*day)
	fill(w)
	r := w.report(capacity.Request{})
	for what, want := range map[string]capacity.Verdict{
		"host db1 cpu":                            capacity.Over,
		"host db1 memory":                         capacity.Risk, // 28 of 32 GiB at the peak.
		"host db1 / disk":                         capacity.Risk, // Full within four weeks.
		"workload trading/feed cpu":               capacity.Over,
		"workload trading/feed memory":            capacity.Over,
		"container orders cpu":                    capacity.Risk, // Throttled.
		"container orders memory":                 capacity.Fits,
		"container leaky memory":                  capacity.Leak,
		"unit balancer memory":                    capacity.Risk, // Killed.
		"unit balancer cpu":                       capacity.Unlimited,
		"process crawler cpu":                     capacity.Unlimited,
		"process gone memory":                     capacity.Gone,
		"process young memory":                    capacity.Unknown,
		"exchange usdm default 1m request weight": capacity.Fits, // Backfill takes what is left.
		"exchange usdm main 10s orders":           capacity.Risk,
		"database db1 connections":                capacity.Risk,
		"database db1 a size":                     capacity.Unlimited,
	} {
		if got := item(t, r, what).Verdict; got != want {
			t.Errorf("%s: got %s, want %s: %s", what, got, want, item(t, r, what).Reason)
		}
	}
	for _, i := range r.Items {
		sized := i.NewLimit != nil || i.NewRequest != nil
		switch i.Verdict {
		case capacity.Unknown, capacity.Gone, capacity.Leak, capacity.Fits:
			if sized || i.GiveBack != nil {
				t.Errorf("%s %s %s is %s and gets a size", i.Kind, i.Name, i.Resource, i.Verdict)
			}
		}
	}
}

func TestPeaksAreNamedByTheirTime(t *testing.T) {
	w := newWorld(t, 7*day)
	fill(w)
	i := item(t, w.report(capacity.Request{}), "process crawler cpu")
	want := capacity.Peak{Value: 1.7, At: monday.Add(13*time.Hour + 30*time.Minute), Seconds: 15 * 60}
	if diff := cmp.Diff(want, i.Peak, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Mon-Fri 13:00-14:00"}, i.Busy); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := *i.Week[13]; got != 1.7 {
		t.Errorf("got %v for Monday 13:00, want 1.7", got)
	}
}

// TestNothingIsTakenAwayBeforeAWholeWeek: the same waste, seen for five days or
// with a gap of two days, is no reason to take anything away.
func TestNothingIsTakenAwayBeforeAWholeWeek(t *testing.T) {
	flat := func(w world, hole time.Duration) {
		w.gauge(`container_memory_working_set_bytes{name="big",job="cadvisor",instance="a"}`, func(at time.Duration) float64 {
			if at > day && at < day+hole {
				return math.NaN()
			}
			return 100 * mib
		})
		w.constant(`container_spec_memory_limit_bytes{name="big",job="cadvisor",instance="a"}`, 4*gib)
	}
	for _, tc := range []struct {
		length, hole time.Duration
		want         capacity.Verdict
	}{{7 * day, 0, capacity.Over}, {7 * day, 6 * time.Hour, capacity.Over}, {7 * day, 2 * day, capacity.Fits}, {5 * day, 0, capacity.Fits}, {day / 2, 0, capacity.Unknown}} {
		w := newWorld(t, tc.length)
		flat(w, tc.hole)
		if got := item(t, w.report(capacity.Request{}), "container big memory"); got.Verdict != tc.want {
			t.Errorf("%v with a hole of %v: got %s, want %s: %s", tc.length, tc.hole, got.Verdict, tc.want, got.Reason)
		}
	}
}

// TestKillsAtALimitOfTheirOwnAreNotTheMachinesLack: containers that are killed
// at their limits count on a machine that has memory enough.
func TestKillsAtALimitOfTheirOwnAreNotTheMachinesLack(t *testing.T) {
	for used, want := range map[float64]capacity.Verdict{8: capacity.Fits, 20: capacity.Risk} {
		w := newWorld(t, 2*day)
		w.constant(`node_memory_MemTotal_bytes{job="n",instance="a"}`, 32*gib)
		w.constant(`node_memory_MemAvailable_bytes{job="n",instance="a"}`, (32-used)*gib)
		w.gauge(`node_vmstat_oom_kill{job="n",instance="a"}`, func(at time.Duration) float64 { return math.Floor(at.Hours() / 10) })
		if got := item(t, w.report(capacity.Request{}), "host a memory"); got.Verdict != want {
			t.Errorf("%v of 32 GiB: got %s, want %s: %s", used, got.Verdict, want, got.Reason)
		}
	}
}

// TestLeaks tells memory that only grows from memory that does not.
func TestLeaks(t *testing.T) {
	noise := rand.New(rand.NewPCG(1, 2))
	for name, tc := range map[string]struct {
		memory func(at time.Duration) float64
		want   bool
	}{
		"grows":                  {func(at time.Duration) float64 { return 200 + 2*at.Hours() + noise.Float64()*20 }, true},
		"grows between restarts": {func(at time.Duration) float64 { return 100 + 4*(at%(50*time.Hour)).Hours() }, true},
		"grows, with a gap": {func(at time.Duration) float64 {
			if at > 40*time.Hour && at < 60*time.Hour {
				return math.NaN()
			}
			return 200 + 2*at.Hours()
		}, true},
		"flat":                  {func(time.Duration) float64 { return 200 + noise.Float64()*20 }, false},
		"day and night":         {func(at time.Duration) float64 { return 200 + 100*math.Sin(at.Hours()/24*2*math.Pi) }, false},
		"a cache that fills up": {func(at time.Duration) float64 { return 200 + 300*(1-math.Exp(-at.Hours()/12)) }, false},
		"one step":              {func(at time.Duration) float64 { return 200 + 100*math.Floor(at.Hours()/100) }, false},
		"hardly grows":          {func(at time.Duration) float64 { return 200 + 0.05*at.Hours() }, false},
		"grows by day only":     {func(at time.Duration) float64 { return 200 + 50*(at%day).Hours()/24 + at.Hours()/10 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 7*day)
			w.gauge(`namedprocess_namegroup_memory_bytes{job="host",instance="a",groupname="p",memtype="resident"}`, func(at time.Duration) float64 { return tc.memory(at) * mib })
			i := item(t, w.report(capacity.Request{}), "process p memory")
			if got := i.Verdict == capacity.Leak; got != tc.want {
				t.Errorf("got %s, want a leak: %v: %s", i.Verdict, tc.want, i.Reason)
			}
		})
	}
}

// TestTrend is not misled by nights, and says when the limit would be reached.
func TestTrend(t *testing.T) {
	for name, tc := range map[string]struct {
		used func(at time.Duration) float64
		want float64 // GiB a week, 0 for none.
	}{
		"grows":                  {func(at time.Duration) float64 { return 50 + at.Hours()/24 }, 7},
		"grows, with nights":     {func(at time.Duration) float64 { return 50 + at.Hours()/24 + 10*math.Sin(at.Hours()/24*2*math.Pi) }, 7},
		"grows, cleaned up once": {func(at time.Duration) float64 { return 50 + at.Hours()/24 - 5*math.Floor(at.Hours()/150) }, 7},
		"nights only":            {func(at time.Duration) float64 { return 50 + 10*math.Sin(at.Hours()/24*2*math.Pi) }, 0},
		"shrinks":                {func(at time.Duration) float64 { return 50 - at.Hours()/24 }, -7},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 7*day)
			w.constant(`node_filesystem_size_bytes{job="n",instance="a",device="d",fstype="ext4",mountpoint="/"}`, 70*gib)
			w.gauge(`node_filesystem_avail_bytes{job="n",instance="a",device="d",fstype="ext4",mountpoint="/"}`, func(at time.Duration) float64 { return (70 - tc.used(at)) * gib })
			i := item(t, w.report(capacity.Request{Margin: 0.01}), "host a / disk")
			got := 0.0
			if i.PerWeek != nil {
				got = *i.PerWeek / gib
			}
			if math.Abs(got-tc.want) > 0.2 {
				t.Errorf("got %v GiB a week, want %v", got, tc.want)
			}
			if full := !i.Full.IsZero(); full != (tc.want > 0) {
				t.Errorf("full on %v, want a date: %v", i.Full, tc.want > 0)
			} else if full {
				newest := tc.used(7*day - 30*time.Minute)
				want := monday.Add(7*day + time.Duration((70-newest)*float64(day)))
				if off := i.Full.Sub(want).Abs(); off > 6*time.Hour {
					t.Errorf("full on %v, want %v", i.Full, want)
				}
			}
		})
	}
}

// TestNumbersAreThoseOfANaiveComputation compares random series with gaps and
// resets with sums over the samples themselves.
func TestNumbersAreThoseOfANaiveComputation(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	w := newWorld(t, 2*day)
	steps := int(w.length / time.Minute)
	type naive struct{ memory, cpu []float64 }
	want := map[string]naive{}
	for p := range 6 {
		name := fmt.Sprint("p", p)
		mem, used := make([]float64, steps), make([]float64, steps)
		gap := 0
		for i := range steps {
			if gap--; r.IntN(300) == 0 {
				gap = r.IntN(100)
			}
			mem[i], used[i] = math.Exp(r.NormFloat64())*100*mib, math.Exp(r.NormFloat64())
			if gap > 0 {
				mem[i], used[i] = math.NaN(), math.NaN()
			}
		}
		w.gauge(fmt.Sprintf(`namedprocess_namegroup_memory_bytes{job="h",instance="i",groupname=%q,memtype="resident"}`, name), func(at time.Duration) float64 { return mem[at/time.Minute] })
		w.counter(fmt.Sprintf(`namedprocess_namegroup_cpu_seconds_total{job="h",instance="i",groupname=%q,mode="user"}`, name), 5*time.Hour, func(at time.Duration) float64 { return used[at/time.Minute] })
		total := 0.0
		n := naive{}
		for i := range steps {
			// The window before an instant holds its own sample and the one before.
			v := mem[i]
			if i > 0 && (math.IsNaN(v) || mem[i-1] > v) {
				v = mem[i-1]
			}
			if !math.IsNaN(v) {
				n.memory = append(n.memory, v)
			}
			before := total
			if i%300 == 0 {
				total = 0
			}
			if !math.IsNaN(used[i]) {
				total += 60 * used[i]
			}
			if i > 0 && !math.IsNaN(used[i]+used[i-1]) {
				// rate() does not believe that a counter was below 0 before the first sample.
				n.cpu = append(n.cpu, used[i]*(1+min(1, before/(60*used[i])))/2)
			}
		}
		want[name] = n
	}
	report := w.report(capacity.Request{Range: w.length})
	for name, n := range want {
		for resource, values := range map[string][]float64{"memory": n.memory, "cpu": n.cpu} {
			slices.Sort(values)
			at := func(share float64) float64 { return values[int(math.Round(share*float64(len(values)-1)))] }
			i := item(t, report, "process "+name+" "+resource)
			got := []float64{i.SeenSeconds, i.Usual, i.P95, i.P99, i.Peak.Value}
			naive := []float64{60 * float64(len(values)), at(0.5), at(0.95), at(0.99), at(1)}
			if diff := cmp.Diff(naive, got, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
				t.Errorf("%s of %s (-naive +report):\n%s", resource, name, diff)
			}
		}
	}
}

func TestLongerRangesHaveLongerSteps(t *testing.T) {
	w := newWorld(t, day)
	w.constant(`node_memory_MemTotal_bytes{job="n",instance="a"}`, 4*gib)
	w.constant(`node_memory_MemAvailable_bytes{job="n",instance="a"}`, gib)
	for d, want := range map[time.Duration]float64{time.Hour: 60, 7 * day: 60, 8 * day: 120, 30 * day: 300, 92 * day: 840} {
		r := w.report(capacity.Request{Range: d})
		if r.StepSeconds != want || r.To.Sub(r.From) > d {
			t.Errorf("%v: got a step of %v s from %v to %v, want %v s", d, r.StepSeconds, r.From, r.To, want)
		}
		if len(r.Items) != 1 || r.Items[0].Peak.Value != 3*gib {
			t.Errorf("%v: got %+v", d, r.Items)
		}
		if d > day && !r.StoredFrom.Equal(r.Items[0].FirstSeen) {
			t.Errorf("%v: stored from %v, want %v", d, r.StoredFrom, r.Items[0].FirstSeen)
		}
	}
}

func TestTheWholePlatformOfNothingIsEmpty(t *testing.T) {
	r := newWorld(t, day).report(capacity.Request{})
	if len(r.Items) != 0 || !r.StoredFrom.IsZero() {
		t.Errorf("got %+v", r)
	}
}

func TestBadRequestsSayWhy(t *testing.T) {
	w := newWorld(t, time.Hour)
	h := w.capacity().Handler()
	for query, want := range map[string]string{
		"range=week":              `range: "week" is no duration such as 7d`,
		"range=5m":                "range: 5m is not between 1h and 92d",
		"range=1y":                "range: 1y is not between 1h and 92d",
		"margin=x":                `margin: "x" is no share such as 0.2`,
		"margin=-1":               "margin: -1 is not above 0",
		"margin=NaN":              "margin: NaN is not above 0",
		"margin=20":               "margin: 20 is not above 0 and at most 3",
		"kind=pods":               `kind: there is no "pods"; use one of host, workload`,
		"to=yesterday":            `to: "yesterday" is no time such as`,
		"to=2999-01-01T00:00:00Z": "to: 2999-01-01T00:00:00Z is in the future",
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/?"+query, nil))
		if rec.Code != 422 || !strings.Contains(rec.Body.String(), strings.ReplaceAll(want, `"`, `\"`)) {
			t.Errorf("%s: got %d %s, want %s", query, rec.Code, rec.Body, want)
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/?range=1h&kind=host", nil))
	if rec.Code != 200 || !json.Valid(rec.Body.Bytes()) {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}

// TestEverySeriesCanBeExplored: each item's expression draws it alone.
func TestEverySeriesCanBeExplored(t *testing.T) {
	w := newWorld(t, 7*day)
	fill(w)
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: p, LookbackDelta: 5 * time.Minute})
	defer engine.Close()
	for _, i := range w.report(capacity.Request{}).Items {
		q, err := engine.NewInstantQuery(t.Context(), w.db, nil, i.Explore, i.LastSeen)
		must(t, err)
		v, err := q.Exec(t.Context()).Vector()
		must(t, err)
		if len(v) != 1 || !cmp.Equal(v[0].Metric.Map(), i.Labels, cmpopts.EquateEmpty()) {
			t.Errorf("%s %s %s: got %v of %s, want one with %v", i.Kind, i.Name, i.Resource, v, i.Explore, labels.FromMap(i.Labels))
		}
		q.Close()
	}
}

func BenchmarkReport(b *testing.B) {
	w := newWorld(b, 7*day)
	fill(w)
	for n := range 100 {
		w.counter(fmt.Sprintf(`namedprocess_namegroup_cpu_seconds_total{job="host",instance="app1",groupname="p%d",mode="user"}`, n), 0, weekly(0.2, 0.4, 1.7))
	}
	for b.Loop() {
		w.report(capacity.Request{})
	}
}
