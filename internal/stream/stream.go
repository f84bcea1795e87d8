// Package stream tells open pages what has changed, by server-sent events, so
// that they ask again when there is something new and not every few seconds.
//
// It carries names of topics and no data: what somebody may see is decided where
// they ask for it, and a reader that is slow misses nothing, because a change
// that was not told yet takes the next one in. It is no log of events: who was
// away has to ask for everything. Start with [New].
package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Topic is a kind of thing that a page shows.
type Topic uint32

// The topics. Each has a name in topicNames.
const (
	Alerts Topic = 1 << iota
	Deliveries
	Silences
	Rules
	Services
	Audit
	Governor
	Dashboards
	// Samples changes when samples were stored, which is nearly always.
	Samples
	// Configuration changes with a reload.
	Configuration

	all Topic = 1<<iota - 1
)

func name(t Topic) string {
	switch t {
	case Alerts:
		return "alerts"
	case Deliveries:
		return "deliveries"
	case Silences:
		return "silences"
	case Rules:
		return "rules"
	case Services:
		return "services"
	case Audit:
		return "audit"
	case Governor:
		return "governor"
	case Dashboards:
		return "dashboards"
	case Samples:
		return "samples"
	case Configuration:
		return "configuration"
	}
	return ""
}

// names are those of a set of topics.
func names(set Topic) []string {
	list := make([]string, 0, bits.OnesCount32(uint32(set)))
	for t := Topic(1); t < all; t <<= 1 {
		if set&t != 0 {
			list = append(list, name(t))
		}
	}
	return list
}

const (
	// MaxReaders bounds the streams that are open. A page that is seen has one.
	MaxReaders = 200
	// Heartbeat is how often a reader hears from us at least: what is lost without
	// a word is noticed after a few.
	Heartbeat = 5 * time.Second
	// pause is between two events of a topic. The first change after a quiet time
	// is told at once; a storm is told five times a second.
	pause = 200 * time.Millisecond
	// busyPause is that of topics that change all the time, whose readers ask more
	// than others do.
	busyPause = 2 * time.Second
	busy      = Samples | Governor
	// breath is between two looks at what has changed.
	breath = 10 * time.Millisecond
	// writeDeadline is how long a reader may take to take an event.
	writeDeadline = 10 * time.Second
)

// Hub passes changes on to those who read. It is safe for concurrent use.
type Hub struct {
	stopped chan struct{}
	// changed are the topics that were not handed to the readers yet; wake has
	// one slot. Changed is on the way of every request of the governor, so it
	// takes no lock.
	changed atomic.Uint32
	wake    chan struct{}
	// open is the number of readers: without any there is nobody to wake.
	open atomic.Int32

	mu      sync.Mutex
	readers map[*reader]struct{}

	refused, slow prometheus.Counter
}

// reader is somebody's stream.
type reader struct {
	pending Topic // Guarded by Hub.mu.
	wake    chan struct{}
}

// New returns a Hub without readers.
func New(reg prometheus.Registerer) (*Hub, error) {
	h := &Hub{
		stopped: make(chan struct{}),
		wake:    make(chan struct{}, 1),
		readers: make(map[*reader]struct{}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_stream_refused_total", Help: "Streams of changes that were refused because too many are open.",
		}),
		slow: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_stream_slow_readers_total", Help: "Streams of changes that were ended because their reader did not read.",
		}),
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hedgewatch_stream_readers", Help: "Open streams of changes.",
	}, func() float64 {
		h.mu.Lock()
		defer h.mu.Unlock()
		return float64(len(h.readers))
	})
	return h, errors.Join(reg.Register(h.refused), reg.Register(h.slow), reg.Register(open))
}

// Changed says that something of the topics has changed. It never waits.
func (h *Hub) Changed(topics Topic) {
	if h.open.Load() == 0 {
		return // Whoever comes asks for everything.
	}
	if Topic(h.changed.Or(uint32(topics)))&topics == topics {
		return // The one who said so first has woken Run.
	}
	rouse(h.wake)
}

func rouse(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run passes changes on until ctx ends, and then ends all streams. It is called
// once.
func (h *Hub) Run(ctx context.Context) error {
	defer close(h.stopped)
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		// To wake for each change costs more than most changes do.
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-h.wake:
		}
		set := Topic(h.changed.Swap(0))
		h.mu.Lock()
		for r := range h.readers {
			r.pending |= set
			rouse(r.wake)
		}
		h.mu.Unlock()
		tick.Reset(breath)
	}
}

// enter opens a stream, nil if there are too many.
func (h *Hub) enter() *reader {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.readers) >= MaxReaders {
		return nil
	}
	r := &reader{wake: make(chan struct{}, 1)}
	h.readers[r] = struct{}{}
	h.open.Add(1)
	return r
}

func (h *Hub) leave(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.readers, r)
	h.open.Add(-1)
}

// take returns what has changed of the topics that may be told, and forgets it.
func (h *Hub) take(r *reader, may Topic) Topic {
	h.mu.Lock()
	defer h.mu.Unlock()
	set := r.pending & may
	r.pending &^= set
	return set
}

// Hello is the first event of a stream.
type Hello struct {
	// HeartbeatSeconds is how often there is an event at least.
	HeartbeatSeconds float64  `json:"heartbeatSeconds"`
	Topics           []string `json:"topics"`
}

// ServeHTTP streams until the request's context ends, the reader is too slow or
// the Hub stops. Events are
//
//	event: hello   data: {"heartbeatSeconds":5,"topics":["alerts",…]}
//	event: changed data: ["alerts","deliveries"]
//	event: beat    data: {}
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reader := h.enter()
	if reader == nil {
		h.refused.Inc()
		w.Header().Set("Retry-After", "30")
		http.Error(w, fmt.Sprintf("%d pages are served already; close some, or ask again every few seconds as they do", MaxReaders), http.StatusServiceUnavailable)
		return
	}
	defer h.leave(reader)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back.
	out := events{w: w, control: http.NewResponseController(w)}
	err := out.send("hello", Hello{HeartbeatSeconds: Heartbeat.Seconds(), Topics: names(all)})
	if err == nil {
		err = h.stream(r.Context(), reader, out)
	}
	if err != nil && r.Context().Err() == nil {
		h.slow.Inc()
	}
}

// stream returns the error of a write, nil if the stream is over otherwise.
func (h *Hub) stream(ctx context.Context, r *reader, out events) error {
	beat := time.NewTicker(Heartbeat)
	defer beat.Stop()
	// A topic that was told rests; wait ends when the first may be told again.
	var wait <-chan time.Time
	var rested, busyRested time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.stopped:
			return nil
		case <-beat.C:
			if err := out.send("beat", struct{}{}); err != nil {
				return err
			}
			continue
		case <-r.wake:
		case <-wait:
		}
		now := time.Now()
		may := Topic(0)
		if !now.Before(rested) {
			may |= all &^ busy
		}
		if !now.Before(busyRested) {
			may |= busy
		}
		if set := h.take(r, may); set != 0 {
			if err := out.send("changed", names(set)); err != nil {
				return err
			}
			if set&^busy != 0 {
				rested = now.Add(pause)
			}
			if set&busy != 0 {
				busyRested = now.Add(busyPause)
			}
		}
		wait = h.next(r, now, rested, busyRested)
	}
}

// next fires when what is left to be told may be; nil if nothing is.
func (h *Hub) next(r *reader, now, rested, busyRested time.Time) <-chan time.Time {
	h.mu.Lock()
	left := r.pending
	h.mu.Unlock()
	switch {
	case left&^busy != 0:
		return time.After(rested.Sub(now))
	case left != 0:
		return time.After(busyRested.Sub(now))
	}
	return nil
}

// events writes to one reader.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (e events) send(event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	// Each event has its own deadline: the stream as a whole has none. A writer
	// that knows no deadlines is one of a test.
	if err := e.control.SetWriteDeadline(time.Now().Add(writeDeadline)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := fmt.Fprintf(e.w, "event: %s\ndata: %s\n\n", event, text); err != nil {
		return err
	}
	return e.control.Flush()
}
