package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/app"
	"github.com/hedgewatch/hedgewatch/internal/receiver/discord/discordtest"
	"github.com/hedgewatch/hedgewatch/internal/ruler"
)

func TestMain(m *testing.M) {
	alerting.InitMatchers(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m,
		// The AWS SDK behind Alertmanager's SNS receiver and OpenCensus behind
		// some discoveries never stop theirs.
		goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

// server is a whole program on a free port.
type server struct {
	t    *testing.T
	dir  string // holds hedgewatch.yml and data
	url  string
	app  *app.App
	stop func()
}

// startServer runs the program with the given configuration file and waits
// until it is ready. An empty configuration is the built-in one.
func startServer(t *testing.T, dir, config string) *server {
	t.Helper()
	s := &server{t: t, dir: dir}
	opts := s.options(config)
	var err error
	s.app, err = app.New(opts, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.app.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err, ok := <-done; ok && err != nil {
			t.Error(err)
		}
		close(done)
		s.stop = func() {}
	}
	t.Cleanup(func() { s.stop() })
	eventually(t, 20*time.Second, "ready", func() bool { return s.app.Ready() == nil })
	s.url = "http://" + s.app.Addr().String()
	return s
}

func (s *server) options(config string) app.Options {
	opts := app.Options{
		StoragePath: filepath.Join(s.dir, "data"),
		Instance:    "test-host",
		Ruler:       ruler.DefaultOptions(),
		Version:     api.Version{Version: "v0.0.0-test"},
		Web: api.Config{
			ListenAddresses:           []string{"127.0.0.1:0"},
			ExternalURL:               &url.URL{Scheme: "http", Host: "watch.example"},
			EnableRemoteWriteReceiver: true,
			EnableOTLPReceiver:        true,
			EnableLifecycle:           true,
		},
	}
	if config != "" {
		opts.ConfigFile = filepath.Join(s.dir, "hedgewatch.yml")
		s.write("hedgewatch.yml", config)
	}
	return opts
}

func (s *server) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// get decodes the JSON answer of path into v.
func (s *server) get(path string, v any) {
	s.t.Helper()
	resp, err := http.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s: %s", path, resp.Status, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		s.t.Fatalf("GET %s: %v in %s", path, err, body)
	}
}

// query returns the values of an instant query by the given label.
func (s *server) query(expr, label string) map[string]string {
	s.t.Helper()
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	s.get("/api/v1/query?query="+url.QueryEscape(expr), &answer)
	got := map[string]string{}
	for _, r := range answer.Data.Result {
		got[r.Metric[label]] = fmt.Sprint(r.Value[1])
	}
	return got
}

func eventually(t *testing.T, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

func TestBuiltInConfigurationWatchesThisHost(t *testing.T) {
	s := startServer(t, t.TempDir(), "")
	eventually(t, 10*time.Second, "both built-in jobs up", func() bool {
		return cmp.Equal(s.query("up", "job"), map[string]string{"hedgewatch": "1", "hedgewatch-host": "1"})
	})
	for _, expr := range []string{
		`node_cpu_seconds_total{mode="idle"}`, "node_memory_MemAvailable_bytes", "node_filesystem_avail_bytes",
		"hedgewatch_build_info", "process_resident_memory_bytes", "prometheus_tsdb_head_series", "alertmanager_build_info or alertmanager_alerts",
	} {
		if len(s.query(expr, "instance")) == 0 {
			t.Errorf("no answer to %s", expr)
		}
	}
	var rules struct {
		Data struct{ Groups []struct{ File string } }
	}
	s.get("/api/v1/rules", &rules)
	if len(rules.Data.Groups) == 0 || !strings.HasPrefix(rules.Data.Groups[0].File, "shipped:") {
		t.Errorf("got groups %v, want the shipped ones", rules.Data.Groups)
	}
	var receivers []struct{ Name string }
	s.get("/alertmanager/api/v2/receivers", &receivers)
	if len(receivers) != 1 {
		t.Errorf("got receivers %v, want the built-in one", receivers)
	}
	var quarantined []any
	s.get("/api/hw/v1/storage/quarantine", &quarantined)
}

// exporter serves one gauge and returns it with the server's address.
func exporter(t *testing.T, name string) (prometheus.Gauge, string) {
	t.Helper()
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name})
	reg := prometheus.NewRegistry()
	reg.MustRegister(g)
	target := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	t.Cleanup(target.Close)
	return g, strings.TrimPrefix(target.URL, "http://")
}

// TestBreachArrivesAsDiscordMessageAndMail is the main job: a scraped value
// crosses a threshold, and people are told; it recovers, and they are told.
func TestBreachArrivesAsDiscordMessageAndMail(t *testing.T) {
	weight, target := exporter(t, "used_weight")
	channel := discordtest.New(discordtest.Options{})
	discord := httptest.NewServer(channel)
	t.Cleanup(discord.Close)
	mails := mailServer(t)

	dir := t.TempDir()
	webhook := filepath.Join(dir, "webhook")
	if err := os.WriteFile(webhook, []byte(discord.URL+channel.Add(discordtest.Webhook{ID: "1", Token: "s3cret"})+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(dir, "rules.yml")
	if err := os.WriteFile(rules, []byte(`
groups:
- name: trading
  interval: 1h # Only evaluation on commit can see the breach in time.
  rules:
  - alert: WeightHigh
    expr: used_weight > 2000
    annotations: {summary: 'Weight is {{ $value }}'}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, dir, fmt.Sprintf(`
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
host: {enabled: false}
rule_files: [rules.yml]
scrape_configs: [{job_name: platform, static_configs: [{targets: [%q]}]}]
alertmanager:
  route: {receiver: traders, group_wait: 0s, group_interval: 200ms}
  receivers:
  - name: traders
    discord_configs: [{webhook_url_file: webhook}]
    email_configs: [{to: desk@example.com, from: watch@example.com, smarthost: %q, require_tls: false, send_resolved: true}]
`, target, mails.address))

	weight.Set(2300)
	for _, want := range []string{"Weight is 2300", "Resolved"} {
		var shown string
		for deadline := time.After(30 * time.Second); !strings.Contains(shown, want); {
			changed := channel.Changed()
			if ms := channel.Messages(); len(ms) > 0 {
				shown = ms[0].Embeds[0].Title + ms[0].Embeds[0].Description
				if fields := fmt.Sprint(ms[0].Embeds[0].Fields); want == "Weight is 2300" && !strings.Contains(fields, "2300") {
					t.Errorf("got fields %s, want the value", fields)
				}
				if len(ms[0].Attachments) != 1 || ms[0].Attachments[0].Filename != "graph.png" {
					t.Errorf("got attachments %+v, want the graph", ms[0].Attachments)
				}
				if strings.Contains(shown, want) {
					break
				}
			}
			select {
			case <-changed:
			case <-deadline:
				t.Fatalf("Discord shows %q, want %q", shown, want)
			}
		}
		if got := next(t, mails.got); !strings.Contains(got, "WeightHigh") {
			t.Errorf("by mail got %s, want WeightHigh", got)
		}
		weight.Set(10)
	}

	var history struct{ Transitions []struct{ To, Value string } }
	s.get("/api/hw/v1/alerts/history?alertname=WeightHigh", &history)
	if n := len(history.Transitions); n == 0 || history.Transitions[n-1].To != "firing" || history.Transitions[n-1].Value != "2300" {
		t.Errorf("got the history %+v, want that it fired at 2300", history.Transitions)
	}
	var config struct{ Data struct{ YAML string } }
	s.get("/api/v1/status/config", &config)
	if strings.Contains(config.Data.YAML, "s3cret") {
		t.Error("the API shows a secret")
	}
}

func TestReferencesAreShownInsteadOfTheirValues(t *testing.T) {
	t.Setenv("DESK", "desk-of-mallory@example.com")
	s := startServer(t, t.TempDir(), `
host: {enabled: false}
global: {external_labels: {desk: '${env:DESK}'}}
alertmanager:
  global: {smtp_from: watch@example.com, smtp_smarthost: '127.0.0.1:1'}
  route: {receiver: traders}
  receivers: [{name: traders, email_configs: [{to: '${env:DESK}'}]}]
`)
	var status struct{ Config struct{ Original string } }
	s.get("/api/v2/status", &status)
	var config struct{ Data struct{ YAML string } }
	s.get("/api/v1/status/config", &config)
	for what, text := range map[string]string{"Alertmanager's status": status.Config.Original, "Prometheus' status": config.Data.YAML} {
		if !strings.Contains(text, "${env:DESK}") || strings.Contains(text, "mallory") {
			t.Errorf("%s shows %s", what, text)
		}
	}
}

func next(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(20 * time.Second):
		t.Fatal("nothing arrived")
		return ""
	}
}

// mailbox is the backend of go-smtp, a server of others.
type mailbox struct {
	address string
	got     chan string
}

func mailServer(t *testing.T) *mailbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box := &mailbox{address: l.Addr().String(), got: make(chan string, 100)}
	server := smtp.NewServer(box)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	return box
}

// NewSession implements smtp.Backend.
func (b *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return b, nil }

// Mail implements smtp.Session.
func (b *mailbox) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt implements smtp.Session.
func (b *mailbox) Rcpt(string, *smtp.RcptOptions) error { return nil }

// Data implements smtp.Session.
func (b *mailbox) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err == nil {
		b.got <- string(body)
	}
	return err
}

// Reset implements smtp.Session.
func (b *mailbox) Reset() {}

// Logout implements smtp.Session.
func (b *mailbox) Logout() error { return nil }

func TestReloadIsAllOrNothing(t *testing.T) {
	good := "host: {enabled: false}\nscrape_configs: [{job_name: kept, static_configs: [{targets: ['127.0.0.1:1']}]}]\n"
	s := startServer(t, t.TempDir(), good)
	jobs := func() []string {
		var pools struct {
			Data struct{ ScrapePools []string }
		}
		s.get("/api/v1/scrape_pools", &pools)
		return pools.Data.ScrapePools
	}
	eventually(t, 5*time.Second, "first jobs", func() bool { return cmp.Equal(jobs(), []string{"hedgewatch", "kept"}) })

	tests := []struct {
		name, config string
		want         []string
	}{
		{"bad YAML", "scrape_configs: [", []string{"hedgewatch.yml:1"}},
		{"two errors at once", "scrape_configs:\n- {job_name: a, scrape_interval: soon}\n- {job_name: a}\nhots: {}\n", []string{"hedgewatch.yml:2", "hedgewatch.yml:4", "host"}},
		{"unreadable certificate", "host: {enabled: false}\nscrape_configs: [{job_name: a, tls_config: {cert_file: no, key_file: no}}]\n", []string{"no"}},
		{"unknown receiver", "host: {enabled: false}\nalertmanager: {route: {receiver: a}, receivers: [{name: b}]}\n", []string{`"a"`}},
		{"unknown shipped rule", "host: {enabled: false}\nmixin: {disable: [Wachdog]}\n", []string{"Wachdog"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.write("hedgewatch.yml", tt.config)
			err := s.app.Reload(t.Context())
			if err == nil {
				t.Fatal("reloaded")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %q, want it to name %q", err, want)
				}
			}
			if got := jobs(); !cmp.Equal(got, []string{"hedgewatch", "kept"}) {
				t.Errorf("after a failed reload the jobs are %v", got)
			}
			var info struct {
				Data struct{ ReloadConfigSuccess bool }
			}
			s.get("/api/v1/status/runtimeinfo", &info)
			if info.Data.ReloadConfigSuccess {
				t.Error("the API says that the reload was successful")
			}
		})
	}

	s.write("hedgewatch.yml", strings.Replace(good, "kept", "changed", 1))
	resp, err := http.Post(s.url+"/-/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("reload by HTTP: %s", resp.Status)
	}
	eventually(t, 10*time.Second, "changed jobs", func() bool { return cmp.Equal(jobs(), []string{"changed", "hedgewatch"}) })
}

func TestBadStartsSayWhatToDo(t *testing.T) {
	t.Run("port in use", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s := &server{t: t, dir: t.TempDir()}
		opts := s.options("host: {enabled: false}")
		opts.Web.ListenAddresses = []string{l.Addr().String()}
		a, err := app.New(opts, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
			t.Errorf("got error %v, want one that names the address", err)
		}
	})
	t.Run("storage in use", func(t *testing.T) {
		running := startServer(t, t.TempDir(), "host: {enabled: false}")
		s := &server{t: t, dir: running.dir}
		_, err := app.New(s.options("host: {enabled: false}"), slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), filepath.Join(running.dir, "data")) {
			t.Errorf("got error %v, want one that names the directory", err)
		}
	})
	t.Run("bad configuration", func(t *testing.T) {
		s := &server{t: t, dir: t.TempDir()}
		_, err := app.New(s.options("global: {scrape_interval: often}"), slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "hedgewatch.yml:1") {
			t.Errorf("got error %v, want one with file and line", err)
		}
	})
}

func TestQuitByHTTP(t *testing.T) {
	s := startServer(t, t.TempDir(), "host: {enabled: false}")
	resp, err := http.Post(s.url+"/-/quit", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	eventually(t, 20*time.Second, "closed port", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

func TestSamplesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	value, target := exporter(t, "position_size")
	value.Set(42)
	config := fmt.Sprintf("host: {enabled: false}\nscrape_configs: [{job_name: p, scrape_interval: 100ms, scrape_timeout: 100ms, static_configs: [{targets: [%q]}]}]", target)
	s := startServer(t, dir, config)
	eventually(t, 10*time.Second, "a sample", func() bool { return s.query("position_size", "job")["p"] == "42" })
	s.stop()
	s = startServer(t, dir, "host: {enabled: false}")
	if got := s.query("last_over_time(position_size[5m])", "job")["p"]; got != "42" {
		t.Errorf("got %q after the restart, want 42", got)
	}
}
