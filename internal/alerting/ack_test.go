package alerting

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// repeating tells the webhook of a group every few milliseconds.
const repeating = `
route: {receiver: hook, group_by: [job], group_wait: 1ms, group_interval: 10ms, repeat_interval: 20ms}
receivers: [{name: hook, webhook_configs: [{url: %q}]}]`

// untilQuiet reads what is on its way, then fails if anything more comes.
func (w *webhook) untilQuiet(t testing.TB) {
	t.Helper()
	for settled := time.After(100 * time.Millisecond); ; {
		select {
		case <-w.got:
			continue
		case <-settled:
		}
		break
	}
	w.quiet(t, 300*time.Millisecond)
}

// find reads until a notification is the wanted one.
func (w *webhook) find(t testing.TB, brief string) {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case m := <-w.got:
			if m.brief() == brief {
				return
			}
		case <-deadline:
			t.Fatalf("no notification %q", brief)
		}
	}
}

func acknowledge(t testing.TB, i *instance, fp string, until time.Time) {
	t.Helper()
	if _, err := i.Acknowledge(t.Context(), fp, receiver.Acknowledgement{By: "ada", Comment: "on it"}, until); err != nil {
		t.Fatal(err)
	}
}

func TestAcknowledgedAlertsAreNotRepeated(t *testing.T) {
	w := newWebhook(t)
	i := startAlerting(t, loadConfig(t, repeating, w.URL), testDeps(t, t.TempDir()))
	a, b := firing("alertname", "A", "job", "x"), firing("alertname", "B", "job", "x")
	i.put(t, a)
	w.want(t, "firing A=firing")
	w.want(t, "firing A=firing") // a repetition

	acknowledge(t, i, a.Fingerprint().String(), time.Time{})
	w.untilQuiet(t)
	i.put(t, b)
	w.find(t, "firing A=firing B=firing") // a new alert in the group still goes
	w.find(t, "firing A=firing B=firing") // and is repeated, since nobody has it
	acknowledge(t, i, b.Fingerprint().String(), time.Time{})
	w.untilQuiet(t)

	if err := i.Unacknowledge(t.Context(), b.Fingerprint().String()); err != nil {
		t.Fatal(err)
	}
	w.find(t, "firing A=firing B=firing")
	acknowledge(t, i, b.Fingerprint().String(), time.Now().Add(time.Second))
	w.untilQuiet(t)
	w.find(t, "firing A=firing B=firing") // its time is over
}

func TestAcknowledgementEndsWithItsAlert(t *testing.T) {
	w := newWebhook(t)
	i := startAlerting(t, loadConfig(t, repeating, w.URL), testDeps(t, t.TempDir()))
	a := firing("alertname", "A", "job", "x")
	fp := a.Fingerprint().String()
	i.put(t, a)
	w.want(t, "firing A=firing")
	acknowledge(t, i, fp, time.Time{})
	w.untilQuiet(t)

	i.put(t, resolved("alertname", "A", "job", "x"))
	w.find(t, "resolved A=resolved")
	if err := i.Unacknowledge(t.Context(), fp); !errors.Is(err, ErrUnknownAlert) {
		t.Errorf("got error %v, want ErrUnknownAlert", err)
	}
	i.put(t, firing("alertname", "A", "job", "x"))
	w.find(t, "firing A=firing")
	w.find(t, "firing A=firing")
	if acks, err := i.Acks(t.Context()); err != nil || len(acks) != 0 {
		t.Errorf("got acknowledgements %v, %v; want none", acks, err)
	}
}

func TestAcknowledgementSurvivesARestart(t *testing.T) {
	w, dir := newWebhook(t), t.TempDir()
	cfg := loadConfig(t, repeating, w.URL)
	i := startAlerting(t, cfg, testDeps(t, dir))
	a := firing("alertname", "A", "job", "x")
	i.put(t, a)
	w.want(t, "firing A=firing")
	acknowledge(t, i, a.Fingerprint().String(), time.Time{})
	before, err := i.Acks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i.stop()

	i = startAlerting(t, cfg, testDeps(t, dir))
	w.untilQuiet(t)
	after, err := i.Acks(t.Context())
	if err != nil || len(after) != 1 {
		t.Fatalf("got %v, %v; want one", after, err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if got := i.acks.of([]*alert.Alert{a}); got[a.Fingerprint()].By != "ada" {
		t.Errorf("messages would name %v, want ada", got)
	}
}

func TestBadAcknowledgementsAreRefused(t *testing.T) {
	i := startAlerting(t, DefaultConfig(), testDeps(t, t.TempDir()))
	a := firing("alertname", "A")
	i.put(t, a)
	fp, by := a.Fingerprint().String(), receiver.Acknowledgement{By: "ada"}
	tests := []struct {
		name, fingerprint string
		by                receiver.Acknowledgement
		until             time.Time
		want              error
		text              string
	}{
		{name: "unknown alert", fingerprint: "0123456789abcdef", by: by, want: ErrUnknownAlert, text: "alert 0123456789abcdef: no such alert fires"},
		{name: "no fingerprint", fingerprint: "HighLag", by: by, want: ErrInvalid, text: `"HighLag" is no fingerprint`},
		{name: "nobody", fingerprint: fp, by: receiver.Acknowledgement{By: " "}, want: ErrInvalid, text: "say in `by`"},
		{name: "long comment", fingerprint: fp, by: receiver.Acknowledgement{By: "ada", Comment: strings.Repeat("x", 2000)}, want: ErrInvalid, text: "1024 bytes"},
		{name: "until the past", fingerprint: fp, by: by, until: time.Now().Add(-time.Second), want: ErrInvalid, text: "`until` has passed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := i.Acknowledge(t.Context(), tt.fingerprint, tt.by, tt.until)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got error %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
	if err := i.Unacknowledge(t.Context(), fp); !errors.Is(err, ErrNotAcknowledged) {
		t.Errorf("got error %v, want ErrNotAcknowledged", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	notStarted, err := New(DefaultConfig(), testDeps(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := notStarted.Acks(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v before the start, want one of the context", err)
	}
}
