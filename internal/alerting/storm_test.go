package alerting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// inStorm runs a test with storms as they are by default.
func inStorm(t *testing.T, test func(t *testing.T, a *instance, p *place)) {
	t.Helper()
	skipWithRaceDetector(t)
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		cfg := loadConfig(t, "%s", onePlace)
		cfg.Delivery = nil
		d := testDeps(t, t.TempDir())
		d.Senders = sendTo(map[string]*place{"place": p})
		test(t, startAlerting(t, cfg, d), p)
	})
}

func many(n int, make func(...string) *alert.Alert) []*alert.Alert {
	as := []*alert.Alert{}
	for i := range n {
		as = append(as, make("alertname", fmt.Sprint("Kind", i%3), "n", fmt.Sprint(i)))
	}
	return as
}

// seen is what a destination was told in a storm.
type seen struct{ alone, digests int }

func count(ms []receiver.Message) (s seen) {
	for _, m := range ms {
		if m.Storm == nil {
			s.alone++
		} else {
			s.digests++
		}
	}
	return s
}

func TestStormIsThreeMessagesAtMost(t *testing.T) {
	inStorm(t, func(t *testing.T, a *instance, p *place) {
		const n = 40
		start := time.Now()
		a.put(t, many(n, firing)...)
		settle(2 * time.Second)
		ms := p.messages()
		got := count(ms)
		if got.alone > 1 || got.digests != 1 {
			t.Fatalf("after two seconds got %+v, want the first message and one digest", got)
		}
		digest := ms[len(ms)-1]
		// The first one may have been on its way when the storm began.
		if g := digest.Storm.Groups; g < n-got.alone || g > n || digest.Storm.Firing != g || digest.Storm.Over || len(digest.Storm.ByName) != 3 {
			t.Errorf("got digest %+v after %d messages, want all %d alerts of 3 kinds", digest.Storm, got.alone, n)
		}
		t.Logf("first message after %v, digest after %v", p.takenAt[0].Sub(start), p.takenAt[len(ms)-1].Sub(start))

		// Half of it ends, the other half goes on.
		settle(10 * time.Second)
		a.put(t, many(n/2, resolved)...)
		settle(2 * time.Minute)
		ms = p.messages()
		last := ms[len(ms)-1]
		if got := count(ms); got.alone > 1 || got.alone+got.digests > 3 {
			t.Errorf("got %+v, want at most three messages", got)
		}
		if last.Storm == nil || !last.Storm.Over || last.Storm.Resolved != n/2 || last.Storm.Firing+got.alone < n/2 {
			t.Errorf("the last message is %+v, want the end of the storm with %d alerts firing", last.Storm, n/2)
		}

		// What goes on is not told again, and its end is.
		settle(10 * time.Minute)
		before := len(p.messages())
		if before != len(ms) {
			t.Errorf("%d messages after the storm was over", before-len(ms))
		}
		a.put(t, resolved("alertname", fmt.Sprint("Kind", (n-1)%3), "n", fmt.Sprint(n-1)))
		settle(5 * time.Second)
		ms = p.messages()[before:]
		if len(ms) != 1 || ms[0].Storm != nil || ms[0].Reason != receiver.ReasonResolved {
			t.Errorf("got %v, want one message of its own about an end after the storm", ms)
		}
		if got := a.Outbox()[0]; got.Waiting != 0 {
			t.Errorf("%d groups wait after the storm", got.Waiting)
		}
	})
}

func TestStormIsEditedWhereTheDestinationCan(t *testing.T) {
	inStorm(t, func(t *testing.T, a *instance, p *place) {
		p.answers(func(_ context.Context, m receiver.Message) (receiver.Receipt, error) {
			if m.Storm == nil {
				return receiver.Receipt{}, nil
			}
			return receiver.Receipt{Memo: json.RawMessage(`"the digest"`)}, nil
		})
		for i := range 12 { // One wave each four seconds.
			as := many(20, firing)
			for _, al := range as {
				al.Labels["wave"] = model.LabelValue(fmt.Sprint(i))
			}
			a.put(t, as...)
			settle(4 * time.Second)
		}
		settle(time.Minute)
		var digests []receiver.Message
		for _, m := range p.messages() {
			if m.Storm != nil {
				digests = append(digests, m)
			}
		}
		if len(digests) < 4 || len(digests) > 8 {
			t.Fatalf("%d digests in 48 seconds, want one every ten", len(digests))
		}
		for i, m := range digests {
			if (len(m.Memo) > 0) != (i > 0) || m.Storm.Over != (i == len(digests)-1) {
				t.Errorf("digest %d has memo %s and over %v", i, m.Memo, m.Storm.Over)
			}
		}
		if got := digests[len(digests)-1].Storm.Groups; got < 12*20-1 {
			t.Errorf("the last digest counts %d groups, want %d", got, 12*20)
		}
		// The next storm begins a message of its own.
		before := len(p.messages())
		a.put(t, many(50, firing)...)
		settle(2 * time.Second)
		for _, m := range p.messages()[before:] {
			if m.Storm != nil && len(m.Memo) > 0 {
				t.Error("the next storm edits the message of the last one")
			}
		}
	})
}

func TestStormAtADestinationThatFails(t *testing.T) {
	inStorm(t, func(t *testing.T, a *instance, p *place) {
		p.fails(errors.New("down"))
		a.put(t, many(40, firing)...)
		settle(5 * time.Minute)
		p.answers(nil)
		settle(time.Minute)
		ms := p.messages()
		if len(ms) != 1 || ms[0].Storm == nil || !ms[0].Storm.Over || ms[0].Storm.Firing != 40 {
			t.Fatalf("got %d messages, want one digest that the storm is over and 40 fire", len(ms))
		}
	})
}

func TestStormGoesOnAfterARestart(t *testing.T) {
	skipWithRaceDetector(t)
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		cfg := loadConfig(t, "%s", onePlace)
		cfg.Delivery = nil
		dir := t.TempDir()
		start := func() *instance {
			d := testDeps(t, dir)
			d.Senders = sendTo(map[string]*place{"place": p})
			return startAlerting(t, cfg, d)
		}
		a := start()
		a.put(t, many(40, firing)...)
		settle(5 * time.Second)
		a.stop()
		start()
		settle(time.Minute)
		ms := p.messages()
		last := ms[len(ms)-1]
		if got := count(ms); got.alone > 1 || got.alone+got.digests > 3 || last.Storm == nil || !last.Storm.Over || last.Storm.Firing < 39 {
			t.Errorf("got %+v, at last %+v; want the storm's end with all that fire", got, last.Storm)
		}
	})
}

func TestReceiverWithoutStormsGetsEveryMessage(t *testing.T) {
	skipWithRaceDetector(t)
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		cfg := loadConfig(t, "%s", onePlace)
		delivery := DefaultDelivery()
		delivery.Storm.Except = []string{"place"}
		cfg.Delivery = &delivery
		d := testDeps(t, t.TempDir())
		d.Senders = sendTo(map[string]*place{"place": p})
		a := startAlerting(t, cfg, d)
		a.put(t, many(40, firing)...)
		settle(10 * time.Second)
		if got := count(p.messages()); got != (seen{alone: 40}) {
			t.Errorf("got %+v, want 40 messages", got)
		}
	})
}

func TestFewGroupsAreNoStorm(t *testing.T) {
	inStorm(t, func(t *testing.T, a *instance, p *place) {
		a.put(t, many(10, firing)...)
		settle(200 * time.Millisecond)
		if got := count(p.messages()); got != (seen{alone: 10}) {
			t.Errorf("got %+v, want ten messages within 200ms", got)
		}
	})
}

// TestStormInRealTime has 10,000 alerts at a real receiver.
func TestStormInRealTime(t *testing.T) {
	var mu sync.Mutex
	var at []time.Time
	var last string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		at, last = append(at, time.Now()), string(body)
	}))
	defer hook.Close()
	cfg := loadConfig(t, oneWebhook, hook.URL)
	cfg.Delivery = nil
	a := startAlerting(t, cfg, testDeps(t, t.TempDir()))
	start := time.Now()
	a.put(t, many(stormAlerts, firing)...)
	put := time.Since(start)
	eventually(t, "all groups are taken", func() bool { return a.inStorms() >= stormAlerts-10 })
	taken := time.Since(start)
	eventually(t, "a digest", func() bool { mu.Lock(); defer mu.Unlock(); return strings.Contains(last, "Storm of alerts") })
	mu.Lock()
	defer mu.Unlock()
	t.Logf("put %v, dispatched and stored %v, first message %v, digest %v, %d messages", put, taken, at[0].Sub(start), at[len(at)-1].Sub(start), len(at))
	if len(at) > 2 {
		t.Errorf("%d messages before the end of the storm, want at most 2", len(at))
	}
}

// inStorms counts the groups in the queues, told by a digest or not.
func (i *instance) inStorms() (n int) {
	for _, d := range i.outbox.shown() {
		d.mu.Lock()
		n += len(d.slots)
		d.mu.Unlock()
	}
	return n
}
