package governor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// newTestGate has a limit of 1000 a minute, and its time starts at a whole minute.
func newTestGate(t *testing.T, change ...func(*gate)) *gate {
	t.Helper()
	g := &gate{
		config: gateConfig{market: binance.Spot}, clock: newClock(), ledger: new(ledger), wake: make(chan struct{}, 1),
		rules: testConfig().rules(),
		lanes: []*lane{{egress: &egress{name: "a"}, ban: new(ban), weight: newBudget(1000, time.Minute)}},
	}
	now := time.Now()
	g.clock.observe(now, now, now)
	for _, c := range change {
		c(g)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { g.run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)) + time.Second)
	return g
}

// use spends weight at once and settles it.
func use(t *testing.T, g *gate, c class, weight int64) {
	t.Helper()
	l, err := g.acquire(t.Context(), ask{client: "x", class: c, weight: weight})
	if err != nil {
		t.Fatal(err)
	}
	l.settle(settlement{at: time.Now(), cost: weight, header: -1})
}

func TestOrdersPassWhateverIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate(t)
		g.lanes[0].weight.cur.header = 5000
		for _, c := range []class{cancels, orders} {
			started := time.Now()
			use(t, g, c, 1)
			if waited := time.Since(started); waited != 0 {
				t.Errorf("%s waited %v", c, waited)
			}
		}
	})
}

func TestUrgentClassesGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate(t, func(g *gate) { g.rules.timeout = 3 * time.Minute })
		use(t, g, account, 240)
		var mu sync.Mutex
		var order []string
		var waiting sync.WaitGroup
		for _, c := range []class{backfill, market, account, backfill, market, account} {
			waiting.Go(func() {
				use(t, g, c, 200)
				mu.Lock()
				defer mu.Unlock()
				order = append(order, c.String())
			})
			synctest.Wait()
		}
		waiting.Wait()
		if diff := cmp.Diff([]string{"account", "account", "market", "market", "backfill", "backfill"}, order); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestClientsShareFairlyByWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate(t, func(g *gate) { g.rules.timeout = time.Minute })
		served := make(map[string]int64)
		var mu sync.Mutex
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		var clients sync.WaitGroup
		// One client asks with many small requests, one with few big ones, and a
		// third with one request at a time.
		for name, parallel := range map[string]int{"small": 60, "big": 6, "single": 1} {
			weight := map[string]int64{"small": 2, "big": 20, "single": 10}[name]
			for range parallel {
				clients.Go(func() {
					for {
						l, err := g.acquire(ctx, ask{client: name, class: market, weight: weight})
						if err != nil {
							return
						}
						l.settle(settlement{at: time.Now(), cost: weight, header: -1})
						mu.Lock()
						served[name] += weight
						mu.Unlock()
						time.Sleep(time.Millisecond)
					}
				})
			}
		}
		clients.Wait()
		for name, weight := range served {
			if weight < 220 || weight > 440 {
				t.Errorf("%s was served %d of about 1000, want a third: %v", name, weight, served)
			}
		}
	})
}

func TestRefusalsComeAtOnceWhereWaitingIsUseless(t *testing.T) {
	tests := []struct {
		name   string
		change func(*gate)
		ask    ask
		want   string
	}{
		{"the window is used up", func(g *gate) { g.lanes[0].weight.cur.header = 1000 }, ask{class: market, weight: 1}, outcomeDeadline},
		{"the queue is full", func(g *gate) { g.rules.queueSize = 0; g.lanes[0].weight.cur.header = 300 }, ask{class: market, weight: 1}, outcomeFull},
		{"it never fits", func(*gate) {}, ask{class: market, weight: 1001}, outcomeTooHeavy},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newTestGate(t)
				g.lanes[0].weight.roll(g.clock.now(time.Now()))
				test.change(g)
				started := time.Now()
				_, err := g.acquire(t.Context(), test.ask)
				var r *refusal
				if !errors.As(err, &r) || r.outcome != test.want {
					t.Fatalf("got %v, want %s", err, test.want)
				}
				if time.Since(started) != 0 {
					t.Errorf("the refusal took %v", time.Since(started))
				}
				if test.want == outcomeDeadline && (r.retry < 58*time.Second || r.retry > 60*time.Second) {
					t.Errorf("got Retry-After %v, want the next minute", r.retry)
				}
			})
		})
	}
}

// A request that would arrive after its recvWindow is not held until then.
func TestSignedRequestsAreNotHeldPastTheirWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate(t)
		use(t, g, account, 700)
		// There is room in some 35 s: a request that is valid for 2 s is refused at once.
		now := g.clock.now(time.Now())
		_, err := g.acquire(t.Context(), ask{class: account, weight: 250, validUntil: now.Add(2 * time.Second)})
		var r *refusal
		if !errors.As(err, &r) || r.outcome != outcomeDeadline {
			t.Errorf("got %v, want a refusal", err)
		}
		for waited := time.Duration(0); ; {
			started := time.Now()
			until := started.Add(45 * time.Second)
			l, err := g.acquire(t.Context(), ask{class: account, weight: 250, validUntil: g.clock.now(until)})
			waited = time.Since(started)
			if err == nil {
				l.cancel()
				if waited > 45*time.Second-validMargin {
					t.Errorf("was held for %v, past its validity", waited)
				}
				return
			}
			if !errors.As(err, &r) {
				t.Fatal(err)
			}
			time.Sleep(r.retry)
		}
	})
}

func TestWaitingEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate(t)
		use(t, g, account, 300)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.acquire(ctx, ask{class: market, weight: 50}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if q := &g.queues[market]; q.length != 0 || q.weight != 0 || len(q.clients) != 0 {
			t.Errorf("the queue still has %d requests", q.length)
		}
	})
}

func TestPoolUsesAllItsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate(t, func(g *gate) {
			g.lanes = append(g.lanes, &lane{egress: &egress{name: "b"}, ban: new(ban), weight: newBudget(1000, time.Minute)})
		})
		for range 16 {
			use(t, g, account, 100)
		}
		var used []int64
		for _, l := range g.lanes {
			used = append(used, l.weight.cur.own)
		}
		if diff := cmp.Diff([]int64{800, 800}, used); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		// A ban of one leaves the other.
		g.lanes[0].ban.state.Store(&banState{Until: time.Now().Add(time.Hour)})
		l, err := g.acquire(t.Context(), ask{class: orders, weight: 1})
		if err != nil || l.lane != g.lanes[1] {
			t.Errorf("got %v, %v, want the address that is not banned", l, err)
		}
	})
}

func TestOverloadPausesReadingsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate(t)
		var waits []string
		for range 3 {
			g.slow(g.lanes[0], time.Now())
			started := time.Now()
			use(t, g, market, 1)
			waits = append(waits, time.Since(started).Round(100*time.Millisecond).String())
		}
		if diff := cmp.Diff([]string{"1s", "2s", "4s"}, waits); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestWhatIfTellsWhatBackfillMustGiveUp(t *testing.T) {
	minutes := []ledgerMinute{{}, {}, {}}
	for i, asked := range [][2]int64{{400, 400}, {800, 400}, {100, 100}} {
		minutes[i].asked[market], minutes[i].asked[backfill] = asked[0], asked[1]
	}
	got := whatIf(WhatIf{Market: binance.Spot, Growth: 1}, minutes, 1000)
	want := WhatIfAnswer{Market: binance.Spot, Growth: 1, Minutes: 3, Over: 1, GiveUp: 200.0 / 900, WorstMinute: 0.5}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got = whatIf(WhatIf{Market: binance.Spot, Growth: 2}, minutes, 1000)
	if got.Short != 1 || got.WorstMinute != 1 {
		t.Errorf("got %+v, want one minute that is too full without backfill", got)
	}
}

func TestLessonsFindTheTrueWeight(t *testing.T) {
	l := newLessons()
	count, at := int64(0), time.UnixMilli(1_700_000_000_000)
	for n := range 200 {
		count += 7
		if n%4 == 0 {
			count += 50 // Somebody else.
		}
		at = at.Add(50 * time.Millisecond)
		l.hear(heard{count, 3, at}, int64(n/100), price{endpoint: "/api/v3/klines", weight: 2})
	}
	l.hear(heard{1, 3, at}, 2, price{})
	if got := l.weight(3, 2); got != 7 {
		t.Errorf("got weight %d, want 7", got)
	}
	if diff := cmp.Diff("[{/api/v3/klines  5}]", fmt.Sprint(l.drifts())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNothingWaitsForAGovernorThatHasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { g.run(ctx); close(ended) }()
		cancel()
		<-ended
		use(t, g, account, 300)
		var r *refusal
		if _, err := g.acquire(t.Context(), ask{class: market, weight: 50}); !errors.As(err, &r) {
			t.Errorf("got %v, want a refusal", err)
		}
	})
}

// 25 a second use up 1000 before the minute is over; when it stops, they last.
func TestStatusForetellsWhenTheLimitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate(t)
		for range 20 {
			use(t, g, account, 25)
			time.Sleep(time.Second)
		}
		s := g.status(time.Now()).Egress[0]
		if s.Used != 500 || s.ExhaustedIn == nil || *s.ExhaustedIn < 17 || *s.ExhaustedIn > 23 || s.Projected < 1350 || s.Projected > 1650 {
			t.Errorf("got %d used, %v to the end and %d projected, want 500, about 20 s and about 1500", s.Used, s.ExhaustedIn, s.Projected)
		}
		if p := s.Priorities["account"]; p.Used != 500 || p.Room <= 0 || p.Room > 500 {
			t.Errorf("got %+v for account, want 500 used and room for some more", p)
		}
		time.Sleep(15 * time.Second)
		if s := g.status(time.Now()).Egress[0]; s.ExhaustedIn != nil || s.Projected != 500 {
			t.Errorf("got %v to the end and %d projected after a pause, want no end and 500", s.ExhaustedIn, s.Projected)
		}
	})
}
