package alerting

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
	"github.com/hedgewatch/hedgewatch/internal/receiver/discord"
	"github.com/hedgewatch/hedgewatch/internal/receiver/mail"
	hook "github.com/hedgewatch/hedgewatch/internal/receiver/webhook"
)

// ReceiverSettings are what Alertmanager's file has no keys for. Each part
// applies to all integrations of its kind in a receiver.
type ReceiverSettings struct {
	// Prompt says what does not wait for the group_interval; "" is PromptEnds.
	Prompt  Prompt            `yaml:"prompt,omitempty"`
	Discord *discord.Settings `yaml:"discord,omitempty"`
	Email   *mail.Settings    `yaml:"email,omitempty"`
	Webhook *hook.Settings    `yaml:"webhook,omitempty"`
}

// NamedSettings are those of one receiver.
type NamedSettings struct {
	Name             string `yaml:"name"`
	ReceiverSettings `yaml:",inline"`
}

// of returns the settings of a receiver: a part that it does not have is the
// default's, and what that does not have is built in.
func (c DeliveryConfig) of(name string) (discord.Settings, mail.Settings, hook.Settings) {
	d, e, w := discord.DefaultSettings(), mail.DefaultSettings(), hook.Settings{}
	apply := func(s ReceiverSettings) {
		if s.Discord != nil {
			d = *s.Discord
		}
		if s.Email != nil {
			e = *s.Email
		}
		if s.Webhook != nil {
			w = *s.Webhook
		}
	}
	apply(c.Defaults)
	for _, r := range c.Receivers {
		if r.Name == name {
			apply(r.ReceiverSettings)
		}
	}
	return d, e, w
}

// prompt is what a receiver with the given integrations is told early.
func (c DeliveryConfig) prompt(name string, integrations []notify.Integration) prompting {
	p := c.Defaults.Prompt
	for _, r := range c.Receivers {
		if r.Name == name {
			p = cmp.Or(r.Prompt, p)
		}
	}
	return p.of(integrations)
}

// SetDirectory joins the section's relative paths with dir.
func (c DeliveryConfig) SetDirectory(dir string) {
	join := func(s ReceiverSettings) {
		if s.Webhook != nil && s.Webhook.HMACSecretFile != "" {
			s.Webhook.HMACSecretFile = commoncfg.JoinDir(dir, s.Webhook.HMACSecretFile)
		}
	}
	join(c.Defaults)
	for _, r := range c.Receivers {
		join(r.ReceiverSettings)
	}
}

// ValidateFor reports all that is wrong with the section beside an Alertmanager
// configuration, including templates that can never be executed.
func (c DeliveryConfig) ValidateFor(am *amconfig.Config) error {
	if err := errors.Join(c.Validate(), c.validateReceivers(am.Receivers)); err != nil {
		return err
	}
	t, err := template.FromGlobs(am.Templates)
	if err != nil {
		return nil // The fault is with the templates, and is reported there.
	}
	t.ExternalURL = &url.URL{}
	o := outfit{limits: discord.NewLimits()}
	for i, s := range c.Receivers {
		at := slices.IndexFunc(am.Receivers, func(r amconfig.Receiver) bool { return r.Name == s.Name })
		if _, err := o.build(c, am.Receivers[at], t); err != nil {
			return fmt.Errorf("delivery.receivers[%d]: %w", i, err)
		}
	}
	return nil
}

func (c DeliveryConfig) validateReceivers(receivers []amconfig.Receiver) error {
	errs := c.Defaults.validate("delivery.defaults")
	seen := make(map[string]bool)
	for i, s := range c.Receivers {
		key := fmt.Sprintf("delivery.receivers[%d]", i)
		errs = append(errs, s.validate(key)...)
		at := slices.IndexFunc(receivers, func(r amconfig.Receiver) bool { return r.Name == s.Name })
		switch {
		case at < 0:
			errs = append(errs, fmt.Errorf("%s.name: no receiver of the alertmanager section is called %q; correct the name", key, s.Name))
			continue
		case seen[s.Name]:
			errs = append(errs, fmt.Errorf("%s.name: %q has settings already; put them together", key, s.Name))
		}
		seen[s.Name] = true
		missing := func(part, integrations string) {
			errs = append(errs, fmt.Errorf("%s.%s: receiver %q has no %s; remove this, or add them", key, part, s.Name, integrations))
		}
		if s.Discord != nil && len(receivers[at].DiscordConfigs) == 0 {
			missing("discord", "discord_configs")
		}
		if s.Email != nil && len(receivers[at].EmailConfigs) == 0 {
			missing("email", "email_configs")
		}
		if s.Webhook != nil && len(receivers[at].WebhookConfigs) == 0 {
			missing("webhook", "webhook_configs")
		}
	}
	return errors.Join(errs...)
}

func (s ReceiverSettings) validate(key string) (errs []error) {
	if err := s.Prompt.validate(key); err != nil {
		errs = append(errs, err)
	}
	if s.Discord != nil {
		errs = append(errs, under(key+".discord", s.Discord.Validate())...)
	}
	if s.Webhook != nil {
		errs = append(errs, under(key+".webhook", s.Webhook.Validate())...)
	}
	return errs
}

// under puts a key before each of the joined errors.
func under(key string, err error) (errs []error) {
	if err == nil {
		return nil
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		errs = append(errs, errors.New(key+"."+line))
	}
	return errs
}

// outfit is what the senders of all configurations share.
type outfit struct {
	senders Senders // May be nil.
	limits  *discord.Limits
	graphs  Graphs
}

// Graphs draw the pictures of messages; nil ones draw none. Chats are dark, and
// mail is light.
type Graphs struct{ Chat, Mail receiver.Graph }

// build makes our own senders for a receiver.
func (o outfit) build(c DeliveryConfig, r amconfig.Receiver, t *template.Template, opts ...commoncfg.HTTPClientOption) (map[string]receiver.Sender, error) {
	if o.senders != nil {
		if s, err := o.senders(r, t, opts...); s != nil || err != nil {
			return s, err
		}
	}
	senders := make(map[string]receiver.Sender)
	var errs []error
	add := func(kind string, i int, s receiver.Sender, err error) {
		name := fmt.Sprintf("%s[%d]", kind, i)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			return
		}
		senders[name] = s
	}
	forDiscord, forMail, forWebhook := c.of(r.Name)
	for i, config := range r.DiscordConfigs {
		s, err := discord.New(discord.Options{Config: config, Settings: forDiscord, Template: t, Limits: o.limits, Graph: o.graphs.Chat, HTTP: opts})
		add("discord", i, s, err)
	}
	for i, config := range r.EmailConfigs {
		s, err := mail.New(mail.Options{Config: config, Settings: forMail, Template: t, Graph: o.graphs.Mail})
		add("email", i, s, err)
	}
	for i, config := range r.WebhookConfigs {
		s, err := hook.New(hook.Options{Config: config, Settings: forWebhook, Template: t, HTTP: opts})
		add("webhook", i, s, err)
	}
	return senders, errors.Join(errs...)
}
