package discord

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
	"github.com/hedgewatch/hedgewatch/internal/receiver/discord/discordtest"
)

func TestOneMessageShowsAnIncident(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{})
		i := g.incident(g.sender("", `mentions: {critical: ["<@&77>", "@here"]}`))
		first, second := lag("one"), lag("two")
		for _, step := range []struct {
			name   string
			tell   func()
			edits  int // Of the first message, by then.
			shown  int
			called []string // By the newest message.
		}{
			{"firing", func() { i.mustTell(receiver.ReasonFiring, first) }, 0, 1, []string{"77", "here"}},
			{"another", func() { i.mustTell(receiver.ReasonFiring, first, second) }, 1, 2, []string{"77", "here"}},
			{"acknowledged", func() {
				i.Acknowledged = map[model.Fingerprint]receiver.Acknowledgement{
					first.Fingerprint(): {By: "ada", At: time.Now(), Comment: "looking"},
				}
				i.mustTell(receiver.ReasonUpdate, first, second)
			}, 2, 2, []string{"77", "here"}},
			{"one_resolved", func() { i.mustTell(receiver.ReasonUpdate, first, resolved(second)) }, 3, 2, []string{"77", "here"}},
			{"repeat", func() { time.Sleep(4 * time.Hour); i.mustTell(receiver.ReasonRepeat, first) }, 4, 3, nil},
			{"resolved", func() { i.mustTell(receiver.ReasonResolved, resolved(first), resolved(second)) }, 5, 4, nil},
		} {
			time.Sleep(10 * time.Second)
			step.tell()
			ms := g.Messages()
			if len(ms) != step.shown || len(ms[0].Edits) != step.edits {
				t.Fatalf("%s: got %d messages and %d edits of the first, want %d and %d", step.name, len(ms), len(ms[0].Edits), step.shown, step.edits)
			}
			if newest := ms[len(ms)-1]; !slices.Equal(newest.Called, step.called) {
				t.Errorf("%s: the newest message called %q, want %q", step.name, newest.Called, step.called)
			}
			golden(t, "incident_"+step.name, []discordtest.Message{ms[0], ms[len(ms)-1]})
		}
		if i.Memo != nil {
			t.Errorf("got memo %s after the end, want none", i.Memo)
		}
		if n := g.Count(400) + g.Count(429); n > 0 {
			t.Errorf("%d requests were refused", n)
		}
	})
}

func TestResolvedAsConfigured(t *testing.T) {
	for _, test := range []struct {
		resolved     Resolved
		shown, edits int
	}{{ResolvedEdit, 1, 1}, {ResolvedPost, 2, 0}, {ResolvedBoth, 2, 1}} {
		t.Run(string(test.resolved), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGuild(t, discordtest.Options{})
				i := g.incident(g.sender("", "resolved: "+string(test.resolved)))
				a := lag("one")
				i.mustTell(receiver.ReasonFiring, a)
				i.mustTell(receiver.ReasonResolved, resolved(a))
				ms := g.Messages()
				if len(ms) != test.shown || len(ms[0].Edits) != test.edits {
					t.Errorf("got %d messages, %d edits; want %d, %d", len(ms), len(ms[0].Edits), test.shown, test.edits)
				}
				if i.Memo != nil {
					t.Errorf("got memo %s, want none", i.Memo)
				}
			})
		})
	}
}

func TestDeletedMessageIsPostedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{})
		i := g.incident(g.sender("", ""))
		i.mustTell(receiver.ReasonFiring, lag("one"))
		g.DeleteMessage(g.Messages()[0].ID)
		i.mustTell(receiver.ReasonFiring, lag("one"), lag("two"))
		ms := g.Messages()
		if len(ms) != 1 || len(ms[0].Embeds) != 1 || i.Memo == nil {
			t.Fatalf("got %d messages, memo %s; want one with the whole state, and a memo", len(ms), i.Memo)
		}
		i.mustTell(receiver.ReasonResolved, resolved(lag("one")))
		if n := len(g.Messages()[0].Edits); n != 1 {
			t.Errorf("got %d edits of the new message, want 1", n)
		}
	})
}

// TestInterruptedMessageGoesOn fails each second step of a message in turn: the
// edit must not come twice, the line not be missing.
func TestInterruptedMessageGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{})
		i := g.incident(g.sender("", ""))
		i.mustTell(receiver.ReasonFiring, lag("one"))
		g.Inject(discordtest.Fault{Times: 1, Method: "POST", Status: 502})
		_, err := i.tell(receiver.ReasonFiring, lag("one"), lag("two"))
		wantKind(t, err, receiver.Retry)
		if _, err := i.again(); err != nil {
			t.Fatal(err)
		}
		ms := g.Messages()
		if len(ms) != 2 || len(ms[0].Edits) != 1 {
			t.Errorf("got %d messages, %d edits; want 2, 1", len(ms), len(ms[0].Edits))
		}
	})
}

func TestFailures(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(*guild)
		kind    receiver.Kind
		says    string
	}{
		{"webhook deleted", func(g *guild) { g.Delete("1") }, receiver.Dead, "make a new one"},
		{"token wrong", func(g *guild) { g.Add(discordtest.Webhook{ID: "1", Token: "other"}) }, receiver.Dead, "Invalid Webhook Token"},
		{"forum", func(g *guild) { g.Add(discordtest.Webhook{ID: "1", Token: token, Forum: true}) }, receiver.Dead, "set thread_name"},
		{"server error", func(g *guild) { g.Inject(discordtest.Fault{Times: 1, Status: 503}) }, receiver.Retry, "503"},
		{"blocked before Discord", func(g *guild) { g.Inject(discordtest.Fault{Times: 1, Status: 403}) }, receiver.Retry, "403"},
		{"connection closed", func(g *guild) { g.Inject(discordtest.Fault{Times: 1, Close: true}) }, receiver.Retry, "EOF"},
		{"hang", func(g *guild) { g.Inject(discordtest.Fault{Times: 1, Hang: true}) }, receiver.Retry, "deadline exceeded"},
		{"refused twice", func(g *guild) { g.Inject(discordtest.Fault{Times: 2, Status: 400}) }, receiver.Rejected, "400"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGuild(t, discordtest.Options{})
				test.prepare(g)
				receipt, err := g.incident(g.sender("", "")).tell(receiver.ReasonFiring, lag("one"))
				wantKind(t, err, test.kind)
				if !strings.Contains(err.Error(), test.says) {
					t.Errorf("got error %q, want something about %q", err, test.says)
				}
				if receipt.Endpoint != "http://discord.example/api/webhooks/1/<secret>" || receipt.Payload == "" {
					t.Errorf("got receipt %+v, want endpoint and payload", receipt)
				}
				noSecret(t, receipt, err)
			})
		})
	}
}

func TestRefusedMessageIsToldPlainly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{})
		i := g.incident(g.sender("", ""))
		g.Inject(discordtest.Fault{Times: 1, Status: 400})
		i.mustTell(receiver.ReasonFiring, lag("one"))
		ms := g.Messages()
		if len(ms) != 1 || !strings.Contains(ms[0].Content, "Account one is behind the exchange.") || i.Memo == nil {
			t.Errorf("got %+v, want the alert as plain text", ms)
		}
	})
}

func TestThreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{})
		g.Add(discordtest.Webhook{ID: "1", Token: token, ChannelID: "500", Threads: []string{"600"}})
		i := g.incident(g.sender("", "thread_id: '600'"))
		i.mustTell(receiver.ReasonFiring, lag("one"))
		i.mustTell(receiver.ReasonResolved, resolved(lag("one")))
		for _, m := range g.Messages() {
			if m.ChannelID != "600" {
				t.Errorf("got a message in %s, want all in the thread", m.ChannelID)
			}
		}

		g.Add(discordtest.Webhook{ID: "1", Token: token, ChannelID: "501", Forum: true})
		j := g.incident(g.sender("", "thread_name: '{{ .GroupLabels.alertname }}'"))
		j.mustTell(receiver.ReasonFiring, lag("one"))
		j.mustTell(receiver.ReasonResolved, resolved(lag("one")))
		ms := g.Messages()[2:]
		if len(ms) != 2 || ms[0].ThreadName != "SyncLag" || ms[1].ChannelID != ms[0].ID || len(ms[0].Edits) != 1 {
			t.Errorf("got %+v, want a thread with an edited message and a line", ms)
		}
	})
}

func TestStormIsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{})
		i := g.incident(g.sender("", `mentions: {critical: ["<@&77>"]}`))
		i.Storm = &receiver.Storm{Since: time.Now(), Groups: 300, Firing: 900, ByName: map[string]int{"TargetDown": 800, "SyncLag": 100}}
		i.mustTell(receiver.ReasonFiring)
		i.Storm.Firing = 950
		i.mustTell(receiver.ReasonUpdate)
		golden(t, "storm", g.Messages())
		i.Storm.Firing, i.Storm.Resolved = 0, 950
		i.mustTell(receiver.ReasonResolved)
		i.Storm.Over = true
		i.mustTell(receiver.ReasonResolved)
		ms := g.Messages()
		if len(ms) != 1 || len(ms[0].Edits) != 3 || !slices.Equal(ms[0].Called, []string{"77"}) {
			t.Errorf("got %+v, want one message, edited three times, that called once", ms)
		}
		if i.Memo != nil {
			t.Errorf("got memo %s, want none", i.Memo)
		}
	})
}

func TestTestMessageCallsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{})
		i := g.incident(g.sender("content: '<@5>'", `mentions: {critical: ["@everyone"]}`))
		receipt := i.mustTell(receiver.ReasonTest, lag("one"))
		ms := g.Messages()
		if len(ms) != 1 || len(ms[0].Called) != 0 || ms[0].Embeds[0].Title != "Test message" || receipt.Memo != nil {
			t.Errorf("got %+v, memo %s; want a test that calls nobody and leaves nothing", ms, receipt.Memo)
		}
	})
}

func TestLateMessageSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuild(t, discordtest.Options{})
		i := g.incident(g.sender("", ""))
		i.ID, i.Reason, i.Superseded = "x", receiver.ReasonFiring, 3
		i.Alerts = append(i.Alerts, lag("one"))
		i.QueuedAt = time.Now()
		time.Sleep(7 * time.Minute)
		if _, err := i.again(); err != nil {
			t.Fatal(err)
		}
		text := g.Messages()[0].Embeds[0].Description
		for _, want := range []string{"Late by 7m", "3 older states"} {
			if !strings.Contains(text, want) {
				t.Errorf("got %q, want %q in it", text, want)
			}
		}
	})
}

func TestTemplatesOfTheUser(t *testing.T) {
	redefined := filepath.Join(t.TempDir(), "own.tmpl")
	if err := os.WriteFile(redefined, []byte(`{{ define "discord.default.title" }}own {{ .Status }}{{ end }}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, config, files string
		title, text         string
		fields              bool
	}{
		{"none", "", "", "🔴 SyncLag", "Account one", true},
		{"title", "title: 'T {{ .GroupLabels.alertname }}'", "", "T SyncLag", "Account one", true},
		{"message", "message: '{{ len .Alerts }} alert'", "", "🔴 SyncLag", "1 alert", false},
		{"redefined in a file", "", redefined, "own firing", "Account one", true},
		{"failing", `message: '{{ template "missing" . }}{{ index .Alerts 7 }}'`, "", "🔴 SyncLag", "template", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGuild(t, discordtest.Options{})
				o := g.options(strings.ReplaceAll(test.config, `{{ template "missing" . }}`, ""), "")
				if test.files != "" {
					o.Template = newTemplate(t, test.files)
				}
				s, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				g.incident(s).mustTell(receiver.ReasonFiring, lag("one"))
				e := g.Messages()[0].Embeds[0]
				if e.Title != test.title || !strings.Contains(e.Description, test.text) || (len(e.Fields) > 0) != test.fields {
					t.Errorf("got %+v; want title %q, text with %q, fields %t", e, test.title, test.text, test.fields)
				}
			})
		})
	}
}

func TestMentions(t *testing.T) {
	for _, test := range []struct {
		name, config, settings string
		called                 []string
	}{
		{"none by default", "content: '{{ .CommonLabels.account }}'", "", nil},
		{"by severity", "", `mentions: {critical: ["<@&7>", "<@8>"], warning: ["@here"]}`, []string{"7", "8"}},
		{"of another severity", "", `mentions: {warning: ["@here"]}`, nil},
		{"written by the user", "content: '<@&9> look at {{ .CommonLabels.account }}'", "", []string{"9"}},
		{"from a label, beside @here", "content: '{{ .CommonLabels.account }}'", `mentions: {critical: ["@here"]}`, []string{"here"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGuild(t, discordtest.Options{})
				i := g.incident(g.sender(test.config, test.settings))
				i.mustTell(receiver.ReasonFiring, lag("@everyone <@&1> <@2>"))
				if got := g.Messages()[0].Called; !slices.Equal(got, test.called) {
					t.Errorf("called %q, want %q", got, test.called)
				}
			})
		})
	}
}

func TestGraph(t *testing.T) {
	png := []byte("\x89PNG\r\n\x1a\nrest")
	for _, test := range []struct {
		name  string
		graph receiver.Graph
		want  bool
	}{
		{"drawn", func(context.Context, receiver.GraphRequest) ([]byte, error) { return png, nil }, true},
		{"nothing to draw", func(context.Context, receiver.GraphRequest) ([]byte, error) { return nil, nil }, false},
		{"too slow", func(ctx context.Context, _ receiver.GraphRequest) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGuild(t, discordtest.Options{})
				o := g.options("", "")
				o.Graph = test.graph
				s, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				i := g.incident(s)
				i.mustTell(receiver.ReasonFiring, lag("one"))
				i.mustTell(receiver.ReasonResolved, resolved(lag("one")))
				m := g.Messages()[0]
				if test.want != (len(m.Attachments) == 1 && m.Embeds[0].Image != nil && string(m.Attachments[0].Data) == string(png)) {
					t.Errorf("got %+v, want the picture once: %t", m, test.want)
				}
			})
		})
	}
}

func TestNewRefuses(t *testing.T) {
	g := &guild{t: t, url: "http://discord.example/api/webhooks/1/x", limits: NewLimits()}
	for _, test := range []struct{ name, config, settings, want string }{
		{"bad template", "title: '{{ .Alerts '", "", "unclosed action"},
		{"unknown function", "message: '{{ nope }}'", "", `function "nope" not defined`},
		{"bad thread name", "", "thread_name: '{{'", "unclosed action"},
		{"bad mention", "", "mentions: {critical: [ada]}", `mentions.critical[0]: "ada" is no mention`},
		{"bad severity", "", "mentions: {urgent: ['@here']}", "mentions.urgent: no such severity"},
		{"bad way", "", "resolved: silently", `resolved: "silently" is not one of`},
		{"bad thread", "", "thread_id: general", `thread_id: "general" is no ID`},
		{"two threads", "", "{thread_id: '1', thread_name: x}", "thread_name: thread_id is given"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := g.options(test.config, test.settings)
			o.HTTP = nil
			if _, err := New(o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
}
