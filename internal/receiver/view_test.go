package receiver

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
)

var (
	noon     = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	external = &url.URL{Scheme: "https", Host: "hedgewatch.example", Path: "/base/"}
)

func al(severity, account string, age time.Duration) *alert.Alert {
	return &alert.Alert{Alert: model.Alert{
		Labels:      model.LabelSet{"alertname": "SyncLag", "severity": model.LabelValue(severity), "account": model.LabelValue(account), "job": "sync"},
		Annotations: model.LabelSet{"summary": model.LabelValue("Account " + account), "description": "Look."},
		StartsAt:    noon.Add(-age),
	}}
}

func TestViewTellsSharedThingsOnce(t *testing.T) {
	over := al("critical", "over", 3*time.Hour)
	over.EndsAt = noon.Add(-time.Minute)
	taken := al("critical", "taken", 2*time.Hour)
	m := Message{
		Alerts:       []*alert.Alert{over, al("warning", "mild", time.Minute), taken, al("critical", "new", time.Second), al("critical", "old", time.Hour)},
		Acknowledged: map[model.Fingerprint]Acknowledgement{taken.Fingerprint(): {By: "ada"}},
		Values:       map[model.Fingerprint]string{taken.Fingerprint(): "12.5"},
	}
	v := NewView(m, external, noon)
	if v.Headline() != "🔴 SyncLag (4 firing, 1 resolved)" || v.State != Critical || v.Since != taken.StartsAt || !v.Until.IsZero() {
		t.Errorf("got %q, %s, since %s, until %s", v.Headline(), v.State, v.Since, v.Until)
	}
	if diff := cmp.Diff([]Label{{"job", "sync"}}, v.Labels); diff != "" || v.Description != "Look." || v.Summary != "" {
		t.Errorf("shared: got %v, %q, %q", v.Labels, v.Description, v.Summary)
	}
	var titles []string
	for _, a := range v.Alerts {
		titles = append(titles, a.Title())
		if a.Description != "" || a.Summary == "" {
			t.Errorf("%s: got summary %q, description %q; want its own summary only", a.Title(), a.Summary, a.Description)
		}
	}
	if got := v.Alerts[3].Value; got != "12.5" {
		t.Errorf("got the value %q, want that of the rule", got)
	}
	want := []string{
		"🔴 account=old, severity=critical", "🔴 account=new, severity=critical", "🟠 account=mild, severity=warning",
		"👀 account=taken, severity=critical", "✅ account=over, severity=critical",
	}
	if diff := cmp.Diff(want, titles); diff != "" {
		t.Errorf("order of alerts (-want +got):\n%s", diff)
	}
}

func TestViewOfAnEnd(t *testing.T) {
	a, b := al("critical", "a", time.Hour), al("critical", "b", time.Minute)
	a.EndsAt, b.EndsAt = noon, noon.Add(-time.Second)
	v := NewView(Message{Alerts: []*alert.Alert{b, a}}, external, noon)
	if v.State != Resolved || v.Since != a.StartsAt || v.Until != noon || v.Links.Silence != "" {
		t.Errorf("got %s since %s until %s, silence %q", v.State, v.Since, v.Until, v.Links.Silence)
	}
}

func TestViewWithoutAlerts(t *testing.T) {
	v := NewView(Message{Reason: ReasonTest}, nil, noon)
	if !strings.Contains(v.Text(), "Test message") {
		t.Errorf("got %q", v.Text())
	}
}

func TestThreshold(t *testing.T) {
	for _, test := range []struct{ expr, want string }{
		{"lag > 10", "> 10"},
		{"(rate(errors_total[5m]) >= bool 0.1)", ">= 0.1"},
		{"a - b < -5", "< -5"},
		{"max_over_time(x[1m]) == 0", "== 0"},
		{"up == 0 and on (job) y > 3", ""},
		{"a > b", ""},
		{"a > (", ""},
		{"", ""},
	} {
		if got := threshold("https://x.example/graph?g0.tab=1&g0.expr=" + url.QueryEscape(test.expr)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.expr, got, test.want)
		}
	}
}

func TestLinks(t *testing.T) {
	for in, want := range map[string]string{
		"https://x.example/a?b=c": "https://x.example/a?b=c",
		"javascript:alert(1)":     "", "/graph": "", "https://": "", "http://x/" + strings.Repeat("a", maxURL): "",
	} {
		if got := httpURL(in); got != want {
			t.Errorf("%.40s: got %q, want %q", in, got, want)
		}
	}
	got := silenceURL(external, model.LabelSet{"alertname": "A", "path": `C:\ "x" + ü`})
	const prefix = "https://hedgewatch.example/base/#/silences/new?filter="
	filter, err := url.PathUnescape(strings.TrimPrefix(got, prefix))
	if want := `{alertname="A",path="C:\\ \"x\" + ü"}`; !strings.HasPrefix(got, prefix) || err != nil || filter != want {
		t.Errorf("got %q with filter %q, want %q", got, filter, want)
	}
}

func FuzzThreshold(f *testing.F) {
	f.Add("https://x.example/graph?g0.expr=a+%3E+1")
	f.Add("https://x.example/graph?g0.expr=((((")
	f.Fuzz(func(t *testing.T, generator string) {
		if got := threshold(generator); len(got) > maxURL {
			t.Errorf("got %d bytes", len(got))
		}
	})
}
