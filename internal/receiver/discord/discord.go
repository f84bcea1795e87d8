// Package discord sends messages to Discord through a webhook. While alerts of
// a group last, one message shows their state and is edited as it changes;
// a short line follows where people must notice, since an edit makes no sound.
//
// It never sends what Discord's limits refuse: texts are shortened step by step,
// and requests wait for the limits that Discord's answers announce, which
// senders share in a [Limits]. It does not try again and does not wait: the
// errors say what the caller should do. Start with [New].
package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/notify"
	amdiscord "github.com/prometheus/alertmanager/notify/discord"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Options are what a Sender is made of.
type Options struct {
	// Config is an entry of a receiver's discord_configs.
	Config   *amdiscord.DiscordConfig
	Settings Settings
	Template *template.Template
	// Limits is shared by all senders of the process.
	Limits *Limits
	// Graph is nil if there are no pictures.
	Graph receiver.Graph
	// HTTP are options of the client, as for Alertmanager's own.
	HTTP []commoncfg.HTTPClientOption
}

// Sender is one webhook as a destination.
type Sender struct {
	config   *amdiscord.DiscordConfig
	settings Settings
	template *template.Template
	limits   *Limits
	graph    receiver.Graph
	client   *http.Client

	// ownTitle and ownMessage say that the user has templates of his own.
	ownTitle, ownMessage bool
	// written are the mentions in the user's content.
	written []string
}

// New reports everything that would keep messages from being made.
func New(o Options) (*Sender, error) {
	errs := []error{o.Settings.Validate()}
	for _, text := range []string{o.Config.Title, o.Config.Message, o.Config.Content, o.Settings.ThreadName} {
		errs = append(errs, receiver.CheckTemplate(o.Template, text))
	}
	var http commoncfg.HTTPClientConfig
	if http = commoncfg.DefaultHTTPClientConfig; o.Config.HTTPConfig != nil {
		http = *o.Config.HTTPConfig
	}
	client, err := notify.NewClientWithTracing(http, "discord", o.HTTP...)
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Sender{
		config: o.Config, settings: o.Settings, template: o.Template, limits: o.Limits, graph: o.Graph, client: client,
		ownTitle:   receiver.Customized(o.Template, o.Config.Title, standardTitle),
		ownMessage: receiver.Customized(o.Template, o.Config.Message, standardMessage),
		written:    written.FindAllString(o.Config.Content, maxMentions),
	}, nil
}

// Send implements [receiver.Sender].
func (s *Sender) Send(ctx context.Context, m receiver.Message) (receiver.Receipt, error) {
	hook, err := s.webhook()
	if err != nil {
		return receiver.Receipt{}, err
	}
	d := &delivery{Sender: s, hook: hook, m: m, view: receiver.NewView(m, s.template.ExternalURL, time.Now())}
	d.receipt.Endpoint = hook.shown
	err = d.run(ctx)
	return d.receipt, err
}

// webhook is where to send to.
type webhook struct {
	url    *url.URL
	id     string // Public; names the webhook in memos and limits.
	secret string // The token, or whatever may be one.
	shown  string // The URL without it.
}

var webhookPath = regexp.MustCompile(`^(.*/webhooks/)([0-9]{1,20})/([^/]+)/?$`)

func (s *Sender) webhook() (webhook, error) {
	var text string
	if s.config.WebhookURL != nil {
		text = s.config.WebhookURL.String()
	} else {
		// Read each time: it may be replaced while we run.
		content, err := os.ReadFile(s.config.WebhookURLFile)
		if err != nil {
			return webhook{}, fmt.Errorf("read webhook_url_file: %w", err)
		}
		text = strings.TrimSpace(string(content))
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return webhook{}, &receiver.Error{Kind: receiver.Dead, Err: errors.New("webhook URL of Discord is no URL; copy it in the channel's settings under Integrations")}
	}
	return newWebhook(u), nil
}

func newWebhook(u *url.URL) webhook {
	m := webhookPath.FindStringSubmatch(u.Path)
	if m == nil {
		return webhook{url: u, id: notify.Key(u.String()).Hash()[:16], secret: strings.Trim(u.Path, "/"), shown: receiver.HidePath(u)}
	}
	return webhook{url: u, id: m[2], secret: m[3], shown: u.Scheme + "://" + u.Host + m[1] + m[2] + "/<secret>"}
}

// target is the URL of a request. What the configured URL asks for stays.
func (w webhook) target(messageID, thread string) string {
	u := *w.url
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	query := u.Query()
	if messageID != "" {
		u.Path += "/messages/" + messageID
	} else {
		query.Set("wait", "true") // So that the answer has the message's ID.
	}
	if thread != "" {
		query.Set("thread_id", thread)
	}
	u.RawQuery = query.Encode()
	return u.String()
}
