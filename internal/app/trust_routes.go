package app

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/drill"
	"github.com/hedgewatch/hedgewatch/internal/heartbeat"
	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// ackRequest is the body of an acknowledgement.
type ackRequest struct {
	// By is who acknowledges; a login counts instead.
	By      string    `json:"by,omitempty"`
	Comment string    `json:"comment,omitempty"`
	Until   time.Time `json:"until,omitzero"`
	For     string    `json:"for,omitempty"` // Instead of until: "2h".
}

// routeQuestion is an alert whose way is asked for.
type routeQuestion struct {
	Labels model.LabelSet `json:"labels"`
}

// receiverView is a receiver with how it is doing.
type receiverView struct {
	drill.Receiver
	Destinations []destinationView `json:"destinations"`
	LastTest     *drill.Result     `json:"lastTest,omitempty"`
}

// destinationView is one integration of a receiver. Times are those of the last
// attempts of a day.
type destinationView struct {
	Integration   string    `json:"integration"` // such as discord[0]
	State         string    `json:"state"`       // unused if no route leads to it
	LastDelivered time.Time `json:"lastDelivered,omitzero"`
	LastFailed    time.Time `json:"lastFailed,omitzero"`
	LastError     string    `json:"lastError,omitempty"`
}

func (a *App) trustRoutes() []api.Route {
	heartbeats := a.trust.heartbeats
	routes := []api.Route{
		{
			Method: http.MethodGet, Path: "/heartbeats", Summary: "The heartbeats that are expected, and how they are doing.",
			Response: []heartbeat.Status{}, Handler: answer(func() any { return heartbeats.Statuses() }),
		},
		{
			Method: http.MethodGet, Path: "/receivers", Summary: "The receivers with their integrations, the routes to them, and how the last messages fared.",
			Response: []receiverView{}, Handler: answers(a.listReceivers),
		},
		{
			Method: http.MethodPost, Path: "/receivers/{name}/test", Summary: "Send a test message to a receiver, and say what each integration answered.",
			Response: drill.Result{}, Handler: answers(a.testReceiver),
		},
		{
			Method: http.MethodGet, Path: "/drills", Summary: "The scheduled tests of receivers, with their last results.",
			Response: []drill.Status{}, Handler: answer(func() any { return a.trust.drills.Statuses() }),
		},
		{
			Method: http.MethodGet, Path: "/routes/match", Summary: "Where an alert with these labels would go.",
			Query:    []api.Param{{Name: "label", Description: "A label as name=value; repeat it for each.", Required: true}},
			Response: []drill.Match{}, Handler: answers(a.matchQuery),
		},
		{
			Method: http.MethodPost, Path: "/routes/match", Summary: "Where an alert with these labels would go.",
			Request: routeQuestion{}, Response: []drill.Match{}, Handler: answers(a.matchBody),
		},
		{
			Method: http.MethodGet, Path: "/acknowledgements", Summary: "Who has taken which firing alerts on.",
			Response: []alerting.Ack{}, Handler: answers(func(r *http.Request) (any, error) { return a.alerting.Acks(r.Context()) }),
		},
		{
			Method: http.MethodPost, Path: "/alerts/{fingerprint}/ack", Summary: "Take a firing alert on: it is not repeated until it ends.",
			Request: ackRequest{}, Response: alerting.Ack{}, Handler: answers(a.acknowledge),
		},
		{
			Method: http.MethodDelete, Path: "/alerts/{fingerprint}/ack", Summary: "Take an acknowledgement back.",
			Handler: answers(func(r *http.Request) (any, error) {
				return nil, a.alerting.Unacknowledge(r.Context(), r.PathValue("fingerprint"))
			}),
		},
		{
			Method: http.MethodGet, Path: "/calendar-silences", Summary: "The silences that recur, with the next times of each.",
			Response: []alerting.CalendarSilence{}, Handler: answers(func(r *http.Request) (any, error) { return a.alerting.CalendarSilences(r.Context()) }),
		},
		{
			Method: http.MethodPost, Path: "/calendar-silences", Summary: "Make a silence that recurs.",
			Request: alerting.CalendarSilence{}, Response: alerting.CalendarSilence{}, Handler: answers(a.setCalendarSilence),
		},
		{
			Method: http.MethodPut, Path: "/calendar-silences/{id}", Summary: "Change a silence that recurs, also where it is under way.",
			Request: alerting.CalendarSilence{}, Response: alerting.CalendarSilence{}, Handler: answers(a.setCalendarSilence),
		},
		{
			Method: http.MethodDelete, Path: "/calendar-silences/{id}", Summary: "End a silence that recurs, also where it is under way.",
			Handler: answers(func(r *http.Request) (any, error) {
				return nil, a.alerting.DeleteCalendarSilence(r.Context(), r.PathValue("id"))
			}),
		},
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		routes = append(routes, api.Route{
			Method: method, Path: "/heartbeat/{name}", Summary: "A sign of life of a job, with the heartbeat's token.",
			Query: []api.Param{
				{Name: "token", Description: "The heartbeat's token, unless it is the bearer token."},
				{Name: "status", Description: "ok, which is the default, or fail."},
				{Name: "message", Description: "Why it failed; a POST may have it as text body instead."},
			},
			Response: heartbeat.Status{}, BeforeReady: true, Public: true, Handler: heartbeats,
		})
	}
	return routes
}

func (a *App) listReceivers(r *http.Request) (any, error) {
	states := make(map[string]string)
	for _, d := range a.alerting.Outbox() {
		states[fmt.Sprintf("%s/%s[%d]", d.Receiver, d.Integration, d.Index)] = d.State
	}
	all := []receiverView{}
	for _, rc := range drill.Receivers(a.alertmanagerConfig()) {
		v := receiverView{Receiver: rc, Destinations: []destinationView{}}
		if last, ok := a.trust.drills.Last(rc.Name); ok {
			v.LastTest = &last
		}
		recent, err := a.alerting.Deliveries(r.Context(), alerting.DeliveryQuery{Receiver: rc.Name, From: time.Now().Add(-24 * time.Hour)})
		if err != nil {
			return nil, err
		}
		for _, name := range rc.Integrations {
			d := destinationView{Integration: name, State: cmp.Or(states[rc.Name+"/"+name], "unused")}
			for _, attempt := range recent { // the newest first
				switch {
				case fmt.Sprintf("%s[%d]", attempt.Integration, attempt.Index) != name:
				case attempt.Outcome == alerting.OutcomeDelivered && d.LastDelivered.IsZero():
					d.LastDelivered = attempt.AttemptedAt
				case attempt.Outcome != alerting.OutcomeDelivered && d.LastFailed.IsZero():
					d.LastFailed, d.LastError = attempt.AttemptedAt, attempt.Error
				}
			}
			v.Destinations = append(v.Destinations, d)
		}
		all = append(all, v)
	}
	return all, nil
}

func (a *App) testReceiver(r *http.Request) (any, error) {
	return a.trust.drills.Test(r.Context(), r.PathValue("name"), cmp.Or(api.ActorFrom(r.Context()).Name, "the API"))
}

func (a *App) matchQuery(r *http.Request) (any, error) {
	labels := model.LabelSet{}
	for _, pair := range r.URL.Query()["label"] {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, invalid("label %q: write name=value", pair)
		}
		labels[model.LabelName(name)] = model.LabelValue(value)
	}
	return a.match(labels)
}

func (a *App) matchBody(r *http.Request) (any, error) {
	var q routeQuestion
	if err := readJSON(r, &q); err != nil {
		return nil, err
	}
	return a.match(q.Labels)
}

func (a *App) match(labels model.LabelSet) (any, error) {
	if len(labels) == 0 {
		return nil, invalid("no labels; ask with ?label=alertname=Name&label=severity=critical")
	}
	return drill.Matches(a.alertmanagerConfig(), labels, time.Now()), nil
}

func (a *App) acknowledge(r *http.Request) (any, error) {
	var req ackRequest
	if err := readJSON(r, &req); err != nil {
		return nil, err
	}
	if req.For != "" {
		d, err := model.ParseDuration(req.For)
		if err != nil || d == 0 || !req.Until.IsZero() {
			return nil, invalid("for: %q is not a duration such as 2h, or `until` is given too", req.For)
		}
		req.Until = time.Now().Add(time.Duration(d)).UTC()
	}
	by := receiver.Acknowledgement{By: cmp.Or(api.ActorFrom(r.Context()).Name, req.By), Comment: req.Comment}
	return a.alerting.Acknowledge(r.Context(), r.PathValue("fingerprint"), by, req.Until)
}

func (a *App) setCalendarSilence(r *http.Request) (any, error) {
	var s alerting.CalendarSilence
	if err := readJSON(r, &s); err != nil {
		return nil, err
	}
	s.ID = r.PathValue("id")
	s.CreatedBy = cmp.Or(api.ActorFrom(r.Context()).Name, s.CreatedBy)
	return a.alerting.SetCalendarSilence(r.Context(), s)
}

// maxRequestBytes bounds the body of a request to these endpoints.
const maxRequestBytes = 64 << 10

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{alerting.ErrInvalid}, args...)...)
}

// readJSON reads a body into value; unknown keys are errors.
func readJSON(r *http.Request, value any) error {
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); media != "application/json" {
		return invalid("send JSON, with the header Content-Type: application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes+1))
	if err != nil {
		return invalid("read body: %w", err)
	}
	if len(body) > maxRequestBytes {
		return invalid("the body has more than %d bytes", maxRequestBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(value); err != nil {
		return invalid("body: %w", err)
	}
	return nil
}

// answers serves what get returns as JSON, and nothing at all if that is nil.
func answers(get func(r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := get(r)
		switch {
		case err != nil:
			writeError(w, err)
		case body == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			answer(func() any { return body }).ServeHTTP(w, r)
		}
	})
}

// writeError answers in the form of the other endpoints.
func writeError(w http.ResponseWriter, err error) {
	status, kind := http.StatusInternalServerError, "internal"
	for _, known := range []error{alerting.ErrUnknownAlert, alerting.ErrNotAcknowledged, alerting.ErrUnknownCalendar, alerting.ErrUnknownMessage, drill.ErrUnknownReceiver} {
		if errors.Is(err, known) {
			status, kind = http.StatusNotFound, "not_found"
		}
	}
	if errors.Is(err, alerting.ErrInvalid) {
		status, kind = http.StatusBadRequest, "bad_data"
	}
	for _, known := range []func(error) (int, string, bool){ruleFileStatus, auditStatus} {
		if s, k, ok := known(err); ok {
			status, kind = s, k
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": kind, "error": err.Error()})
}
