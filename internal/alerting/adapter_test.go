package alerting

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// TestStatusOfALibraryReceiver holds the library to the words that its errors
// have for a status.
func TestStatusOfALibraryReceiver(t *testing.T) {
	for _, test := range []struct {
		status int
		want   Outcome
	}{
		{http.StatusOK, OutcomeDelivered},
		{http.StatusInternalServerError, OutcomeRetry},
		{http.StatusServiceUnavailable, OutcomeRetry},
		{http.StatusRequestTimeout, OutcomeRetry},
		{http.StatusTooManyRequests, OutcomePaced},
		{http.StatusUnauthorized, OutcomeDead},
		{http.StatusNotFound, OutcomeDead},
		{http.StatusBadRequest, OutcomeRejected},
	} {
		t.Run(http.StatusText(test.status), func(t *testing.T) {
			hook := newWebhook(t)
			hook.answer(test.status)
			d := testDeps(t, t.TempDir())
			d.Senders = libraryOnly
			a := startAlerting(t, loadConfig(t, oneWebhook, hook.URL), d)
			a.put(t, firing("alertname", "A"))
			var got []Delivery
			eventually(t, "an attempt in the ledger", func() bool {
				var err error
				if got, err = a.Deliveries(t.Context(), DeliveryQuery{}); err != nil {
					t.Fatal(err)
				}
				return len(got) > 0
			})
			first := got[len(got)-1]
			if first.Outcome != test.want || test.status != http.StatusOK && first.Status != test.status {
				t.Errorf("got outcome %s and status %d, want %s and %d", first.Outcome, first.Status, test.want, test.status)
			}
		})
	}
}

func libraryOnly(amconfig.Receiver, *template.Template, ...commoncfg.HTTPClientOption) (map[string]receiver.Sender, error) {
	return map[string]receiver.Sender{}, nil
}

// stuck is a notifier that does not end with its context.
type stuck chan struct{}

func (s stuck) Notify(context.Context, ...*alert.Alert) (bool, error) {
	<-s
	return false, nil
}

func TestNotifierThatIgnoresItsContextIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(stuck)
		a := newAdapter(notify.NewIntegration(release, nil, "email", 0, "mail"))
		for i := range maxStuck + 1 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			start := time.Now()
			_, err := a.Send(ctx, receiver.Message{})
			cancel()
			if took := time.Since(start); err == nil || receiver.KindOf(err) != receiver.Retry || took > time.Second+haltTimeout {
				t.Errorf("attempt %d ended after %v with %v, want a failure within bounds", i, took, err)
			}
			if i == maxStuck && errors.Is(err, context.DeadlineExceeded) {
				t.Error("one attempt too many was begun")
			}
		}
		close(release)
		synctest.Wait()
		if _, err := a.Send(t.Context(), receiver.Message{}); err != nil {
			t.Errorf("after the stuck ones have ended: %v", err)
		}
	})
}

func TestLibraryReceiversAreToldOfAStorm(t *testing.T) {
	m := receiver.Message{
		Alerts: []*alert.Alert{firing("alertname", "A")},
		Storm:  &receiver.Storm{Groups: 12, Firing: 10, Resolved: 2, ByName: map[string]int{"A": 7, "B": 3}},
	}
	as := receiver.WithStorm(m)
	if len(as) != 2 || !strings.Contains(string(as[0].Annotations["summary"]), "10 firing, 2 resolved, in 12 groups") {
		t.Errorf("got %v, want the storm in front", as)
	}
	if diff := cmp.Diff("A: 7, B: 3", string(as[0].Annotations["description"])); diff != "" {
		t.Errorf("description (-want +got):\n%s", diff)
	}
}

func TestSlackRemembersItsMessage(t *testing.T) {
	store := storeOf(receiver.Message{})
	store.SetStr("threadTs", "17.5")
	store.SetStr("channelId", "C1")
	memo := memoOf(store)
	again := storeOf(receiver.Message{Memo: memo, NotificationReason: notify.ReasonAllAlertsResolved.String()})
	if ts, _ := again.GetStr("threadTs"); ts != "17.5" {
		t.Errorf("got %q, want the message to edit", ts)
	}
	fresh := storeOf(receiver.Message{Memo: memo, NotificationReason: notify.ReasonFirstNotification.String()})
	if ts, ok := fresh.GetStr("threadTs"); ok {
		t.Errorf("got %q, want a message of its own after the group's end", ts)
	}
}
