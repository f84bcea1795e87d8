package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
)

var errStopping = errors.New("shutting down")

// waitingFor is nil when the store answers, else the reason why not.
func (s *Server) waitingFor() error {
	if s.isStopping() {
		return errStopping
	}
	return s.deps.Ready()
}

// whenReady answers 503 and what we wait for until the store is open.
func (s *Server) whenReady(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// Answers under way while we stop are still completed, so only the
		// store's own state counts here.
		if err := s.deps.Ready(); err != nil {
			s.unavailable(w, err)
			return
		}
		next(w, r)
	}
}

func (s *Server) unavailable(w http.ResponseWriter, err error) {
	w.Header().Set("X-Prometheus-Stopping", strconv.FormatBool(s.isStopping()))
	http.Error(w, "Service Unavailable: "+err.Error(), http.StatusServiceUnavailable)
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "hedgewatch is Healthy.")
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.waitingFor(); err != nil {
		s.unavailable(w, err)
		return
	}
	fmt.Fprintln(w, "hedgewatch is Ready.")
}

// lifecycle guards an endpoint that changes the process.
func (s *Server) lifecycle(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodPost && r.Method != http.MethodPut:
			w.Header().Set("Allow", "POST, PUT")
			http.Error(w, "Only POST or PUT requests allowed", http.StatusMethodNotAllowed)
		case !s.cfg.EnableLifecycle:
			http.Error(w, "Lifecycle API is not enabled. Start with --web.enable-lifecycle.", http.StatusForbidden)
		default:
			next(w, r)
		}
	}
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	// A reload that has begun is finished even if the client goes.
	if err := s.deps.Reload(context.WithoutCancel(r.Context())); err != nil {
		http.Error(w, fmt.Sprintf("failed to reload config: %v", err), http.StatusInternalServerError)
	}
}

func (s *Server) quit() http.HandlerFunc {
	var asked atomic.Bool
	return func(w http.ResponseWriter, _ *http.Request) {
		if asked.Swap(true) {
			fmt.Fprint(w, "Termination already in progress.")
			return
		}
		fmt.Fprint(w, "Requesting termination... Goodbye!")
		s.deps.Quit()
	}
}
