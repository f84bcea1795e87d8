package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/web/api/v1"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/store"
)

var (
	_ storage.ExemplarQueryable = (*store.Store)(nil)
	_ v1.TSDBAdminStats         = (*store.Store)(nil)
)

// ingestDir makes the test binary ingest until it is killed.
const ingestDir = "HEDGEWATCH_TEST_INGEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ingestDir); dir != "" {
		ingestForever(dir)
	}
	goleak.VerifyTestMain(m,
		// Clients of tests keep connections for a while; their owner is net/http.
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		// Started by an init of a library of a library.
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

// running is a Store in its Run.
type running struct {
	*store.Store
	t    testing.TB
	reg  *prometheus.Registry
	log  *logBuffer
	stop func() error
}

// logBuffer collects log lines of several goroutines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.buf.String(), text)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func parse(t testing.TB, yaml string) *promconfig.Config {
	t.Helper()
	cfg, err := promconfig.Load(yaml, promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// start runs a Store in dir and waits until it is ready. ReserveBytes is off
// unless cfg sets it, to keep tests small.
func start(t testing.TB, cfg store.Config, yaml string) *running {
	t.Helper()
	if cfg.ReserveBytes == 0 {
		cfg.ReserveBytes = -1
	}
	r := &running{t: t, reg: prometheus.NewRegistry(), log: &logBuffer{}}
	logger := slog.New(slog.NewTextHandler(r.log, nil))
	s, err := store.New(cfg, parse(t, yaml), store.Deps{Logger: logger, Registerer: r.reg})
	if err != nil {
		t.Fatal(err)
	}
	r.Store = s
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Run returned %v", err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	})
	select {
	case <-s.Ready():
	case err := <-done:
		done <- err
		t.Fatalf("Run ended before the store was ready: %v\n%s", err, r.log)
	case <-time.After(time.Minute):
		t.Fatalf("store is not ready after a minute\n%s", r.log)
	}
	return r
}

// append commits one sample.
func (r *running) append(name string, at int64, v float64) error {
	app := r.Appender(context.Background())
	if _, err := app.Append(0, labels.FromStrings(model.MetricNameLabel, name), at, v); err != nil {
		return errors.Join(err, app.Rollback())
	}
	return app.Commit()
}

func (r *running) mustAppend(name string, at int64, v float64) {
	r.t.Helper()
	if err := r.append(name, at, v); err != nil {
		r.t.Fatal(err)
	}
}

// query evaluates expr at a time in milliseconds. A series without labels is
// printed as its bare name.
func (r *running) query(expr string, at int64) string {
	r.t.Helper()
	return r.queryWith(r.Store, expr, at)
}

func (r *running) queryWith(q storage.Queryable, expr string, at int64) string {
	r.t.Helper()
	qry, err := r.Engine().NewInstantQuery(context.Background(), q, nil, expr, time.UnixMilli(at))
	if err != nil {
		r.t.Fatal(err)
	}
	defer qry.Close()
	res := qry.Exec(context.Background())
	if res.Err != nil {
		return "error: " + res.Err.Error()
	}
	return strings.NewReplacer(`{__name__="`, "", `"}`, "").Replace(res.Value.String())
}

// count is how many samples expr's series have at all.
func (r *running) count(selector string, until int64) int {
	r.t.Helper()
	qry, err := r.Engine().NewInstantQuery(context.Background(), r.Store, nil,
		fmt.Sprintf("sum(count_over_time(%s[30d]))", selector), time.UnixMilli(until))
	if err != nil {
		r.t.Fatal(err)
	}
	defer qry.Close()
	vec, err := qry.Exec(context.Background()).Vector()
	if err != nil {
		r.t.Fatal(err)
	}
	if len(vec) == 0 {
		return 0
	}
	return int(vec[0].F)
}

func (r *running) gauge(name string, labelPairs ...string) float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	want := map[string]string{}
	for i := 0; i < len(labelPairs); i += 2 {
		want[labelPairs[i]] = labelPairs[i+1]
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			got := map[string]string{}
			for _, l := range m.GetLabel() {
				got[l.GetName()] = l.GetValue()
			}
			if cmp.Equal(got, want) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return math.NaN()
}

func TestStoreKeepsEveryKindOfSampleOverARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tsdb")
	const yaml = "storage: {tsdb: {out_of_order_time_window: 10m}}"
	now := time.Now().UnixMilli()
	h := &histogram.Histogram{
		Schema: 1, Count: 3, Sum: 6, ZeroThreshold: 0.001,
		PositiveSpans: []histogram.Span{{Offset: 0, Length: 1}}, PositiveBuckets: []int64{3},
	}
	fh := h.ToFloat(nil)

	r := start(t, store.Config{Dir: dir}, yaml)
	app := r.Appender(t.Context())
	for _, err := range []error{
		second(app.Append(0, labels.FromStrings(model.MetricNameLabel, "f"), now, 1)),
		second(app.AppendHistogram(0, labels.FromStrings(model.MetricNameLabel, "h"), now, h, nil)),
		second(app.AppendHistogram(0, labels.FromStrings(model.MetricNameLabel, "fh"), now, nil, fh)),
		second(app.AppendExemplar(0, labels.FromStrings(model.MetricNameLabel, "f"),
			exemplar.Exemplar{Labels: labels.FromStrings("trace", "1"), Value: 1, Ts: now, HasTs: true})),
		app.Commit(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	v2 := r.AppenderV2(t.Context())
	for _, err := range []error{
		second(v2.Append(0, labels.FromStrings(model.MetricNameLabel, "v2"), 0, now, 2, nil, nil, storage.AOptions{})),
		v2.Commit(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r.mustAppend("f", now-60_000, 7) // Out of order.

	check := func(r *running) {
		t.Helper()
		for expr, want := range map[string]string{
			`f`:                    fmt.Sprintf(`f => 1 @[%d]`, now),
			`v2`:                   fmt.Sprintf(`v2 => 2 @[%d]`, now),
			`histogram_count(h)`:   fmt.Sprintf(`{} => 3 @[%d]`, now),
			`histogram_sum(fh)`:    fmt.Sprintf(`{} => 6 @[%d]`, now),
			`f offset 1m`:          fmt.Sprintf(`f => 7 @[%d]`, now),
			`max_over_time(f[5m])`: fmt.Sprintf(`{} => 7 @[%d]`, now),
		} {
			if got := r.query(expr, now); got != want {
				t.Errorf("query %s: got %s, want %s", expr, got, want)
			}
		}
		eq, err := r.ExemplarQuerier(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := eq.Select(now-1, now+1, []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "f")})
		if err != nil || len(got) != 1 || len(got[0].Exemplars) != 1 {
			t.Errorf("got exemplars %v, %v, want one", got, err)
		}
	}
	check(r)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, store.Config{Dir: dir}, yaml)
	check(r)
	if got := r.Quarantined(); len(got) != 0 {
		t.Errorf("got quarantined %v, want none", got)
	}
}

func second[T any](_ T, err error) error { return err }

func TestStoreRefusesBeforeItIsReadyAndAfterItStopped(t *testing.T) {
	s, err := store.New(store.Config{Dir: t.TempDir(), ReserveBytes: -1}, parse(t, ""), store.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	checkNotReady(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	r := start(t, store.Config{Dir: t.TempDir()}, "")
	if err := r.Close(); err == nil {
		t.Error("Close of a running store succeeded, want an error")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	checkNotReady(t, r.Store)
	if got := r.gauge("hedgewatch_store_append_failures_total", "reason", "not_ready"); got != 2 {
		t.Errorf("got %v failures counted, want 2", got)
	}
}

func checkNotReady(t *testing.T, s *store.Store) {
	t.Helper()
	app, v2 := s.Appender(t.Context()), s.AppenderV2(t.Context())
	_, stats := s.Stats("", 1)
	_, metas := s.BlockMetas()
	for what, err := range map[string]error{
		"append":           second(app.Append(0, labels.FromStrings("a", "b"), 1, 1)),
		"append histogram": second(app.AppendHistogram(0, labels.EmptyLabels(), 1, nil, nil)),
		"commit":           app.Commit(),
		"append v2":        second(v2.Append(0, labels.EmptyLabels(), 0, 1, 1, nil, nil, storage.AOptions{})),
		"querier":          second(s.Querier(0, 1)),
		"chunk querier":    second(s.ChunkQuerier(0, 1)),
		"local querier":    second(s.Local().Querier(0, 1)),
		"exemplar querier": second(s.ExemplarQuerier(t.Context())),
		"start time":       second(s.StartTime()),
		"stats":            stats,
		"blocks":           metas,
		"delete":           s.Delete(t.Context(), 0, 1),
		"clean":            s.CleanTombstones(),
		"snapshot":         s.Snapshot(t.TempDir(), true),
	} {
		if !errors.Is(err, tsdb.ErrNotReady) {
			t.Errorf("%s: got %v, want tsdb.ErrNotReady", what, err)
		}
	}
}

func TestStoreServesTheAdminAPI(t *testing.T) {
	r := start(t, store.Config{Dir: t.TempDir()}, "")
	now := time.Now().UnixMilli()
	r.mustAppend("kept", now, 1)
	r.mustAppend("dropped", now, 1)

	stats, err := r.Stats(model.MetricNameLabel, 10)
	if err != nil || stats.NumSeries != 2 {
		t.Errorf("got stats %+v, %v, want 2 series", stats, err)
	}
	if err := r.Delete(t.Context(), 0, math.MaxInt64, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "dropped")); err != nil {
		t.Fatal(err)
	}
	if err := r.CleanTombstones(); err != nil {
		t.Fatal(err)
	}
	if got := r.query(`count({__name__=~".+"})`, now); got != fmt.Sprintf("{} => 1 @[%d]", now) {
		t.Errorf("after Delete got %s, want one series", got)
	}
	snapshot := filepath.Join(t.TempDir(), "snapshot")
	if err := r.Snapshot(snapshot, true); err != nil {
		t.Fatal(err)
	}
	copied := start(t, store.Config{Dir: snapshot}, "")
	if got := copied.query("kept", now); !strings.HasPrefix(got, "kept => 1 ") {
		t.Errorf("the snapshot answers %q, want the sample", got)
	}
	if metas, err := copied.BlockMetas(); err != nil || len(metas) != 1 {
		t.Errorf("got blocks %v, %v, want one", metas, err)
	}
	if _, err := r.WALReplayStatus(); err != nil {
		t.Error(err)
	}
}

func TestNewRefusesWhatItCannotUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	foreign := t.TempDir()
	write(t, filepath.Join(foreign, "diary.txt"), "dear diary")
	for _, tc := range []struct {
		name string
		cfg  store.Config
		yaml string
		want string
	}{
		{"no directory", store.Config{}, "", "set --storage.path"},
		{"file in place of directory", store.Config{Dir: file}, "", "is a file; move it away"},
		{"directory below a file", store.Config{Dir: filepath.Join(file, "tsdb")}, "", "not a directory"},
		{"foreign directory", store.Config{Dir: foreign}, "", `not a time series database: it holds "diary.txt"`},
		{"block durations", store.Config{Dir: "x", MinBlockDuration: 2, MaxBlockDuration: 1}, "", "shorter than the minimum"},
		{
			"unreadable certificate",
			store.Config{},
			"remote_write: [{url: 'http://127.0.0.1:1/', tls_config: {ca_file: /nowhere/ca.pem}}]", "/nowhere/ca.pem",
		},
		{
			"same remote write twice",
			store.Config{},
			"remote_write: [{url: 'http://u:secret@127.0.0.1:1/'}, {url: 'http://u:secret@127.0.0.1:1/'}]", "twice",
		},
		{"query log", store.Config{}, "global: {query_log_file: /nowhere/query.log}", "global.query_log_file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.cfg.Dir == "" && tc.yaml != "" {
				tc.cfg.Dir = t.TempDir()
			}
			s, err := store.New(tc.cfg, parse(t, tc.yaml), store.Deps{})
			if err == nil {
				_ = s.Close()
				t.Fatalf("got no error, want %q", tc.want)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %q, want %q in it", err, tc.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

func TestNewNamesTheProcessThatHoldsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	first := start(t, store.Config{Dir: dir}, "")
	_, err := store.New(store.Config{Dir: dir}, parse(t, ""), store.Deps{})
	if err == nil {
		t.Fatal("two stores in one directory")
	}
	for _, want := range []string{dir, fmt.Sprintf("held by process %d", os.Getpid()), "stop that process"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	start(t, store.Config{Dir: dir}, "")
}

func TestReloadAppliesAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	queryLog := filepath.Join(dir, "query.log")
	r := start(t, store.Config{Dir: t.TempDir()}, "")
	now := time.Now().UnixMilli()
	r.mustAppend("f", now, 1)
	if err := r.append("f", now-60_000, 1); !errors.Is(err, storage.ErrOutOfOrderSample) {
		t.Fatalf("got %v, want ErrOutOfOrderSample", err)
	}
	retention := func() float64 { return r.gauge("prometheus_tsdb_retention_limit_seconds") }
	if got, want := retention(), store.DefaultRetention.Seconds(); got != want {
		t.Errorf("got retention %v, want %v", got, want)
	}

	good := `
global: {query_log_file: ` + queryLog + `}
storage:
  exemplars: {max_exemplars: 5}
  tsdb:
    out_of_order_time_window: 1h
    retention: {time: 1d, size: 1GB}
`
	if _, err := r.Prepare(parse(t, good+"remote_read: [{url: 'http://127.0.0.1:1/', tls_config: {ca_file: /nowhere/ca.pem}}]\n")); err == nil {
		t.Fatal("a bad configuration was accepted")
	}
	if got, want := retention(), store.DefaultRetention.Seconds(); got != want {
		t.Errorf("after a refused reload got retention %v, want %v", got, want)
	}
	commit, err := r.Prepare(parse(t, good))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.gauge("prometheus_tsdb_exemplar_max_exemplars"); got != store.DefaultMaxExemplars {
		t.Errorf("before commit got %v exemplars, want %v", got, store.DefaultMaxExemplars)
	}
	commit()
	if got, want := retention(), (24 * time.Hour).Seconds(); got != want {
		t.Errorf("got retention %v, want %v", got, want)
	}
	if got := r.gauge("prometheus_tsdb_retention_limit_bytes"); got != 1<<30 {
		t.Errorf("got retention %v bytes, want 1 GiB", got)
	}
	if got := r.gauge("prometheus_tsdb_exemplar_max_exemplars"); got != 5 {
		t.Errorf("got %v exemplars, want 5", got)
	}
	r.mustAppend("f", now-60_000, 1)
	if got := r.query("f", now); !strings.HasPrefix(got, "f => 1") {
		t.Errorf("got %s, want the sample", got)
	}
	if b, err := os.ReadFile(queryLog); err != nil || !bytes.Contains(b, []byte(`"query":"f"`)) {
		t.Errorf("got query log %q, %v, want the query", b, err)
	}

	// Back to what the flags say.
	if commit, err = r.Prepare(parse(t, "")); err != nil {
		t.Fatal(err)
	}
	commit()
	if got, want := retention(), store.DefaultRetention.Seconds(); got != want {
		t.Errorf("got retention %v, want %v", got, want)
	}
}

func TestReloadBeforeReadyTakesEffectWhenTheStoreOpens(t *testing.T) {
	reg := prometheus.NewRegistry()
	s, err := store.New(store.Config{Dir: t.TempDir(), ReserveBytes: -1}, parse(t, ""), store.Deps{Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	commit, err := s.Prepare(parse(t, "storage: {tsdb: {retention: {size: 7MB}}}"))
	if err != nil {
		t.Fatal(err)
	}
	commit()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	const want = `
# HELP prometheus_tsdb_retention_limit_bytes Max number of bytes to be retained in the tsdb blocks, configured 0 means disabled
# TYPE prometheus_tsdb_retention_limit_bytes gauge
prometheus_tsdb_retention_limit_bytes 7.340032e+06
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "prometheus_tsdb_retention_limit_bytes"); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestQueryLimitsHold(t *testing.T) {
	r := start(t, store.Config{Dir: t.TempDir(), Query: store.QueryConfig{MaxSamples: 1, Timeout: time.Minute}}, "")
	now := time.Now().UnixMilli()
	r.mustAppend("a", now, 1)
	r.mustAppend("b", now, 1)
	if got := r.query(`{__name__=~"a|b"}`, now); !strings.Contains(got, "too many samples") {
		t.Errorf("got %s, want too many samples", got)
	}
	if _, err := r.Parser().ParseExpr("limitk(1, a)"); err == nil {
		t.Error("an experimental aggregation was parsed although it is off")
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
