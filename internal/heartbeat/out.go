package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// startup is how long after our start it is no news that alerts do not arrive.
const startup = 30 * time.Second

const (
	outcomeSent     = "sent"
	outcomeFailed   = "failed"
	outcomeWithheld = "withheld"
)

// tell gives heartbeats to the switches that are configured, until ctx ends.
func (h *Heartbeats) tell(ctx context.Context) {
	for ctx.Err() == nil {
		current, stop := context.WithCancel(ctx)
		var running sync.WaitGroup
		for _, o := range *h.out.Load() {
			running.Go(func() { h.tellOne(current, o) })
		}
		select {
		case <-h.outChanged:
		case <-ctx.Done():
		}
		stop()
		running.Wait()
		h.metrics.pings.Reset()
		h.metrics.lastPing.Reset()
	}
}

// tellOne calls one switch in its interval. Each change for the worse, and the
// one back, is logged once.
func (h *Heartbeats) tellOne(ctx context.Context, o Out) {
	logger := h.deps.Logger.With("switch", o.name())
	for _, outcome := range []string{outcomeSent, outcomeFailed, outcomeWithheld} {
		h.metrics.pings.WithLabelValues(o.name(), outcome)
	}
	h.awaitHealth(ctx)
	t := time.NewTicker(time.Duration(o.Interval))
	defer t.Stop()
	last := outcomeSent
	for {
		outcome, err := h.ping(ctx, o)
		if ctx.Err() != nil {
			return
		}
		h.metrics.pings.WithLabelValues(o.name(), outcome).Inc()
		if outcome == outcomeSent {
			h.metrics.lastPing.WithLabelValues(o.name()).SetToCurrentTime()
		}
		switch {
		case outcome == last:
		case outcome == outcomeSent:
			logger.Info("Heartbeat goes out again")
		case outcome == outcomeWithheld:
			logger.Error("Heartbeat withheld from a dead man's switch, since alerts do not arrive", "err", err)
		default:
			logger.Warn("Heartbeat not taken by a dead man's switch", "err", err)
		}
		last = outcome
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

func (h *Heartbeats) awaitHealth(ctx context.Context) {
	for end := h.start.Add(startup); h.deps.Healthy() != nil && time.Now().Before(end); {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
}

func (h *Heartbeats) ping(ctx context.Context, o Out) (outcome string, err error) {
	if sick := h.deps.Healthy(); sick != nil {
		if o.FailURL != "" {
			// The switch also notices our silence, so an error is no news.
			_ = h.call(ctx, o, string(o.FailURL))
		}
		return outcomeWithheld, sick
	}
	if err := h.call(ctx, o, string(o.URL)); err != nil {
		return outcomeFailed, err
	}
	return outcomeSent, nil
}

// call makes one request. Its error does not show the URL, which is a secret.
func (h *Heartbeats) call(ctx context.Context, o Out, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.Timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, o.Method, address, nil)
	if err != nil {
		return errors.New("the URL cannot be called")
	}
	req.Header.Set("User-Agent", "hedgewatch")
	resp, err := h.deps.Client.Do(req)
	if err != nil {
		var shown *url.Error
		if errors.As(err, &shown) {
			err = shown.Err
		}
		return err
	}
	defer resp.Body.Close()
	// Read, so that the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4096))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}
