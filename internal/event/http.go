package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/model"
)

// maxBody bounds a posted event: maxBytes with room for JSON's quoting.
const maxBody = 8 * maxBytes

// Post is the body of a request that raises or clears an event.
type Post struct {
	Event
	// State is "raised" or "cleared"; a cleared event needs its key, or the name,
	// severity and labels that it was raised with.
	State string `json:"state"`
	// For is an alternative to Until, counted from now: "10m".
	For string `json:"for,omitempty"`
}

// ServeList answers with the events of [Events.List].
func (e *Events) ServeList(w http.ResponseWriter, r *http.Request) {
	list, err := e.List(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	reply(w, list)
}

// ServePost raises or clears the event of a [Post], and answers with its State.
func (e *Events) ServePost(w http.ResponseWriter, r *http.Request) {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	var p Post
	if err := dec.Decode(&p); err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, fmt.Sprintf("read event: %v", err), status)
		return
	}
	s, err := e.apply(r, p)
	if err != nil && !errors.Is(err, ErrNotSaved) {
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	if err != nil {
		w.Header().Set("Warning", fmt.Sprintf("199 hedgewatch %q", ErrNotSaved))
		e.logger.Error("Events not saved", "err", err)
	}
	reply(w, s)
}

func (e *Events) apply(r *http.Request, p Post) (State, error) {
	switch p.State {
	case "raised":
		if p.For != "" {
			d, err := model.ParseDuration(p.For)
			if err != nil || d == 0 {
				return State{}, fmt.Errorf("%w: for: %q is not a duration such as 10m", ErrInvalid, p.For)
			}
			p.Until = time.Now().Add(time.Duration(d))
		}
		return e.Raise(r.Context(), p.Event)
	case "cleared":
		return e.Clear(r.Context(), p.key())
	default:
		return State{}, fmt.Errorf("%w: state is %q; use raised or cleared", ErrInvalid, p.State)
	}
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, ErrUnknown):
		return http.StatusNotFound
	case errors.Is(err, ErrTooMany):
		return http.StatusTooManyRequests
	default:
		return http.StatusServiceUnavailable
	}
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// The client may be gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(v)
}
