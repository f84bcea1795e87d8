package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/alert"
	amdiscord "github.com/prometheus/alertmanager/notify/discord"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v2"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
	"github.com/hedgewatch/hedgewatch/internal/receiver/discord/discordtest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "tOkEn-that-must-stay-secret"

// guild is a Discord with one webhook, reached without a network, so that time
// may be simulated.
type guild struct {
	*discordtest.Server
	t      *testing.T
	dial   commoncfg.HTTPClientOption
	limits *Limits
	url    string
}

func newGuild(t *testing.T, o discordtest.Options) *guild {
	g := &guild{Server: discordtest.New(o), t: t, limits: NewLimits()}
	g.url = "http://discord.example" + g.Add(discordtest.Webhook{ID: "1", Token: token})
	l := make(pipes)
	server := &http.Server{Handler: g.Server, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // It ends with an error, always.
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	g.dial = commoncfg.WithDialContextFunc(l.dial)
	return g
}

// pipes is a net.Listener whose connections never leave the process.
type pipes chan net.Conn

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// sender builds a sender from entries of discord_configs and of `delivery`.
func (g *guild) sender(config, settings string) *Sender {
	g.t.Helper()
	s, err := New(g.options(config, settings))
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

func (g *guild) options(config, settings string) Options {
	g.t.Helper()
	var c amdiscord.DiscordConfig
	if err := yaml.Unmarshal([]byte("webhook_url: "+g.url+"\n"+config), &c); err != nil {
		g.t.Fatal(err)
	}
	s := DefaultSettings()
	if err := yaml.Unmarshal([]byte(settings), &s); err != nil {
		g.t.Fatal(err)
	}
	return Options{Config: &c, Settings: s, Template: newTemplate(g.t), Limits: g.limits, HTTP: []commoncfg.HTTPClientOption{g.dial}}
}

func newTemplate(t testing.TB, files ...string) *template.Template {
	t.Helper()
	tmpl, err := template.FromGlobs(files)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.ExternalURL = &url.URL{Scheme: "https", Host: "hedgewatch.example"}
	return tmpl
}

// incident is a group of alerts over time, with what its sender remembers.
type incident struct {
	receiver.Message
	g *guild
	s *Sender
	n int
}

func (g *guild) incident(s *Sender) *incident {
	return &incident{g: g, s: s, Message: receiver.Message{
		Receiver: "traders", GroupKey: `{}:{alertname="SyncLag"}`,
		GroupLabels: model.LabelSet{"alertname": "SyncLag"},
	}}
}

// tell sends the group's state as a new message and keeps the memo.
func (i *incident) tell(reason receiver.Reason, alerts ...*alert.Alert) (receiver.Receipt, error) {
	i.n++
	i.ID, i.Reason, i.Alerts, i.QueuedAt = string(rune('a'+i.n)), reason, alerts, time.Now()
	return i.again()
}

func (i *incident) again() (receiver.Receipt, error) {
	i.g.t.Helper()
	ctx, cancel := context.WithTimeout(i.g.t.Context(), 5*time.Second)
	defer cancel()
	receipt, err := i.s.Send(ctx, i.Message)
	if receipt.Memo != nil {
		if i.Memo = receipt.Memo; string(i.Memo) == "null" {
			i.Memo = nil
		}
	}
	return receipt, err
}

func (i *incident) mustTell(reason receiver.Reason, alerts ...*alert.Alert) receiver.Receipt {
	i.g.t.Helper()
	receipt, err := i.tell(reason, alerts...)
	if err != nil {
		i.g.t.Fatalf("%s: %v", reason, err)
	}
	return receipt
}

func lag(account string) *alert.Alert {
	return &alert.Alert{Alert: model.Alert{
		Labels: model.LabelSet{"alertname": "SyncLag", "severity": "critical", "account": model.LabelValue(account), "job": "sync"},
		Annotations: model.LabelSet{
			"summary":     model.LabelValue("Account " + account + " is behind the exchange."),
			"description": "Orders may be sent on old balances.",
			"runbook_url": "https://example.org/runbooks/SyncLag.md",
			"value":       "12.5 s",
		},
		StartsAt:     time.Now().Add(-90 * time.Second),
		GeneratorURL: "https://hedgewatch.example/graph?g0.expr=sync_lag_seconds+%3E+10&g0.tab=1",
	}}
}

func resolved(a *alert.Alert) *alert.Alert {
	c := *a
	c.EndsAt = time.Now()
	return &c
}

func wantKind(t *testing.T, err error, want receiver.Kind) *receiver.Error {
	t.Helper()
	var e *receiver.Error
	if err == nil || receiver.KindOf(err) != want {
		t.Fatalf("got error %v of kind %v, want kind %v", err, receiver.KindOf(err), want)
	}
	errors.As(err, &e)
	return e
}

// golden compares what a channel shows with a file.
func golden(t *testing.T, name string, got any) {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".golden.json")
	if *update {
		if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), buf.String()); diff != "" {
		t.Errorf("%s differs; -update rewrites it (-want +got):\n%s", path, diff)
	}
}
