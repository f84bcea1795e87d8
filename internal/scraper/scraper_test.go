package scraper_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/scraper"
)

// dialSocket makes the test binary try to scrape the socket it names.
const dialSocket = "HEDGEWATCH_TEST_DIAL_SOCKET"

func TestMain(m *testing.M) {
	if socket := os.Getenv(dialSocket); socket != "" {
		fmt.Print(scrapeSocket(socket))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// bench is a scraper that writes into a real TSDB.
type bench struct {
	t  *testing.T
	db *tsdb.DB
	s  *scraper.Scraper
}

func newBench(t *testing.T, cfg string, locals ...scraper.Local) *bench {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	sd, err := discovery.CreateAndRegisterSDMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scraper.New(config(t, cfg, locals...), scraper.Deps{
		Logger:     slog.New(slog.DiscardHandler),
		Registerer: reg,
		SDMetrics:  sd,
		Appendable: db,
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, db: db, s: s}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func config(t *testing.T, cfg string, locals ...scraper.Local) scraper.Config {
	t.Helper()
	prom, err := promconfig.Load(cfg, promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	return scraper.Config{Prometheus: prom, Locals: locals}
}

// samples returns all samples of the series that the matcher selects, as
// "labels value", in order of time.
func (b *bench) samples(name, val string) (got []string, times []int64) {
	b.t.Helper()
	q, err := b.db.Querier(0, time.Now().Add(time.Hour).UnixMilli())
	if err != nil {
		b.t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, name, val))
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			ts, v := it.At()
			text := fmt.Sprint(v)
			if value.IsStaleNaN(v) {
				text = "stale"
			}
			got = append(got, set.At().Labels().String()+" "+text)
			times = append(times, ts)
		}
	}
	if err := set.Err(); err != nil {
		b.t.Fatal(err)
	}
	return got, times
}

// eventually polls cond for at most limit.
func eventually(t *testing.T, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

func gauge(reg prometheus.Registerer, name string, v float64) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name})
	g.Set(v)
	reg.MustRegister(g)
	return g
}

func TestLocalJobIsATargetLikeAnyOther(t *testing.T) {
	reg := prometheus.NewRegistry()
	temperature := gauge(reg, "temperature_celsius", 41)
	b := newBench(t, "", scraper.Local{
		Job: "host", Instance: "db-1", Interval: model.Duration(100 * time.Millisecond), Gatherer: reg,
	})
	eventually(t, 5*time.Second, "first sample", func() bool {
		got, _ := b.samples("__name__", "temperature_celsius")
		return len(got) > 0
	})
	got, _ := b.samples("__name__", "up")
	if want := `{__name__="up", instance="db-1", job="host"} 1`; len(got) == 0 || got[0] != want {
		t.Errorf("got up %v, want first %s", got, want)
	}
	reg.Unregister(temperature)
	eventually(t, 5*time.Second, "stale marker of a metric that is gone", func() bool {
		got, _ := b.samples("__name__", "temperature_celsius")
		return strings.HasSuffix(got[len(got)-1], " stale")
	})
}

func TestJobOfTheFileReplacesTheLocalOne(t *testing.T) {
	local := prometheus.NewRegistry()
	gauge(local, "from_local", 1)
	target := prometheus.NewRegistry()
	gauge(target, "from_file", 1)
	b := newBench(t, fmt.Sprintf("scrape_configs: [{job_name: host, scrape_interval: 100ms, scrape_timeout: 100ms, static_configs: [{targets: [%q]}]}]", exporter(t, target)),
		scraper.Local{Job: "host", Instance: "db-1", Interval: model.Duration(100 * time.Millisecond), Gatherer: local})
	eventually(t, 5*time.Second, "sample of the file's job", func() bool {
		got, _ := b.samples("__name__", "from_file")
		return len(got) > 0
	})
	if got, _ := b.samples("__name__", "from_local"); len(got) > 0 {
		t.Errorf("the local job was scraped as well: %v", got)
	}
}

// TestFirstScrape pins what warmup.go relies on: an initial offset below zero
// means "at once", and the change to the real interval keeps caches, so that no
// series goes stale in between.
func TestFirstScrape(t *testing.T) {
	reg := prometheus.NewRegistry()
	gauge(reg, "busy", 1)
	address := exporter(t, reg)
	const targets = 20
	cfg := "global: {scrape_interval: 20s}\nscrape_configs:\n"
	for i := range targets {
		cfg += fmt.Sprintf("- {job_name: job%d, metrics_path: /%d, static_configs: [{targets: [%q]}]}\n", i, i, address)
	}
	started := time.Now()
	b := newBench(t, cfg)
	select {
	case <-b.s.WarmedUp():
	case <-time.After(10 * time.Second):
		t.Fatal("no end of the first scrapes")
	}
	t.Logf("first scrapes took %v", time.Since(started))
	got, _ := b.samples("__name__", "busy")
	if len(got) != targets {
		t.Errorf("got %d samples after the first scrapes, want %d", len(got), targets)
	}
	for _, s := range got {
		if !strings.HasSuffix(s, " 1") {
			t.Errorf("unexpected sample %s", s)
		}
	}
	m, err := b.s.Get()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "the configured interval", func() bool {
		for _, active := range m.TargetsActive() {
			for _, target := range active {
				if target.GetValue(model.ScrapeIntervalLabel) != "20s" {
					return false
				}
			}
		}
		return true
	})
}

func TestNoGapAfterTheFirstScrape(t *testing.T) {
	reg := prometheus.NewRegistry()
	gauge(reg, "busy", 1)
	b := newBench(t, fmt.Sprintf("scrape_configs: [{job_name: j, scrape_interval: 200ms, scrape_timeout: 200ms, static_configs: [{targets: [%q]}]}]", exporter(t, reg)))
	const want = 15
	eventually(t, 10*time.Second, fmt.Sprintf("%d samples", want), func() bool {
		got, _ := b.samples("__name__", "busy")
		return len(got) >= want
	})
	got, times := b.samples("__name__", "busy")
	for i, s := range got {
		if !strings.HasSuffix(s, " 1") {
			t.Errorf("sample %d is %s", i, s)
		}
		// The loops change into their slots once: that gap may be of two intervals.
		if i > 0 && times[i]-times[i-1] > 1000 {
			t.Errorf("gap of %d ms before sample %d", times[i]-times[i-1], i)
		}
	}
}

func TestUsersMayScrapeUnixSockets(t *testing.T) {
	reg := prometheus.NewRegistry()
	gauge(reg, "over_socket", 7)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(metricsOf(reg))
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	b := newBench(t, fmt.Sprintf("scrape_configs: [{job_name: s, scrape_interval: 100ms, scrape_timeout: 100ms, static_configs: [{targets: [svc], labels: {__unix_socket__: %q}}]}]", path))
	eventually(t, 5*time.Second, "sample over the user's socket", func() bool {
		got, _ := b.samples("__name__", "over_socket")
		return len(got) > 0
	})
}

func TestBadTargetsAreDownWithAReason(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		timeout string
		want    string
	}{
		{
			name: "garbage",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				_, _ = io.WriteString(w, "not metrics {{{ \xff\n")
			},
			want: "invalid syntax",
		},
		{
			name: "a web page",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "<html><body>hello</body></html>")
			},
			want: "text/html",
		},
		{
			name:    "endless answer",
			handler: endless,
			want:    "body size limit exceeded",
		},
		{
			name:    "no answer in time",
			handler: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			timeout: "200ms",
			want:    "context deadline exceeded",
		},
		{
			name:    "server error",
			handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
			want:    "500",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			t.Cleanup(server.Close)
			b := newBench(t, fmt.Sprintf("scrape_configs: [{job_name: bad, scrape_interval: 30s, scrape_timeout: %s, static_configs: [{targets: [%q]}]}]",
				cmp.Or(tt.timeout, "30s"), strings.TrimPrefix(server.URL, "http://")))
			m, err := b.s.Get()
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, 30*time.Second, "a failed scrape", func() bool {
				targets := m.TargetsActive()["bad"]
				return len(targets) == 1 && targets[0].LastError() != nil
			})
			if got := m.TargetsActive()["bad"][0].LastError().Error(); !strings.Contains(got, tt.want) {
				t.Errorf("got error %q, want one with %q", got, tt.want)
			}
			if got := m.TargetsActive()["bad"][0].Health(); got != scrape.HealthBad {
				t.Errorf("got health %s, want %s", got, scrape.HealthBad)
			}
			var up []string
			eventually(t, 5*time.Second, "a sample of up", func() bool {
				up, _ = b.samples("__name__", "up")
				return len(up) > 0
			})
			if !strings.HasSuffix(up[0], " 0") {
				t.Errorf("got up %v, want 0", up)
			}
		})
	}
}

// endless writes metrics until the client has enough, at most 128 MiB.
func endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	line := strings.Repeat("a_metric_with_a_long_name_to_fill_the_buffer{l=\"v\"} 1\n", 1000)
	for range 128 << 20 / len(line) {
		if _, err := io.WriteString(w, line); err != nil {
			return
		}
	}
}

func TestReloadIsAllOrNothing(t *testing.T) {
	b := newBench(t, "scrape_configs: [{job_name: kept, static_configs: [{targets: ['127.0.0.1:1']}]}]")
	_, err := b.s.Prepare(config(t, `
scrape_configs:
- {job_name: a, tls_config: {cert_file: /does/not/exist, key_file: /does/not/exist}}
- {job_name: b, scrape_failure_log_file: /does/not/exist/log}
`))
	if err == nil || !strings.Contains(err.Error(), `scrape job "a"`) || !strings.Contains(err.Error(), `scrape job "b"`) {
		t.Errorf("got error %v, want both jobs named", err)
	}
	eventually(t, 5*time.Second, "target of the first configuration", func() bool {
		m, _ := b.s.Get()
		return len(m.TargetsActive()["kept"]) == 1
	})
}

func TestReloadChangesTargets(t *testing.T) {
	reg := prometheus.NewRegistry()
	gauge(reg, "x", 1)
	address := exporter(t, reg)
	b := newBench(t, "scrape_configs: [{job_name: old, static_configs: [{targets: ['127.0.0.1:1']}]}]")
	commit, err := b.s.Prepare(config(t, fmt.Sprintf(
		"scrape_configs: [{job_name: new, scrape_interval: 200ms, scrape_timeout: 200ms, static_configs: [{targets: [%q]}]}]", address)))
	if err != nil {
		t.Fatal(err)
	}
	commit()
	eventually(t, 10*time.Second, "sample of the new job", func() bool {
		got, _ := b.samples("job", "new")
		return len(got) > 0
	})
	m, _ := b.s.Get()
	if diff := gocmp.Diff([]string{"new"}, m.ScrapePools()); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
}

func TestOtherProcessesCannotReadTheLocalSocket(t *testing.T) {
	reg := prometheus.NewRegistry()
	gauge(reg, "secret_number", 4711)
	b := newBench(t, "", scraper.Local{Job: "host", Instance: "here", Interval: model.Duration(100 * time.Millisecond), Gatherer: reg})
	m, _ := b.s.Get()
	eventually(t, 5*time.Second, "local target up", func() bool {
		targets := m.TargetsActive()["host"]
		return len(targets) == 1 && targets[0].Health() == scrape.HealthGood
	})
	lb := labels.NewBuilder(labels.EmptyLabels())
	socket := m.TargetsActive()["host"][0].DiscoveredLabels(lb).Get(scrape.UnixSocketLabel)
	if got := scrapeSocket(socket); !strings.Contains(got, "secret_number 4711") {
		t.Fatalf("this process itself gets %q", got)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), dialSocket+"="+socket)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "secret_number") || len(out) == 0 {
		t.Errorf("another process gets %q", out)
	}
}

// scrapeSocket returns what the local job answers on socket, or the error.
func scrapeSocket(socket string) string {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	resp, err := client.Get("http://local/metrics/host")
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body) + fmt.Sprint(errors.Unwrap(err))
}
