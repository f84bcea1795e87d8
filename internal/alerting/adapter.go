package alerting

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/notify"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// maxStuck bounds the notifiers that do not end with their context. The
// library's e-mail receiver is one, while a server that has taken the
// connection says nothing.
const maxStuck = 3

// adapter makes a Sender of one of Alertmanager's own receivers. The worker has
// put into the context what the library looks for there.
type adapter struct {
	integration notify.Integration
	running     chan struct{} // a slot for each notifier at work
}

func newAdapter(i notify.Integration) *adapter {
	return &adapter{integration: i, running: make(chan struct{}, maxStuck)}
}

// Send implements receiver.Sender. The library shows neither what it sends nor
// what it is answered, so the receipt has only what its errors say.
func (a *adapter) Send(ctx context.Context, m receiver.Message) (receiver.Receipt, error) {
	select {
	case a.running <- struct{}{}:
	default:
		return receiver.Receipt{}, fmt.Errorf("%d attempts before this one have not ended yet", maxStuck)
	}
	store := storeOf(m)
	type result struct {
		retry bool
		err   error
	}
	ended := make(chan result, 1)
	go func() {
		defer func() { <-a.running }()
		var r result
		defer func() {
			if p := recover(); p != nil {
				r = result{err: fmt.Errorf("panic in Alertmanager's receiver: %v", p)}
			}
			ended <- r
		}()
		r.retry, r.err = a.integration.Notify(notify.WithNflogStore(ctx, store), receiver.WithStorm(m)...)
	}()
	select {
	case r := <-ended:
		if r.err != nil {
			return failure(r.retry, r.err)
		}
		return receiver.Receipt{Memo: memoOf(store)}, nil
	case <-ctx.Done():
		// One that obeys its context is about to end, and may know more.
		select {
		case r := <-ended:
			if r.err == nil {
				return receiver.Receipt{Memo: memoOf(store)}, nil
			}
			return failure(true, r.err)
		case <-time.After(haltTimeout):
			return receiver.Receipt{}, fmt.Errorf("no answer: %w", ctx.Err())
		}
	}
}

// storeKeys are what the library's receivers remember about a group: the message
// that Slack edits.
func storeKeys() []string { return []string{"threadTs", "channelId"} }

// storeOf is a group's memo as the library knows it. As there, the first message
// after a group's end begins anew.
func storeOf(m receiver.Message) *nflog.Store {
	store := nflog.NewStore(nil)
	if parseNotifyReason(m.NotificationReason) == notify.ReasonFirstNotification {
		return store
	}
	var memo map[string]string
	if json.Unmarshal(m.Memo, &memo) == nil { // Without, it is a message of its own.
		for key, value := range memo {
			store.SetStr(key, value)
		}
	}
	return store
}

func memoOf(store *nflog.Store) json.RawMessage {
	memo := make(map[string]string)
	for _, key := range storeKeys() {
		if value, ok := store.GetStr(key); ok {
			memo[key] = value
		}
	}
	if len(memo) == 0 {
		return nil
	}
	encoded, err := json.Marshal(memo)
	if err != nil { // Text always marshals.
		return nil
	}
	return encoded
}

// The library's notifiers tell the status of an answer in words only. A test
// holds them to these.
var statusText = regexp.MustCompile(`status code:? (\d{3})`)

// failure says what an error of the library means for the attempts after it. It
// treats a 429 as final.
func failure(retry bool, err error) (receiver.Receipt, error) {
	var r receiver.Receipt
	if match := statusText.FindStringSubmatch(err.Error()); match != nil {
		r.Status, _ = strconv.Atoi(match[1])
	}
	kind := receiver.Rejected
	switch {
	case r.Status == http.StatusTooManyRequests:
		kind = receiver.Paced
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden ||
		r.Status == http.StatusNotFound || r.Status == http.StatusGone:
		kind = receiver.Dead
	case retry || r.Status == http.StatusRequestTimeout:
		kind = receiver.Retry
	}
	return r, &receiver.Error{Kind: kind, Err: err}
}
