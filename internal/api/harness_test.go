package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/tsdbutil"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/state"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Linked by way of the OpenCensus and klog dependencies of the embedded libraries.
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		goleak.IgnoreTopFunction("k8s.io/klog/v2.(*flushDaemon).run.func1"),
	)
}

// database is a TSDB with the administration that the API asks for.
type database struct{ *tsdb.DB }

func (d database) Stats(label string, limit int) (*tsdb.Stats, error) {
	return d.Head().Stats(label, limit), nil
}

func (d database) BlockMetas() ([]tsdb.BlockMeta, error) { return d.DB.BlockMetas(), nil }

func (database) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return tsdb.WALReplayStatus{Min: 0, Max: 1, Current: 1}, nil
}

const testConfig = `
global:
  scrape_interval: 1s
  external_labels: {site: lab}
scrape_configs:
  - job_name: self
    static_configs: [{targets: ['127.0.0.1:1']}]
`

const testRules = `
groups:
  - name: trading
    rules:
      - record: job:fills:sum
        expr: sum by (job) (fills_total)
      - alert: ManyFills
        expr: fills_total > 100
        labels: {severity: page}
`

// system is a server before real parts.
type system struct {
	cfg     api.Config
	deps    api.Deps
	db      *tsdb.DB
	dir     string
	reg     *prometheus.Registry
	waiting error // what Ready answers
	reloads int
	reload  error
	quits   int
}

// newSystem builds the parts and fills the database: fills_total with 20
// samples, an exemplar and a target each, latency_seconds as a native
// histogram, and a series that has ended.
func newSystem(t testing.TB) *system {
	t.Helper()
	s := &system{dir: t.TempDir(), reg: prometheus.NewRegistry()}
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))

	opts := tsdb.DefaultOptions()
	opts.EnableExemplarStorage, opts.MaxExemplars = true, 100
	db, err := tsdb.Open(filepath.Join(s.dir, "tsdb"), logger, s.reg, opts, nil)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	s.db = db
	fill(t, db)

	cfg, err := promconfig.Load(testConfig, logger)
	must(t, err)
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: logger, Reg: s.reg, MaxSamples: 1e6, Timeout: time.Minute, Parser: p,
		LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
	})
	t.Cleanup(func() { must(t, engine.Close()) })

	rulesFile := filepath.Join(s.dir, "rules.yml")
	must(t, os.WriteFile(rulesFile, []byte(testRules), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	manager := rules.NewManager(&rules.ManagerOptions{
		Context: ctx, Logger: logger, Registerer: s.reg, Queryable: db, Appendable: db, Parser: p,
		QueryFunc: rules.EngineQueryFunc(engine, db), ExternalURL: &url.URL{},
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
	})
	must(t, manager.Update(time.Minute, []string{rulesFile}, labels.EmptyLabels(), "", nil))
	for _, g := range manager.RuleGroups() {
		g.Eval(ctx, time.Now())
	}
	go manager.Run()
	t.Cleanup(func() { cancel(); manager.Stop() })

	s.cfg = api.Config{
		ListenAddresses: []string{"127.0.0.1:0"},
		TSDBDir:         filepath.Join(s.dir, "tsdb"),
		EnableLifecycle: true, EnableAdmin: true,
		EnableRemoteWriteReceiver: true, EnableOTLPReceiver: true,
	}
	s.deps = api.Deps{
		Logger:  logger,
		Storage: database{db}, Appendable: db, AppendableV2: db,
		Engine: engine, Parser: p,
		Targets:       scraping(t, logger, s.reg, cfg),
		Alertmanagers: notifier.NewManager(&notifier.Options{}, model.UTF8Validation, logger),
		Rules:         manager,
		Config:        func() promconfig.Config { return *cfg },
		ConfigText:    func() string { return "# hedgewatch\nglobal: {}\n" },
		Flags:         map[string]string{"web.listen-address": "127.0.0.1:0"},
		Version:       api.Version{Version: "0.1.0", Revision: "abc"},
		UI:            text("the web UI"),
		CheckRules: func(text []byte) error {
			_, errs := rulefmt.Parse(text, false, model.UTF8Validation, p, logger)
			return errors.Join(errs...)
		},
		Alertmanager: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "alertmanager "+r.URL.Path) }),
		Ready:        func() error { return s.waiting },
		Reload:       func(context.Context) error { s.reloads++; return s.reload },
		Quit:         func() { s.quits++ },
		Stderr:       io.Discard,
	}
	s.deps.State = newState(t, filepath.Join(s.dir, "state"), state.Deps{Logger: logger})
	return s
}

// newState opens a database and runs it until the test ends.
func newState(t testing.TB, dir string, d state.Deps) *state.State {
	t.Helper()
	db, err := state.New(state.Config{Dir: dir}, d)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- db.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
	})
	return db
}

// scraping runs a real scrape manager with one target, so that targets and
// their metadata have something to show.
func scraping(t testing.TB, logger *slog.Logger, reg prometheus.Registerer, cfg *promconfig.Config) *scrape.Manager {
	t.Helper()
	manager, err := scrape.NewManager(&scrape.Options{DiscoveryReloadOnStartup: true}, logger, nil, nil, discard{}, reg)
	must(t, err)
	must(t, manager.ApplyConfig(cfg))
	sets := make(chan map[string][]*targetgroup.Group)
	done := make(chan error, 1)
	go func() { done <- manager.Run(sets) }()
	sets <- map[string][]*targetgroup.Group{"self": {{Targets: []model.LabelSet{{"__address__": "127.0.0.1:1"}}, Source: "0"}}}
	t.Cleanup(func() {
		manager.Stop()
		must(t, <-done)
	})
	eventually(t, "a target", func() bool { return len(manager.TargetsActive()["self"]) == 1 })
	return manager
}

// discard takes the samples of the scrape manager.
type discard struct{}

func (discard) AppenderV2(context.Context) storage.AppenderV2 { return discard{} }

func (discard) Append(storage.SeriesRef, labels.Labels, int64, int64, float64, *histogram.Histogram, *histogram.FloatHistogram, storage.AOptions) (storage.SeriesRef, error) {
	return 0, nil
}
func (discard) Commit() error   { return nil }
func (discard) Rollback() error { return nil }

func fill(t testing.TB, db *tsdb.DB) {
	t.Helper()
	app := db.Appender(context.Background())
	fills := labels.FromStrings("__name__", "fills_total", "job", "engine", "instance", "e:1")
	old := labels.FromStrings("__name__", "delisted", "job", "engine")
	latency := labels.FromStrings("__name__", "latency_seconds", "job", "engine")
	now := time.Now().UnixMilli()
	for i := range int64(20) {
		ts := now - (20-i)*15_000
		_, err := app.Append(0, fills, ts, float64(i*10))
		must(t, err)
		_, err = app.AppendHistogram(0, latency, ts, tsdbutil.GenerateTestHistogram(i), nil)
		must(t, err)
	}
	_, err := app.AppendExemplar(0, fills, exemplar.Exemplar{Labels: labels.FromStrings("trace_id", "t1"), Value: 5, Ts: now - 30_000, HasTs: true})
	must(t, err)
	_, err = app.Append(0, old, now-60_000, 1)
	must(t, err)
	must(t, app.Commit())
	app = db.Appender(context.Background())
	_, err = app.Append(0, old, now-30_000, math.Float64frombits(value.StaleNaN))
	must(t, err)
	must(t, app.Commit())
}

// start serves the system on a free port until the test ends.
func (s *system) start(t *testing.T) (base string, stop func() error) {
	t.Helper()
	_, base, stop = s.serve(t)
	return base, stop
}

func (s *system) serve(t *testing.T) (server *api.Server, base string, stop func() error) {
	t.Helper()
	server, err := s.server()
	must(t, err)
	must(t, server.Listen())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		must(t, stop())
	})
	return server, "http://" + server.Addr().String(), stop
}

// handler is the system without a listener.
func (s *system) handler(t testing.TB) http.Handler {
	t.Helper()
	server, err := s.server()
	must(t, err)
	return server.Handler()
}

// server builds one of possibly several servers before the same parts.
func (s *system) server() (*api.Server, error) {
	deps, reg := s.deps, prometheus.NewRegistry()
	deps.Registerer, deps.Gatherer = reg, prometheus.Gatherers{s.reg, reg}
	return api.New(s.cfg, deps)
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request as method, URL, body and headers in pairs.
func do(t *testing.T, method, target, body string, headers ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	must(t, err)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	must(t, err)
	return answer{resp.StatusCode, resp.Header, string(content)}
}

func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls for what another goroutine is about to do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10s for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// render shows an answer of a client in one line.
func render(v any) string {
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%#v", v) + fmt.Sprintf("%+v", v)
}
