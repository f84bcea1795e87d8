package faults

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
)

// A reader stands before Discord and writes down what each message said when it
// was posted or edited: Discord itself keeps only the last of it.
type reader struct {
	next http.Handler

	mu   sync.Mutex
	told []message
}

// A message is what was told at once.
type message struct {
	at time.Time
	// posted is set for a new message, and not for an edit.
	posted bool
	// states are of each alert: "firing", "resolved", or "new" in a line that only
	// names what is new.
	states map[string]string
	body   string
}

func (r *reader) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	const most = 32 << 20
	body, err := io.ReadAll(io.LimitReader(req.Body, most))
	if err != nil {
		return // The sender is gone.
	}
	// A body of its own, so that net/http still notices when the sender goes.
	req.Body = io.NopCloser(bytes.NewReader(body))
	answer := &watched{ResponseWriter: w}
	r.next.ServeHTTP(answer, req)
	if answer.status/100 != 2 {
		return
	}
	m := message{at: time.Now(), posted: req.Method == http.MethodPost, states: states(body), body: string(body)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, m)
}

func (r *reader) all() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

// states finds what the configured template wrote, or the summaries of a line.
func states(body []byte) map[string]string {
	all := make(map[string]string)
	for _, m := range regexp.MustCompile(`\[(firing|resolved|new) (t\d+)\]`).FindAllSubmatch(body, -1) {
		if name, state := string(m[2]), string(m[1]); state != "new" || all[name] == "" {
			all[name] = state
		}
	}
	return all
}

// watched notes the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}
