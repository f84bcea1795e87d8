package graph

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/chart"
	"github.com/hedgewatch/hedgewatch/internal/receiver"
	"github.com/hedgewatch/hedgewatch/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// platform is an hour of four executors in a real store: the latency of the
// third is ten times as high from twenty minutes ago.
type platform struct {
	*Source
	now, breach time.Time
}

func newPlatform(t testing.TB) platform {
	t.Helper()
	s := startStore(t)
	p := platform{now: time.Now().Truncate(time.Second)}
	p.breach = p.now.Add(-20 * time.Minute)
	app := s.Appender(t.Context())
	for at := p.now.Add(-70 * time.Minute); !at.After(p.now); at = at.Add(5 * time.Second) {
		for i := range 4 {
			v := 0.05 + 0.01*float64(i)
			if i == 2 && !at.Before(p.breach) {
				v *= 10
			}
			series := labels.FromStrings(model.MetricNameLabel, "order_latency_seconds", "instance", fmt.Sprintf("executor-%d", i), "venue", "spot")
			if _, err := app.Append(0, series, at.UnixMilli(), v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	p.Source = New(Deps{Engine: s.Engine(), Storage: s, Parser: s.Parser(), Zone: time.UTC}, chart.Dark)
	return p
}

func startStore(t testing.TB) *store.Store {
	t.Helper()
	prom, err := promconfig.Load("", promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.New(store.Config{Dir: t.TempDir(), ReserveBytes: -1}, prom, store.Deps{
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-s.Ready():
	case <-time.After(30 * time.Second):
		t.Fatal("the store is not ready after 30 s")
	}
	return s
}

func (p platform) alert(expr string, startsAt time.Time, set model.LabelSet) *alert.Alert {
	a := &alert.Alert{}
	a.Labels = set.Merge(model.LabelSet{"alertname": "OrderLatencyHigh", "severity": "critical"})
	a.StartsAt = startsAt
	a.GeneratorURL = "http://hedgewatch.example/graph?g0.expr=" + url.QueryEscape(expr) + "&g0.tab=1"
	return a
}

func TestChartShowsTheSeriesOfTheAlert(t *testing.T) {
	p := newPlatform(t)
	third := model.LabelSet{"instance": "executor-2", "venue": "spot"}
	fired := p.breach.Add(5 * time.Minute)
	for _, test := range []struct {
		name, expr string
		labels     model.LabelSet
		want       []string
		thresholds []chart.Threshold
		unit       chart.Unit
		breach     time.Time
	}{
		{
			name: "one of many, breached before it fired", expr: "order_latency_seconds > 500e-3", labels: third,
			want:       []string{"order_latency_seconds"},
			thresholds: []chart.Threshold{{Value: 0.5}}, unit: chart.Seconds, breach: p.breach,
		},
		{
			name: "the limit is computed, and stands on the left", expr: "2 * 0.25 < order_latency_seconds", labels: third,
			want:       []string{"order_latency_seconds"},
			thresholds: []chart.Threshold{{Value: 0.5}}, unit: chart.Seconds, breach: p.breach,
		},
		{
			name: "rewritten labels get all series", expr: "order_latency_seconds < 1", labels: model.LabelSet{"instance": "renamed"},
			want:       []string{"executor-0", "executor-1", "executor-2", "executor-3"},
			thresholds: []chart.Threshold{{Value: 1, Side: chart.Below}}, unit: chart.Seconds, breach: fired,
		},
		{
			name: "an aggregate", expr: `max by (venue) (order_latency_seconds) > 0.5 and on () vector(1)`, labels: third,
			want:       []string{"max by (venue) (order_latency_seconds)"},
			thresholds: []chart.Threshold{{Value: 0.5}}, unit: chart.Seconds, breach: p.breach,
		},
		{
			name: "no comparison", expr: "count(order_latency_seconds)",
			want: []string{"count(order_latency_seconds)"}, breach: fired,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := p.chart(t.Context(), p.alert(test.expr, fired, test.labels), test.expr, p.now)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range c.Series {
				names = append(names, s.Name)
				if n := len(s.Points); n < 700 {
					t.Errorf("%s has %d points, want one for each 5 s of an hour", s.Name, n)
				}
			}
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Errorf("series, -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.thresholds, c.Thresholds); diff != "" {
				t.Errorf("thresholds, -want +got:\n%s", diff)
			}
			if c.Unit != test.unit {
				t.Errorf("got unit %d, want %d", c.Unit, test.unit)
			}
			if !c.Breach.Equal(test.breach) {
				t.Errorf("got the breach at %s, want %s", c.Breach, test.breach)
			}
		})
	}
}

func TestDrawnInTime(t *testing.T) {
	p := newPlatform(t)
	request := receiver.GraphRequest{
		Alert: p.alert("order_latency_seconds > 0.5", p.breach, model.LabelSet{"instance": "executor-2", "venue": "spot"}),
		Width: 600, Height: 240,
	}
	started := time.Now()
	picture, err := p.Draw(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes in %s", len(picture), time.Since(started))
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	if size := img.Bounds().Size(); size.X != 600 || size.Y != 240 {
		t.Errorf("got a picture of %s, want 600 × 240", size)
	}
}

func TestWhatHasNoPicture(t *testing.T) {
	p := newPlatform(t)
	for _, test := range []struct {
		name, generator, want string
	}{
		{"an event", "", ""},
		{"another source's link", "https://grafana.example/d/abc", ""},
		{"no link at all", "\x7f://", ""},
		{"unknown series", "/graph?g0.expr=nothing+%3E+1", ""},
		{"broken expression", "/graph?g0.expr=sum(", "parse error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := p.alert("", p.now, nil)
			a.GeneratorURL = test.generator
			picture, err := p.Draw(t.Context(), receiver.GraphRequest{Alert: a, Width: 600, Height: 240})
			if picture != nil {
				t.Errorf("got a picture of %d bytes, want none", len(picture))
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
}

func TestACrowdOfSeriesIsRefused(t *testing.T) {
	s := startStore(t)
	app := s.Appender(t.Context())
	for i := range maxSeries + 1 {
		series := labels.FromStrings(model.MetricNameLabel, "lag_seconds", "symbol", fmt.Sprint(i))
		if _, err := app.Append(0, series, time.Now().UnixMilli(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	p := platform{Source: New(Deps{Engine: s.Engine(), Storage: s, Parser: s.Parser()}, chart.Light)}
	a := p.alert("lag_seconds > 0", time.Now(), nil)
	_, err := p.Draw(t.Context(), receiver.GraphRequest{Alert: a})
	if err == nil || !strings.Contains(err.Error(), "5001 series; 5000 can be drawn") {
		t.Errorf("got %v, want an error that counts the series", err)
	}
}

func TestUnitsOfExpressions(t *testing.T) {
	for expr, want := range map[string]chart.Unit{
		`histogram_quantile(0.99, sum by (le) (rate(order_latency_seconds_bucket[5m])))`: chart.Seconds,
		`time() - last_tick_timestamp_seconds`:                                           chart.Seconds,
		`last_tick_timestamp_seconds`:                                                    chart.Short,
		`sum(node_memory_MemAvailable_bytes)`:                                            chart.Bytes,
		`100 * (1 - a / b)`:                                                              chart.Percent,
		`{__name__="cache_hit_ratio"}`:                                                   chart.Ratio,
		`max_over_time(queue_milliseconds[5m:10s])`:                                      chart.Milliseconds,
		`rate(process_cpu_seconds_total[1m])`:                                            chart.Short,
		`count(order_latency_seconds)`:                                                   chart.Short,
		`-up`:                                                                            chart.Short,
	} {
		parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := unitOf(parsed); got != want {
			t.Errorf("unit of %s is %d, want %d", expr, got, want)
		}
	}
}
