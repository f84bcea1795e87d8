package chart_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/chart"
)

// FuzzRender draws any points: thirteen bytes each, for the series, the time and
// the value.
func FuzzRender(f *testing.F) {
	point := func(series byte, millis int32, v float64) []byte {
		b := append([]byte{series}, make([]byte, 0, 12)...)
		b = binary.BigEndian.AppendUint32(b, uint32(millis))
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	}
	var extremes []byte
	for i, v := range []float64{
		0, 1, -1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64,
		math.SmallestNonzeroFloat64, 1e15, 1e15 + 0.125, math.Copysign(0, -1),
	} {
		extremes = append(extremes, point(0, int32(i)*1000, v)...)
	}
	f.Add("Title", extremes, 600, 240, int64(3_600_000), 0.5)
	f.Add("\xff\x00\n…", point(3, 500, 42), 80, 80, int64(1), math.Inf(1))
	f.Add(strings.Repeat("wide ", 300), []byte(nil), 2400, 81, int64(100*365*86_400_000), math.NaN())
	f.Add("small", append(point(1, 0, 1e-320), point(1, 1, 2e-320)...), 100, 100, int64(2), 1e-322)
	f.Fuzz(func(t *testing.T, title string, data []byte, width, height int, millis int64, threshold float64) {
		if width > 700 || height > 400 {
			width, height = width%700, height%400 // More of the same takes longer.
		}
		from := time.Unix(1_790_000_000, 0)
		c := chart.Chart{
			Title: title, Width: width, Height: height, From: from, To: from.Add(time.Duration(millis) * time.Millisecond),
			Theme:      chart.Theme(len(title) % 2),
			Unit:       chart.Unit(len(title) % 6),
			Breach:     from.Add(time.Duration(len(data)) * time.Second),
			Thresholds: []chart.Threshold{{Value: threshold, Side: chart.Side(len(data) % 3)}, {Value: 1}},
			Series:     make([]chart.Series, min(len(data), 30)),
		}
		const size = 1 + 4 + 8
		for ; len(data) >= size; data = data[size:] {
			s := &c.Series[int(data[0])%len(c.Series)]
			s.Name = title
			s.Points = append(s.Points, chart.Point{
				At:    from.Add(time.Duration(int32(binary.BigEndian.Uint32(data[1:]))) * time.Millisecond),
				Value: math.Float64frombits(binary.BigEndian.Uint64(data[5:])),
			})
		}
		var b bytes.Buffer
		if err := chart.Render(&b, c); err != nil {
			return // The chart makes no sense, and that was told.
		}
		want := image.Pt(width, height)
		if want == (image.Point{}) {
			want = image.Pt(chart.DefaultWidth, chart.DefaultHeight)
		}
		if got := decode(t, b.Bytes()).Bounds().Size(); got != want {
			t.Errorf("got a picture of %s, want %s", got, want)
		}
	})
}
