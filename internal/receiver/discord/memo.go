package discord

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// memo is what is remembered of a group's message while its alerts last.
type memo struct {
	Webhook string `json:"webhook"` // Only the webhook that posted it may edit it.
	Message string `json:"message"`
	Thread  string `json:"thread,omitempty"`
	// Told are the alerts that somebody was called for; see toldKey.
	Told []string `json:"told,omitempty"`
	// Edited is the ID of our message whose state the Discord message has; what
	// is left of it, after a failure, is the line that follows.
	Edited string `json:"edited,omitempty"`
}

// maxTold bounds a memo. Alerts beyond it are told again with the next ones.
const maxTold = 200

// readMemo returns nil if there is no message that this webhook can edit.
func readMemo(text json.RawMessage, webhook string) *memo {
	var m memo
	if len(text) == 0 || json.Unmarshal(text, &m) != nil || m.Webhook != webhook || !snowflake.MatchString(m.Message) {
		return nil
	}
	if m.Thread != "" && !snowflake.MatchString(m.Thread) {
		return nil
	}
	return &m
}

func (m memo) json() json.RawMessage {
	text, err := json.Marshal(m)
	if err != nil {
		return nil // Not possible: it is strings only.
	}
	return text
}

// told lists the firing alerts of a view.
func told(v receiver.View) []string {
	var prints []string
	for _, a := range v.Alerts {
		if a.State != receiver.Resolved && len(prints) < maxTold {
			prints = append(prints, toldKey(a))
		}
	}
	return prints
}

// toldKey names an alert and its beginning: one that has ended and fires again
// is news.
func toldKey(a receiver.AlertView) string {
	return a.Alert.Fingerprint().String() + "@" + strconv.FormatInt(a.Alert.StartsAt.UnixMilli(), 36)
}

// news are the firing alerts that nobody has been called for. There can be none:
// what began while an older message waited may have ended again.
func (m memo) news(v receiver.View) []receiver.AlertView {
	return slices.DeleteFunc(slices.Clone(v.Alerts), func(a receiver.AlertView) bool {
		return a.State == receiver.Resolved || slices.Contains(m.Told, toldKey(a))
	})
}
