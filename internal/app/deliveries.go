package app

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/api"
)

// deliveryRoutes show what was sent and what waits.
func (a *App) deliveryRoutes() []api.Route {
	return []api.Route{{
		Method:  http.MethodGet,
		Path:    "/deliveries",
		Summary: "Attempts to deliver notifications, the newest first, without their payloads.",
		Query: []api.Param{
			{Name: "receiver", Description: "Name of a receiver."},
			{Name: "group", Description: "Key of a group of alerts."},
			{Name: "fingerprint", Description: "Fingerprint of an alert."},
			{Name: "outcome", Description: "delivered, retry, paced, dead, rejected, expired or dropped."},
			{Name: "from", Description: "Time of the oldest attempt, RFC 3339 or Unix seconds."},
			{Name: "to", Description: "Time of the newest attempt."},
			{Name: "limit", Description: fmt.Sprintf("How many at most: %d by default, %d at most.", alerting.DefaultDeliveries, alerting.MaxDeliveries)},
		},
		Response: []alerting.Delivery{},
		Handler: answers(func(r *http.Request) (any, error) {
			q, err := parseDeliveryQuery(r.URL.Query())
			if err != nil {
				return nil, err
			}
			found, err := a.alerting.Deliveries(r.Context(), q)
			for i := range found {
				found[i].Payload = ""
			}
			return found, err
		}),
	}, {
		Method:   http.MethodGet,
		Path:     "/deliveries/{id}",
		Summary:  "All attempts to deliver one message, the newest first.",
		Response: []alerting.Delivery{},
		Handler: answers(func(r *http.Request) (any, error) {
			id := r.PathValue("id")
			found, err := a.alerting.Deliveries(r.Context(), alerting.DeliveryQuery{ID: id, Limit: alerting.MaxDeliveries})
			if err == nil && len(found) == 0 {
				err = fmt.Errorf("%w: %q", alerting.ErrUnknownMessage, id)
			}
			return found, err
		}),
	}, {
		Method:   http.MethodGet,
		Path:     "/outbox",
		Summary:  "What waits for each destination of notifications, and how the destination is.",
		Response: []alerting.OutboxDestination{},
		Handler:  answer(func() any { return a.alerting.Outbox() }),
	}}
}

func parseDeliveryQuery(v url.Values) (q alerting.DeliveryQuery, err error) {
	q = alerting.DeliveryQuery{
		Receiver:    v.Get("receiver"),
		GroupKey:    v.Get("group"),
		Fingerprint: v.Get("fingerprint"),
		Outcome:     alerting.Outcome(v.Get("outcome")),
	}
	if q.Outcome != "" && !q.Outcome.Valid() {
		return q, fmt.Errorf("%w: outcome: there is none called %q", alerting.ErrInvalid, q.Outcome)
	}
	if q.From, err = parseTime("from", v.Get("from")); err != nil {
		return q, err
	}
	if q.To, err = parseTime("to", v.Get("to")); err != nil {
		return q, err
	}
	if text := v.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > alerting.MaxDeliveries {
			return q, fmt.Errorf("%w: limit: %q is not a number from 1 to %d", alerting.ErrInvalid, text, alerting.MaxDeliveries)
		}
	}
	return q, nil
}

// parseTime reads a time as the Prometheus API does. Empty text is no time.
func parseTime(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 && seconds < 1e11 {
		return time.UnixMilli(int64(seconds * 1000)), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("%w: %s: %q is no time; use 2026-11-22T12:00:00Z or Unix seconds", alerting.ErrInvalid, name, text)
	}
	return t, nil
}
