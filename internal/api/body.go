package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// problem is the body of every refusal below /api/hw/v1.
type problem struct {
	Status    string `json:"status"` // Always "error".
	ErrorType string `json:"errorType"`
	Error     string `json:"error"`
	// Current is what is there now, when an edit began with something older.
	Current any `json:"current,omitempty"`
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
			writeJSON(w, http.StatusOK, body)
		}
	})
}

// conflict is an error with what is there now.
type conflict struct {
	error
	current any
}

func (c conflict) Unwrap() error { return c.error }

func isConflict(err error) bool {
	var refused *state.Error
	return errors.As(err, &refused) && refused.Reason == state.Conflict
}

// writeError answers with the status that says whose fault err is.
func writeError(w http.ResponseWriter, err error) {
	status, kind := http.StatusInternalServerError, "internal"
	var refused *refusal
	var request *state.Error
	switch {
	case errors.As(err, &refused):
		status, kind = refused.status, "bad_data"
	case errors.As(err, &request):
		switch request.Reason {
		case state.Invalid:
			status, kind = http.StatusBadRequest, "bad_data"
		case state.NotFound:
			status, kind = http.StatusNotFound, "not_found"
		case state.Conflict:
			status, kind = http.StatusConflict, "conflict"
		case state.TooLarge:
			status, kind = http.StatusRequestEntityTooLarge, "too_large"
		}
	}
	answer := problem{Status: "error", ErrorType: kind, Error: err.Error()}
	var c conflict
	if errors.As(err, &c) {
		answer.Current = c.current
	}
	writeJSON(w, status, answer)
}

func badRequest(text string) error { return &refusal{http.StatusBadRequest, text} }

// readBody reads the whole body, which must say that it is JSON: no form of
// another site can do that.
func readBody(r *http.Request) ([]byte, error) {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return nil, &refusal{http.StatusUnsupportedMediaType, "send JSON, with the header Content-Type: application/json"}
	}
	body, err := io.ReadAll(r.Body) // Bounded by boundForm.
	if err != nil {
		return nil, bodyError(err, maxFormBytes)
	}
	return body, nil
}

// readJSON reads a body into value; unknown keys are errors.
func readJSON(r *http.Request, value any) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	return decodeJSON(body, value)
}

func decodeJSON(body []byte, value any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := json.Unmarshal(body, new(json.RawMessage)) // All of it must be JSON.
	if err == nil {
		err = dec.Decode(value)
	}
	if err != nil {
		return badRequest("body: " + state.JSONError(body, err).Error())
	}
	return nil
}

// limitParam reads a limit between 1 and most.
func limitParam(r *http.Request, usual, most int) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, badRequest("limit " + strconv.Quote(text) + ": use a number from 1 to " + strconv.Itoa(most))
	}
	return n, nil
}
