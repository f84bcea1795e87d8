package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// delivery is one call of Send.
type delivery struct {
	*Sender
	hook    webhook
	m       receiver.Message
	view    receiver.View
	receipt receiver.Receipt
}

func (d *delivery) run(ctx context.Context) error {
	if d.view.Test {
		_, err := d.post(ctx)
		return err
	}
	old := readMemo(d.m.Memo, d.hook.id)
	if old == nil || d.over() && d.m.Storm == nil && d.settings.Resolved == ResolvedPost {
		return d.begin(ctx)
	}
	if old.Edited != d.m.ID {
		err := d.edit(ctx, *old)
		if isCode(err, unknownMessage) {
			return d.begin(ctx) // Somebody deleted it.
		}
		if err != nil {
			return err
		}
	}
	return d.follow(ctx, *old)
}

// begin posts the group's message.
func (d *delivery) begin(ctx context.Context) error {
	posted, err := d.post(ctx)
	if err != nil {
		return err
	}
	next := memo{Webhook: d.hook.id, Message: posted.ID, Thread: d.thread(), Told: told(d.view)}
	if d.settings.ThreadName != "" {
		next.Thread = posted.ChannelID // The thread that the message has opened.
	}
	d.remember(next)
	return nil
}

func (d *delivery) post(ctx context.Context) (posted, error) {
	msg := d.compose(ctx, d.m, d.view)
	if !d.view.Test {
		d.call(&msg, d.view)
	}
	return d.request(ctx, http.MethodPost, d.hook.target("", d.thread()), msg)
}

// edit brings the group's message up to date. It calls nobody.
func (d *delivery) edit(ctx context.Context, old memo) error {
	msg := d.compose(ctx, d.m, d.view)
	msg.Username, msg.AvatarURL, msg.ThreadName = "", "", "" // Set once, by the post.
	_, err := d.request(ctx, http.MethodPatch, d.hook.target(old.Message, old.Thread), msg)
	return err
}

// follow sends the line that makes people look, where one is due, and finishes.
func (d *delivery) follow(ctx context.Context, old memo) error {
	news := old.news(d.view)
	if d.m.Reason == receiver.ReasonRepeat {
		news = memo{}.news(d.view)
	}
	if due := d.m.Storm == nil && (d.m.Reason == receiver.ReasonFiring && len(news) > 0 || d.m.Reason == receiver.ReasonRepeat ||
		d.m.Reason == receiver.ReasonResolved && d.settings.Resolved == ResolvedBoth); due {
		// If it fails, the next attempt goes on from here.
		half := old
		half.Edited = d.m.ID
		d.receipt.Memo = half.json()
		if _, err := d.request(ctx, http.MethodPost, d.hook.target("", old.Thread), d.line(d.m, d.view, news)); err != nil {
			return err
		}
	}
	old.Edited, old.Told = "", told(d.view)
	d.remember(old)
	return nil
}

// remember leaves a memo for the group's next message, unless this was the last.
func (d *delivery) remember(next memo) {
	if d.over() || next.Message == "" {
		d.receipt.Memo = json.RawMessage("null")
		return
	}
	d.receipt.Memo = next.json()
}

// over reports whether the group's next message will be about something else.
func (d *delivery) over() bool {
	if d.m.Storm != nil {
		return d.m.Storm.Over
	}
	return d.m.Reason == receiver.ReasonResolved
}

func (d *delivery) thread() string { return d.settings.ThreadID }

// posted is what is needed of the message that Discord answers with.
type posted struct {
	ID        string `json:"id"`
	ChannelID string `json:"channel_id"`
}

// request makes a request, and one more with plain text if Discord finds fault
// with the first.
func (d *delivery) request(ctx context.Context, method, target string, msg message) (posted, error) {
	p, err := d.ask(ctx, method, target, msg)
	if receiver.KindOf(err) == receiver.Rejected {
		return d.ask(ctx, method, target, plain(d.view, msg))
	}
	return p, err
}

func (d *delivery) ask(ctx context.Context, method, target string, msg message) (posted, error) {
	body, contentType, text, err := msg.encode()
	if err != nil {
		return posted{}, err
	}
	limited := route{d.hook.id, method}
	if wait := d.limits.take(limited, time.Now()); wait > 0 {
		return posted{}, &receiver.Error{Kind: receiver.Paced, After: wait, Err: errors.New("wait for Discord's rate limit")}
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return posted{}, fmt.Errorf("make request to Discord: %w", receiver.WithoutURL(err))
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", receiver.UserAgent)

	d.receipt.Payload = text
	answer, err := receiver.Do(d.client, req)
	d.receipt.Status, d.receipt.Answer = answer.Status, answer.Shown(d.hook.secret)
	if err != nil {
		return posted{}, fmt.Errorf("%s message at %s: %w", method, d.hook.shown, err)
	}
	pause := d.limits.learn(limited, answer, time.Now())
	if err := judge(answer, pause); err != nil {
		return posted{}, err
	}
	var p posted
	if json.Unmarshal(answer.Body, &p) != nil || !snowflake.MatchString(p.ID) {
		p = posted{} // It has arrived; it only cannot be edited.
	}
	return p, nil
}
