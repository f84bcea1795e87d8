package chart_test

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/chart"
)

var update = flag.Bool("update", false, "rewrite the golden pictures")

// start is the moment at which the example charts begin.
func start() time.Time { return time.Date(2026, 11, 22, 13, 20, 0, 0, time.UTC) }

// walk is n points that wander around a value, always the same way.
func walk(seed uint64, n int, step time.Duration, around, by float64) []chart.Point {
	rng := rand.New(rand.NewPCG(seed, 7))
	points := make([]chart.Point, n)
	v := around
	for i := range points {
		v += (around-v)*0.05 + by*(rng.Float64()-0.5)
		points[i] = chart.Point{At: start().Add(time.Duration(i) * step), Value: v}
	}
	return points
}

// rise lifts points from index i on, by a steep and then flat curve.
func rise(points []chart.Point, from int, by float64) []chart.Point {
	for i := from; i < len(points); i++ {
		points[i].Value += by * (1 - math.Exp(-float64(i-from)/12))
	}
	return points
}

func hole(points []chart.Point, from, to int) []chart.Point {
	return append(points[:from:from], points[to:]...)
}

// examples are charts of every kind, in the order of a slide show.
func examples() map[string]chart.Chart {
	hour := func(c chart.Chart) chart.Chart {
		c.From, c.To = start(), start().Add(time.Hour)
		return c
	}
	const step = 15 * time.Second
	berlin := time.FixedZone("CET", 3600)
	many := make([]chart.Series, 10)
	for i := range many {
		many[i] = chart.Series{
			Name:   fmt.Sprintf("executor-%d", i),
			Points: walk(uint64(i), 240, step, 100+20*float64(i), 12+2*float64(i)),
		}
	}
	rise(many[7].Points, 170, 150)
	crowd := make([]chart.Series, 25)
	for i := range crowd {
		crowd[i] = chart.Series{Name: fmt.Sprintf(`{instance="10.0.0.%d:9100", device="nvme%dn1"}`, i, i), Points: walk(uint64(i), 240, step, 40e9+4e9*float64(i), 1e9)}
	}
	latency := hour(chart.Chart{
		Title: "OrderLatencyHigh", Unit: chart.Seconds, Zone: berlin,
		Series:     []chart.Series{{Name: "p99 place_order", Points: rise(walk(1, 240, step, 0.12, 0.06), 190, 0.7)}},
		Thresholds: []chart.Threshold{{Value: 0.5, Side: chart.Above}},
		Breach:     start().Add(203*step + 4*time.Second),
	})
	light := latency
	light.Theme = chart.Light
	sharp := latency
	sharp.Width, sharp.Height = 1200, 480
	return map[string]chart.Chart{
		"latency":       latency,
		"latency-light": light,
		"latency-sharp": sharp,
		"many": hour(chart.Chart{
			Title: "QueueTooLong on 1 of 10 executors", Series: many,
			Thresholds: []chart.Threshold{{Value: 350, Side: chart.Above}, {Value: 250, Side: chart.Neither}},
			Breach:     start().Add(221 * step),
		}),
		"crowd": hour(chart.Chart{Title: "DiskFillsUp", Unit: chart.Bytes, Series: crowd}),
		"gap": hour(chart.Chart{
			Title: "BalanceLow", Theme: chart.Light, Unit: chart.Percent, Breach: start().Add(40 * time.Minute),
			Series: []chart.Series{
				{Name: "spot", Points: hole(rise(walk(3, 240, step, 60, 6), 120, -50), 60, 84)},
				{Name: "futures", Points: walk(4, 150, step, 45, 5)},
			},
			Thresholds: []chart.Threshold{{Value: 20, Side: chart.Below}},
		}),
		"week": {
			Title: "Requests", From: start(), To: start().AddDate(0, 0, 7), Zone: berlin,
			Series: []chart.Series{{Name: "requests a second", Points: walk(5, 10_080, time.Minute, 42_000, 9_000)}},
		},
		"empty": hour(chart.Chart{
			Title: "TargetDown", Series: []chart.Series{{Name: "up"}},
			Thresholds: []chart.Threshold{{Value: 1, Side: chart.Below}},
		}),
	}
}

func render(t testing.TB, c chart.Chart) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := chart.Render(&b, c); err != nil {
		t.Fatalf("Render: %v", err)
	}
	return b.Bytes()
}

func decode(t testing.TB, b []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return img
}

func TestPicturesAreThoseThatWereLookedAt(t *testing.T) {
	for name, c := range examples() {
		t.Run(name, func(t *testing.T) {
			got := render(t, c)
			file := filepath.Join("testdata", name+".png")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			comparePixels(t, decode(t, got), decode(t, want))
		})
	}
}

// comparePixels wants equal pixels. Elsewhere than on amd64 a multiplication and
// an addition may be rounded once instead of twice, which shows in the last bits.
func comparePixels(t *testing.T, got, want image.Image) {
	t.Helper()
	if got.Bounds() != want.Bounds() {
		t.Fatalf("got a picture of %s, want %s", got.Bounds(), want.Bounds())
	}
	tolerance := 0
	if runtime.GOARCH != "amd64" {
		tolerance = 4 << 8
	}
	differ := 0
	for y := range got.Bounds().Dy() {
		for x := range got.Bounds().Dx() {
			r, g, b, _ := got.At(x, y).RGBA()
			wr, wg, wb, _ := want.At(x, y).RGBA()
			if max(apart(r, wr), apart(g, wg), apart(b, wb)) > tolerance {
				differ++
			}
		}
	}
	if differ > 0 {
		t.Errorf("got a picture in which %d pixels differ; look at it with -update and git diff", differ)
	}
}

func apart(a, b uint32) int { return max(int(a)-int(b), int(b)-int(a)) }

func TestEqualChartsAreEqualBytes(t *testing.T) {
	if c := examples()["many"]; !bytes.Equal(render(t, c), render(t, c)) {
		t.Error("got two pictures that differ, want one")
	}
}

func TestSenselessChartsAreRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*chart.Chart)
		want   string
	}{
		{"too large", func(c *chart.Chart) { c.Width, c.Height = 5000, 240 }, "5000 × 240 pixels; width and height are 80 to 2400"},
		{"only a width", func(c *chart.Chart) { c.Width = 600 }, "600 × 0 pixels"},
		{"no time", func(c *chart.Chart) { c.To = c.From }, "To must be after From"},
		{"an eternity", func(c *chart.Chart) { c.To = c.From.AddDate(101, 0, 0) }, "more than 100 years"},
		{"theme", func(c *chart.Chart) { c.Theme = 9 }, "unknown theme 9"},
		{"unit", func(c *chart.Chart) { c.Unit = -1 }, "unknown unit -1"},
		{"thresholds", func(c *chart.Chart) { c.Thresholds = make([]chart.Threshold, 9) }, "9 thresholds; draw at most 8"},
		{"points", func(c *chart.Chart) { c.Series[0].Points = make([]chart.Point, chart.MaxPoints+1) }, "use a longer step"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := examples()["latency"]
			test.change(&c)
			err := chart.Render(io.Discard, c)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func BenchmarkRender(b *testing.B) {
	const step = 3600 * time.Millisecond
	c := chart.Chart{
		Title: "QueueTooLong", From: start(), To: start().Add(time.Hour), Unit: chart.Seconds,
		Thresholds: []chart.Threshold{{Value: 1.5}}, Breach: start().Add(50 * time.Minute),
	}
	for i := range 10 {
		c.Series = append(c.Series, chart.Series{Name: fmt.Sprintf("executor-%d", i), Points: walk(uint64(i), 1000, step, 1, 0.8)})
	}
	b.ReportAllocs()
	for b.Loop() {
		render(b, c)
	}
}
