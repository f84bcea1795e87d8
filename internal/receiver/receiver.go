// Package receiver says what a destination of notifications is: something that
// takes one message about one group of alerts and answers for it. The packages
// below it, discord, mail and webhook, are such destinations.
//
// When to send, what to try again and what to remember is not decided here but
// by package alerting, which keeps every message on disk until a [Sender] has
// answered for it.
package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
)

// Message is the state of a group of alerts, to be told to one destination.
type Message struct {
	// ID names the message in the delivery ledger, and is the same for each
	// attempt: what a destination may use to know a repetition.
	ID string
	// Receiver is the name of the receiver in the configuration.
	Receiver string
	// GroupKey identifies the group, with its route, across messages.
	GroupKey    string
	GroupLabels model.LabelSet
	// RouteLabels and NotificationReason are what Alertmanager's templates and
	// its webhooks call so. An empty NotificationReason follows from Reason.
	RouteLabels        model.LabelSet
	NotificationReason string
	// Alerts of the group. One whose EndsAt is set is resolved.
	Alerts []*alert.Alert
	// Reason is why the message is sent.
	Reason Reason
	// QueuedAt is when the oldest state that this message stands for was to be
	// told. It is late by the time that has passed since.
	QueuedAt time.Time
	// Superseded is the number of states of the group that were to be told since
	// then and are not, because this one is newer.
	Superseded int
	// Values holds, by fingerprint, what a firing alert's expression had, as text.
	Values map[model.Fingerprint]string
	// Acknowledged holds, by fingerprint, who has taken an alert on.
	Acknowledged map[model.Fingerprint]Acknowledgement
	// Storm is set when the message stands for many groups at once.
	Storm *Storm
	// Memo is what the destination's last answer for this group left to be
	// remembered, such as the message to edit. Empty for the first message.
	Memo json.RawMessage
}

// Reason is why a message is sent.
type Reason string

// The reasons.
const (
	ReasonFiring   Reason = "firing"   // An alert of the group is new.
	ReasonRepeat   Reason = "repeat"   // Nothing is new, but repeat_interval has passed.
	ReasonResolved Reason = "resolved" // All alerts of the group have ended.
	ReasonUpdate   Reason = "update"   // Some have ended, or were acknowledged.
	ReasonTest     Reason = "test"     // Somebody wants to see that it arrives.
)

// Acknowledgement says who has taken an alert on.
type Acknowledgement struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitempty"`
}

// Storm sums up the groups of a message that stands for many.
type Storm struct {
	Since            time.Time
	Groups           int
	Firing, Resolved int
	// ByName counts the firing alerts by alertname.
	ByName map[string]int
	// Over is set on the last message of a storm.
	Over bool
}

// Late is how long after it was due the message is sent, at the given time.
func (m Message) Late(now time.Time) time.Duration { return now.Sub(m.QueuedAt) }

// Receipt is what an attempt has to show, whether it succeeded or not. It goes
// into the delivery ledger, so it holds no secret: no token of a URL, no
// password, no signature.
type Receipt struct {
	// Endpoint is where the message went, without what must stay secret.
	Endpoint string
	// Payload is what was sent, as text.
	Payload string
	// Status is the code of the answer: of HTTP or of SMTP; 0 if there was none.
	Status int
	// Answer is the beginning of what the destination said.
	Answer string
	// Memo replaces the group's memo if it is not nil; `null` forgets it.
	Memo json.RawMessage
}

// Sender is one destination. Send may be called by several goroutines at once: a
// test of a receiver does not wait for its queue. Messages of one group come one
// after the other.
type Sender interface {
	// Send makes one attempt. Its error, if any, is or wraps an *Error where
	// more is known than that it failed; any other error is worth another try.
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Error says what a failed attempt means for the ones after it.
type Error struct {
	Kind Kind
	// After is how long the destination wants to be left alone; for Paced.
	After time.Duration
	Err   error
}

// Kind is a kind of failure.
type Kind int

// The kinds of failure.
const (
	// Retry: it may go better next time. The zero value.
	Retry Kind = iota
	// Paced: the destination asks for a pause, by its limits. Nothing is wrong
	// with it or with the message, and no attempt is used up.
	Paced
	// Rejected: this message will never be taken; others may be.
	Rejected
	// Dead: the destination takes nothing any more until somebody mends it, as
	// after a 401 or a 404.
	Dead
)

// String is the kind as the ledger shows it.
func (k Kind) String() string {
	switch k {
	case Retry:
		return "retry"
	case Paced:
		return "paced"
	case Rejected:
		return "rejected"
	case Dead:
		return "dead"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of a failure, Retry where nothing is known.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Retry
}

// GraphRequest asks for a picture of what an alert is about.
type GraphRequest struct {
	Alert *alert.Alert
	// Width and Height are in pixels.
	Width, Height int
}

// Graph draws a PNG. It returns nil without an error where there is nothing to
// draw. A message never waits long for a picture, nor fails for the lack of it.
type Graph func(ctx context.Context, r GraphRequest) ([]byte, error)
