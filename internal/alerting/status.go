package alerting

import (
	"bytes"
	"encoding/json"
	"net/http"
)

const statusPath = "/api/v2/status"

// showText answers /api/v2/status as next does, with text as the configuration:
// the library prints values there that a reference in the file had hidden.
func showText(w http.ResponseWriter, r *http.Request, text string, next http.Handler) {
	if text == "" {
		next.ServeHTTP(w, r)
		return
	}
	kept := &keptAnswer{header: w.Header(), code: http.StatusOK}
	next.ServeHTTP(kept, r)
	body := kept.body.Bytes()
	var status map[string]json.RawMessage
	if kept.code == http.StatusOK && json.Unmarshal(body, &status) == nil {
		// Maps of strings always marshal.
		status["config"], _ = json.Marshal(map[string]string{"original": text})
		body, _ = json.Marshal(status)
	}
	w.Header().Del("Content-Length")
	w.WriteHeader(kept.code)
	// The client may be gone; there is nobody to tell.
	_, _ = w.Write(body)
}

// keptAnswer holds an answer back.
type keptAnswer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *keptAnswer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *keptAnswer) WriteHeader(code int) { a.code = code }

// Write implements http.ResponseWriter.
func (a *keptAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }
