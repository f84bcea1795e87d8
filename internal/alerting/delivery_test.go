package alerting

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/client_golang/prometheus"
)

// sentTo is a stage that notes when notifications reach it.
func sentTo(sent chan<- time.Time) notify.Stage {
	return notify.StageFunc(func(ctx context.Context, _ *slog.Logger, as ...*alert.Alert) (context.Context, []*alert.Alert, error) {
		sent <- time.Now()
		return ctx, as, nil
	})
}

func newTestDelivery(t *testing.T, next notify.Stage, config string) *delivery {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	j, err := loadJournal(filepath.Join(t.TempDir(), "journal"), logger, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	routes := dispatch.NewRoute(loadConfig(t, "%s", config).Alertmanager.Route, nil)
	alerts := newAlerts(j, logger, func(Transition) {})
	alerts.mem, err = mem.NewAlerts(t.Context(), alertGC, 0, storeCallback{alerts: alerts}, logger, eventrecorder.Recorder{},
		prometheus.NewRegistry(), featurecontrol.NoopFlags{})
	if err != nil {
		t.Fatal(err)
	}
	return newDelivery(next, routes, alerts, newAcks(j, logger))
}

func TestAttemptWaitsForTheDisk(t *testing.T) {
	for _, test := range []struct {
		name string
		disk bool
		want time.Duration
	}{
		{"that works", true, 0},
		{"that hangs, within bounds", false, syncTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &place{}
				d := testDeps(t, t.TempDir())
				d.Senders = sendTo(map[string]*place{"place": p})
				a, err := New(loadConfig(t, onePlace), d)
				if err != nil {
					t.Fatal(err)
				}
				queues := a.outbox.adopt(a.plan, time.Now())
				crew := a.outbox.work(a.plan, queues)
				ctx, cancel := context.WithCancel(t.Context())
				var running sync.WaitGroup
				defer func() { crew.quit(); a.outbox.end(); cancel(); running.Wait() }()

				start := time.Now()
				err = queues[0].put(&groupState{
					ID: "1", Seq: 1, GroupKey: "g", QueuedAt: start, Since: start, Destination: queues[0].key,
					Alerts: []*alert.Alert{firing("alertname", "A")},
				}, start)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got := p.messages(); len(got) != 0 {
					t.Fatal("sent before the message is on disk")
				}
				if test.disk {
					running.Go(func() { a.outbox.journal.run(ctx) })
				}
				settle(2 * syncTimeout)
				p.mu.Lock()
				defer p.mu.Unlock()
				if len(p.takenAt) != 1 || p.takenAt[0].Sub(start) != test.want {
					t.Errorf("sent at %v, want once after %v", p.takenAt, test.want)
				}
			})
		})
	}
}

// TestRestartKnowsWhatOnlyAMessageSays is about a crash between the writes of two
// files: a message is on disk before the state of its alerts.
func TestRestartKnowsWhatOnlyAMessageSays(t *testing.T) {
	for _, test := range []struct {
		name string
		ends bool // the alert ends, else it begins to fire
		want []string
	}{
		{"an alert", false, []string{"firing A=firing", "resolved A=resolved"}},
		{"an end", true, []string{"resolved A=resolved"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &place{}
				p.fails(errors.New("away"))
				dir := t.TempDir()
				start := func() *instance {
					d := testDeps(t, dir)
					d.Senders, d.Grace = sendTo(map[string]*place{"place": p}), time.Minute
					return startAlerting(t, loadConfig(t, onePlace), d)
				}
				a := start()
				var old []byte
				al := firing("alertname", "A")
				if test.ends {
					a.put(t, al)
					settle(time.Second)
					var err error
					if old, err = os.ReadFile(a.journal.path); err != nil {
						t.Fatal(err)
					}
					al = &alert.Alert{Alert: al.Alert}
					al.EndsAt = time.Now()
				}
				a.put(t, al)
				settle(5 * time.Second)
				a.stop()
				if err := os.WriteFile(a.journal.path, old, 0o600); err != nil {
					t.Fatal(err)
				}
				p.answers(nil)
				start()
				settle(10 * time.Minute)
				p.want(t, test.want...)
			})
		})
	}
}

func TestNotificationLogEntryIsOnDiskWhenLogReturns(t *testing.T) {
	a := startAlerting(t, DefaultConfig(), testDeps(t, t.TempDir()))
	for i := range uint32(20) {
		err := a.notifications.Log(&nflogpb.Receiver{GroupName: "r", Integration: "webhook", Idx: i}, "{}:{}", []uint64{1}, nil, nil, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(contentsOf(t, a.journal.path)); got != int(i)+1 {
			t.Fatalf("%d entries are on disk after %d", got, i+1)
		}
	}
}

func TestAlertIsFinishedWhenAllItsRoutesHaveToldItsEnd(t *testing.T) {
	sent := make(chan time.Time, 100)
	d := newTestDelivery(t, sentTo(sent), `
route:
  receiver: r
  routes: [{receiver: r, continue: true}, {receiver: r, matchers: ['alertname="A"']}]
receivers: [{name: r}]
`)
	fires, ends := firing("alertname", "A"), resolved("alertname", "A")
	matched := d.routes.Match(ends.Labels)
	tell := func(route int, al *alert.Alert) {
		t.Helper()
		copied := *al
		if !copied.Resolved() {
			copied.EndsAt = time.Time{} // as the dispatcher does
		}
		ctx := notify.WithRouteID(context.Background(), matched[route].ID())
		if _, _, err := d.Exec(ctx, slog.New(slog.DiscardHandler), &copied); err != nil {
			t.Fatal(err)
		}
	}
	unfinished := func() bool {
		d.alerts.mu.Lock()
		defer d.alerts.mu.Unlock()
		return len(d.alerts.unfinished) > 0
	}
	d.alerts.save(ends)
	tell(0, ends)
	tell(0, ends)
	if !unfinished() {
		t.Error("forgotten before the second route told its end")
	}
	d.alerts.save(fires)
	tell(0, fires) // what the first route told is out of date
	d.alerts.save(ends)
	tell(1, ends)
	if !unfinished() {
		t.Error("forgotten before the first route told its second end")
	}
	d.alerts.save(fires)
	tell(0, ends) // a late success says nothing about an alert that fires again
	if !unfinished() {
		t.Error("forgotten while it fires")
	}
	d.alerts.save(ends)
	tell(0, ends)
	tell(1, ends)
	if unfinished() {
		t.Error("not forgotten after both routes told its end")
	}
}

func TestStopIsBoundedWhereAReceiverIsNot(t *testing.T) {
	for _, test := range []struct {
		name  string
		obeys bool
		want  time.Duration
	}{
		{"that ends with its context", true, drainTimeout},
		{"that ignores its context", false, drainTimeout + haltTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				stuck := notify.StageFunc(func(ctx context.Context, _ *slog.Logger, _ ...*alert.Alert) (context.Context, []*alert.Alert, error) {
					if test.obeys {
						<-ctx.Done()
					} else {
						<-release
					}
					return ctx, nil, context.Canceled
				})
				d := newTestDelivery(t, stuck, "{route: {receiver: r}, receivers: [{name: r}]}")
				go func() {
					if _, _, err := d.Exec(t.Context(), slog.New(slog.DiscardHandler), firing("alertname", "A")); err == nil {
						t.Error("a notification that was cut off counts as sent")
					}
				}()
				synctest.Wait()

				start := time.Now()
				if ended := d.drain(); ended != test.obeys {
					t.Errorf("drain reports %v, want %v", ended, test.obeys)
				}
				if got := time.Since(start); got != test.want {
					t.Errorf("drain took %v, want %v", got, test.want)
				}
				if _, _, err := d.Exec(t.Context(), slog.New(slog.DiscardHandler), firing("alertname", "B")); err == nil {
					t.Error("a notification began after the stop")
				}
				close(release)
			})
		})
	}
}

func TestUndeliveredEndIsGivenUpWithTheNotificationLog(t *testing.T) {
	d := newTestDelivery(t, nil, "{route: {receiver: r}, receivers: [{name: r}]}")
	d.alerts.save(firing("alertname", "Fires"))
	d.alerts.save(resolved("alertname", "Ends"))
	d.alerts.forgetExpired(time.Now().Add(retention - time.Minute))
	if got := len(d.alerts.journal.contents()); got != 2 {
		t.Errorf("%d alerts are kept within the retention, want 2", got)
	}
	d.alerts.forgetExpired(time.Now().Add(retention + time.Minute))
	for _, value := range d.alerts.journal.contents() {
		if !strings.Contains(value, "Fires") || len(d.alerts.journal.contents()) != 1 {
			t.Errorf("kept after the retention: %v, want the one that fires", d.alerts.journal.contents())
		}
	}
}
