package governor

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// front stands before net/http and serves what nearly all requests are: HTTP/1.1
// that came in whole, with nothing unusual. Everything else, and all that comes
// after it on a connection, it hands to net/http with the bytes that it has read:
// HTTP/2, WebSockets, long bodies, slow clients, and what is malformed. net/http
// needs a goroutine for each request to see whether its client leaves; that costs
// as much as the request itself.
//
// It is the net.Listener of what it hands over.
type front struct {
	net.Listener
	handler *handler
	logger  *slog.Logger
	others  chan net.Conn
	ended   chan struct{} // Closed by Close.
	once    sync.Once
	// parsers and replies are memory that is used again.
	parsers, replies sync.Pool

	stopping atomic.Bool
	working  sync.WaitGroup
	mu       sync.Mutex
	conns    map[*plain]struct{}
}

func newFront(l net.Listener, h *handler, logger *slog.Logger) *front {
	return &front{
		Listener: l, handler: h, logger: logger,
		others: make(chan net.Conn), ended: make(chan struct{}), conns: make(map[*plain]struct{}),
		parsers: sync.Pool{New: newParser},
		replies: sync.Pool{New: func() any { return &reply{header: make(http.Header, 16), out: make([]byte, 0, 2<<10)} }},
	}
}

// accept takes connections until the listener is closed.
func (f *front) accept() error {
	pause := time.Duration(0)
	for {
		c, err := f.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			// Too many open files, most likely: some will be closed.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			f.logger.Warn("Connection not accepted", "err", err, "again_in", pause)
			time.Sleep(pause)
			continue
		}
		pause = 0
		p := &plain{front: f, Conn: c, raw: rawOf(c)}
		f.mu.Lock()
		if f.stopping.Load() {
			c.Close()
		} else {
			f.conns[p] = struct{}{}
			f.working.Go(p.run)
		}
		f.mu.Unlock()
	}
}

// Accept implements net.Listener for net/http.
func (f *front) Accept() (net.Conn, error) {
	select {
	case c := <-f.others:
		return c, nil
	case <-f.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It may be called again.
func (f *front) Close() (err error) {
	f.once.Do(func() {
		close(f.ended)
		err = f.Listener.Close()
	})
	return err
}

// stop closes what is idle, and waits until ctx ends for what is not.
func (f *front) stop(ctx context.Context) error {
	f.stopping.Store(true)
	err := f.Close()
	f.each(func(p *plain) {
		if !p.busy.Load() {
			_ = p.SetReadDeadline(time.Unix(1, 0)) // It only fails for one that is closed.
		}
	})
	finished := make(chan struct{})
	go func() {
		f.working.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-ctx.Done():
		f.each(func(p *plain) { _ = p.Close() }) // Its goroutine ends with an error.
		<-finished
		err = errors.Join(err, ctx.Err())
	}
	return err
}

func (f *front) each(do func(*plain)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p := range f.conns {
		do(p)
	}
}

// plain is a connection that the front serves.
type plain struct {
	net.Conn
	front *front
	raw   syscall.RawConn
	// busy is false while the next request has not come.
	busy atomic.Bool
	// read is what was read and not served yet.
	read []byte
	// extended is when the deadlines were last set.
	extended time.Time
}

// maxPlain bounds a request that the front serves.
const maxPlain = 4 << 10

func (p *plain) run() {
	defer func() {
		p.front.mu.Lock()
		delete(p.front.conns, p)
		p.front.mu.Unlock()
	}()
	_ = p.SetReadDeadline(time.Now().Add(headTimeout)) // A closed connection says so when it is read.
	buffer := make([]byte, maxPlain)
	for {
		if len(p.read) == 0 {
			n, err := p.Conn.Read(buffer)
			if err != nil {
				p.Conn.Close()
				return
			}
			p.read = buffer[:n]
		}
		p.busy.Store(true)
		p.extend(time.Now())
		whole, ok := p.serve()
		if !whole {
			p.handOver()
			return
		}
		p.busy.Store(false)
		if !ok || p.front.stopping.Load() {
			p.Conn.Close()
			return
		}
	}
}

// extend gives a connection that is in use more time, once a second.
func (p *plain) extend(now time.Time) {
	if now.Sub(p.extended) < time.Second {
		return
	}
	p.extended = now
	// As above.
	_ = p.SetReadDeadline(now.Add(keepTimeout))
	_ = p.SetWriteDeadline(now.Add(writeTimeout))
}

// handOver gives the connection to net/http.
func (p *plain) handOver() {
	_ = p.SetDeadline(time.Time{}) // As above.
	select {
	case p.front.others <- &unread{p.Conn, bytes.Clone(p.read)}:
	case <-p.front.ended:
		p.Conn.Close()
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

// parser reads requests from memory.
type parser struct {
	text   bytes.Reader
	reader *bufio.Reader
}

func newParser() any {
	p := new(parser)
	p.reader = bufio.NewReaderSize(&p.text, maxPlain)
	return p
}

// serve serves the request that was read, if it is whole; ok says that another one
// may follow.
func (p *plain) serve() (whole, ok bool) {
	if !bytes.Contains(p.read, []byte("\r\n\r\n")) {
		return false, false
	}
	with := p.front.parsers.Get().(*parser)
	defer p.front.parsers.Put(with)
	with.text.Reset(p.read)
	with.reader.Reset(&with.text)
	r, err := http.ReadRequest(with.reader)
	if err != nil || !usual(r) || r.ContentLength > int64(with.reader.Buffered()) {
		return false, false
	}
	rest := with.reader.Buffered() - int(r.ContentLength)
	w := newReply(p, r)
	defer func() {
		w.release()
		if v := recover(); v != nil {
			ok = false
			if v != http.ErrAbortHandler {
				p.front.logger.Error("Request not served: a bug", "panic", v, "stack", string(debug.Stack()))
			}
		}
	}()
	whole = true
	p.front.handler.serve(w, r, p.gone)
	ok = w.finish() == nil
	p.read = p.read[len(p.read)-rest:]
	return whole, ok
}

// usual says that a request is one that front serves.
func usual(r *http.Request) bool {
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Close || r.Host == "" || len(r.TransferEncoding) > 0 || r.ContentLength < 0 {
		return false
	}
	for _, name := range [...]string{"Upgrade", "Expect", "Trailer"} {
		if _, ok := r.Header[name]; ok {
			return false
		}
	}
	return true
}

// gone says that the client has left.
func (p *plain) gone() bool { return look(p.raw) == socketEnded }

// rawOf is a connection's socket, nil if it has none.
func rawOf(c net.Conn) syscall.RawConn {
	if l, ok := c.(*limitedConn); ok {
		c = l.Conn
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil // It is closed, which shows when it is used.
	}
	return raw
}

// socketState is what a socket has to say.
type socketState int

const (
	socketQuiet socketState = iota
	socketReadable
	socketEnded
)

// look looks at a socket without reading from it or waiting.
func look(raw syscall.RawConn) (s socketState) {
	if raw == nil {
		return socketQuiet
	}
	err := raw.Control(func(fd uintptr) {
		var one [1]byte
		got, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == nil && got > 0:
			s = socketReadable
		case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
			s = socketQuiet
		default:
			s = socketEnded
		}
	})
	if err != nil {
		return socketEnded
	}
	return s
}
