package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	promclient "github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// TestClientLibrary calls every method of client_golang's API client, which
// promtool and many other programs are built on.
func TestClientLibrary(t *testing.T) {
	base, _ := newSystem(t).start(t)
	client, err := promclient.NewClient(promclient.Config{Address: base})
	must(t, err)
	c := v1.NewAPI(client)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	now := time.Now()
	hour := now.Add(-time.Hour)

	for _, tc := range []struct {
		name string
		call func() (any, error)
		want string // part of the answer
	}{
		{"Query", func() (any, error) { v, _, err := c.Query(ctx, "fills_total", now); return v, err }, "190"},
		{"QueryRange", func() (any, error) {
			v, _, err := c.QueryRange(ctx, "rate(fills_total[1m])", v1.Range{Start: hour, End: now, Step: 15 * time.Second})
			return v, err
		}, "engine"},
		{"QueryExemplars", func() (any, error) { return c.QueryExemplars(ctx, "fills_total", hour, now) }, "t1"},
		{"Series", func() (any, error) { v, _, err := c.Series(ctx, []string{"fills_total"}, hour, now); return v, err }, "e:1"},
		{"LabelNames", func() (any, error) { v, _, err := c.LabelNames(ctx, nil, hour, now); return v, err }, "instance"},
		{"LabelValues", func() (any, error) {
			v, _, err := c.LabelValues(ctx, "__name__", nil, hour, now)
			return v, err
		}, "latency_seconds"},
		{"Alerts", func() (any, error) { return c.Alerts(ctx) }, "ManyFills"},
		{"Rules", func() (any, error) { return c.Rules(ctx, nil) }, "job:fills:sum"},
		{"AlertManagers", func() (any, error) { return c.AlertManagers(ctx) }, ""},
		{"Targets", func() (any, error) { return c.Targets(ctx) }, "127.0.0.1:1"},
		{"TargetsMetadata", func() (any, error) { return c.TargetsMetadata(ctx, "", "", "") }, ""},
		{"Metadata", func() (any, error) { return c.Metadata(ctx, "", "") }, ""},
		{"Config", func() (any, error) { return c.Config(ctx) }, "# hedgewatch"},
		{"Flags", func() (any, error) { return c.Flags(ctx) }, "web.listen-address"},
		{"Buildinfo", func() (any, error) { return c.Buildinfo(ctx) }, `Version:"3.15.0"`},
		{"Runtimeinfo", func() (any, error) { return c.Runtimeinfo(ctx) }, "GoroutineCount"},
		{"TSDB", func() (any, error) { return c.TSDB(ctx) }, "fills_total"},
		{"TSDBBlocks", func() (any, error) { return c.TSDBBlocks(ctx) }, ""},
		{"WalReplay", func() (any, error) { return c.WalReplay(ctx) }, "Current:1"},
		{"FormatQuery", func() (any, error) { return c.FormatQuery(ctx, "sum(fills_total)by(job)") }, "sum by (job)"},
		{"Snapshot", func() (any, error) { return c.Snapshot(ctx, false) }, "Name"},
		{"DeleteSeries", func() (any, error) { return nil, c.DeleteSeries(ctx, []string{"fills_total"}, hour, now) }, ""},
		{"CleanTombstones", func() (any, error) { return nil, c.CleanTombstones(ctx) }, ""},
		{"Query after DeleteSeries", func() (any, error) {
			v, _, err := c.Query(ctx, "count(fills_total) or vector(0)", now)
			return v, err
		}, "0 @"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.call()
			must(t, err)
			if text := render(got); !strings.Contains(text, tc.want) {
				t.Errorf("got %s, want something with %q", text, tc.want)
			}
		})
	}
}
