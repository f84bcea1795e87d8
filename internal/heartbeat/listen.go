package heartbeat

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxMessageBytes is how much of a failure's message is kept.
const maxMessageBytes = 1024

// Status is a heartbeat as the API shows it.
type Status struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	Interval string    `json:"interval"`
	Grace    string    `json:"grace"`
	Last     time.Time `json:"last,omitzero"`
	// Due is when it counts as late.
	Due      time.Time `json:"due"`
	Message  string    `json:"message,omitempty"`
	Alerting time.Time `json:"alertingSince,omitzero"`
}

// Statuses returns all heartbeats that come in, by name.
func (h *Heartbeats) Statuses() []Status {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Status, 0, len(h.beats))
	for _, b := range h.beats {
		all = append(all, b.status(now))
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (b *beat) status(now time.Time) Status {
	s := Status{
		Name:     b.Name,
		State:    b.state(now),
		Interval: b.Interval.String(),
		Grace:    b.Grace.String(),
		Due:      b.deadline(),
		Message:  b.Message,
		Alerting: b.Alerting,
	}
	if b.Heard {
		s.Last = b.Since
	}
	return s
}

// ServeHTTP takes one heartbeat: GET or POST with {name} in the path, the token
// as bearer or as ?token=, and ?status=fail&message=… for a failure, whose
// message may also be a text body.
func (h *Heartbeats) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	h.mu.Lock()
	b := h.beats[name]
	h.mu.Unlock()
	switch {
	case b == nil:
		h.refuse(w, "unknown", http.StatusNotFound, fmt.Sprintf("no heartbeat is called %q; add it to heartbeats.in", name))
		return
	case !sameToken(token(r), string(b.Token)):
		w.Header().Set("WWW-Authenticate", `Bearer realm="heartbeat"`)
		h.refuse(w, "token", http.StatusUnauthorized, fmt.Sprintf("wrong token for heartbeat %q; give it as `Authorization: Bearer …` or ?token=", name))
		return
	case !b.limiter.Allow():
		w.Header().Set("Retry-After", "1")
		h.refuse(w, "rate", http.StatusTooManyRequests, fmt.Sprintf("heartbeat %q comes more than %d times a second", name, beatRate))
		return
	}
	failed, message, err := report(r)
	if err != nil {
		h.refuse(w, "invalid", http.StatusBadRequest, err.Error())
		return
	}
	status, known := h.hear(name, failed, message)
	if !known {
		h.refuse(w, "unknown", http.StatusNotFound, fmt.Sprintf("heartbeat %q has just been removed", name))
		return
	}
	answer(w, http.StatusOK, status)
}

// hear notes a report; a reload may have removed the heartbeat.
func (h *Heartbeats) hear(name string, failed bool, message string) (Status, bool) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.beats[name]
	if b == nil {
		return Status{}, false
	}
	b.report(now, failed, message)
	h.unsaved[name] = struct{}{}
	signal(h.wake)
	return b.status(now), true
}

func token(r *http.Request) string {
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return t
	}
	return r.FormValue("token")
}

// sameToken takes the same time whatever the tokens' lengths and contents.
func sameToken(got, want string) bool {
	g, w := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(g[:], w[:]) == 1
}

func report(r *http.Request) (failed bool, message string, err error) {
	switch status := r.FormValue("status"); status {
	case "", "ok":
	case "fail":
		failed = true
	default:
		return false, "", fmt.Errorf("status %q is unknown; use ok or fail", status)
	}
	message = r.FormValue("message")
	if message == "" && r.Method == http.MethodPost {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxMessageBytes+utf8.UTFMax))
		if err != nil {
			return false, "", fmt.Errorf("read the message: %w", err)
		}
		message = string(body)
	}
	return failed, shorten(message), nil
}

// shorten cuts a message to its bound, between characters.
func shorten(s string) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= maxMessageBytes {
		return s
	}
	end := maxMessageBytes
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

func (h *Heartbeats) refuse(w http.ResponseWriter, reason string, code int, message string) {
	h.metrics.refused.WithLabelValues(reason).Inc()
	answer(w, code, map[string]string{"status": "error", "errorType": reason, "error": message})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// The client may be gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(body)
}
