package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestGrafana makes the requests of Grafana's Prometheus data source: queries
// as in pkg/promlib/client/client.go, resources as in
// packages/grafana-prometheus/src/resource_clients.ts, feature detection as in
// pkg/promlib/heuristics.go (github.com/grafana/grafana, read in 2026).
func TestGrafana(t *testing.T) {
	base, _ := newSystem(t).start(t)
	now := time.Now()
	span := url.Values{"start": {fmt.Sprint(now.Add(-time.Hour).Unix())}, "end": {fmt.Sprint(now.Unix())}}
	with := func(pairs ...string) url.Values {
		out := url.Values{}
		for k, v := range span {
			out[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			out.Set(pairs[i], pairs[i+1])
		}
		return out
	}

	for _, tc := range []struct {
		name, method, path string
		params             url.Values
		want               []string
	}{
		{"range query", "POST", "/api/v1/query_range", with("query", "rate(fills_total[1m])", "step", "15", "timeout", "60s"), []string{`"resultType":"matrix"`, `"job":"engine"`}},
		{"instant query", "POST", "/api/v1/query", url.Values{"query": {"fills_total"}, "time": {fmt.Sprint(now.Unix()) + ".5"}}, []string{`"resultType":"vector"`, `"190"`}},
		{"instant query, data source set to GET", "GET", "/api/v1/query", url.Values{"query": {"fills_total"}, "time": {fmt.Sprint(now.Unix())}}, []string{`"190"`}},
		{"health check", "POST", "/api/v1/query", url.Values{"query": {"1+1"}, "time": {"4"}}, []string{`"resultType":"scalar"`, `"2"`}},
		{"native histogram", "POST", "/api/v1/query_range", with("query", "histogram_quantile(0.9, latency_seconds)", "step", "15"), []string{`"resultType":"matrix"`, "engine"}},
		{"exemplars", "POST", "/api/v1/query_exemplars", with("query", "fills_total"), []string{`"trace_id":"t1"`}},
		{"label names", "POST", "/api/v1/labels", with("limit", "40000"), []string{`"job"`, `"instance"`}},
		{"label names of a metric", "POST", "/api/v1/labels", with("match[]", `{__name__="latency_seconds"}`), []string{`["__name__","job"]`}},
		{"metric names", "GET", "/api/v1/label/__name__/values", with("limit", "40000"), []string{`"fills_total"`}},
		{"label values with match[]", "GET", "/api/v1/label/instance/values", with("match[]", `{job="engine"}`), []string{`["e:1"]`}},
		{"label values, escaped UTF-8 name", "GET", "/api/v1/label/U__a_2e_b/values", with(), []string{`"data":[]`}},
		{"series", "POST", "/api/v1/series", with("match[]", "fills_total", "limit", "40000"), []string{`"instance":"e:1"`}},
		{"series, all", "POST", "/api/v1/series", with("match[]", `{__name__!=""}`), []string{"latency_seconds"}},
		{"metadata", "GET", "/api/v1/metadata", url.Values{"limit": {"40000"}}, []string{`"status":"success"`}},
		{"rules", "GET", "/api/v1/rules", nil, []string{`"name":"ManyFills"`, `"state":"firing"`}},
		{"rules, alerts left out", "GET", "/api/v1/rules", url.Values{"exclude_alerts": {"true"}}, []string{`"name":"ManyFills"`}},
		{"alerts", "GET", "/api/v1/alerts", nil, []string{"ManyFills"}},
		{"feature detection", "GET", "/api/v1/status/buildinfo", nil, []string{`"version":"3.15.0"`}},
		{"configuration", "GET", "/api/v1/status/config", nil, []string{`"yaml":"# hedgewatch`}},
		{"query builder", "POST", "/api/v1/parse_query", url.Values{"query": {"rate(fills_total[1m])"}}, []string{`"type":"call"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			target, body, headers := base+tc.path, "", []string(nil)
			if tc.method == http.MethodPost {
				body, headers = tc.params.Encode(), []string{"Content-Type", "application/x-www-form-urlencoded"}
			} else {
				target += "?" + tc.params.Encode()
			}
			got := do(t, tc.method, target, body, headers...)
			if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
				t.Fatalf("got %d %s %s, want 200 and JSON", got.status, got.header.Get("Content-Type"), got.body)
			}
			for _, want := range tc.want {
				if !strings.Contains(got.body, want) {
					t.Errorf("got %s, want something with %s", got.body, want)
				}
			}
		})
	}

	t.Run("no ruler features, or it would be taken for Mimir", func(t *testing.T) {
		if got := do(t, "GET", base+"/api/v1/status/buildinfo", ""); strings.Contains(got.body, "features") {
			t.Errorf("got %s, want no features", got.body)
		}
	})
	t.Run("compressed", func(t *testing.T) {
		got := do(t, "GET", base+"/api/v1/labels", "", "Accept-Encoding", "gzip")
		if e := got.header.Get("Content-Encoding"); e != "gzip" {
			t.Errorf("got encoding %q, want gzip", e)
		}
	})
}
