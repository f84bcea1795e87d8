package discord

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Codes in Discord's errors.
// https://docs.discord.com/developers/topics/opcodes-and-status-codes#json, 2026-06.
const (
	unknownChannel   = 10003
	unknownMessage   = 10008
	unknownWebhook   = 10015
	forumNeedsThread = 220001
	noForum          = 220003
)

// refusal is an answer of Discord that is an error.
type refusal struct {
	Status  int
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Errors  json.RawMessage `json:"errors"`
}

// Error says what Discord said, and what to do about it where we know.
func (r *refusal) Error() string {
	text := fmt.Sprintf("Discord answered %d", r.Status)
	if r.Message != "" {
		text += fmt.Sprintf(": %s (%d)", receiver.Clip(r.Message, 200), r.Code)
	}
	if len(r.Errors) > 0 {
		text += ": " + receiver.Clip(string(r.Errors), 500)
	}
	switch r.Code {
	case unknownWebhook:
		text += "; the webhook was deleted, make a new one and put its URL into the configuration"
	case unknownChannel:
		text += "; the channel or thread is gone, correct thread_id"
	case forumNeedsThread:
		text += "; this is a forum channel, set thread_name or thread_id under delivery.receivers"
	case noForum:
		text += "; only forum channels open threads, remove thread_name"
	}
	return text
}

// isCode reports whether Discord refused for a reason.
func isCode(err error, code int) bool {
	var r *refusal
	return errors.As(err, &r) && r.Code == code
}

// judge returns what an answer means for the next attempts; nil if it is a good
// one.
func judge(a receiver.Answer, pause time.Duration) error {
	if a.Status/100 == 2 {
		return nil
	}
	r := &refusal{}
	spoken := json.Unmarshal(a.Body, r) == nil && r.Code != 0
	if !spoken {
		r = &refusal{}
	}
	r.Status = a.Status
	fail := func(kind receiver.Kind) error { return &receiver.Error{Kind: kind, Err: r} }
	switch {
	case a.Status == http.StatusTooManyRequests:
		return &receiver.Error{Kind: receiver.Paced, After: pause, Err: r}
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusNotFound,
		a.Status == http.StatusForbidden && spoken, // Without words it is the guard before Discord.
		r.Code == forumNeedsThread, r.Code == noForum:
		// Asking again would count towards a ban of this address.
		return fail(receiver.Dead)
	case a.Status == http.StatusBadRequest, a.Status == http.StatusRequestEntityTooLarge:
		return fail(receiver.Rejected)
	}
	return fail(receiver.Retry)
}
