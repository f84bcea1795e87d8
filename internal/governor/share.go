package governor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/http1"
)

const (
	// maxStoredBytes bounds one answer that is shared or kept, maxCacheBytes and
	// maxCacheEntries all that are kept. exchangeInfo of spot has some 15 MB.
	maxStoredBytes  = 32 << 20
	maxCacheBytes   = 64 << 20
	maxCacheEntries = 500
)

// sharing answers identical public requests with one of the exchange's answers:
// those that ask while one is on its way, and those that ask soon after it.
type sharing struct {
	mu      sync.Mutex
	flights map[string]*flight
	kept    map[string]*stored
	bytes   int64
}

// flight is a public request on its way.
type flight struct {
	class     class
	followers int
	done      chan struct{}
	result    *stored // Set before done is closed; nil if there is nothing to share.
}

// stored is a whole answer.
type stored struct {
	status int
	header http1.Header
	body   []byte
	at     time.Time
}

func newSharing() *sharing {
	return &sharing{flights: make(map[string]*flight), kept: make(map[string]*stored)}
}

// usedPrefix is how the headers begin that tell what was used.
const usedPrefix = "X-Mbx-Used-Weight"

func (s *stored) answer(outcome string, now time.Time) *answer {
	a := s.own()
	a.Header = slices.DeleteFunc(a.Header, func(f http1.Field) bool {
		// What it says was used then means nothing now.
		return http1.Is(f.Name, "Age") || len(f.Name) >= len(usedPrefix) && http1.Is(f.Name[:len(usedPrefix)], usedPrefix)
	})
	a.Header = append(a.Header,
		http1.Field{Name: outcomeHeader, Value: outcome},
		http1.Field{Name: "Age", Value: fmt.Sprint(int(now.Sub(s.at) / time.Second))})
	a.outcome = outcome
	return a
}

// own is the answer for whoever asked for it.
func (s *stored) own() *answer {
	return &answer{outcome: outcomeSent, Response: &http1.Response{
		Status: s.status, Header: slices.Clone(s.header), Length: int64(len(s.body)), Body: io.NopCloser(bytes.NewReader(s.body)),
	}}
}

// fetch answers a call from what is kept or on its way, or sends it.
func (g *Governor) fetch(ctx context.Context, c *call) (*answer, error) {
	if !c.public() {
		return g.send(ctx, c)
	}
	s, key := g.sharing, c.shareKey()
	keep := g.setup.Load().cache[c.path]
	now := time.Now()
	s.mu.Lock()
	if e := s.kept[key]; e != nil && now.Sub(e.at) < keep {
		s.mu.Unlock()
		return e.answer(outcomeCached, now), nil
	}
	// To follow somebody less urgent would mean to wait as long as he does.
	if f := s.flights[key]; f != nil && f.class <= c.class {
		f.followers++
		s.mu.Unlock()
		return g.follow(ctx, c, f)
	}
	f := &flight{class: c.class, done: make(chan struct{})}
	s.flights[key] = f
	s.mu.Unlock()
	return g.lead(ctx, c, f, key, keep)
}

func (g *Governor) follow(ctx context.Context, c *call, f *flight) (*answer, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.result == nil {
		return g.send(ctx, c)
	}
	return f.result.answer(outcomeShared, time.Now()), nil
}

// lead sends the call for all that follow. It goes on without its own client while
// somebody else waits for the answer.
func (g *Governor) lead(ctx context.Context, c *call, f *flight, key string, keep time.Duration) (*answer, error) {
	s := g.sharing
	flightCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if s.alone(f) {
			cancel()
		}
	})
	if left := c.gone; left != nil {
		c.gone = func() bool { return s.alone(f) && left() }
	}
	a, err := g.send(flightCtx, c)

	s.mu.Lock()
	if s.flights[key] == f {
		delete(s.flights, key)
	}
	followed := f.followers > 0
	s.mu.Unlock()
	if err != nil || !shareable(a.Status) || !followed && keep == 0 {
		close(f.done)
		if err != nil {
			stop()
			cancel()
			return nil, err
		}
		a.Body = &closing{a.Body, func() { stop(); cancel() }}
		return a, nil
	}
	defer cancel()
	defer stop()
	return g.store(a, f, key, keep)
}

func (s *sharing) alone(f *flight) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.followers == 0
}

func shareable(status int) bool {
	return status == http.StatusOK || status == http.StatusBadRequest || status == http.StatusNotFound
}

// store reads an answer whole and gives it to all. What is too long to be stored,
// or breaks off, is for the one who asked only.
func (g *Governor) store(a *answer, f *flight, key string, keep time.Duration) (*answer, error) {
	body, err := io.ReadAll(io.LimitReader(a.Body, maxStoredBytes+1))
	if err == nil && len(body) <= maxStoredBytes {
		a.Body.Close()
		result := &stored{status: a.Status, header: a.Header, body: body, at: time.Now()}
		f.result = result
		close(f.done)
		if keep > 0 && a.Status == http.StatusOK {
			g.sharing.keep(key, result)
		}
		own := result.own()
		own.upstream, own.waited = a.upstream, a.waited
		return own, nil
	}
	close(f.done)
	var rest io.Reader = a.Body
	if err != nil {
		rest = brokenReader{err}
	}
	a.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest), a.Body}
	return a, nil
}

// keep puts an answer into the cache, and drops the oldest for it.
func (s *sharing) keep(key string, e *stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.kept[key]; old != nil {
		s.bytes -= int64(len(old.body))
	}
	s.kept[key] = e
	s.bytes += int64(len(e.body))
	for s.bytes > maxCacheBytes || len(s.kept) > maxCacheEntries {
		oldest := key
		for k, other := range s.kept {
			if other.at.Before(s.kept[oldest].at) {
				oldest = k
			}
		}
		s.bytes -= int64(len(s.kept[oldest].body))
		delete(s.kept, oldest)
	}
}

// closing does something more when the body is closed.
type closing struct {
	io.ReadCloser
	also func()
}

func (c *closing) Close() error {
	defer c.also()
	return c.ReadCloser.Close()
}
