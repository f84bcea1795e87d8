package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v2"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// got is a request as the server saw it.
type got struct {
	header http.Header
	body   string
}

// serve answers with the given status and headers.
func serve(t *testing.T, status int, header ...string) (address string, requests <-chan got) {
	t.Helper()
	seen := make(chan got, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		seen <- got{r.Header, string(body)}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "thank you for %s", r.RequestURI)
	}))
	t.Cleanup(server.Close)
	return server.URL, seen
}

func options(t *testing.T, config, settings string) Options {
	t.Helper()
	o := Options{Config: &amwebhook.WebhookConfig{}, HTTP: []commoncfg.HTTPClientOption{commoncfg.WithKeepAlivesDisabled()}}
	if err := yaml.Unmarshal([]byte(config), o.Config); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(settings), &o.Settings); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.Template, err = template.FromGlobs(nil); err != nil {
		t.Fatal(err)
	}
	o.Template.ExternalURL = &url.URL{Scheme: "http", Host: "hedgewatch.example"}
	return o
}

func build(t *testing.T, config, settings string) *Sender {
	t.Helper()
	s, err := New(options(t, config, settings))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func message() receiver.Message {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m := receiver.Message{
		ID: "msg-1", Receiver: "ops.team", GroupKey: `{}:{alertname="SyncLag"}`, Reason: receiver.ReasonFiring,
		GroupLabels: model.LabelSet{"alertname": "SyncLag"}, RouteLabels: model.LabelSet{"team": "sync"},
	}
	for _, account := range []model.LabelValue{"one", "two", "<three>"} {
		m.Alerts = append(m.Alerts, &alert.Alert{Alert: model.Alert{
			Labels:      model.LabelSet{"alertname": "SyncLag", "account": account},
			Annotations: model.LabelSet{"summary": "behind"}, StartsAt: at, GeneratorURL: "http://hedgewatch.example/graph?a=1&b=2",
		}})
	}
	m.Alerts[1].EndsAt = at.Add(time.Minute)
	return m
}

// TestBodyIsAlertmanagers sends the same message through both.
func TestBodyIsAlertmanagers(t *testing.T) {
	for _, config := range []string{
		"",
		"max_alerts: 2",
		`payload: {text: '{{ .CommonLabels.alertname }}', list: ['{{ .Status }}'], n: '{{ len .Alerts }}'}`,
	} {
		t.Run(config, func(t *testing.T) {
			address, requests := serve(t, 200)
			config := "url: " + address + "\n" + config
			o := options(t, config, "")
			o.Config.HTTPConfig = &commoncfg.HTTPClientConfig{}
			theirs, err := amwebhook.New(o.Config, o.Template, slog.New(slog.DiscardHandler), o.HTTP...)
			if err != nil {
				t.Fatal(err)
			}
			m := message()
			ctx := notify.WithGroupKey(t.Context(), m.GroupKey)
			ctx = notify.WithReceiverName(ctx, m.Receiver)
			ctx = notify.WithGroupLabels(ctx, m.GroupLabels)
			ctx = notify.WithRouteLabels(ctx, m.RouteLabels)
			ctx = notify.WithNotificationReason(ctx, notify.ReasonFirstNotification)
			if _, err := theirs.Notify(ctx, m.Alerts...); err != nil {
				t.Fatal(err)
			}
			want := <-requests
			receipt, err := build(t, config, "").Send(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			ours := <-requests
			if diff := cmp.Diff(want.body, ours.body); diff != "" || receipt.Payload != ours.body {
				t.Errorf("the body differs from Alertmanager's (-want +got):\n%s", diff)
			}
			if ours.header.Get("Content-Type") != want.header.Get("Content-Type") {
				t.Errorf("got content type %q, want %q", ours.header.Get("Content-Type"), want.header.Get("Content-Type"))
			}
		})
	}
}

func TestSignedWithHeadersAndBody(t *testing.T) {
	address, requests := serve(t, 204)
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789"))
	s := build(t, "url: "+address+"/hook/s3cr3t", `
hmac_secret: `+secret+`
headers: {X-Api-Key: k3y, Content-Type: text/plain}
body: '{{ .GroupLabels.alertname }}: {{ len .Alerts.Firing }}'
`)
	receipt, err := s.Send(t.Context(), message())
	if err != nil {
		t.Fatal(err)
	}
	r := <-requests
	mac := hmac.New(sha256.New, []byte("0123456789"))
	fmt.Fprintf(mac, "msg-1.%s.%s", r.header.Get("webhook-timestamp"), "SyncLag: 2")
	want := map[string]string{
		"X-Api-Key": "k3y", "Content-Type": "text/plain", "Webhook-Id": "msg-1",
		"Webhook-Signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}
	for name, value := range want {
		if got := r.header.Get(name); got != value {
			t.Errorf("header %s: got %q, want %q", name, got, value)
		}
	}
	if r.body != "SyncLag: 2" || receipt.Status != 204 {
		t.Errorf("got body %q, status %d", r.body, receipt.Status)
	}
	for _, secret := range []string{"s3cr3t", "k3y", "whsec", "0123456789"} {
		if text := fmt.Sprintf("%+v", receipt); strings.Contains(text, secret) {
			t.Errorf("the receipt shows a secret: %s", text)
		}
	}
}

// TestSignatureOfTheStandard uses the example of the specification's libraries.
func TestSignatureOfTheStandard(t *testing.T) {
	k, err := key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	sign(h, k, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got, want := h.Get("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		status int
		retry  string
		kind   receiver.Kind
		after  time.Duration
	}{
		{500, "", receiver.Retry, 0},
		{503, "", receiver.Retry, 0},
		{503, "7", receiver.Paced, 7 * time.Second},
		{429, "0.5", receiver.Paced, 500 * time.Millisecond},
		{429, "", receiver.Retry, 0},
		{302, "", receiver.Retry, 0},
		{401, "", receiver.Retry, 0},
		{404, "", receiver.Retry, 0},
		{410, "", receiver.Dead, 0},
		{400, "", receiver.Rejected, 0},
		{413, "", receiver.Rejected, 0},
	} {
		t.Run(fmt.Sprint(test.status, test.retry), func(t *testing.T) {
			address, _ := serve(t, test.status, "Retry-After", test.retry)
			receipt, err := build(t, "url: "+address, "").Send(t.Context(), message())
			e, ok := err.(*receiver.Error)
			if !ok || e.Kind != test.kind || e.After != test.after || receipt.Status != test.status {
				t.Errorf("got %#v, status %d; want %s after %s", err, receipt.Status, test.kind, test.after)
			}
		})
	}
}

func TestFailureShowsNoURL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	for _, text := range []string{
		"http://127.0.0.1:1/hook/s3cr3t", "http://user:s3cr3t@127.0.0.1:1/", "s3cr3t", "http://127.0.0.1:1/%zz/s3cr3t",
		"http://127.0.0.1:s3cr3t/", "ftp://x/s3cr3t", "http://127.0.0.1:1/{{ .Nope }}s3cr3t{{",
	} {
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		receipt, err := build(t, "url_file: "+file, "").Send(t.Context(), message())
		if err == nil || receiver.KindOf(err) != receiver.Retry {
			t.Errorf("%s: got error %v, want one worth another try", text, err)
		}
		if shown := fmt.Sprintf("%+v %v", receipt, err); strings.Contains(shown, "s3cr3t") {
			t.Errorf("a secret is shown: %s", shown)
		}
	}
}

func TestTimeouts(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer server.Close()
	defer close(hang)
	_, err := build(t, "url: "+server.URL+"\ntimeout: 20ms", "").Send(t.Context(), message())
	if err == nil || !strings.Contains(err.Error(), "configured timeout of 20ms") {
		t.Errorf("got error %v, want the configured timeout", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err = build(t, "url: "+server.URL, "").Send(ctx, message()); receiver.KindOf(err) != receiver.Retry || err == nil {
		t.Errorf("got error %v, want one worth another try", err)
	}
}

func TestNewRefuses(t *testing.T) {
	const config = "url: http://127.0.0.1:1/"
	for _, test := range []struct{ name, config, settings, want string }{
		{"bad body", config, "body: '{{ .Alerts'", "unclosed action"},
		{"two bodies", config + "\npayload: {a: b}", "body: x", "keep one of the two"},
		{"two secrets", config, "{hmac_secret: a, hmac_secret_file: b}", "keep one of the two"},
		{"bad secret", config, "hmac_secret: whsec_!", "not base64"},
		{"bad header", config, "headers: {'a b': c}", `"a b" is no name`},
		{"injected header", config, `headers: {a: "b\r\nc: d"}`, "no header may have"},
		{"our header", config, "headers: {Webhook-Id: x}", "set by hedgewatch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := New(options(t, test.config, test.settings)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
}
