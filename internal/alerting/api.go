package alerting

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	amapi "github.com/prometheus/alertmanager/api"
	"github.com/prometheus/alertmanager/provider"
	"github.com/prometheus/common/route"
)

// maxRequestBytes bounds a request's body: some ten thousand alerts.
const maxRequestBytes = 16 << 20

// listedAhead is how many alerts are looked at ahead of a listing's reader.
const listedAhead = 200

// apiPaths are the paths of the v2 API. The library makes a series of each path
// it is asked for, so others must not reach it.
var apiPaths = [...]string{
	"/api/v2/alerts",
	"/api/v2/alerts/groups",
	"/api/v2/receivers",
	"/api/v2/silences",
	statusPath,
	"/api/v2/swagger.json",
}

func isAPIPath(path string) bool {
	for _, p := range apiPaths {
		if path == p {
			return true
		}
	}
	return strings.HasPrefix(path, "/api/v2/silence/") || strings.HasPrefix(path, "/api/v1/")
}

// handler serves the v2 API once alerting is ready, and answers a change only
// when it is on disk.
func (a *Alerting) handler(api *amapi.API) http.Handler {
	mux := api.Register(route.New(), "/")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-a.ready:
		default:
			http.Error(w, "alerting is starting; try again in a moment", http.StatusServiceUnavailable)
			return
		}
		if !isAPIPath(r.URL.Path) {
			http.Error(w, fmt.Sprintf("no such path %q in the Alertmanager API; see /api/v2/swagger.json", r.URL.Path), http.StatusNotFound)
			return
		}
		if r.ContentLength > maxRequestBytes {
			http.Error(w, fmt.Sprintf("the request's body has %d bytes; at most %d are read", r.ContentLength, maxRequestBytes),
				http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxRequestBytes)
		if r.Method == http.MethodPost || r.Method == http.MethodDelete {
			w = &durableWriter{ResponseWriter: w, request: r, journal: a.journal}
		}
		// After a stop there is no pipeline, and the library refuses by itself.
		if line := a.pipeline.Load(); r.URL.Path == statusPath && line != nil {
			showText(w, r, line.plan.text, mux)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// shownAlerts is the alerts that the API lists.
type shownAlerts struct {
	*alerts
	line *atomic.Pointer[pipeline]
}

// GetPending implements provider.Alerts.
func (s shownAlerts) GetPending() provider.AlertIterator {
	all := s.alerts.GetPending()
	line := s.line.Load()
	if line == nil || len(line.plan.hidden) == 0 {
		return all
	}
	shown, done := make(chan *provider.Alert, listedAhead), make(chan struct{})
	go func() {
		defer close(shown)
		defer all.Close()
		for a := range all.Next() {
			if !line.plan.shows(a.Data) {
				continue
			}
			select {
			case shown <- a:
			case <-done:
				return
			}
		}
	}()
	return provider.NewAlertIterator(shown, done, nil)
}

// durableWriter holds an answer back until the change it is about is on disk.
// When the disk refuses, the change is in force all the same, and the answer
// says in a Warning header that a crash would undo it.
type durableWriter struct {
	http.ResponseWriter
	request *http.Request
	journal *journal
	synced  bool
}

// WriteHeader implements http.ResponseWriter.
func (w *durableWriter) WriteHeader(code int) {
	w.sync()
	w.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (w *durableWriter) Write(b []byte) (int, error) {
	w.sync()
	return w.ResponseWriter.Write(b)
}

func (w *durableWriter) sync() {
	if w.synced {
		return
	}
	w.synced = true
	if err := w.journal.awaitDisk(w.request.Context()); err != nil {
		w.Header().Set("Warning", "199 hedgewatch "+strconv.Quote("in memory only: "+err.Error()))
	}
}
