package anomaly_test

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/history/anomaly"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type point struct {
	at    time.Time
	value float64
}

type span struct{ from, to time.Time }

// detector says of each point whether it is an anomaly.
type detector func(points []point) []bool

func ours(points []point) []bool {
	l := anomaly.NewLearner()
	out := make([]bool, len(points))
	for i, p := range points {
		_, out[i] = l.Look(p.at, p.value)
	}
	return out
}

// sums reads the mean and the standard deviation of any stretch of time.
type sums struct {
	points    []point
	sum, sum2 []float64
}

func newSums(points []point) sums {
	s := sums{points, make([]float64, len(points)+1), make([]float64, len(points)+1)}
	for i, p := range points {
		s.sum[i+1], s.sum2[i+1] = s.sum[i]+p.value, s.sum2[i]+p.value*p.value
	}
	return s
}

func (s sums) of(from, to time.Time) (mean, deviation float64, ok bool) {
	i := sort.Search(len(s.points), func(i int) bool { return !s.points[i].at.Before(from) })
	j := sort.Search(len(s.points), func(i int) bool { return !s.points[i].at.Before(to) })
	n := float64(j - i)
	if n < 2 {
		return 0, 0, false
	}
	mean = (s.sum[j] - s.sum[i]) / n
	return mean, math.Sqrt(max(0, (s.sum2[j]-s.sum2[i])/n-mean*mean)), true
}

// zScore is what many start with: three standard deviations of the last day.
func zScore(points []point) []bool {
	s := newSums(points)
	out := make([]bool, len(points))
	for i, p := range points {
		mean, deviation, ok := s.of(p.at.Add(-24*time.Hour), p.at)
		out[i] = ok && p.at.Sub(points[0].at) >= 24*time.Hour && math.Abs(p.value-mean) > 3*deviation
	}
	return out
}

// recordingRules is what can be had from PromQL: so many standard deviations
// about the mean of 26 hours, widened by the same hour of yesterday.
func recordingRules(deviations float64) detector {
	return func(points []point) []bool {
		s := newSums(points)
		out := make([]bool, len(points))
		for i, p := range points {
			mean, deviation, ok := s.of(p.at.Add(-26*time.Hour), p.at)
			low, high := mean-deviations*deviation, mean+deviations*deviation
			if yesterday, spread, ok := s.of(p.at.Add(-24*time.Hour-30*time.Minute), p.at.Add(-24*time.Hour+30*time.Minute)); ok {
				low, high = min(low, yesterday-deviations*spread), max(high, yesterday+deviations*spread)
			}
			out[i] = ok && p.at.Sub(points[0].at) >= 26*time.Hour && (p.value < low || p.value > high)
		}
		return out
	}
}

var detectors = []struct {
	name   string
	detect detector
}{
	{"hedgewatch", ours},
	{"z-score, 3 deviations of a day", zScore},
	{"recording rules, 2 deviations", recordingRules(2)},
	{"recording rules, 3 deviations", recordingRules(3)},
}

// alerts joins what is less than an hour apart.
func alerts(points []point, anomalies []bool) (alerts []span) {
	for i, p := range points {
		if !anomalies[i] {
			continue
		}
		if n := len(alerts); n > 0 && p.at.Sub(alerts[n-1].to) <= time.Hour {
			alerts[n-1].to = p.at
			continue
		}
		alerts = append(alerts, span{p.at, p.at})
	}
	return alerts
}

// score is what alerts are worth, of one series or of many.
type score struct {
	windows, found      int
	alerts, falseAlerts int
	delays              []time.Duration
	weeks               float64
}

func rate(points []point, windows []span, anomalies []bool) score {
	all := alerts(points, anomalies)
	s := score{windows: len(windows), alerts: len(all), weeks: points[len(points)-1].at.Sub(points[0].at).Hours() / (7 * 24)}
	overlaps := func(a, w span) bool { return !a.to.Before(w.from) && !a.from.After(w.to) }
	for _, w := range windows {
		if i := slices.IndexFunc(all, func(a span) bool { return overlaps(a, w) }); i >= 0 {
			s.found++
			s.delays = append(s.delays, max(0, all[i].from.Sub(w.from)))
		}
	}
	for _, a := range all {
		if !slices.ContainsFunc(windows, func(w span) bool { return overlaps(a, w) }) {
			s.falseAlerts++
		}
	}
	return s
}

func (s score) add(o score) score {
	return score{
		s.windows + o.windows, s.found + o.found, s.alerts + o.alerts, s.falseAlerts + o.falseAlerts,
		append(s.delays, o.delays...), s.weeks + o.weeks,
	}
}

func (s score) String() string {
	delay := "-"
	if len(s.delays) > 0 {
		slices.Sort(s.delays)
		delay = s.delays[len(s.delays)/2].Round(time.Minute).String()
	}
	return fmt.Sprintf("found %2d of %2d (%3.0f %%), right %2d of %3d (%3.0f %%), false in a week %5.2f, delay %s",
		s.found, s.windows, 100*float64(s.found)/float64(max(1, s.windows)),
		s.alerts-s.falseAlerts, s.alerts, 100*float64(s.alerts-s.falseAlerts)/float64(max(1, s.alerts)),
		float64(s.falseAlerts)/s.weeks, delay)
}

func readNAB(t *testing.T) map[string][]point {
	t.Helper()
	all := map[string][]point{}
	paths, err := filepath.Glob("testdata/nab/*.csv.gz")
	must(t, err)
	for _, path := range paths {
		f, err := os.Open(path)
		must(t, err)
		z, err := gzip.NewReader(f)
		must(t, err)
		rows, err := csv.NewReader(z).ReadAll()
		must(t, err)
		must(t, f.Close())
		var points []point
		for _, row := range rows[1:] {
			at, err := time.Parse(time.DateTime, row[0])
			must(t, err)
			v, err := strconv.ParseFloat(row[1], 64)
			must(t, err)
			points = append(points, point{at, v})
		}
		all[strings.TrimSuffix(filepath.Base(path), ".gz")] = points
	}
	return all
}

func readWindows(t *testing.T) map[string][]span {
	t.Helper()
	text, err := os.ReadFile("testdata/nab/windows.json")
	must(t, err)
	var raw map[string][][2]string
	must(t, json.Unmarshal(text, &raw))
	all := map[string][]span{}
	for name, windows := range raw {
		for _, w := range windows {
			from, err := time.Parse("2006-01-02 15:04:05.000000", w[0])
			must(t, err)
			to, err := time.Parse("2006-01-02 15:04:05.000000", w[1])
			must(t, err)
			all[name] = append(all[name], span{from, to})
		}
	}
	return all
}

// TestScores is golden: how well labelled anomalies are found, beside what else
// could be done.
func TestScores(t *testing.T) {
	series, windows := readNAB(t), readWindows(t)
	if len(series) != len(windows) {
		t.Fatalf("got %d series and windows of %d", len(series), len(windows))
	}
	var b strings.Builder
	fmt.Fprintln(&b, "# Series of the Numenta Anomaly Benchmark")
	for _, d := range detectors {
		var total score
		for name, points := range series {
			total = total.add(rate(points, windows[name], d.detect(points)))
		}
		fmt.Fprintf(&b, "%-32s %v\n", d.name, total)
	}
	fmt.Fprintln(&b, "\n# Series as of a trading platform, with five anomalies each")
	for _, d := range detectors {
		var total score
		for seed := range uint64(10) {
			points, windows := trading(seed, true)
			total = total.add(rate(points, windows, d.detect(points)))
		}
		fmt.Fprintf(&b, "%-32s %v\n", d.name, total)
	}
	fmt.Fprintln(&b, "\n# The same without any")
	for _, d := range detectors {
		var total score
		for seed := range uint64(10) {
			points, _ := trading(seed, false)
			total = total.add(rate(points, nil, d.detect(points)))
		}
		fmt.Fprintf(&b, "%-32s %v\n", d.name, total)
	}
	const path = "testdata/scores.txt"
	if *update {
		must(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// trading makes eight weeks of five minutes: days and nights, quiet weekends,
// a peak when the market opens that is now and then twice as high, bursts at any
// time, and an hour's shift of everything when clocks are changed. Anomalies are
// in the last two weeks.
func trading(seed uint64, anomalies bool) (points []point, windows []span) {
	r := rand.New(rand.NewPCG(seed, 7))
	start := time.Date(2026, 2, 16, 0, 0, 0, 0, time.UTC) // A Monday.
	change := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	burst, high := 0, 1.0
	openHigh := 1.0
	for at := start; at.Before(start.AddDate(0, 0, 56)); at = at.Add(5 * time.Minute) {
		local := at
		if !at.Before(change) {
			local = at.Add(time.Hour)
		}
		hour := float64(local.Hour()) + float64(local.Minute())/60
		v := 100 + 60*math.Max(0, math.Sin((hour-6)/24*2*math.Pi))
		weekend := local.Weekday() == time.Saturday || local.Weekday() == time.Sunday
		if weekend {
			v *= 0.6
		}
		if hour == 0 {
			openHigh = 1 + r.Float64()
		}
		if !weekend && hour >= 13.5 && hour < 14.5 {
			v += 250 * openHigh * math.Exp(-(hour-13.5)*4)
		}
		if burst--; r.IntN(400) == 0 {
			burst, high = 1+r.IntN(6), 1+r.Float64()
		}
		if burst > 0 {
			v *= high
		}
		points = append(points, point{at, v * math.Exp(0.08*r.NormFloat64())})
	}
	if !anomalies {
		return points, nil
	}
	inject := func(at time.Time, length time.Duration, change func(v float64) float64) {
		windows = append(windows, span{at, at.Add(length)})
		for i := range points {
			if !points[i].at.Before(at) && points[i].at.Before(at.Add(length)) {
				points[i].value = change(points[i].value)
			}
		}
	}
	week7 := start.AddDate(0, 0, 42)
	inject(week7.Add(34*time.Hour), time.Hour, func(float64) float64 { return 0 })                  // Nothing comes, Tuesday 10:00.
	inject(week7.Add(85*time.Hour), 15*time.Minute, func(v float64) float64 { return 9 * v })       // A flood, Thursday 13:00.
	inject(week7.Add(144*time.Hour), 8*time.Hour, func(v float64) float64 { return 3 * v })         // Sunday night is like an open market.
	inject(week7.Add(202*time.Hour), 10*time.Hour, func(v float64) float64 { return v / 3 })        // A third of the flow from Tuesday 10:00.
	inject(week7.Add(270*time.Hour), 6*time.Hour, func(v float64) float64 { return v + 3*(v-v/2) }) // A busy night.
	return points, windows
}
