package http1

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Handler answers plain requests.
type Handler interface {
	// ServeHTTP1 may panic with [http.ErrAbortHandler] to break an answer off. What it
	// keeps of the request beyond its return it must copy, but for strings.
	ServeHTTP1(w *Reply, r *Request)
}

// Limits are how long a client may take.
type Limits struct {
	// Head is for a request to come in, Idle for the next one to begin, and Write
	// for each part of an answer to be taken.
	Head, Idle, Write time.Duration
}

// Server stands before net/http and answers plain requests of at most 4 KB, each in
// the goroutine of its connection. Everything else, and all that comes after it on a
// connection, it hands to net/http with the bytes that it has read: HTTP/2,
// WebSockets, long bodies, what is slow or malformed. net/http needs a goroutine for
// each request to see whether its client leaves, and costs twice as much.
//
// It is the net.Listener of what it hands over.
type Server struct {
	net.Listener
	handler Handler
	limits  Limits
	logger  *slog.Logger
	others  chan net.Conn
	ended   chan struct{} // Closed by Close.
	once    sync.Once
	// outs are memory of replies that is used again.
	outs sync.Pool

	stopping atomic.Bool
	working  sync.WaitGroup
	mu       sync.Mutex
	clients  map[*client]struct{}
}

// NewServer returns a server for the connections of l.
func NewServer(l net.Listener, h Handler, limits Limits, logger *slog.Logger) *Server {
	return &Server{
		Listener: l, handler: h, limits: limits, logger: logger,
		others: make(chan net.Conn), ended: make(chan struct{}), clients: make(map[*client]struct{}),
		outs: sync.Pool{New: func() any { return new(make([]byte, 0, 2<<10)) }},
	}
}

// Serve takes connections until the listener is closed.
func (s *Server) Serve() error {
	pause := time.Duration(0)
	for {
		c, err := s.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			// Too many open files, most likely: some will be closed.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.logger.Warn("Connection not accepted", "err", err, "again_in", pause)
			time.Sleep(pause)
			continue
		}
		pause = 0
		p := &client{Conn: c, server: s, socket: newSocket(c)}
		p.gone = func() bool { return p.socket.look() == ended }
		s.mu.Lock()
		if s.stopping.Load() {
			c.Close()
		} else {
			s.clients[p] = struct{}{}
			s.working.Go(p.run)
		}
		s.mu.Unlock()
	}
}

// Accept implements net.Listener for net/http.
func (s *Server) Accept() (net.Conn, error) {
	select {
	case c := <-s.others:
		return c, nil
	case <-s.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It may be called again.
func (s *Server) Close() (err error) {
	s.once.Do(func() {
		close(s.ended)
		err = s.Listener.Close()
	})
	return err
}

// Shutdown closes what is idle, and waits until ctx ends for what is not.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	err := s.Close()
	s.each(func(p *client) {
		if !p.busy.Load() {
			_ = p.SetReadDeadline(time.Unix(1, 0)) // It only fails for one that is closed.
		}
	})
	finished := make(chan struct{})
	go func() {
		s.working.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-ctx.Done():
		s.each(func(p *client) { _ = p.Close() }) // Its goroutine ends with an error.
		<-finished
		err = errors.Join(err, ctx.Err())
	}
	return err
}

func (s *Server) each(do func(*client)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.clients {
		do(p)
	}
}

// client is a connection that the server serves.
type client struct {
	net.Conn
	server *Server
	socket *socket
	gone   func() bool
	// busy is false while the next request has not begun.
	busy atomic.Bool
	// read is what was read and not served yet; it begins at the buffer's.
	read   []byte
	buffer []byte
	// fields is memory of the last request's header.
	fields Header
	reply  Reply
	// extended is when the deadlines were last set; zero after a slow request.
	extended time.Time
}

// maxPlain bounds a request that the server serves.
const maxPlain = 4 << 10

func (p *client) run() {
	defer func() {
		p.server.mu.Lock()
		delete(p.server.clients, p)
		p.server.mu.Unlock()
	}()
	_ = p.SetReadDeadline(time.Now().Add(p.server.limits.Head)) // A closed connection says so when it is read.
	p.buffer = make([]byte, maxPlain)
	for {
		if len(p.read) == 0 && !p.more() {
			p.Close()
			return
		}
		p.busy.Store(true)
		now := time.Now()
		p.extend(now)
		r, n, how := parseRequest(p.read, p.fields, maxPlain)
		for how == partly && p.rest(now.Add(p.server.limits.Head)) {
			r, n, how = parseRequest(p.read, p.fields, maxPlain)
		}
		if how != whole {
			p.handOver() // A client that is slow, or left, is net/http's to answer too.
			return
		}
		p.fields = r.Header
		if !p.serve(&r) || p.server.stopping.Load() {
			p.Close()
			return
		}
		p.read = p.read[n:]
		p.busy.Store(false)
	}
}

// more waits for the beginning of a request.
func (p *client) more() bool {
	n, err := p.Conn.Read(p.buffer)
	p.read = p.buffer[:n]
	return err == nil
}

// rest waits for more of the request that has begun.
func (p *client) rest(until time.Time) bool {
	if &p.read[0] != &p.buffer[0] {
		p.read = p.buffer[:copy(p.buffer, p.read)]
	}
	_ = p.SetReadDeadline(until) // As in run.
	p.extended = time.Time{}
	n, err := p.Conn.Read(p.buffer[len(p.read):])
	p.read = p.buffer[:len(p.read)+n]
	return err == nil
}

// extend gives a connection that is in use more time, once a second.
func (p *client) extend(now time.Time) {
	if now.Sub(p.extended) < time.Second {
		return
	}
	p.extended = now
	// As in run.
	_ = p.SetReadDeadline(now.Add(p.server.limits.Idle))
	_ = p.SetWriteDeadline(now.Add(p.server.limits.Write))
}

// handOver gives the connection to net/http.
func (p *client) handOver() {
	_ = p.SetDeadline(time.Time{}) // As in run.
	select {
	case p.server.others <- &unread{p.Conn, bytes.Clone(p.read)}:
	case <-p.server.ended:
		p.Close()
	}
}

// unread is a connection of which something was read.
type unread struct {
	net.Conn
	before []byte
}

func (u *unread) Read(b []byte) (int, error) {
	if len(u.before) > 0 {
		n := copy(b, u.before)
		u.before = u.before[n:]
		return n, nil
	}
	return u.Conn.Read(b)
}

// serve serves a request, and says whether another one may follow.
func (p *client) serve(r *Request) (ok bool) {
	r.Gone = p.gone
	out := p.server.outs.Get().(*[]byte)
	w := &p.reply
	*w = Reply{client: p, out: (*out)[:0], noBody: r.Method == http.MethodHead}
	defer func() {
		if cap(w.out) <= 2*sendAt {
			*out = w.out
		}
		w.out = nil
		p.server.outs.Put(out)
		if v := recover(); v != nil {
			ok = false
			if v != http.ErrAbortHandler {
				p.server.logger.Error("Request not served: a bug", "panic", v, "stack", string(debug.Stack()))
			}
		}
	}()
	p.server.handler.ServeHTTP1(w, r)
	return w.finish() == nil
}
