package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A sink is a webhook receiver: it notes when it first heard what of each trial,
// and how often. It can be made to fail.
type sink struct {
	url    string
	label  string // Which names the trial.
	outage atomic.Pointer[http.HandlerFunc]
	server *http.Server
	ended  sync.WaitGroup

	mu    sync.Mutex
	heard map[news]*hearing
}

// news is what a notification can say of one trial.
type news struct{ status, trial string }

type hearing struct {
	first time.Time
	times int
	once  chan struct{} // Closed when first is set.
}

func startSink(label string) (*sink, error) {
	s := &sink{label: label, heard: make(map[news]*hearing)}
	url, server, err := serve(s, &s.ended)
	if err != nil {
		return nil, err
	}
	s.url, s.server = url, server
	return s, nil
}

// serve runs a handler on a free port of the loopback interface.
func serve(h http.Handler, ended *sync.WaitGroup) (url string, server *http.Server, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server = &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	ended.Go(func() { _ = server.Serve(l) }) // Close ends it.
	return "http://" + l.Addr().String(), server, nil
}

func (s *sink) close() {
	_ = s.server.Close() // Nothing of it is used again.
	s.ended.Wait()
}

// fail answers everything with h from now on; nil mends it.
func (s *sink) fail(h http.HandlerFunc) {
	if h == nil {
		s.outage.Store(nil)
		return
	}
	s.outage.Store(&h)
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	const most = 16 << 20
	body, err := io.ReadAll(io.LimitReader(r.Body, most))
	if err != nil {
		return // The sender is gone.
	}
	if h := s.outage.Load(); h != nil {
		(*h)(w, r)
		return
	}
	var message struct {
		Alerts []struct {
			Status string            `json:"status"`
			Labels map[string]string `json:"labels"`
		} `json:"alerts"`
	}
	if err := json.Unmarshal(body, &message); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, a := range message.Alerts {
		h := s.of(news{a.Status, a.Labels[s.label]})
		s.mu.Lock()
		if h.times++; h.times == 1 {
			h.first = at
			close(h.once)
		}
		s.mu.Unlock()
	}
}

func (s *sink) of(n news) *hearing {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard[n] == nil {
		s.heard[n] = &hearing{once: make(chan struct{})}
	}
	return s.heard[n]
}

// times is how often something was heard.
func (s *sink) times(n news) int {
	h := s.of(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	return h.times
}

// await returns when something is first heard.
func (s *sink) await(ctx context.Context, n news, patience time.Duration) (time.Time, error) {
	h := s.of(n)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-h.once:
		return h.first, nil
	case <-timer.C:
		return time.Time{}, fmt.Errorf("trial %s: not told that it is %s within %s", n.trial, n.status, patience)
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}
