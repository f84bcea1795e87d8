package history

import (
	"encoding/json"
	"errors"
	"net/http"
)

// maxRequestBytes bounds the body of a request.
const maxRequestBytes = 1 << 20

// BacktestHandler serves POST with a [Request]; the answer is a [Result].
func (h *History) BacktestHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request Request
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&request); err != nil {
			fail(w, http.StatusBadRequest, "bad_data", "body: "+err.Error())
			return
		}
		result, err := h.Backtest(r.Context(), request)
		Answer(w, result, err)
	})
}

// Answer writes a result as JSON, or the error with the status that it asks for.
func Answer(w http.ResponseWriter, result any, err error) {
	var badRequest BadRequest
	switch {
	case errors.As(err, &badRequest):
		fail(w, http.StatusUnprocessableEntity, "bad_data", err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, "internal", err.Error())
	default:
		answer(w, http.StatusOK, result)
	}
}

func fail(w http.ResponseWriter, status int, kind, text string) {
	answer(w, status, map[string]string{"status": "error", "errorType": kind, "error": text})
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // The client has gone; nobody to tell.
}
