package ruler_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/ruler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// platform is a ruler on a real TSDB and engine, in the time of a synctest
// bubble.
type platform struct {
	t     *testing.T
	dir   string
	db    *tsdb.DB
	ruler *ruler.Ruler
	stop  func()
	reg   *prometheus.Registry

	settings ruler.Settings

	mu        sync.Mutex
	sent      []string
	last      map[string]*notifier.Alert // by labels
	incidents []string
	stages    []string
	pending   []string
}

// newPlatform starts a ruler with the given configuration, whose rule files
// stand in p.dir.
func newPlatform(t *testing.T, cfg string, shipped ruler.Shipped, files map[string]string) *platform {
	t.Helper()
	p := &platform{t: t, dir: t.TempDir()}
	for name, text := range files {
		p.write(name, text)
	}
	p.start(cfg, shipped)
	return p
}

func (p *platform) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *platform) config(cfg string, shipped ruler.Shipped) ruler.Config {
	p.t.Helper()
	prom, err := promconfig.Load(cfg, promslog.NewNopLogger())
	if err != nil {
		p.t.Fatal(err)
	}
	prom.SetDirectory(p.dir)
	return ruler.Config{Prometheus: prom, Shipped: shipped, Settings: p.settings}
}

// start opens the database and runs a ruler until p.stop or the test's end.
func (p *platform) start(cfg string, shipped ruler.Shipped) {
	p.t.Helper()
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = int64(24 * time.Hour / time.Millisecond)
	db, err := tsdb.Open(filepath.Join(p.dir, "tsdb"), nil, nil, opts, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.db, p.reg = db, prometheus.NewRegistry()
	parse := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: parse})
	p.ruler, err = ruler.New(p.config(cfg, shipped), ruler.DefaultOptions(), ruler.Deps{
		Logger:      slog.New(slog.DiscardHandler),
		Registerer:  p.reg,
		Engine:      engine,
		Parser:      parse,
		Storage:     db,
		Local:       db,
		Send:        p.send,
		Latency:     p.latency,
		Incidents:   p,
		Pending:     p.pends,
		StatePath:   filepath.Join(p.dir, "held"),
		ExternalURL: &url.URL{Scheme: "http", Host: "watch.example"},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.ruler.Run(ctx); err != nil {
			p.t.Error(err)
		}
	}()
	p.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := db.Close(); err != nil {
			p.t.Error(err)
		}
	})
	p.t.Cleanup(p.stop)
}

func (p *platform) send(_ context.Context, alerts ...*notifier.Alert) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range alerts {
		p.sent = append(p.sent, a.String())
		if p.last == nil {
			p.last = map[string]*notifier.Alert{}
		}
		p.last[a.Labels.String()] = a
	}
}

func (p *platform) latency(stage string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stages = append(p.stages, stage+" "+d.String())
}

// Raise implements ruler.Incidents.
func (p *platform) Raise(_ context.Context, i ruler.Incident) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	what := "series"
	if i.Whole {
		what = "everything"
	}
	p.incidents = append(p.incidents, fmt.Sprintf("%s: %s missing, says %s", i.Source, what, i.Rule))
	return nil
}

// Clear implements ruler.Incidents.
func (p *platform) Clear(_ context.Context, source labels.Labels) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.incidents = append(p.incidents, fmt.Sprintf("%s: back", source))
	return nil
}

// set stores value for a series now, as a scrape does.
func (p *platform) set(series labels.Labels, value float64) { p.setAt(time.Now(), series, value) }

func (p *platform) setAt(at time.Time, series labels.Labels, value float64) {
	p.t.Helper()
	app := p.ruler.Tap(p.db).AppenderV2(context.Background())
	if _, err := app.Append(0, series, 0, at.UnixMilli(), value, nil, nil, storage.AOptions{}); err != nil {
		p.t.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		p.t.Fatal(err)
	}
}

// hold stores value every 15 s for d.
func (p *platform) hold(series labels.Labels, value float64, d time.Duration) {
	p.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(15 * time.Second) {
		p.set(series, value)
	}
	synctest.Wait()
}

const highRule = `
groups:
- name: trading
  rules:
  - alert: WeightHigh
    expr: used_weight > 2000
    for: 1m
    labels: {severity: warning}
`

var usedWeight = labels.FromStrings(model.MetricNameLabel, "used_weight", "market", "usdm")

const withRules = "global: {evaluation_interval: 15s}\nrule_files: ['*.yml']\n"

func TestAlertFiresAfterItsForAndResolves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform(t, withRules, ruler.Shipped{}, map[string]string{"a.yml": highRule})
		p.hold(usedWeight, 2300, 45*time.Second)
		if len(p.sent) != 0 {
			t.Fatalf("sent before `for` was over: %v", p.sent)
		}
		p.hold(usedWeight, 2300, 45*time.Second)
		p.hold(usedWeight, 10, 45*time.Second)
		if len(p.sent) < 2 || !strings.HasSuffix(p.sent[0], "[active]") || !strings.HasSuffix(p.sent[len(p.sent)-1], "[resolved]") {
			t.Errorf("got %v, want first active, last resolved", p.sent)
		}
	})
}

func TestShortForSurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform(t, withRules, ruler.Shipped{}, nil)
		p.write("a.yml", strings.Replace(highRule, "for: 1m", "for: 5m", 1))
		if err := reload(p, withRules, ruler.Shipped{}); err != nil {
			t.Fatal(err)
		}
		p.hold(usedWeight, 2300, 4*time.Minute)
		p.stop()
		p.start(withRules, ruler.Shipped{})
		// Four of five minutes are over; the groups' first two evaluations after a
		// start restore them.
		p.hold(usedWeight, 2300, 2*time.Minute)
		if len(p.sent) == 0 {
			t.Error("`for` began again after the restart")
		}
	})
}

func TestReloadIsAllOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform(t, withRules, ruler.Shipped{}, map[string]string{"a.yml": highRule})
		p.write("b.yml", "groups:\n- name: bad\n  rules:\n  - alert: A\n    expr: 'rate(x'\n  - alert: B\n    expr: ')'\n")
		err := reload(p, withRules, ruler.Shipped{})
		if err == nil || strings.Count(err.Error(), "b.yml") != 2 {
			t.Errorf("got error %v, want both bad rules of b.yml", err)
		}
		if got := groupNames(p.ruler); !cmp.Equal(got, []string{"trading"}) {
			t.Errorf("after a failed reload the groups are %v", got)
		}
	})
}

func TestShippedRules(t *testing.T) {
	files := fstest.MapFS{"host.yml": {Data: []byte(`
groups:
- name: host
  rules:
  - {alert: HostCPUBusy, expr: cpu > 90}
  - {alert: HostSteal, expr: steal > 10}
- name: watchdog
  rules:
  - {alert: Watchdog, expr: vector(1)}
`)}}
	tests := []struct {
		name    string
		disable []string
		want    []string
		wantErr string
	}{
		{name: "all", want: []string{"host", "watchdog"}},
		{name: "one alert off", disable: []string{"HostSteal"}, want: []string{"host", "watchdog"}},
		{name: "a group off", disable: []string{"host"}, want: []string{"watchdog"}},
		{name: "a group's only alert off", disable: []string{"Watchdog"}, want: []string{"host"}},
		{name: "unknown name", disable: []string{"Wachdog"}, wantErr: `mixin.disable: "Wachdog" is the name of no shipped rule or group`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlatform(t, "", ruler.Shipped{}, nil)
				err := reload(p, "", ruler.Shipped{Files: files, Disable: tt.disable})
				if tt.wantErr != "" {
					if err == nil || err.Error() != tt.wantErr {
						t.Errorf("got error %v, want %s", err, tt.wantErr)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, groupNames(p.ruler)); diff != "" {
					t.Errorf("groups (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func reload(p *platform, cfg string, shipped ruler.Shipped) error {
	commit, err := p.ruler.Prepare(p.config(cfg, shipped))
	if err == nil {
		commit()
	}
	return err
}

func groupNames(r *ruler.Ruler) []string {
	var names []string
	for _, g := range r.Manager().RuleGroups() {
		names = append(names, g.Name())
	}
	return names
}
