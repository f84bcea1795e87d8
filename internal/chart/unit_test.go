package chart

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestValuesAreShort(t *testing.T) {
	for _, test := range []struct {
		unit  Unit
		value float64
		want  string
	}{
		{Short, 0, "0"},
		{Short, math.Copysign(0, -1), "0"},
		{Short, 1234, "1.23 k"},
		{Short, -2.5e6, "-2.5 M"},
		{Short, 999.7, "1 k"},
		{Short, 0.00123, "0.00123"},
		{Short, 1e-9, "1e-09"},
		{Short, 1e30, "1e+18 T"},
		{Short, math.Inf(1), "+Inf"},
		{Short, math.NaN(), "NaN"},
		{Seconds, 0, "0"},
		{Seconds, 0.25, "250 ms"},
		{Seconds, 0.99996, "1 s"},
		{Seconds, 90, "1.5 min"},
		{Seconds, 1.5e-6, "1.5 µs"},
		{Milliseconds, 250, "250 ms"},
		{Milliseconds, 1500, "1.5 s"},
		{Bytes, 1536, "1.5 KiB"},
		{Bytes, 3 << 30, "3 GiB"},
		{Percent, 99.95, "100%"},
		{Percent, 12.34, "12.3%"},
		{Ratio, 0.05, "5%"},
	} {
		if got := test.unit.Format(test.value); got != test.want {
			t.Errorf("unit %d: Format(%v) is %q, want %q", test.unit, test.value, got, test.want)
		}
	}
}

func TestTicksAreRoundAndInside(t *testing.T) {
	for _, test := range []struct {
		span span
		unit Unit
		want []string
	}{
		{span{0, 0.9}, Seconds, []string{"0", "200 ms", "400 ms", "600 ms", "800 ms"}},
		{span{0, 100}, Percent, []string{"0", "20%", "40%", "60%", "80%", "100%"}},
		{span{-1.2, 1.2}, Short, []string{"-1.0", "-0.5", "0", "0.5", "1.0"}},
		{span{67_000, 67_900}, Short, []string{"67.0 k", "67.2 k", "67.4 k", "67.6 k", "67.8 k"}},
		{span{0, 3 << 30}, Bytes, []string{"0", "1 GiB", "2 GiB", "3 GiB"}},
	} {
		values, step := test.span.ticks(5, test.unit)
		var got []string
		for _, v := range values {
			got = append(got, tick(v, step, test.unit.magnitude(test.span.hi)))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.span, diff)
		}
	}
}

func TestTimeTicksAreOfTheWallClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones on this machine")
	}
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 10, day, hour, minute, 0, 0, berlin) }
	for _, test := range []struct {
		name     string
		from, to time.Time
		n        int
		want     []string
	}{
		{"an hour", at(1, 13, 5), at(1, 14, 5), 7, []string{"13:10", "13:20", "13:30", "13:40", "13:50", "14:00"}},
		{"a minute", at(1, 13, 5), at(1, 13, 6), 4, []string{"13:05:00", "13:05:30", "13:06:00"}},
		{"midnight names the day", at(1, 23, 0), at(2, 1, 30), 5, []string{"23:00", "2 Oct", "01:00"}},
		{"the night with 25 hours", at(24, 20, 0), at(25, 8, 0), 5, []string{"21:00", "25 Oct", "03:00", "06:00"}},
		{"days", at(1, 12, 0), at(8, 12, 0), 9, []string{"2 Oct", "3 Oct", "4 Oct", "5 Oct", "6 Oct", "7 Oct", "8 Oct"}},
		{"less than a second", at(1, 0, 0).Add(time.Millisecond), at(1, 0, 0).Add(2 * time.Millisecond), 7, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, tick := range timeTicks(test.from, test.to, berlin, test.n) {
				got = append(got, tick.text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestExtremesOfAColumnRemain(t *testing.T) {
	start := time.Unix(0, 0)
	var points []Point
	for i := range 10_000 {
		points = append(points, Point{At: start.Add(time.Duration(i) * time.Second), Value: 1})
	}
	points[4321].Value, points[7654].Value = 100, -100
	f := frame{right: 100, bottom: 200, from: start, to: start.Add(10_000 * time.Second), values: span{-100, 100}}
	runs := f.runs(points, 0)
	if len(runs) != 1 || len(runs[0]) > 400 {
		t.Fatalf("got %d runs, the first of %d spots; want one of at most 400", len(runs), len(runs[0]))
	}
	least, most := float32(200), float32(0)
	for _, s := range runs[0] {
		least, most = min(least, s.y), max(most, s.y)
	}
	if least != 0 || most != 200 {
		t.Errorf("the run reaches from %v to %v, want 0 to 200: two points alone do", least, most)
	}
}

func TestGapsAreNotBridged(t *testing.T) {
	start := time.Unix(0, 0)
	f := frame{right: 100, bottom: 100, from: start, to: start.Add(100 * time.Second), values: span{0, 1}}
	at := func(seconds float64, v float64) Point {
		return Point{At: start.Add(time.Duration(seconds * float64(time.Second))), Value: v}
	}
	for _, test := range []struct {
		name   string
		step   time.Duration
		points []Point
		want   []int
	}{
		{"none", 0, nil, nil},
		{"jitter is none", 10 * time.Second, []Point{at(0, 0), at(10, 0), at(24.9, 0)}, []int{3}},
		{"a missed point", 10 * time.Second, []Point{at(0, 0), at(10, 0), at(30, 0)}, []int{2, 1}},
		{"the usual step is found", 0, []Point{at(0, 0), at(10, 0), at(20, 0), at(60, 0)}, []int{3, 1}},
		{"not a number", 0, []Point{at(0, 0), at(10, math.NaN()), at(20, 0)}, []int{1, 1}},
		{"infinity", 0, []Point{at(0, 0), at(10, math.Inf(-1)), at(20, 0)}, []int{1, 1}},
		{"what is out of order is left out", 0, []Point{at(10, 0), at(20, 0), at(15, 0), at(30, 0)}, []int{3}},
		{"outside", 0, []Point{at(-10, 0), at(0, 0), at(100, 0), at(110, 0)}, []int{1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []int
			for _, run := range f.runs(test.points, test.step) {
				got = append(got, len(run))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("lengths of runs, -want +got:\n%s", diff)
			}
		})
	}
}
