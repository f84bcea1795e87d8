package discord

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/alert"
	amdiscord "github.com/prometheus/alertmanager/notify/discord"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
	"github.com/hedgewatch/hedgewatch/internal/receiver/discord/discordtest"
)

// TestNoMessageIsEverRefused makes messages of all shapes. The stand-in counts
// code points; in UTF-16 units nothing may be over the limits either.
func TestNoMessageIsEverRefused(t *testing.T) {
	runs := 150
	if testing.Short() {
		runs = 60
	}
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{Burst: 1 << 30, ChannelBurst: 1 << 30, Global: 1 << 30})
		senders := []*Sender{
			g.sender("", `mentions: {critical: ["<@&1>", "@here"]}`),
			g.sender("content: '{{ .CommonAnnotations }} @here'\nusername: '"+strings.Repeat("ü", 90)+"'\navatar_url: 'ftp://x/y'", ""),
			g.sender("title: '{{ .CommonLabels }}'\nmessage: '{{ range .Alerts }}{{ .Labels }} {{ .Annotations }}{{ end }}'\nusername: My Discord", ""),
		}
		for seed := range runs {
			random := rand.New(rand.NewPCG(uint64(seed), 1))
			i := g.incident(senders[random.IntN(len(senders))])
			i.Superseded = random.IntN(3)
			reasons := []receiver.Reason{receiver.ReasonFiring, receiver.ReasonFiring, receiver.ReasonUpdate, receiver.ReasonRepeat, receiver.ReasonResolved, receiver.ReasonTest}
			for range 1 + random.IntN(3) {
				alerts := randomAlerts(random)
				i.Acknowledged = map[model.Fingerprint]receiver.Acknowledgement{
					alerts[0].Fingerprint(): {By: randomText(random, 50), At: time.Now(), Comment: randomText(random, 300)},
				}
				if i.Storm = nil; random.IntN(8) == 0 {
					i.Storm = &receiver.Storm{Groups: 9, Firing: 9, ByName: map[string]int{}}
					for range random.IntN(200) {
						i.Storm.ByName[randomText(random, 60)]++
					}
				}
				receipt, err := i.tell(reasons[random.IntN(len(reasons))], alerts...)
				if err != nil {
					t.Fatalf("seed %d, %d alerts: %v\n%s", seed, len(alerts), err, receipt.Payload)
				}
			}
		}
		for _, m := range g.Messages() {
			total := 0
			for _, e := range m.Embeds {
				if units(e.Title) > 256 || units(e.Description) > 4096 || len(e.Fields) > 25 {
					t.Errorf("an embed is too long: %d, %d, %d", units(e.Title), units(e.Description), len(e.Fields))
				}
				total += units(e.Title) + units(e.Description)
				for _, f := range e.Fields {
					total += units(f.Name) + units(f.Value)
				}
			}
			if total > 6000 || units(m.Content) > 2000 {
				t.Errorf("a message is too long: %d in embeds, %d in the content", total, units(m.Content))
			}
		}
		if n := g.Count(400); n > 0 {
			t.Errorf("%d of %d requests were refused", n, len(g.Requests()))
		}
	})
}

func units(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xFFFF {
			n++
		}
	}
	return n
}

func randomText(random *rand.Rand, longest int) string {
	alphabets := []string{"abcdef ", "*_~`|>[]()\\#", "äöüß€", "🔴👀🏳️‍🌈", " \n\t", "@everyone <@&1> ", "\xff\xfe", "\u200b"}
	if random.IntN(4) == 0 {
		longest *= 20
	}
	var b strings.Builder
	letters := []rune(alphabets[random.IntN(len(alphabets))] + alphabets[random.IntN(len(alphabets))])
	for range random.IntN(longest + 1) {
		b.WriteRune(letters[random.IntN(len(letters))])
	}
	return b.String()
}

func randomAlerts(random *rand.Rand) []*alert.Alert {
	text := func(longest int) string { return randomText(random, longest) }
	var alerts []*alert.Alert
	for n := range 1 + random.IntN(1<<random.IntN(8)) {
		a := &alert.Alert{Alert: model.Alert{
			Labels:       model.LabelSet{"alertname": model.LabelValue(text(20)), "n": model.LabelValue(fmt.Sprint(n))},
			Annotations:  model.LabelSet{},
			StartsAt:     time.Now().Add(-time.Duration(random.Int64N(int64(time.Hour)))),
			GeneratorURL: []string{"", "javascript:alert(1)", "https://x.example/graph?g0.expr=" + strings.Repeat("a", random.IntN(3000))}[random.IntN(3)],
		}}
		for range random.IntN(1 << random.IntN(6)) {
			a.Labels[model.LabelName(text(8))] = model.LabelValue(text(30))
		}
		for _, name := range []model.LabelName{"summary", "description", "runbook_url", "value", "threshold"} {
			if random.IntN(2) == 0 {
				a.Annotations[name] = model.LabelValue(text(100))
			}
		}
		a.Labels["severity"] = model.LabelValue([]string{"critical", "warning", "info", "", "odd"}[random.IntN(5)])
		if random.IntN(3) == 0 {
			a.EndsAt = time.Now()
		}
		alerts = append(alerts, a)
	}
	return alerts
}

func TestLongGroupKeepsItsFullText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{})
		var alerts []*alert.Alert
		for n := range 500 {
			alerts = append(alerts, lag(fmt.Sprintf("account-%03d", n)))
		}
		i := g.incident(g.sender("", ""))
		i.mustTell(receiver.ReasonFiring, alerts...)
		m := g.Messages()[0]
		if len(m.Attachments) != 1 || !strings.Contains(string(m.Attachments[0].Data), "account-499 is behind") {
			t.Fatalf("got attachments %+v, want the text of all alerts", m.Attachments)
		}
		if text := m.Embeds[0].Description; !strings.Contains(text, "account-000") || !strings.Contains(text, "in the attached file") {
			t.Errorf("got %q, want the first alerts and where the others are", text)
		}
		i.mustTell(receiver.ReasonUpdate, alerts[0])
		if m := g.Messages()[0]; len(m.Attachments) != 0 {
			t.Errorf("got attachments %+v after the message became short, want none", m.Attachments)
		}
	})
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		in   string
		n    int
		want string
	}{
		{"short", 5, "short"},
		{"longer", 5, "long…"},
		{"🔴🔴🔴", 5, "🔴🔴…"},
		{"🔴🔴🔴", 4, "🔴…"},
		{"a b c", 3, "a…"},
		{`a\*b`, 3, "a…"},
		{"x", 0, ""},
	} {
		if got := cut(test.in, test.n); got != test.want || length(got) > test.n {
			t.Errorf("cut(%q, %d): got %q, want %q", test.in, test.n, got, test.want)
		}
	}
}

func BenchmarkCompose(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := &Sender{config: &amdiscord.DiscordConfig{}, settings: DefaultSettings(), template: newTemplate(b)}
			m := receiver.Message{ID: "x", Reason: receiver.ReasonFiring}
			for i := range n {
				m.Alerts = append(m.Alerts, lag(fmt.Sprint(i)))
			}
			b.ReportAllocs()
			for b.Loop() {
				v := receiver.NewView(m, s.template.ExternalURL, time.Now())
				msg := s.compose(b.Context(), m, v)
				if _, _, _, err := msg.encode(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
