package alerting

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

const oneWebhook = `
route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 100ms, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: %q}]}]
`

func TestAlertFiresAndResolves(t *testing.T) {
	hook := newWebhook(t)
	a := startAlerting(t, loadConfig(t, oneWebhook, hook.URL), testDeps(t, t.TempDir()))

	start := time.Now()
	f := firing("alertname", "KlineGap", "symbol", "BTCUSDT", "empty", "")
	f.Annotations = model.LabelSet{"summary": "a gap"}
	a.put(t, f)
	m := hook.want(t, "firing KlineGap=firing")
	t.Logf("Put to POST: %v", time.Since(start))
	if diff := cmp.Diff(map[string]string{"alertname": "KlineGap", "symbol": "BTCUSDT"}, m.Alerts[0].Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if m.CommonAnnotations["summary"] != "a gap" || m.ExternalURL != "http://hedgewatch.example" {
		t.Errorf("got annotations %v and external URL %q", m.CommonAnnotations, m.ExternalURL)
	}
	if _, ok := f.Labels["empty"]; !ok {
		t.Error("Put changed its caller's labels")
	}

	a.put(t, resolved("alertname", "KlineGap", "symbol", "BTCUSDT"))
	hook.want(t, "resolved KlineGap=resolved")
	hook.quiet(t, 300*time.Millisecond)
}

func TestAlertWithoutEndResolvesAfterResolveTimeout(t *testing.T) {
	hook := newWebhook(t)
	a := startAlerting(t, loadConfig(t, "global: {resolve_timeout: 200ms}"+oneWebhook, hook.URL), testDeps(t, t.TempDir()))
	a.put(t, &alert.Alert{Alert: model.Alert{Labels: model.LabelSet{"alertname": "A"}}})
	hook.want(t, "firing A=firing")
	hook.want(t, "resolved A=resolved")
}

func TestRoutingAndGrouping(t *testing.T) {
	page, rest := newWebhook(t), newWebhook(t)
	a := startAlerting(t, loadConfig(t, `
route:
  receiver: rest
  group_by: [account]
  group_wait: 200ms
  group_interval: 100ms
  routes:
  - {receiver: page, matchers: ['severity="critical"'], group_wait: 0s, continue: true}
  - {receiver: rest, matchers: ['account=~".+"']}
receivers:
- {name: page, webhook_configs: [{url: %q}]}
- {name: rest, webhook_configs: [{url: %q}]}
`, page.URL, rest.URL), testDeps(t, t.TempDir()))

	a.put(t,
		firing("alertname", "A", "account", "one"),
		firing("alertname", "B", "account", "one", "severity", "critical"))
	page.want(t, "firing B=firing")
	m := rest.want(t, "firing A=firing B=firing")
	if m.GroupLabels["account"] != "one" {
		t.Errorf("got group labels %v, want account one", m.GroupLabels)
	}
	a.put(t, firing("alertname", "C", "account", "two"))
	rest.want(t, "firing C=firing")

	// B is told to two receivers; it is finished when both have heard its end.
	a.put(t, resolved("alertname", "B", "account", "one", "severity", "critical"))
	page.want(t, "resolved B=resolved")
	rest.want(t, "firing A=firing B=resolved")
	eventually(t, "B is forgotten", func() bool { return len(a.unfinished()) == 2 })
}

// unfinished lists the names of alerts that a restart would take up.
func (i *instance) unfinished() []string {
	i.alerts.mu.Lock()
	defer i.alerts.mu.Unlock()
	var names []string
	for _, s := range i.alerts.unfinished {
		names = append(names, s.Alert.Name())
	}
	return names
}

func TestInhibitionHoldsFromTheFirstDispatch(t *testing.T) {
	hook := newWebhook(t)
	cfg := loadConfig(t, `
inhibit_rules: [{source_matchers: ['alertname="ExchangeDown"'], target_matchers: ['alertname="KlineGap"'], equal: [market]}]
`+oneWebhook, hook.URL)
	dir := t.TempDir()
	a := startAlerting(t, cfg, testDeps(t, dir))
	a.put(t, firing("alertname", "ExchangeDown", "market", "spot"))
	hook.want(t, "firing ExchangeDown=firing")
	a.put(t, firing("alertname", "KlineGap", "market", "spot"))
	suppressed := func(a *instance) func() bool {
		return func() bool {
			return a.value(t, "alertmanager_notifications_suppressed_total", map[string]string{"reason": "inhibition"}) > 0
		}
	}
	eventually(t, "the gap is inhibited", suppressed(a))

	// Neither a reload nor a restart lets it slip out.
	commit, err := a.Prepare(cfg)
	if err != nil {
		t.Fatal(err)
	}
	commit()
	hook.quiet(t, 250*time.Millisecond)
	a.stop()
	b := startAlerting(t, cfg, testDeps(t, dir))
	eventually(t, "the gap is inhibited after a restart", suppressed(b))
	b.put(t, firing("alertname", "KlineGap", "market", "futures"))
	hook.want(t, "firing KlineGap=firing")
}

func TestGroupWaitsAgainAfterARestart(t *testing.T) {
	hook := newWebhook(t)
	cfg := loadConfig(t, `
route: {receiver: hook, group_wait: 300ms, group_interval: 100ms}
receivers: [{name: hook, webhook_configs: [{url: %q}]}]
`, hook.URL)
	dir := t.TempDir()
	a := startAlerting(t, cfg, testDeps(t, dir))
	al := firing("alertname", "A")
	a.put(t, al)
	a.stop()
	startAlerting(t, cfg, testDeps(t, dir))
	hook.want(t, "firing A=firing")
	if waited := time.Since(al.StartsAt); waited < 300*time.Millisecond {
		t.Errorf("sent %v after the alert started, want the group_wait of 300ms", waited)
	}
	hook.quiet(t, 250*time.Millisecond)
}

func TestTimeIntervals(t *testing.T) {
	for _, test := range []struct {
		name, key string
		muted     bool
	}{
		{"muted now", "mute_time_intervals: [always]", true},
		{"active at other times only", "active_time_intervals: [never]", true},
		{"active now", "active_time_intervals: [always]", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			hook := newWebhook(t)
			a := startAlerting(t, loadConfig(t, `
time_intervals:
- {name: always, time_intervals: [{weekdays: ['sunday:saturday']}]}
- {name: never, time_intervals: [{years: ['1999']}]}
route:
  receiver: hook
  group_wait: 0s
  group_interval: 100ms
  routes: [{receiver: hook, matchers: ['team="night"'], `+test.key+`}]
receivers: [{name: hook, webhook_configs: [{url: %q}]}]
`, hook.URL), testDeps(t, t.TempDir()))
			a.put(t, firing("alertname", "A", "team", "night"))
			if !test.muted {
				hook.want(t, "firing A=firing")
				return
			}
			eventually(t, "suppressed", func() bool {
				return a.value(t, "alertmanager_notifications_suppressed_total", nil) > 0
			})
			a.put(t, firing("alertname", "B"))
			hook.want(t, "firing B=firing")
		})
	}
}

func TestPutRejectsWhatIsInvalidAndKeepsTheRest(t *testing.T) {
	hook := newWebhook(t)
	a := startAlerting(t, loadConfig(t, oneWebhook, hook.URL), testDeps(t, t.TempDir()))
	bad := firing("alertname", "Backwards")
	bad.EndsAt = bad.StartsAt.Add(-time.Minute)
	err := a.Put(context.Background(), bad, firing("alertname", "Good"), firing("empty", ""))
	if err == nil || !strings.Contains(err.Error(), "Backwards") || !strings.Contains(err.Error(), "at least one label") {
		t.Errorf("got error %v, want both bad alerts named", err)
	}
	hook.want(t, "firing Good=firing")
}

func TestPutOutsideRun(t *testing.T) {
	a, err := New(DefaultConfig(), testDeps(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.Put(ctx, firing("alertname", "A")); !errors.Is(err, context.Canceled) {
		t.Errorf("before Run got %v, want the context's error", err)
	}

	b := startAlerting(t, DefaultConfig(), testDeps(t, t.TempDir()))
	b.stop()
	if err := b.Put(context.Background(), firing("alertname", "A")); !errors.Is(err, errStopped) {
		t.Errorf("after Run got %v, want %v", err, errStopped)
	}
}

func TestReloadKeepsAlertsAndWhatWasTold(t *testing.T) {
	one, two := newWebhook(t), newWebhook(t)
	a := startAlerting(t, loadConfig(t, oneWebhook, one.URL), testDeps(t, t.TempDir()))
	a.put(t, firing("alertname", "A"))
	one.want(t, "firing A=firing")
	a.put(t, firing("alertname", "Gone"))
	one.want(t, "firing Gone=firing")
	a.put(t, resolved("alertname", "Gone"))
	one.want(t, "resolved Gone=resolved")

	if _, err := a.Prepare(loadConfig(t, "templates: [testdata/broken.tmpl]"+oneWebhook, two.URL)); err == nil {
		t.Fatal("Prepare accepted a broken template")
	}
	if got := a.value(t, "alertmanager_config_last_reload_successful", nil); got != 0 {
		t.Errorf("after a failed reload alertmanager_config_last_reload_successful is %v, want 0", got)
	}
	commit, err := a.Prepare(loadConfig(t, oneWebhook, two.URL))
	if err != nil {
		t.Fatal(err)
	}
	one.quiet(t, 50*time.Millisecond)
	commit()
	if got := a.value(t, "alertmanager_config_last_reload_successful", nil); got != 1 {
		t.Errorf("after a reload alertmanager_config_last_reload_successful is %v, want 1", got)
	}

	eventually(t, "connections to the old receiver are closed", func() bool { return !one.connected() })

	// The receiver is the same to the notification log, only its URL is new.
	two.quiet(t, 250*time.Millisecond)
	a.put(t, resolved("alertname", "A"))
	two.want(t, "resolved A=resolved")
	one.quiet(t, 0)
}

func TestReloadLetsNotificationsArrive(t *testing.T) {
	hook := newWebhook(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := hook.Config.Handler
	hook.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		slow.ServeHTTP(w, r)
	})
	cfg := loadConfig(t, oneWebhook, hook.URL)
	a := startAlerting(t, cfg, testDeps(t, t.TempDir()))
	a.put(t, firing("alertname", "A"))
	<-arrived
	commit, err := a.Prepare(cfg)
	if err != nil {
		t.Fatal(err)
	}
	commit() // does not wait for a destination that takes its time
	close(release)
	hook.want(t, "firing A=firing")
	select {
	case <-arrived:
		t.Error("the notification was sent twice")
	case <-time.After(250 * time.Millisecond):
	}
}

func TestCommitBeforeRun(t *testing.T) {
	hook := newWebhook(t)
	a, err := New(DefaultConfig(), testDeps(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	commit, err := a.Prepare(loadConfig(t, oneWebhook, hook.URL))
	if err != nil {
		t.Fatal(err)
	}
	commit()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	if err := a.Put(context.Background(), firing("alertname", "A")); err != nil {
		t.Fatal(err)
	}
	hook.want(t, "firing A=firing")
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := a.Run(ctx); err == nil {
		t.Error("a second Run succeeded")
	}
}

func TestConfigErrorsComeAllAtOnce(t *testing.T) {
	cfg := loadConfig(t, `
templates: [testdata/broken.tmpl]
route: {receiver: one, routes: [{receiver: two}]}
receivers:
- {name: one, webhook_configs: [{url: 'http://127.0.0.1:1', http_config: {tls_config: {ca_file: testdata/missing.pem}}}]}
- {name: two, discord_configs: [{webhook_url: 'http://127.0.0.1:1', http_config: {tls_config: {cert_file: testdata/missing.pem, key_file: testdata/missing.key}}}]}
- {name: unused, webhook_configs: [{url: 'http://127.0.0.1:1', http_config: {tls_config: {ca_file: testdata/missing.pem}}}]}
`)
	err := cfg.Validate()
	if err == nil {
		t.Fatal("Validate accepted a broken configuration")
	}
	for _, want := range []string{"templates", `receiver "one"`, `receiver "two"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "unused") {
		t.Errorf("error %q names a receiver that no route uses", err)
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("default configuration: %v", err)
	}
	if err := (Config{}).Validate(); !errors.Is(err, errNoConfig) {
		t.Errorf("empty configuration: got %v, want %v", err, errNoConfig)
	}
}

func TestGraceCoversThreeEvaluations(t *testing.T) {
	if got, want := Grace(time.Minute, time.Minute), DefaultGrace; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMetricsKeepTheirNames(t *testing.T) {
	hook := newWebhook(t)
	a := startAlerting(t, loadConfig(t, oneWebhook, hook.URL), testDeps(t, t.TempDir()))
	a.put(t, firing("alertname", "A"))
	hook.want(t, "firing A=firing")
	families, err := a.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]bool)
	for _, f := range families {
		have[f.GetName()] = true
	}
	// Those of the alertmanager-mixin that exist without a cluster.
	for _, name := range []string{
		"alertmanager_alerts", "alertmanager_config_last_reload_successful", "alertmanager_cluster_enabled",
		"alertmanager_silences", "alertmanager_receivers", "alertmanager_integrations",
		"alertmanager_dispatcher_aggregation_groups", "alertmanager_notifications_total", "alertmanager_notifications_failed_total",
		"hedgewatch_alerting_journal_failures_total", "hedgewatch_alerting_journal_failing",
		"hedgewatch_alerting_journal_size_bytes", "hedgewatch_alerting_journal_write_duration_seconds",
	} {
		if !have[name] {
			t.Errorf("metric %s is missing", name)
		}
	}
	if err := prometheus.NewRegistry().Register(a.reg); err != nil {
		t.Errorf("metrics are inconsistent: %v", err)
	}
}

// putMany hands over n firing alerts, as one evaluation of a large rule does.
func putMany(b *testing.B, a *instance, n int) {
	b.Helper()
	as := make([]*alert.Alert, n)
	for i := range as {
		as[i] = firing("alertname", "KlineGap", "symbol", "S"+strconv.Itoa(i))
		as[i].StartsAt = time.Unix(1e9, 0)
		as[i].Annotations = model.LabelSet{"summary": "Klines are missing", "runbook_url": "https://hedgewatch.example/KlineGap"}
	}
	a.put(b, as...)
}

func BenchmarkRefresh10000Alerts(b *testing.B) {
	a := startAlerting(b, DefaultConfig(), testDeps(b, b.TempDir()))
	for b.Loop() {
		putMany(b, a, 10000)
	}
}

func BenchmarkRestartWith10000Alerts(b *testing.B) {
	dir := b.TempDir()
	a := startAlerting(b, DefaultConfig(), testDeps(b, dir))
	putMany(b, a, 10000)
	a.stop()
	for b.Loop() {
		startAlerting(b, DefaultConfig(), testDeps(b, dir)).stop()
	}
}
