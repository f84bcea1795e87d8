package exchangesim

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// What the documents say of WebSockets: spot web-socket-streams.md of 2026-07-21,
// USDⓈ-M of 2026-05-28.
const (
	maxStreams = 1024
	// connectWeight is charged for a connection to the WebSocket API.
	connectWeight = binance.WebSocketConnect
	// pollEvery is how often a connection looks for what is new.
	pollEvery = 50 * time.Millisecond
	// writeTimeout ends the connection of who does not read.
	writeTimeout = 5 * time.Second
	// maxMessage bounds what a client sends.
	maxMessage = 64 << 10
)

// kind of a futures stream: since 2026-04-23 each has a path of its own, and on
// other paths it is subscribed and never sent.
type kind string

const (
	anyKind     kind = ""
	publicKind  kind = "public"
	marketKind  kind = "market"
	privateKind kind = "private"
	// oldKind are the paths before the split.
	oldKind kind = "old"
)

// socketPath is what the path of a WebSocket says.
type socketPath struct {
	market   binance.Market
	kind     kind
	api      bool
	combined bool
	// name is a stream or a listen key.
	name string
}

func parseSocketPath(path string) (p socketPath, ok bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	p.market = binance.Spot
	switch m := binance.Market(parts[0]); m {
	case binance.Spot, binance.USDM, binance.COINM:
		p.market, parts = m, parts[1:]
	}
	if len(parts) > 0 {
		switch k := kind(parts[0]); k {
		case publicKind, marketKind, privateKind:
			if p.market == binance.Spot {
				p.market = binance.USDM
			}
			p.kind, parts = k, parts[1:]
		default:
			if p.market == binance.USDM {
				p.kind = oldKind
			}
		}
	}
	switch {
	case len(parts) == 1 && parts[0] == "stream":
		p.combined = true
	case len(parts) == 1 && parts[0] == "ws":
	case len(parts) == 2 && parts[0] == "ws":
		p.name = parts[1]
	default:
		return p, false
	}
	return p, true
}

// socket is a connection.
type socket struct {
	socketPath
	e      *Exchange
	ip     string
	conn   *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc
	opened time.Time
	// incoming are messages of the client; the reader closes it.
	incoming chan []byte

	mu    sync.Mutex
	count window // Of the client's frames in this second.

	subs  map[string]*subscription
	user  *account // Whose events are sent.
	next  int64    // The number of the next one.
	noted bool     // serverShutdown was sent.
}

// drop closes the connection without a word. It needs no lock.
func (s *socket) drop() { s.cancel() }

func (e *Exchange) serveSocket(w http.ResponseWriter, r *http.Request, p socketPath) {
	s := &socket{socketPath: p, e: e, ip: e.cfg.ClientIP(r), subs: make(map[string]*subscription), incoming: make(chan []byte, 16), count: window{length: time.Second}}
	if f := s.admit(w.Header()); f != nil {
		write(w, nil, f)
		return
	}
	defer e.sockets.Done()
	s.ctx, s.cancel = context.WithCancel(e.ctx)
	defer s.cancel()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // Browsers of any origin may read market data.
		OnPingReceived:     func(context.Context, []byte) bool { return s.counts() },
		OnPongReceived:     func(context.Context, []byte) { s.counts() },
	})
	if err != nil {
		return // Accept has answered.
	}
	s.conn, s.opened = conn, e.Now()
	conn.SetReadLimit(maxMessage)
	defer conn.CloseNow() // It is closed already if all went well.
	e.mu.Lock()
	e.live[s] = struct{}{}
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.live, s)
		e.mu.Unlock()
	}()
	if p.name != "" {
		s.open(p.name)
	}
	if names := r.URL.Query().Get("streams"); names != "" {
		for _, name := range strings.Split(names, "/") {
			s.open(name)
		}
	}
	s.run()
}

// admit counts a new connection. What it admits is to be taken off e.sockets.
func (s *socket) admit(header http.Header) *fail {
	e := s.e
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return refuse(http.StatusServiceUnavailable, 0, "closed")
	}
	now := e.now()
	a := e.address(s.ip, now)
	h := a.hosts[s.market]
	if f := a.barred(h, now); f != nil {
		e.countRefusal(f)
		return f
	}
	if a.connects.roll(now).used++; a.connects.used > int64(e.cfg.Sockets.Connects) {
		f := refuse(http.StatusTooManyRequests, -1034, "Too many connections; current limit is %d per 5 minutes.", e.cfg.Sockets.Connects)
		f.retry = a.connects.left(now)
		return f
	}
	if s.api {
		if f := e.charge(a, h, &route{market: s.market, path: "connect"}, connectWeight, now); f != nil {
			e.countRefusal(f)
			usedHeaders(header, a, h, nil, now)
			return f
		}
	}
	e.counts.Sockets++
	e.sockets.Add(1)
	return nil
}

// counts counts a frame of the client, and ends the connection of who sends too
// many.
func (s *socket) counts() bool {
	most := int64(10)
	if s.market == binance.Spot {
		most = 5
	}
	if s.api {
		return true // The weight limits those.
	}
	s.mu.Lock()
	s.count.roll(time.Now()).used++
	over := s.count.used > most
	s.mu.Unlock()
	if over {
		// Closing waits for the reader, which is who calls.
		go s.conn.Close(websocket.StatusPolicyViolation, "Too many requests") // The client may be gone.
	}
	return !over
}

// run works until the connection ends.
func (s *socket) run() {
	var reading sync.WaitGroup
	defer reading.Wait()
	defer s.conn.CloseNow() // See serveSocket.
	reading.Go(s.read)
	pingEvery, pongWithin := s.pings()
	reading.Go(func() { s.ping(pingEvery, pongWithin) })
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		var ok bool
		select {
		case <-s.ctx.Done():
			return
		case m, open := <-s.incoming:
			if !open {
				s.cancel()
				return
			}
			ok = s.handle(m)
		case <-poll.C:
			ok = s.poll()
		}
		if !ok {
			s.cancel()
			return
		}
	}
}

func (s *socket) read() {
	defer close(s.incoming)
	for {
		_, m, err := s.conn.Read(s.ctx)
		if err != nil || !s.counts() {
			return
		}
		select {
		case s.incoming <- m:
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *socket) pings() (every, within time.Duration) {
	every, within = s.e.cfg.Sockets.PingEvery, s.e.cfg.Sockets.PongWithin
	if every == 0 {
		every = 3 * time.Minute
		if s.market == binance.Spot {
			every = 20 * time.Second // Since 2025-02.
		}
	}
	if within == 0 {
		within = 10 * time.Minute
		if s.market == binance.Spot {
			within = time.Minute
		}
	}
	return every, within
}

// ping ends the connection of who does not answer with the same payload.
func (s *socket) ping(every, within time.Duration) {
	for pause(s.ctx, every) == nil {
		ctx, cancel := context.WithTimeout(s.ctx, within)
		err := s.conn.Ping(ctx)
		cancel()
		if err != nil {
			s.cancel()
			return
		}
	}
}

// send writes a message; it is false if the client does not take it.
func (s *socket) send(v any) bool {
	b, err := json.Marshal(v)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, writeTimeout)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, b) == nil
}

// poll sends what is new, and is false when the connection's time is over.
func (s *socket) poll() bool {
	now := s.e.Now()
	age := now.Sub(s.opened)
	const notice = 10 * time.Minute
	if age >= s.e.cfg.Sockets.MaxAge {
		return false
	}
	if s.market == binance.Spot && !s.noted && age >= s.e.cfg.Sockets.MaxAge-notice && age > 0 && s.e.cfg.Sockets.MaxAge > notice {
		s.noted = true
		if !s.send(object{"e": "serverShutdown", "E": now.UnixMilli()}) {
			return false
		}
	}
	for _, name := range sortedKeys(s.subs) {
		sub := s.subs[name]
		events := sub.events(now.UnixMilli())
		if len(events) == 0 || !s.delivers(sub) || s.e.silenced(s.market, name) {
			continue
		}
		for _, ev := range events {
			if !s.send(s.wrap(name, ev)) {
				return false
			}
		}
	}
	return s.user == nil || s.pollUser(now)
}

// delivers is false for what this path no longer sends.
func (s *socket) delivers(sub *subscription) bool {
	return s.kind == anyKind || s.kind == sub.kind || s.kind == oldKind && sub.kind != marketKind
}

func (s *socket) wrap(stream string, ev object) any {
	if s.combined {
		return object{"stream": stream, "data": ev}
	}
	return ev
}

func (s *socket) pollUser(now time.Time) bool {
	s.e.settle(s.user, s.market, now)
	events, next := s.user.eventsFrom(s.next, s.market)
	s.next = next
	for _, ev := range events {
		if s.e.silenced(s.market, "user") {
			continue
		}
		out := s.wrap(s.name, ev)
		if s.api {
			out = object{"subscriptionId": 0, "event": ev}
		}
		if !s.send(out) {
			return false
		}
	}
	return true
}

// open subscribes a stream, or the user data of a listen key.
func (s *socket) open(name string) {
	s.e.mu.Lock()
	a := s.e.listen[name]
	alive := a != nil && s.e.now().Before(a.wallets[s.market].listens)
	s.e.mu.Unlock()
	if alive && (s.kind == privateKind || s.market == binance.COINM) {
		s.name = name
		s.watch(a)
		return
	}
	s.subs[name] = s.e.subscribe(s.market, name)
}

// watch sends the events of an account from now on.
func (s *socket) watch(a *account) {
	a.mu.Lock()
	s.user, s.next = a, a.nextEvent
	a.mu.Unlock()
}

// handle answers a message of the client.
func (s *socket) handle(m []byte) bool {
	if s.api {
		return s.handleAPI(m)
	}
	var q struct {
		Method string   `json:"method"`
		Params []string `json:"params"`
		ID     any      `json:"id"`
	}
	if err := json.Unmarshal(m, &q); err != nil {
		return s.send(object{"error": object{"code": 3, "msg": "Invalid JSON: " + err.Error()}, "id": nil})
	}
	var result any
	switch q.Method {
	case "SUBSCRIBE":
		if len(s.subs)+len(q.Params) > maxStreams {
			if s.market != binance.Spot {
				// The whole connection, as was measured.
				s.conn.Close(websocket.StatusPolicyViolation, "Too many streams") // The client may be gone.
				return false
			}
			return s.send(object{"error": object{"code": 2, "msg": "Invalid request: too many streams"}, "id": q.ID})
		}
		for _, name := range q.Params {
			s.open(name)
		}
	case "UNSUBSCRIBE":
		for _, name := range q.Params {
			delete(s.subs, name)
		}
	case "LIST_SUBSCRIPTIONS":
		result = append([]string{}, sortedKeys(s.subs)...)
	default:
		return s.send(object{"error": object{"code": 2, "msg": "Invalid request: unknown method"}, "id": q.ID})
	}
	// The acknowledgement says nothing of whether data will come.
	return s.send(object{"result": result, "id": q.ID})
}
