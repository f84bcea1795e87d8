package discord

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Settings are ours for a receiver's `discord_configs`: the `discord` key of
// `delivery.receivers`. Alertmanager's own keys stay where they are.
type Settings struct {
	// Mentions lists, by severity, who is called when an alert of the group
	// begins or is repeated: <@&ROLE>, <@USER>, @here or @everyone.
	Mentions map[string][]string `yaml:"mentions,omitempty"`
	// Resolved says how people learn of the end of a group's alerts.
	Resolved Resolved `yaml:"resolved"`
	// ThreadID is a thread of the webhook's channel to write into.
	ThreadID string `yaml:"thread_id,omitempty"`
	// ThreadName opens a thread for each message in a forum channel. A template.
	ThreadName string `yaml:"thread_name,omitempty"`
	// Graph attaches a picture of the alert's expression.
	Graph bool `yaml:"graph"`
}

// Resolved is a way to tell that all is well.
type Resolved string

// The ways.
const (
	ResolvedEdit Resolved = "edit" // The first message changes; nobody's phone rings.
	ResolvedPost Resolved = "post" // A message of its own, as Alertmanager does.
	ResolvedBoth Resolved = "both" // The first message changes and a line follows.
)

// DefaultSettings apply to receivers that `delivery` does not name.
func DefaultSettings() Settings { return Settings{Resolved: ResolvedBoth, Graph: true} }

// UnmarshalYAML puts what the file says over the defaults.
func (s *Settings) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Settings
	*s = DefaultSettings()
	return unmarshal((*plain)(s))
}

var (
	mention   = regexp.MustCompile(`^(?:<@(&|!)?([0-9]{1,20})>|@(here|everyone))$`)
	snowflake = regexp.MustCompile(`^[0-9]{1,20}$`)
)

// Validate reports everything that is wrong, each problem with its key.
func (s Settings) Validate() error {
	var errs []error
	for _, severity := range slices.Sorted(maps.Keys(s.Mentions)) {
		if !slices.Contains([]string{receiver.Critical.String(), receiver.Warning.String(), receiver.Info.String()}, severity) {
			errs = append(errs, fmt.Errorf("mentions.%s: no such severity; use critical, warning or info", severity))
		}
		for i, who := range s.Mentions[severity] {
			if !mention.MatchString(who) {
				errs = append(errs, fmt.Errorf("mentions.%s[%d]: %q is no mention; write <@&ROLE_ID>, <@USER_ID>, @here or @everyone", severity, i, who))
			}
		}
		if n := len(s.Mentions[severity]); n > maxMentions {
			errs = append(errs, fmt.Errorf("mentions.%s: %d mentions; use a role, at most %d fit", severity, n, maxMentions))
		}
	}
	switch s.Resolved {
	case ResolvedEdit, ResolvedPost, ResolvedBoth:
	default:
		errs = append(errs, fmt.Errorf("resolved: %q is not one of edit, post and both", s.Resolved))
	}
	if s.ThreadID != "" && !snowflake.MatchString(s.ThreadID) {
		errs = append(errs, fmt.Errorf("thread_id: %q is no ID; copy it in Discord with \"Copy Thread ID\", and quote it", s.ThreadID))
	}
	if s.ThreadID != "" && strings.TrimSpace(s.ThreadName) != "" {
		errs = append(errs, errors.New("thread_name: thread_id is given, so no thread is opened; keep one of the two"))
	}
	return errors.Join(errs...)
}
