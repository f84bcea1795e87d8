package alerting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// place is a destination whose answers a test decides.
type place struct {
	mu      sync.Mutex
	answer  func(context.Context, receiver.Message) (receiver.Receipt, error) // nil takes everything
	taken   []receiver.Message
	takenAt []time.Time
	tries   []time.Time
}

// Send implements receiver.Sender.
func (p *place) Send(ctx context.Context, m receiver.Message) (r receiver.Receipt, err error) {
	p.mu.Lock()
	answer := p.answer
	p.tries = append(p.tries, time.Now())
	p.mu.Unlock()
	if answer != nil {
		r, err = answer(ctx, m)
	}
	if err == nil {
		p.mu.Lock()
		p.taken, p.takenAt = append(p.taken, m), append(p.takenAt, time.Now())
		p.mu.Unlock()
	}
	return r, err
}

func (p *place) answers(f func(context.Context, receiver.Message) (receiver.Receipt, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = f
}

func (p *place) fails(err error) {
	p.answers(func(context.Context, receiver.Message) (receiver.Receipt, error) { return receiver.Receipt{}, err })
}

func (p *place) messages() []receiver.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.taken)
}

func (p *place) briefs() []string {
	var all []string
	for _, m := range p.messages() {
		all = append(all, briefOf(m))
	}
	return all
}

func briefOf(m receiver.Message) string {
	s := string(m.Reason)
	for _, a := range m.Alerts {
		s += fmt.Sprintf(" %s=%s", a.Name(), a.Status())
	}
	return s
}

// sendTo has the first webhook of each receiver be one of the places.
func sendTo(places map[string]*place) Senders {
	return func(r amconfig.Receiver, _ *template.Template, _ ...commoncfg.HTTPClientOption) (map[string]receiver.Sender, error) {
		if p := places[r.Name]; p != nil {
			return map[string]receiver.Sender{"webhook[0]": p}, nil
		}
		return nil, nil
	}
}

const onePlace = `
route: {receiver: place, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 100h}
receivers: [{name: place, webhook_configs: [{url: 'http://unused.example'}]}]
`

// inBubble runs a test of an Alerting in virtual time.
func inBubble(t *testing.T, config string, test func(t *testing.T, a *instance, places map[string]*place)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := loadConfig(t, "%s", config)
		places := make(map[string]*place)
		for _, r := range cfg.Alertmanager.Receivers {
			places[r.Name] = &place{}
		}
		d := testDeps(t, t.TempDir())
		d.Senders = sendTo(places)
		test(t, startAlerting(t, cfg, d), places)
	})
}

// skipWithRaceDetector skips a test of hundreds of timers or virtual hours, with
// which the race detector's runtime crashes (Go 1.26). TestStormInRealTime,
// TestQueueAgainstModel and the tests that kill run the same code with it.
func skipWithRaceDetector(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector does not bear it")
	}
}

// settle lets a time pass and all that it wakes come to rest.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (p *place) want(t *testing.T, briefs ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(briefs, p.briefs()); diff != "" {
		t.Fatalf("messages taken (-want +got):\n%s", diff)
	}
}

func TestMessageArrivesSoonAfterItsDestinationIsBack(t *testing.T) {
	hang := func(ctx context.Context, _ receiver.Message) (receiver.Receipt, error) {
		<-ctx.Done()
		return receiver.Receipt{}, ctx.Err()
	}
	refuse := func(context.Context, receiver.Message) (receiver.Receipt, error) {
		return receiver.Receipt{}, errors.New("connection refused")
	}
	panics := func(context.Context, receiver.Message) (receiver.Receipt, error) { panic("a bug") }
	for _, test := range []struct {
		name   string
		answer func(context.Context, receiver.Message) (receiver.Receipt, error)
		outage time.Duration
		within time.Duration
	}{
		{"that hung for two minutes", hang, 2 * time.Minute, 5 * time.Second},
		{"that failed for two minutes", refuse, 2 * time.Minute, 5 * time.Second},
		{"that failed for an hour", refuse, time.Hour, time.Minute},
		{"whose code panicked", panics, 10 * time.Second, 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.outage >= time.Hour {
				skipWithRaceDetector(t)
			}
			inBubble(t, onePlace, func(t *testing.T, a *instance, places map[string]*place) {
				p := places["place"]
				p.answers(test.answer)
				al := firing("alertname", "A")
				al.EndsAt = al.StartsAt.Add(1000 * time.Hour)
				a.put(t, al)
				settle(test.outage)
				back := time.Now()
				p.answers(nil)
				settle(test.within)
				p.want(t, "firing A=firing")
				m, tries := p.messages()[0], len(p.tries)
				t.Logf("delivered %v after it was back, %d attempts", p.takenAt[0].Sub(back), tries)
				if late := m.Late(p.takenAt[0]); late < test.outage {
					t.Errorf("the message says that it is late by %v, want at least %v", late, test.outage)
				}
				if limit := int(test.outage/time.Second) + 10; tries > limit {
					t.Errorf("%d attempts in %v, want at most %d", tries, test.outage, limit)
				}
			})
		})
	}
}

func TestPacedDestinationIsLeftAloneAsLongAsItAsks(t *testing.T) {
	inBubble(t, onePlace, func(t *testing.T, a *instance, places map[string]*place) {
		p := places["place"]
		p.fails(&receiver.Error{Kind: receiver.Paced, After: 7300 * time.Millisecond, Err: errors.New("429")})
		a.put(t, firing("alertname", "A"), firing("alertname", "B"))
		settle(time.Second)
		if got := a.Outbox()[0]; got.State != destinationPaced || got.Waiting != 2 || got.Failures != 0 {
			t.Errorf("got %+v, want a paced destination with two groups and no failure", got)
		}
		p.answers(nil)
		settle(10 * time.Second)
		if len(p.tries) != 3 || p.tries[1].Sub(p.tries[0]) != 7300*time.Millisecond {
			t.Errorf("attempts at %v, want the second 7.3s after the first", p.tries)
		}
		all, err := a.Deliveries(t.Context(), DeliveryQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			if d.Attempt != 1 {
				t.Errorf("attempt %d of %s is %s, want no attempt used up", d.Attempt, d.GroupKey, d.Outcome)
			}
		}
	})
}

func TestRejectedMessageDoesNotHoldUpOthers(t *testing.T) {
	inBubble(t, onePlace, func(t *testing.T, a *instance, places map[string]*place) {
		p := places["place"]
		p.answers(func(_ context.Context, m receiver.Message) (receiver.Receipt, error) {
			if m.Alerts[0].Name() == "Bad" {
				return receiver.Receipt{Status: 400, Answer: "no"}, &receiver.Error{Kind: receiver.Rejected, Err: errors.New("400")}
			}
			return receiver.Receipt{}, nil
		})
		a.put(t, firing("alertname", "Bad"))
		settle(time.Second)
		a.put(t, firing("alertname", "Good"))
		settle(time.Minute)
		p.want(t, "firing Good=firing")
		if len(p.tries) != 2 {
			t.Errorf("%d attempts, want one for each message", len(p.tries))
		}
		if got := a.value(t, "hedgewatch_deliveries_total", map[string]string{"receiver": "place", "outcome": "rejected"}); got != 1 {
			t.Errorf("hedgewatch_deliveries_total{outcome=rejected} is %v, want 1", got)
		}
		if got := a.Outbox()[0]; got.Waiting != 0 || got.State != destinationWorking {
			t.Errorf("got %+v, want an empty queue", got)
		}
	})
}

func TestStatesThatWaitBecomeOneMessage(t *testing.T) {
	const oneGroup = `
route: {receiver: place, group_wait: 0s, group_interval: 1s, repeat_interval: 100h}
receivers: [{name: place, webhook_configs: [{url: 'http://unused.example'}]}]
`
	for _, test := range []struct {
		name       string
		before     []*alert.Alert // told
		while      [][]*alert.Alert
		want       string
		superseded int
	}{
		{
			name: "fired and resolved",
			while: [][]*alert.Alert{
				{firing("alertname", "A")},
				{resolved("alertname", "A")},
			},
			want:       "resolved A=resolved",
			superseded: 1,
		},
		{
			name:   "resolved, and another one fires: the end is not lost",
			before: []*alert.Alert{firing("alertname", "A")},
			while: [][]*alert.Alert{
				{resolved("alertname", "A"), firing("alertname", "B")},
				{firing("alertname", "C")},
			},
			want:       "firing B=firing C=firing A=resolved",
			superseded: 1,
		},
		{
			name:   "resolved and fired again",
			before: []*alert.Alert{firing("alertname", "A"), firing("alertname", "B")},
			while: [][]*alert.Alert{
				{resolved("alertname", "A")},
				{firing("alertname", "A")},
			},
			want:       "firing A=firing B=firing",
			superseded: 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, oneGroup, func(t *testing.T, a *instance, places map[string]*place) {
				p := places["place"]
				put := func(as []*alert.Alert) {
					for _, al := range as {
						now := time.Now()
						if al.EndsAt.Sub(al.StartsAt) < time.Minute { // one from resolved()
							a.put(t, resolvedAt(al, now))
						} else {
							a.put(t, firingAt(al, now))
						}
					}
					settle(2 * time.Second)
				}
				if test.before != nil {
					put(test.before)
				}
				told := len(p.messages())
				p.fails(errors.New("down"))
				for _, as := range test.while {
					put(as)
				}
				p.answers(nil)
				settle(10 * time.Second)
				got := p.messages()[told:]
				if len(got) != 1 || briefOf(got[0]) != test.want || got[0].Superseded != test.superseded {
					t.Errorf("got %d messages %v, want one %q for %d older states", len(got), p.briefs()[told:], test.want, test.superseded)
				}
			})
		})
	}
}

func firingAt(al *alert.Alert, at time.Time) *alert.Alert {
	c := *al
	c.StartsAt, c.EndsAt = at, at.Add(time.Hour)
	return &c
}

func resolvedAt(al *alert.Alert, at time.Time) *alert.Alert {
	c := *al
	c.StartsAt, c.EndsAt = at.Add(-time.Millisecond), at
	return &c
}

func TestMessageIsGivenUpAtLast(t *testing.T) {
	skipWithRaceDetector(t)
	inBubble(t, onePlace, func(t *testing.T, a *instance, places map[string]*place) {
		p := places["place"]
		p.fails(errors.New("down"))
		old := firing("alertname", "Old")
		old.EndsAt = old.StartsAt.Add(1000 * time.Hour)
		a.put(t, old)
		settle(23 * time.Hour)
		fresh := firing("alertname", "New")
		fresh.EndsAt = fresh.StartsAt.Add(1000 * time.Hour)
		a.put(t, fresh)
		settle(2 * time.Hour)
		p.answers(nil)
		settle(2 * time.Minute)
		if got := p.briefs(); !slices.Contains(got, "firing New=firing") || slices.Contains(got, "firing Old=firing") {
			t.Errorf("got %v, want the new message without the old one", got)
		}
		if got, err := a.Deliveries(t.Context(), DeliveryQuery{Outcome: OutcomeExpired}); err != nil || len(got) != 1 || got[0].Alerts[0].Name != "Old" {
			t.Errorf("expired in the ledger: %v, %v; want the old one", got, err)
		}
	})
}

func TestDestinationRemembersAcrossARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		memo := json.RawMessage(`{"message":"1"}`)
		p.answers(func(context.Context, receiver.Message) (receiver.Receipt, error) {
			return receiver.Receipt{Memo: memo}, nil
		})
		cfg, dir := loadConfig(t, "%s", onePlace), t.TempDir()
		start := func() *instance {
			d := testDeps(t, dir)
			d.Senders = sendTo(map[string]*place{"place": p})
			return startAlerting(t, cfg, d)
		}
		a := start()
		a.put(t, firing("alertname", "A"))
		settle(time.Second)
		a.stop()
		a = start()
		memo = nil // keeps what there is
		a.put(t, resolved("alertname", "A"))
		settle(3 * time.Second)
		memo = json.RawMessage("null")
		a.put(t, firing("alertname", "A"))
		settle(3 * time.Second)
		a.put(t, resolved("alertname", "A"))
		settle(3 * time.Second)
		var got []string
		for _, m := range p.messages() {
			got = append(got, string(m.Memo))
		}
		if diff := cmp.Diff([]string{"", `{"message":"1"}`, `{"message":"1"}`, ""}, got); diff != "" {
			t.Errorf("memos (-want +got):\n%s", diff)
		}
	})
}

func TestReloadWhileMessagesWait(t *testing.T) {
	const two = `
route: {receiver: keep, group_by: ['...'], group_wait: 0s, group_interval: 1s, routes: [{receiver: keep, continue: true}, {receiver: leave}]}
receivers:
- {name: keep, webhook_configs: [{url: 'http://unused.example'}]}
- {name: leave, webhook_configs: [{url: 'http://unused.example'}]}
`
	const one = `
route: {receiver: keep, group_by: ['...'], group_wait: 0s, group_interval: 1s, routes: [{receiver: keep, continue: true}]}
receivers: [{name: keep, webhook_configs: [{url: 'http://unused.example'}]}]
`
	inBubble(t, two, func(t *testing.T, a *instance, places map[string]*place) {
		dead := &receiver.Error{Kind: receiver.Dead, Err: errors.New("401")}
		places["keep"].fails(dead)
		places["leave"].fails(dead)
		a.put(t, firing("alertname", "A"))
		settle(2 * time.Second)
		if got := a.Outbox(); len(got) != 2 || got[0].State != destinationDead || got[0].Waiting == 0 {
			t.Fatalf("got %+v, want two dead destinations whose messages are kept", got)
		}
		tries := len(places["keep"].tries)
		settle(30 * time.Second)
		if got := len(places["keep"].tries); got != tries {
			t.Errorf("a dead destination was tried %d times in half a minute", got-tries)
		}
		places["keep"].answers(nil)
		commit, err := a.Prepare(loadConfig(t, "%s", one))
		if err != nil {
			t.Fatal(err)
		}
		commit()
		settle(time.Second) // A reload tries at once.
		if got := places["keep"].briefs(); !slices.Contains(got, "firing A=firing") {
			t.Errorf("after the reload %v was delivered, want what waited", got)
		}
		dropped, err := a.Deliveries(t.Context(), DeliveryQuery{Outcome: OutcomeDropped, Receiver: "leave"})
		if err != nil || len(dropped) == 0 {
			t.Errorf("got %v, %v; want what waited for the removed receiver as dropped", dropped, err)
		}
		if got := len(a.Outbox()); got != 1 {
			t.Errorf("%d destinations after the reload, want 1", got)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	a := startAlerting(t, DefaultConfig(), testDeps(t, t.TempDir()))
	d := newDestination(destinationKey{"r", "webhook", 0}, a.outbox.journal, time.Now())
	d.settings.stormGroups = 0
	now := time.Now()
	for i := range maxWaiting {
		if err := d.put(&groupState{GroupKey: fmt.Sprint(i)}, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.put(&groupState{GroupKey: "7", Seq: 1}, now); err != nil {
		t.Errorf("a newer state of a group that waits: %v", err)
	}
	if err := d.put(&groupState{GroupKey: "one more"}, now); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
}

func TestPutDurableReturnsWithTheAlertOnDisk(t *testing.T) {
	a := startAlerting(t, DefaultConfig(), testDeps(t, t.TempDir()))
	for i := range 10 {
		if err := a.PutDurable(t.Context(), firing("alertname", fmt.Sprint("Event", i))); err != nil {
			t.Fatal(err)
		}
		if got := len(contentsOf(t, a.journal.path)); got != i+1 {
			t.Fatalf("%d events are on disk after %d", got, i+1)
		}
	}
}

func TestLatencyAndHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		var mu sync.Mutex
		var history []string
		d := testDeps(t, t.TempDir())
		d.Senders = sendTo(map[string]*place{"place": p})
		d.Transition = func(tr Transition) {
			mu.Lock()
			defer mu.Unlock()
			s := fmt.Sprintf("%s %s→%s %v", tr.Labels["alertname"], tr.From, tr.To, tr.Value)
			if tr.To == StateNotified {
				s += fmt.Sprint(" ", tr.Receiver, tr.MessageID != "")
			}
			history = append(history, s)
		}
		a := startAlerting(t, loadConfig(t, "%s", onePlace), d)
		p.answers(func(context.Context, receiver.Message) (receiver.Receipt, error) {
			time.Sleep(40 * time.Millisecond)
			return receiver.Receipt{}, nil
		})
		sampled := time.Now().Add(-10 * time.Millisecond)
		for range 3 { // Only the first is news.
			al := firing("alertname", "A")
			ctx := WithValues(WithOrigin(t.Context(), Origin{Sampled: sampled}), Values{al.Fingerprint(): 2412.5})
			if err := a.Put(ctx, al); err != nil {
				t.Fatal(err)
			}
			settle(2 * time.Second)
		}
		if m := p.messages()[0]; m.Values[m.Alerts[0].Fingerprint()] != "2412.5" {
			t.Errorf("the message has the values %v, want 2412.5", m.Values)
		}
		ended := resolved("alertname", "A")
		if err := a.Put(WithValues(t.Context(), Values{ended.Fingerprint(): 3}), ended); err != nil {
			t.Fatal(err)
		}
		settle(2 * time.Second)
		if m := p.messages()[1]; len(m.Values) > 0 {
			t.Errorf("an ended alert has the values %v", m.Values)
		}
		count, sum := a.histogram(t, "hedgewatch_alert_latency_seconds", "total")
		if count != 2 || sum < 0.089 || sum > 1.2 {
			t.Errorf("%d alerts took %v s in total, want 2 in 0.05 + 0.04 and the wait for the group", count, sum)
		}
		want := []string{"A →firing 2412.5", "A →notified NaN placetrue", "A firing→resolved 3", "A →notified NaN placetrue"}
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff(want, history); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		all, err := a.Deliveries(t.Context(), DeliveryQuery{})
		if err != nil || len(all) != 2 || all[1].Alerts[0].Origin == nil || !all[1].Alerts[0].Origin.Sampled.Equal(sampled) {
			t.Errorf("got %+v, %v; want the time of the sample in the ledger", all, err)
		}
	})
}

func (i *instance) histogram(t *testing.T, name, stage string) (count uint64, sum float64) {
	t.Helper()
	families, err := i.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == stage {
				return m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()
			}
		}
	}
	t.Fatalf("no %s of stage %s", name, stage)
	return 0, 0
}
