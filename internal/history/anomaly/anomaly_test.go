package anomaly_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/hedgewatch/hedgewatch/internal/history"
	"github.com/hedgewatch/hedgewatch/internal/history/anomaly"
)

// stored returns Anomalies over series of five weeks, one sample each five
// minutes; a negative value is none.
func stored(t *testing.T, series map[string]func(at time.Duration) float64) *anomaly.Anomalies {
	t.Helper()
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = 0
	opts.MinBlockDuration, opts.MaxBlockDuration = (2000 * time.Hour).Milliseconds(), (2000 * time.Hour).Milliseconds()
	db, err := tsdb.Open(t.TempDir(), slog.New(slog.DiscardHandler), nil, opts, nil)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	for name, f := range series {
		app := db.Appender(context.Background())
		for at := time.Duration(0); at < 35*day; at += 5 * time.Minute {
			if v := f(at); v >= 0 {
				_, err := app.Append(0, labels.FromStrings("__name__", "flow", "name", name), monday.Add(at).UnixMilli(), v)
				must(t, err)
			}
		}
		must(t, app.Commit())
	}
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: p, LookbackDelta: 5 * time.Minute})
	t.Cleanup(func() { must(t, engine.Close()) })
	h, err := history.New(history.Deps{Engine: engine, Storage: db, Parser: p})
	must(t, err)
	return anomaly.New(h)
}

func TestReportTellsWhatWasSeenAndWhatWasExpected(t *testing.T) {
	usual := dayAndNight(rand.New(rand.NewPCG(3, 3)))
	flood := 33*day + 12*time.Hour
	a := stored(t, map[string]func(time.Duration) float64{
		"quiet": usual,
		"flood": func(at time.Duration) float64 {
			switch at - flood {
			case 0, 10 * time.Minute:
				return 300
			case 5 * time.Minute, 30 * time.Minute:
				return 400
			}
			return usual(at)
		},
		"busy night": func(at time.Duration) float64 {
			if at >= 30*day && at < 30*day+6*time.Hour {
				return 90
			}
			return usual(at)
		},
		"young": func(at time.Duration) float64 {
			if at < 34*day {
				return -1
			}
			return usual(at)
		},
	})
	r, err := a.Report(t.Context(), anomaly.Request{Expr: "flow", To: monday.Add(35*day - 5*time.Minute)})
	must(t, err)
	if r.Quiet != 1 || r.Unknown != 1 || len(r.Series) != 2 {
		t.Fatalf("got %+v, want one quiet, one unknown and two with anomalies", r)
	}
	for i := range r.Series {
		for j := range r.Series[i].Anomalies {
			e := &r.Series[i].Anomalies[j].Expected
			if e.Low > 5 || e.High < 15 || e.High > 130 {
				t.Errorf("got %+v as expected", *e)
			}
			*e = anomaly.Band{}
		}
	}
	name := func(s string) map[string]string { return map[string]string{"__name__": "flow", "name": s} }
	want := []anomaly.Series{
		{Labels: name("flood"), Anomalies: []anomaly.Anomaly{{From: monday.Add(flood), To: monday.Add(flood + 30*time.Minute), Value: 400, Never: true}}},
		{Labels: name("busy night"), Anomalies: []anomaly.Anomaly{{From: monday.Add(30*day + 4*time.Hour), To: monday.Add(30*day + 5*time.Hour + 55*time.Minute), Value: 90}}},
	}
	if diff := cmp.Diff(want, r.Series); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBadRequestsSayWhy(t *testing.T) {
	h := stored(t, nil).Handler()
	for query, want := range map[string]string{
		"":                                "expr: an expression is needed",
		"expr=up[5m]":                     "expr: ",
		"expr=up%20%3E":                   "expr: ",
		"expr=up&range=90d":               "range: 90d is not between 1h and 4w",
		"expr=up&range=week":              "range: \\\"week\\\" is no duration",
		"expr=up&step=1s":                 "step: 1s is not between 1m and 30m",
		"expr=up&to=yesterday":            "to: \\\"yesterday\\\" is no time",
		"expr=up&to=2999-01-01T00:00:00Z": "is in the future",
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/?"+query, nil))
		if rec.Code != 422 || !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s: got %d %s, want %s", query, rec.Code, rec.Body, want)
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/?expr=up", nil))
	if rec.Code != 200 || !json.Valid(rec.Body.Bytes()) {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}
