package history_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start of all samples; a multiple of every step used here.
var start = time.Unix(1_800_000_000, 0).UTC()

const step = 15 * time.Second

// world is a database with an engine, as the real ones are.
type world struct {
	db     *tsdb.DB
	engine *promql.Engine
	parser parser.Parser
}

func newWorld(t testing.TB) world {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration, opts.OutOfOrderTimeWindow = 0, time.Hour.Milliseconds()*48
	db, err := tsdb.Open(t.TempDir(), logger, nil, opts, nil)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: p, LookbackDelta: 40 * time.Second, EnableAtModifier: true, EnableNegativeOffset: true})
	t.Cleanup(func() { must(t, engine.Close()) })
	return world{db, engine, p}
}

func (w world) history(t testing.TB, routes func(map[string]string) []history.Route) *history.History {
	t.Helper()
	h, err := history.New(history.Deps{Engine: w.engine, Storage: w.db, Parser: w.parser, Routes: routes})
	must(t, err)
	return h
}

// fill appends values, one for each step; a negative one is missing.
func (w world) fill(t testing.TB, values []float64, series ...string) {
	t.Helper()
	app := w.db.Appender(context.Background())
	for i, v := range values {
		if v >= 0 {
			_, err := app.Append(0, labels.FromStrings(series...), start.Add(time.Duration(i)*step).UnixMilli(), v)
			must(t, err)
		}
	}
	must(t, app.Commit())
}

// replayReal evaluates the rule with Prometheus' own rule manager and returns,
// for each alert, its state at every step.
func (w world) replayReal(t *testing.T, r history.Request) map[string]string {
	t.Helper()
	expr, err := w.parser.ParseExpr(r.Expr)
	must(t, err)
	rule := rules.NewAlertingRule("Backtest", expr, time.Duration(r.For), time.Duration(r.KeepFiringFor),
		labels.FromMap(r.Labels), labels.EmptyLabels(), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	states := map[string]string{}
	n := 0
	for at := r.From; !at.After(r.To); at = at.Add(time.Duration(r.Step)) {
		_, err := rule.Eval(t.Context(), 0, at, rules.EngineQueryFunc(w.engine, w.db), &url.URL{}, 0)
		must(t, err)
		for _, a := range rule.ActiveAlerts() {
			key := a.Labels.String()
			states[key] += strings.Repeat(".", n-len(states[key])) + a.State.String()[:1]
		}
		n++
	}
	for key, s := range states {
		states[key] = strings.TrimRight(s+strings.Repeat(".", n-len(s)), ".")
	}
	return states
}

// firingOnly draws the firing steps of a result in the same way.
func firingOnly(r history.Request, result history.Result) map[string]string {
	states := map[string]string{}
	for _, a := range result.Alerts {
		var line strings.Builder
		for at := r.From; !at.After(r.To); at = at.Add(time.Duration(r.Step)) {
			mark := "."
			for _, i := range a.Intervals {
				if !at.Before(i.From) && (i.To.IsZero() || at.Before(i.To)) {
					mark = "f"
				}
			}
			line.WriteString(mark)
		}
		if s := strings.TrimRight(line.String(), "."); s != "" {
			states[labels.FromMap(a.Labels).String()] = s
		}
	}
	return states
}

// TestBacktestIsWhatTheRuleWouldHaveDone compares with the real rule, over
// random samples with gaps, and more steps than fit one query.
func TestBacktestIsWhatTheRuleWouldHaveDone(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	w := newWorld(t)
	const steps = 1200
	for series := range 4 {
		values := make([]float64, steps)
		v := 5.0
		for i := range values {
			v = max(0, v+r.Float64()*4-2)
			if values[i] = v; r.IntN(40) == 0 {
				values[i] = -1
			}
		}
		w.fill(t, values, "__name__", "load", "series", fmt.Sprint(series))
	}
	h := w.history(t, nil)
	for range 12 {
		request := history.Request{
			Expr:          fmt.Sprintf("load > %d", 4+r.IntN(12)),
			For:           model.Duration(time.Duration(r.IntN(6)) * 10 * time.Second),
			KeepFiringFor: model.Duration(time.Duration(r.IntN(5)) * 20 * time.Second),
			Labels:        map[string]string{"severity": "page"},
			From:          start, To: start.Add(steps * step), Step: model.Duration(step),
		}
		result, err := h.Backtest(t.Context(), request)
		must(t, err)
		want := w.replayReal(t, request)
		for key, s := range want {
			if want[key] = strings.TrimRight(strings.ReplaceAll(s, "p", "."), "."); want[key] == "" {
				delete(want, key)
			}
		}
		if diff := cmp.Diff(want, firingOnly(request, result)); diff != "" {
			t.Fatalf("%+v (-rule manager +backtest):\n%s", request, diff)
		}
	}
}

func TestBacktestCountsAndSuggests(t *testing.T) {
	w := newWorld(t)
	values := make([]float64, 1000)
	for i := range values {
		values[i] = float64(i % 100)
	}
	w.fill(t, values, "__name__", "lag", "job", "klines")
	routes := func(map[string]string) []history.Route {
		return []history.Route{{Receiver: "discord", Group: "all", Wait: time.Second, Interval: time.Minute, Repeat: time.Hour}}
	}
	result, err := w.history(t, routes).Backtest(t.Context(), history.Request{
		Expr: "lag > 89", For: model.Duration(30 * time.Second), From: start, To: start.Add(999 * step), Step: model.Duration(step),
	})
	must(t, err)
	// Ten waves of ten steps above; the first two of each are pending.
	if result.Fired != 10 || result.FiringSeconds != 9*120+7*15 || result.Steps != 1000 {
		t.Errorf("got fired %d for %v s in %d steps, want 10 for %d s in 1000", result.Fired, result.FiringSeconds, result.Steps, 9*120+7*15)
	}
	// The last wave has not ended.
	if want := map[string]int{"discord": 19}; !cmp.Equal(want, result.Messages.ByReceiver) {
		t.Errorf("got messages %v, want %v", result.Messages.ByReceiver, want)
	}
	if th := result.Threshold; th == nil || th.Value != 89 || th.Quantiles["0.5"] < 45 || th.Quantiles["0.5"] > 55 || th.Quantiles["1"] != 99 || th.Expr != "lag" {
		t.Errorf("got threshold %+v", th)
	}
}

func TestBadBacktestsSayWhy(t *testing.T) {
	w := newWorld(t)
	w.fill(t, []float64{1, 1, 1}, "__name__", "a", "job", "x")
	w.fill(t, []float64{1, 1, 1}, "__name__", "b", "job", "x")
	h := w.history(t, nil)
	for _, tc := range []struct{ name, body, want string }{
		{"no JSON", `{`, "unexpected EOF"},
		{"unknown key", `{"query": "up"}`, "unknown field"},
		{"bad expression", `{"expr": "up >"}`, "unexpected end of input"},
		{"range vector", `{"expr": "up[5m]"}`, "a range vector cannot be alerted on"},
		{"no step", `{"expr": "up", "from": "2027-01-15T08:00:00Z", "to": "2027-01-15T09:00:00Z"}`, "step: must be positive"},
		{"no time", `{"expr": "up", "step": "15s"}`, "from must be before to"},
		{"too many steps", `{"expr": "up", "step": "1s", "from": "2027-01-15T08:00:00Z", "to": "2027-02-15T09:00:00Z"}`, "more than 50000 evaluations"},
		{"bad label", `{"expr": "up", "step": "15s", "labels": {"__name__": "x"}, "from": "2027-01-15T08:00:00Z", "to": "2027-01-15T09:00:00Z"}`, "no label name"},
		{"same labels twice", `{"expr": "{job=\"x\"}", "step": "15s", "from": "2027-01-15T08:00:00Z", "to": "2027-01-15T08:01:00Z"}`, "two series have the labels"},
		{"clash of vectors", `{"expr": "{job=\"x\"} * on(job) {job=\"x\"}", "step": "15s", "from": "2027-01-15T08:00:00Z", "to": "2027-01-15T08:01:00Z"}`, "many-to-many"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			h.BacktestHandler().ServeHTTP(rec, httptest.NewRequest("POST", "/", strings.NewReader(tc.body)))
			var got struct{ Status, Error string }
			must(t, json.Unmarshal(rec.Body.Bytes(), &got))
			if rec.Code/100 != 4 || got.Status != "error" || !strings.Contains(got.Error, tc.want) {
				t.Errorf("got %d %+v, want 4xx and %q", rec.Code, got, tc.want)
			}
		})
	}
}

// BenchmarkBacktest is a day at 15 s over 100 series: what the editor asks for
// while somebody types.
func BenchmarkBacktest(b *testing.B) {
	w := newWorld(b)
	r := rand.New(rand.NewPCG(5, 6))
	for series := range 100 {
		values := make([]float64, 24*60*4)
		for i := range values {
			values[i] = r.Float64() * 100
		}
		w.fill(b, values, "__name__", "load", "series", fmt.Sprint(series))
	}
	h := w.history(b, nil)
	for b.Loop() {
		_, err := h.Backtest(b.Context(), history.Request{
			Expr: "load > 99", For: model.Duration(step), From: start, To: start.Add(24 * time.Hour), Step: model.Duration(step),
		})
		must(b, err)
	}
}
