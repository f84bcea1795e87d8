package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Sizes of what goes in: one new alert about every arrival, of one of services,
// which fires for up to longest and is sent again with all others every resend.
const (
	arrival  = 150 * time.Millisecond
	services = 6
	longest  = 5 * time.Second
	resend   = 250 * time.Millisecond
	// told is how long an end is sent again, as Prometheus does for 15 minutes.
	told = 10 * time.Second
)

// A source sends alerts as a Prometheus does: what fires, and for a while what
// has ended, over and over.
type source struct {
	url string
	rng *rand.Rand

	mu     sync.Mutex
	alerts []*sent
	last   bool // No new alerts.
}

// sent is an alert, and when the program took it for the first time: what it is
// answerable for.
type sent struct {
	name, service string
	starts, ends  time.Time
	// fires and ended are when it was answered that they were taken.
	fires, ended time.Time
}

func newSource(url string, seed uint64) *source {
	return &source{url: url, rng: rand.New(rand.NewPCG(seed, 1))}
}

// run sends until ctx ends.
func (s *source) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.step(time.Now())
		s.send(ctx)
		_ = pause(ctx, resend) // The loop looks at ctx.
	}
}

func (s *source) step(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range int(resend / arrival) {
		if s.last {
			break
		}
		s.alerts = append(s.alerts, &sent{
			name:    fmt.Sprintf("t%d", len(s.alerts)),
			service: fmt.Sprintf("s%d", s.rng.IntN(services)),
			starts:  now,
			ends:    now.Add(time.Duration(s.rng.Int64N(int64(longest)))),
		})
	}
}

// retire ends all alerts, and lets no new ones come.
func (s *source) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = true
	for _, a := range s.alerts {
		if now := time.Now(); a.ends.After(now) {
			a.ends = now
		}
	}
}

// send sends what fires and what has lately ended.
func (s *source) send(ctx context.Context) {
	type alert struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		StartsAt    time.Time         `json:"startsAt"`
		EndsAt      *time.Time        `json:"endsAt,omitempty"`
	}
	now := time.Now()
	var body []alert
	var firing, ended []*sent
	s.mu.Lock()
	for _, a := range s.alerts {
		one := alert{
			Labels:      map[string]string{"alertname": "Fault", "service": a.service, "trial": a.name},
			Annotations: map[string]string{"summary": "[new " + a.name + "]"},
			StartsAt:    a.starts,
		}
		switch {
		case a.ends.After(now):
			firing = append(firing, a)
		case a.fires.IsZero(), !a.ended.IsZero() && now.Sub(a.ended) > told:
			continue
		default:
			ended, one.EndsAt = append(ended, a), new(a.ends)
		}
		body = append(body, one)
	}
	s.mu.Unlock()
	if len(body) == 0 || post(ctx, s.url+"/api/v2/alerts", body) != nil {
		return // It comes again.
	}
	taken := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range firing {
		if a.fires.IsZero() {
			a.fires = taken
		}
	}
	for _, a := range ended {
		if a.ended.IsZero() {
			a.ended = taken
		}
	}
}

func post(ctx context.Context, url string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %s", url, resp.Status)
	}
	return nil
}

// taken are the alerts that the program has answered for.
func (s *source) taken() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []sent
	for _, a := range s.alerts {
		if !a.fires.IsZero() {
			all = append(all, *a)
		}
	}
	return all
}
