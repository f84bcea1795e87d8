package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/file" // Some discovery must be registered.
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/alerting/intake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door is an Intake together with what came out of it in process.
type door struct {
	*intake.Intake
	reg *prometheus.Registry
	got []string
	// values has each alert with its value and annotations.
	values []string
	err    error
}

func newDoor(t *testing.T, cfg string) *door {
	t.Helper()
	d := &door{reg: prometheus.NewRegistry()}
	sd, err := discovery.CreateAndRegisterSDMetrics(d.reg)
	if err != nil {
		t.Fatal(err)
	}
	d.Intake, err = intake.New(config(t, cfg), intake.Deps{
		Logger:     slog.New(slog.DiscardHandler),
		Registerer: d.reg,
		SDMetrics:  sd,
		Put: func(ctx context.Context, alerts ...*alert.Alert) error {
			for _, a := range alerts {
				if err := a.Validate(); err != nil {
					return err
				}
				d.got = append(d.got, fmt.Sprint(a.Labels))
				value := "none"
				if v, ok := alerting.ValuesOf(ctx)[a.Fingerprint()]; ok {
					value = fmt.Sprint(v)
				}
				d.values = append(d.values, fmt.Sprintf("%v=%s %v", a.Labels, value, a.Annotations))
			}
			return d.err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return d
}

func config(t *testing.T, cfg string) intake.Config {
	t.Helper()
	return intake.Config{Prometheus: load(t, cfg), Flapping: intake.DefaultFlapping()}
}

func load(t *testing.T, cfg string) *promconfig.Config {
	t.Helper()
	prom, err := promconfig.Load(cfg, promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	return prom
}

func firing(pairs ...string) *notifier.Alert {
	return &notifier.Alert{Labels: labels.FromStrings(pairs...), StartsAt: time.Now(), EndsAt: time.Now().Add(time.Minute)}
}

// TestValuesGoBesideTheAlerts: the value arrives with the alert as relabelling
// has made it, and is no annotation of it.
func TestValuesGoBesideTheAlerts(t *testing.T) {
	d := newDoor(t, "global: {external_labels: {site: lab}}")
	valued := firing("alertname", "A")
	valued.Annotations = labels.FromStrings("hedgewatch_value", "2412.5", "summary", "s")
	d.Send(t.Context(), valued, firing("alertname", "B"))
	if want := []string{`{alertname="A", site="lab"}=2412.5 {summary="s"}`, `{alertname="B", site="lab"}=none {}`}; !cmp.Equal(d.values, want) {
		t.Errorf("got %q, want %q", d.values, want)
	}
}

func TestLabelsOfAlerts(t *testing.T) {
	tests := []struct {
		name   string
		config string
		alert  *notifier.Alert
		want   []string
	}{
		{
			name:  "unchanged",
			alert: firing("alertname", "A", "account", "7"),
			want:  []string{`{account="7", alertname="A"}`},
		},
		{
			name:   "external labels are added",
			config: "global: {external_labels: {site: tokyo}}",
			alert:  firing("alertname", "A"),
			want:   []string{`{alertname="A", site="tokyo"}`},
		},
		{
			name:   "an alert's own label wins over an external one",
			config: "global: {external_labels: {site: tokyo}}",
			alert:  firing("alertname", "A", "site", "paris"),
			want:   []string{`{alertname="A", site="paris"}`},
		},
		{
			name:   "relabelling sees external labels",
			config: "global: {external_labels: {replica: a}}\nalerting: {alert_relabel_configs: [{action: labeldrop, regex: replica}]}",
			alert:  firing("alertname", "A"),
			want:   []string{`{alertname="A"}`},
		},
		{
			name:   "relabelling drops an alert",
			config: "alerting: {alert_relabel_configs: [{source_labels: [alertname], regex: Noise, action: drop}]}",
			alert:  firing("alertname", "Noise"),
		},
		{
			name:  "an empty label is no label",
			alert: firing("alertname", "A", "account", ""),
			want:  []string{`{alertname="A"}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, tt.config)
			d.Send(t.Context(), tt.alert)
			if diff := cmp.Diff(tt.want, d.got); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExternalAlertmanagerGetsTheSameAlert(t *testing.T) {
	posts := make(chan string, 10)
	am := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		posts <- string(body)
	}))
	t.Cleanup(am.Close)
	d := newDoor(t, fmt.Sprintf("global: {external_labels: {site: tokyo}}\nalerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}",
		strings.TrimPrefix(am.URL, "http://")))
	for end := time.Now().Add(10 * time.Second); len(d.External().Alertmanagers()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("external Alertmanager not discovered")
		}
	}
	d.Send(t.Context(), firing("alertname", "A"))
	select {
	case body := <-posts:
		var got []struct{ Labels map[string]string }
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || !cmp.Equal(got[0].Labels, map[string]string{"alertname": "A", "site": "tokyo"}) {
			t.Errorf("got %s", body)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was sent")
	}
	if want := []string{`{alertname="A", site="tokyo"}`}; !cmp.Equal(d.got, want) {
		t.Errorf("in process got %v, want %v", d.got, want)
	}
}

func TestRefusedAlertsAreCounted(t *testing.T) {
	d := newDoor(t, "")
	d.err = errors.New("queue is full")
	d.Send(t.Context(), firing("alertname", "A"), firing("alertname", "B"))
	want := strings.NewReader(`
# HELP hedgewatch_intake_failures_total Alerts that the embedded Alertmanager did not take. A rule's alert comes again after the resend delay.
# TYPE hedgewatch_intake_failures_total counter
hedgewatch_intake_failures_total 2
`)
	if err := testutil.GatherAndCompare(d.reg, want, "hedgewatch_intake_failures_total"); err != nil {
		t.Error(err)
	}
}

func TestReloadIsAllOrNothing(t *testing.T) {
	d := newDoor(t, "global: {external_labels: {site: tokyo}}")
	_, err := d.Prepare(config(t, `
global: {external_labels: {site: paris}}
alerting: {alertmanagers: [{tls_config: {ca_file: /does/not/exist}, static_configs: [{targets: ['127.0.0.1:1']}]}]}
`))
	if err == nil || !strings.Contains(err.Error(), "/does/not/exist") {
		t.Errorf("got error %v, want one that names the missing file", err)
	}
	d.Send(t.Context(), firing("alertname", "A"))
	if want := []string{`{alertname="A", site="tokyo"}`}; !cmp.Equal(d.got, want) {
		t.Errorf("got %v, want %v", d.got, want)
	}
}
