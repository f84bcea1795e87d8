package alerting

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/api/v2/client"
	clientalert "github.com/prometheus/alertmanager/api/v2/client/alert"
	"github.com/prometheus/alertmanager/api/v2/client/alertgroup"
	"github.com/prometheus/alertmanager/api/v2/client/general"
	"github.com/prometheus/alertmanager/api/v2/client/receiver"
	"github.com/prometheus/alertmanager/api/v2/client/silence"
	"github.com/prometheus/alertmanager/api/v2/models"
)

// serve mounts the handler as the program does, and returns the generated
// client for the prefix, the one that amtool uses.
func serve(t testing.TB, h http.Handler, prefix string) *client.AlertmanagerAPI {
	mux := http.NewServeMux()
	mux.Handle("/api/v2/", h)
	mux.Handle("/alertmanager/", http.StripPrefix("/alertmanager", h))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return client.NewHTTPClientWithConfig(strfmt.Default, client.DefaultTransportConfig().
		WithHost(u.Host).WithBasePath(prefix+"/api/v2"))
}

func postableSilence(name, value string, d time.Duration) *models.PostableSilence {
	now := time.Now()
	start, end := strfmt.DateTime(now), strfmt.DateTime(now.Add(d))
	equal, regex, who, why := true, false, "ana", "maintenance"
	return &models.PostableSilence{Silence: models.Silence{
		Matchers:  models.Matchers{{Name: &name, Value: &value, IsEqual: &equal, IsRegex: &regex}},
		StartsAt:  &start,
		EndsAt:    &end,
		CreatedBy: &who,
		Comment:   &why,
	}}
}

func TestAPIAsAmtoolUsesIt(t *testing.T) {
	for _, prefix := range []string{"", "/alertmanager"} {
		t.Run("under "+prefix+"/", func(t *testing.T) {
			hook := newWebhook(t)
			a := startAlerting(t, loadConfig(t, oneWebhook, hook.URL), testDeps(t, t.TempDir()))
			am := serve(t, a.Handler(), prefix)

			status, err := am.General.GetStatus(general.NewGetStatusParams())
			if err != nil {
				t.Fatal(err)
			}
			if got := *status.Payload.Cluster.Status; got != models.ClusterStatusStatusDisabled {
				t.Errorf("got cluster status %q, want disabled", got)
			}
			if original := *status.Payload.Config.Original; !strings.Contains(original, "group_interval: 100ms") || strings.Contains(original, hook.URL) {
				t.Errorf("got configuration\n%s\nwant it whole and without the secret URL", original)
			}
			receivers, err := am.Receiver.GetReceivers(receiver.NewGetReceiversParams())
			if err != nil {
				t.Fatal(err)
			}
			if len(receivers.Payload) != 1 || *receivers.Payload[0].Name != "hook" {
				t.Errorf("got receivers %v, want hook", receivers.Payload)
			}

			// amtool alert add
			start := strfmt.DateTime(time.Now())
			_, err = am.Alert.PostAlerts(clientalert.NewPostAlertsParams().WithAlerts(models.PostableAlerts{
				{Alert: models.Alert{Labels: models.LabelSet{"alertname": "A", "symbol": "BTCUSDT"}}, StartsAt: start},
			}))
			if err != nil {
				t.Fatal(err)
			}
			hook.want(t, "firing A=firing")

			// amtool silence add, query, alert query, silence expire
			posted, err := am.Silence.PostSilences(silence.NewPostSilencesParams().WithSilence(postableSilence("symbol", "BTCUSDT", time.Hour)))
			if err != nil {
				t.Fatal(err)
			}
			id := strfmt.UUID(posted.Payload.SilenceID)
			one, err := am.Silence.GetSilence(silence.NewGetSilenceParams().WithSilenceID(id))
			if err != nil {
				t.Fatal(err)
			}
			if got := *one.Payload.CreatedBy; got != "ana" {
				t.Errorf("got silence by %q, want ana", got)
			}
			alerts, err := am.Alert.GetAlerts(clientalert.NewGetAlertsParams().WithFilter([]string{`symbol="BTCUSDT"`}))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]string{{string(id)}}, silencedBy(alerts.Payload)); diff != "" {
				t.Errorf("silences of alerts (-want +got):\n%s", diff)
			}
			groups, err := am.Alertgroup.GetAlertGroups(alertgroup.NewGetAlertGroupsParams())
			if err != nil {
				t.Fatal(err)
			}
			if len(groups.Payload) != 1 || len(groups.Payload[0].Alerts) != 1 {
				t.Errorf("got groups %v, want one with one alert", groups.Payload)
			}
			if _, err := am.Silence.DeleteSilence(silence.NewDeleteSilenceParams().WithSilenceID(id)); err != nil {
				t.Fatal(err)
			}
			all, err := am.Silence.GetSilences(silence.NewGetSilencesParams())
			if err != nil {
				t.Fatal(err)
			}
			if len(all.Payload) != 1 || *all.Payload[0].Status.State != models.SilenceStatusStateExpired {
				t.Errorf("got silences %v, want one that is expired", all.Payload)
			}
		})
	}
}

func silencedBy(alerts models.GettableAlerts) [][]string {
	var ids [][]string
	for _, a := range alerts {
		ids = append(ids, a.Status.SilencedBy)
	}
	return ids
}

func TestSilencedAlertIsNotSent(t *testing.T) {
	hook := newWebhook(t)
	a := startAlerting(t, loadConfig(t, oneWebhook, hook.URL), testDeps(t, t.TempDir()))
	am := serve(t, a.Handler(), "")
	posted, err := am.Silence.PostSilences(silence.NewPostSilencesParams().WithSilence(postableSilence("alertname", "A", time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	a.put(t, firing("alertname", "A"))
	eventually(t, "A is silenced", func() bool {
		return a.value(t, "alertmanager_notifications_suppressed_total", map[string]string{"reason": "silence"}) > 0
	})
	a.put(t, firing("alertname", "B"))
	hook.want(t, "firing B=firing")
	id := strfmt.UUID(posted.Payload.SilenceID)
	if _, err := am.Silence.DeleteSilence(silence.NewDeleteSilenceParams().WithSilenceID(id)); err != nil {
		t.Fatal(err)
	}
	hook.want(t, "firing A=firing")
}

func TestAPIRefusesBadInput(t *testing.T) {
	a := startAlerting(t, DefaultConfig(), testDeps(t, t.TempDir()))
	silenceJSON := func(matchers, start, end string) string {
		return `{"matchers":[` + matchers + `],"startsAt":"` + start + `","endsAt":"` + end + `","createdBy":"ana","comment":"c"}`
	}
	const matcher = `{"name":"alertname","value":"A","isRegex":false,"isEqual":true}`
	for _, test := range []struct {
		name, method, path, body string
		chunked                  bool
		code                     int
		want                     string
	}{
		{name: "silence that has ended", method: "POST", path: "/api/v2/silences", body: silenceJSON(matcher, "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"), code: 400, want: "end time can't be in the past"},
		{name: "silence that ends before it starts", method: "POST", path: "/api/v2/silences", body: silenceJSON(matcher, "2099-01-02T00:00:00Z", "2099-01-01T00:00:00Z"), code: 400, want: "start time must be before end time"},
		{name: "bad regular expression", method: "POST", path: "/api/v2/silences", body: silenceJSON(`{"name":"a","value":"(","isRegex":true}`, "2099-01-01T00:00:00Z", "2099-01-02T00:00:00Z"), code: 400, want: "regular expression"},
		{name: "matchers that match everything", method: "POST", path: "/api/v2/silences", body: silenceJSON(`{"name":"a","value":"","isRegex":false}`, "2099-01-01T00:00:00Z", "2099-01-02T00:00:00Z"), code: 400, want: "at least one matcher must not match the empty string"},
		{name: "broken JSON", method: "POST", path: "/api/v2/silences", body: `{"matchers":[`, code: 400, want: "silence"},
		{name: "no JSON at all", method: "POST", path: "/api/v2/alerts", body: `alert!`, code: 400, want: "alerts"},
		{name: "alert without labels", method: "POST", path: "/api/v2/alerts", body: `[{"labels":{}}]`, code: 400, want: "at least one label pair required"},
		{name: "huge body", method: "POST", path: "/api/v2/alerts", body: "[" + strings.Repeat(" ", maxRequestBytes) + "]", code: 413, want: "at most 16777216"},
		{name: "huge body of unknown length", method: "POST", path: "/api/v2/alerts", body: "[" + strings.Repeat(" ", maxRequestBytes) + "]", chunked: true, code: 400, want: "too large"},
		{name: "bad filter", method: "GET", path: "/api/v2/alerts?filter=%7Bnope", code: 400, want: "nope"},
		{name: "unknown silence", method: "DELETE", path: "/api/v2/silence/00000000-0000-4000-8000-000000000000", code: 404},
		{name: "unknown path", method: "GET", path: "/api/v2/nope", code: 404, want: "no such path"},
		{name: "removed API", method: "GET", path: "/api/v1/alerts", code: 410, want: "v2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var body io.Reader = strings.NewReader(test.body)
			if test.chunked {
				body = struct{ io.Reader }{body}
			}
			r := httptest.NewRequest(test.method, test.path, body)
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			a.Handler().ServeHTTP(w, r)
			if w.Code != test.code || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("got %d %q, want %d with %q", w.Code, w.Body, test.code, test.want)
			}
		})
	}
	// Unknown paths have left no series behind.
	families, err := a.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "alertmanager_http_request_duration_seconds" && strings.Contains(f.String(), "nope") {
			t.Error("a made-up path has become a label value")
		}
	}
}

func TestAPIBeforeReady(t *testing.T) {
	a, err := New(DefaultConfig(), testDeps(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/v2/status", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "starting") {
		t.Errorf("got %d %q, want 503 that says alerting is starting", w.Code, w.Body)
	}
}

// An alert that is posted once, with its end, is nobody's to resend: a restart
// must not shorten it to the grace.
func TestPostedAlertKeepsItsEndAcrossARestart(t *testing.T) {
	hook := newWebhook(t)
	cfg := loadConfig(t, oneWebhook, hook.URL)
	dir := t.TempDir()
	a := startAlerting(t, cfg, testDeps(t, dir))
	now := time.Now()
	_, err := serve(t, a.Handler(), "").Alert.PostAlerts(clientalert.NewPostAlertsParams().WithAlerts(models.PostableAlerts{{
		Alert:    models.Alert{Labels: models.LabelSet{"alertname": "Drill"}},
		StartsAt: strfmt.DateTime(now),
		EndsAt:   strfmt.DateTime(now.Add(time.Hour)),
	}}))
	if err != nil {
		t.Fatal(err)
	}
	hook.want(t, "firing Drill=firing")
	a.stop()

	d := testDeps(t, dir)
	d.Grace = 50 * time.Millisecond
	startAlerting(t, cfg, d)
	hook.quiet(t, 400*time.Millisecond)
}

// TestProgramsOwnReceiversAreHidden: what the program sends to itself arrives,
// and is in nobody's way.
func TestProgramsOwnReceiversAreHidden(t *testing.T) {
	team, own := newWebhook(t), newWebhook(t)
	cfg := loadConfig(t, `
route: {receiver: team, group_by: [alertname], group_wait: 0s, routes: [{receiver: own, matchers: ['alertname="Own"']}]}
receivers:
- {name: team, webhook_configs: [{url: %q}]}
- {name: own, webhook_configs: [{url: %q}]}
`, team.URL, own.URL)
	cfg.Shown = loadConfig(t, "{route: {receiver: team}, receivers: [{name: team}]}").Alertmanager
	d := testDeps(t, t.TempDir())
	notified := make(chan string, 10)
	d.Transition = func(tr Transition) {
		if tr.To == StateNotified {
			notified <- tr.Receiver
		}
	}
	i := startAlerting(t, cfg, d)
	i.put(t, firing("alertname", "Own"))
	own.want(t, "firing Own=firing")
	i.put(t, firing("alertname", "Theirs"))
	team.want(t, "firing Theirs=firing")
	if got := <-notified; got != "team" {
		t.Errorf("the history hears that %q was told, want team", got)
	}

	get := func(path string) string {
		w := httptest.NewRecorder()
		i.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Body.String()
	}
	if got, want := strings.TrimSpace(get("/api/v2/receivers")), `[{"labels":{"name":"team"},"name":"team"}]`; got != want {
		t.Errorf("got receivers %s, want %s", got, want)
	}
	for _, path := range []string{"/api/v2/alerts", "/api/v2/alerts/groups"} {
		if got := get(path); strings.Contains(got, "Own") || !strings.Contains(got, "Theirs") {
			t.Errorf("%s: got %s, want Theirs only", path, got)
		}
	}
	deliveries, err := i.Deliveries(t.Context(), DeliveryQuery{})
	if err != nil || len(deliveries) != 1 || deliveries[0].Receiver != "team" {
		t.Errorf("got deliveries %+v, error %v, want the team's", deliveries, err)
	}
	if outbox := i.Outbox(); len(outbox) != 1 || outbox[0].Receiver != "team" {
		t.Errorf("got outbox %+v, want the team's", outbox)
	}
	if got := i.value(t, "hedgewatch_deliveries_total", nil); got != 1 {
		t.Errorf("got %v deliveries counted, want the team's", got)
	}
}
