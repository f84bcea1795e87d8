package discord

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
	"github.com/hedgewatch/hedgewatch/internal/receiver/discord/discordtest"
)

// deliver sends until it has succeeded, as long as Discord asks for a pause. It
// returns the pauses.
func deliver(t *testing.T, i *incident, reason receiver.Reason) (pauses []time.Duration) {
	t.Helper()
	_, err := i.tell(reason, lag("one"))
	for err != nil {
		e := wantKind(t, err, receiver.Paced)
		if e.After <= 0 {
			t.Fatalf("got a pause of %s", e.After)
		}
		pauses = append(pauses, e.After)
		time.Sleep(e.After)
		_, err = i.again()
	}
	return pauses
}

func TestSendersOfOneWebhookStayBelowItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{ChannelBurst: 1000})
		senders := []*Sender{g.sender("", ""), g.sender("", ""), g.sender("", "")}
		begun := time.Now()
		const messages = 60
		for n := range messages {
			deliver(t, g.incident(senders[n%len(senders)]), receiver.ReasonFiring)
		}
		if n := g.Count(429); n != 0 {
			t.Errorf("Discord had to refuse %d of %d requests", n, len(g.Requests()))
		}
		// 5 in 2 s: the last window begins after 11 others.
		if took := time.Since(begun); took > 23*time.Second || len(g.Messages()) != messages {
			t.Errorf("%d messages took %s, want %d in 22 s", len(g.Messages()), took, messages)
		}
	})
}

func TestHiddenLimitOfTheChannelIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{})
		s := g.sender("", "")
		for range 70 {
			deliver(t, g.incident(s), receiver.ReasonFiring)
		}
		if n := g.Count(429); n > 2 {
			t.Errorf("got %d refusals for 70 messages at 30 a minute, want one for each minute", n)
		}
		if len(g.Messages()) != 70 {
			t.Errorf("got %d messages, want 70", len(g.Messages()))
		}
	})
}

func TestGlobalLimitStopsAllWebhooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{Global: 2})
		other := *g
		other.url = "http://discord.example" + g.Add(discordtest.Webhook{ID: "2", Token: "x"})
		first, second := g.incident(g.sender("", "")), g.incident(other.sender("", ""))
		first.mustTell(receiver.ReasonFiring, lag("one"))
		first.mustTell(receiver.ReasonUpdate, lag("one"))
		_, err := first.tell(receiver.ReasonUpdate, lag("one"))
		wantKind(t, err, receiver.Paced)
		_, err = second.tell(receiver.ReasonFiring, lag("one"))
		e := wantKind(t, err, receiver.Paced)
		if g.Count(429) != 1 {
			t.Errorf("got %d requests refused, want the other webhook to wait unasked", g.Count(429))
		}
		time.Sleep(e.After)
		if _, err := second.again(); err != nil {
			t.Error(err)
		}
	})
}

func TestBanIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{MaxInvalid: 2, InvalidWindow: 5 * time.Minute})
		i := g.incident(g.sender("", ""))
		g.Inject(discordtest.Fault{Times: 2, Status: 429, RetryAfter: 250 * time.Millisecond})
		pauses := deliver(t, i, receiver.ReasonFiring)
		if len(pauses) != 3 || pauses[0] != 250*time.Millisecond || pauses[2] < 4*time.Minute {
			t.Errorf("got pauses %v, want 250 ms twice and then the ban", pauses)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name, body, header string
		scope              string
		want               time.Duration
		global             bool
	}{
		{"fraction", `{"message": "x", "retry_after": 0.0314, "global": false}`, "1", "", 32 * time.Millisecond, false},
		{"global", `{"retry_after": 64.57, "global": true}`, "65", "", 64570 * time.Millisecond, true},
		{"global by header", `{"retry_after": 1}`, "", "global", time.Second, true},
		{"absurd", `{"retry_after": 1e300}`, "", "", receiver.MaxPause, false},
		{"negative", `{"retry_after": -1}`, "3", "", 3 * time.Second, false},
		{"not JSON", `error code: 1015`, "90", "", 90 * time.Second, true},
		{"date", ``, now.Add(time.Minute).Format(http.TimeFormat), "", time.Minute, true},
		{"nothing", ``, "", "", unknownPause, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := receiver.Answer{Status: 429, Body: []byte(test.body), Header: http.Header{}}
			a.Header.Set("Retry-After", test.header)
			a.Header.Set("X-RateLimit-Scope", test.scope)
			if got, global := retryAfter(a, now); got != test.want || global != test.global {
				t.Errorf("got %s, %t; want %s, %t", got, global, test.want, test.global)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(429, `{"retry_after": 0.5, "global": true}`, "5", "0", "0.5", "1")
	f.Add(404, `{"code": 10015, "message": "Unknown Webhook"}`, "", "", "", "")
	f.Add(200, `{"id": "1", "channel_id": "2"}`, "5", "4", "NaN", "-1")
	f.Fuzz(func(t *testing.T, status int, body, limit, remaining, after, retry string) {
		a := receiver.Answer{Status: status, Body: []byte(body), Header: http.Header{}}
		a.Header.Set("X-RateLimit-Limit", limit)
		a.Header.Set("X-RateLimit-Remaining", remaining)
		a.Header.Set("X-RateLimit-Reset-After", after)
		a.Header.Set("Retry-After", retry)
		l, r, now := NewLimits(), route{"1", "POST"}, time.Now()
		pause := l.learn(r, a, now)
		if wait := l.take(r, now); pause < 0 || pause > receiver.MaxPause || wait > receiver.MaxPause {
			t.Errorf("got pause %s, wait %s", pause, wait)
		}
		if err := judge(a, pause); (err == nil) != (status/100 == 2) {
			t.Errorf("got error %v for status %d", err, status)
		}
	})
}

func FuzzMemo(f *testing.F) {
	f.Add(`{"webhook": "1", "message": "2", "thread": "3", "told": ["x"]}`)
	f.Add(`{"webhook": "1", "message": "../../2"}`)
	f.Fuzz(func(t *testing.T, text string) {
		m := readMemo(json.RawMessage(text), "1")
		if m != nil && strings.ContainsAny(m.Message+m.Thread, "/.?#") {
			t.Errorf("a memo leads to message %q in %q", m.Message, m.Thread)
		}
	})
}
