package connectivity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

const (
	// rotateAfter comes before the exchange's disconnection after 24 h.
	rotateAfter = 23*time.Hour + 50*time.Minute
	// overlap is how long the old connection goes on beside the new one.
	overlap     = 10 * time.Second
	dialTimeout = 10 * time.Second
	firstPause  = time.Second
	maxPause    = time.Minute
	// maxFrame bounds a frame; depth updates of a day's busiest minute are smaller.
	maxFrame = 4 << 20
	// perConnection keeps the URL short; the exchange allows 1024.
	perConnection = 200
)

// stream is one stream and what came on it.
type stream struct {
	market    binance.Market
	name, url string

	mu         sync.Mutex
	on         int // Connections that carry it; two while they rotate.
	subscribed time.Time
	awaiting   bool // No data frame came since the subscription.
	rate       rate
	last       time.Time
	messages   int64
	reconnects int64
}

func (s *stream) connected(now time.Time, rotation bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.subscribed.IsZero() && !rotation {
		s.reconnects++
	}
	s.on++
	s.subscribed, s.awaiting = now, true
}

func (s *stream) disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on--
	if s.on == 0 {
		s.awaiting = false
		s.rate.lost()
	}
}

func (s *stream) frame(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages++
	s.awaiting, s.last = false, now
	s.rate.frame(now)
}

// connection carries streams of one URL.
type connection struct {
	market  binance.Market
	url     string
	streams map[string]*stream
}

// connections puts streams on as few connections as the exchange allows.
func connections(streams []*stream) []*connection {
	var all []*connection
	for _, s := range streams {
		i := slices.IndexFunc(all, func(c *connection) bool { return c.url == s.url && len(c.streams) < perConnection })
		if i < 0 {
			all = append(all, &connection{market: s.market, url: s.url, streams: make(map[string]*stream)})
			i = len(all) - 1
		}
		all[i].streams[s.name] = s
	}
	return all
}

// target is the URL that subscribes.
func (c *connection) target() string {
	names := make([]string, 0, len(c.streams))
	for name := range c.streams {
		names = append(names, name)
	}
	slices.Sort(names)
	return c.url + "?streams=" + strings.Join(names, "/")
}

// run keeps the connection until ctx ends. Before the exchange ends it, the next one
// is opened, so that nothing is lost in between.
func (c *connection) run(ctx context.Context, col *Collector) {
	var running sync.WaitGroup
	defer running.Wait()
	pause := firstPause
	rotation := false
	for ctx.Err() == nil {
		conn, err := c.dial(ctx, col)
		if err == nil {
			opened := time.Now()
			ended := make(chan error, 1)
			rotated := rotation
			running.Go(func() { ended <- c.read(ctx, conn, rotated) })
			rotation = false
			select {
			case err = <-ended:
			case <-time.After(rotateAfter):
				rotation = true
				running.Go(func() {
					sleep(ctx, overlap)
					conn.CloseNow() // Its reader tells how it ended.
				})
				continue
			}
			if time.Since(opened) > maxPause {
				pause = firstPause
			}
		}
		if ctx.Err() != nil {
			return
		}
		col.metrics.streamErrors.WithLabelValues(string(c.market)).Inc()
		col.logger.Warn("Stream ended; connecting again", "market", c.market, "streams", len(c.streams), "in", pause, "err", err)
		// Half of it is chance, so that connections do not come back all at once.
		sleep(ctx, pause/2+rand.N(pause/2))
		pause = min(2*pause, maxPause)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (c *connection) dial(ctx context.Context, col *Collector) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, c.target(), &websocket.DialOptions{HTTPClient: col.deps.Dial})
	if err != nil {
		if resp != nil {
			return nil, fmt.Errorf("open stream: status %d", resp.StatusCode)
		}
		return nil, fmt.Errorf("open stream: %w", err)
	}
	conn.SetReadLimit(maxFrame)
	return conn, nil
}

// read takes frames until the connection ends. The library answers pings.
func (c *connection) read(ctx context.Context, conn *websocket.Conn, rotation bool) error {
	defer conn.CloseNow() // It is over either way.
	now := time.Now()
	for _, s := range c.streams {
		s.connected(now, rotation)
		defer s.disconnected()
	}
	for {
		_, b, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		name, shutdown := streamOf(b)
		if shutdown {
			return errors.New("the exchange shuts the connection down")
		}
		if s := c.streams[name]; s != nil {
			s.frame(time.Now())
		}
	}
}

// streamOf is the stream of a data frame, empty for answers to requests. It reads
// the beginning only, where the exchange writes the name; else the whole frame.
func streamOf(frame []byte) (name string, shutdown bool) {
	if rest, ok := bytes.CutPrefix(frame, []byte(`{"stream":"`)); ok {
		if end := bytes.IndexByte(rest, '"'); end > 0 {
			return string(rest[:end]), false
		}
	}
	var m struct {
		Stream string `json:"stream"`
		Event  string `json:"e"`
	}
	// A frame that cannot be read is none of ours. Keys that differ in case make
	// errors of their own, which do not matter here.
	_ = json.Unmarshal(frame, &m)
	return m.Stream, m.Event == "serverShutdown"
}
