package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What a client keeps, and how long it waits.
const (
	// answerTimeout is for the next part of an answer to come.
	answerTimeout = 30 * time.Second
	// handshakeTimeout is for TLS to start.
	handshakeTimeout = 5 * time.Second
	idleTimeout      = 90 * time.Second
	// maxIdle are kept open to a host, so that no request waits for a handshake after
	// a quiet second.
	maxIdle = 256
	// maxPooledHead keeps a rare long body from staying in memory.
	maxPooledHead = 64 << 10
)

// Client sends requests over connections that stay open, in the goroutine that asks:
// http.Transport has two more for each connection, and to pass a request through them
// costs more than all else that is done with it. It knows no proxy.
type Client struct {
	dialer *net.Dialer
	tls    *tls.Config
	// heads are buffers for what is sent.
	heads sync.Pool

	mu     sync.Mutex
	idle   map[host][]*conn // The one used last comes last.
	reaper *time.Timer      // Nil while nothing is idle.
	closed bool
}

type host struct{ scheme, name string }

// NewClient returns a client whose connections dialer opens.
func NewClient(dialer *net.Dialer) *Client {
	return &Client{
		dialer: dialer,
		tls:    &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		heads:  sync.Pool{New: func() any { return new([]byte) }},
		idle:   make(map[host][]*conn),
	}
}

// Do sends a request to the scheme and host of a URL. An error with a *net.OpError
// whose Op is dial means that nothing was sent. What may have arrived is not sent
// again unless it only reads.
func (c *Client) Do(ctx context.Context, to *url.URL, r *Request) (*Response, error) {
	buffer := c.heads.Get().(*[]byte)
	defer c.heads.Put(buffer)
	out, err := appendRequest((*buffer)[:0], to.Host, r)
	if err != nil {
		return nil, err
	}
	if cap(out) <= maxPooledHead {
		*buffer = out
	}
	at := host{to.Scheme, to.Host}
	if old := c.take(at, !reads(r)); old != nil {
		resp, err := old.exchange(ctx, r.Method, out)
		if err == nil || !mayRepeat(ctx, r, err) {
			return resp, err
		}
	}
	fresh, err := c.dial(ctx, at)
	if err != nil {
		return nil, err
	}
	return fresh.exchange(ctx, r.Method, out)
}

// mayRepeat says that a request that met a connection which the server had closed
// may go by a new one. An order may only if no byte of it was written.
func mayRepeat(ctx context.Context, r *Request, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	var stale *staleError
	return errors.As(err, &stale) && (!stale.written || reads(r))
}

func reads(r *Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// staleError is a connection that ended before the first byte of an answer.
type staleError struct {
	written bool
	err     error
}

func (e *staleError) Error() string { return e.err.Error() }
func (e *staleError) Unwrap() error { return e.err }

// take returns an idle connection, nil if there is none. To be sure that it is still
// open costs a look; what can be repeated need not be sure.
func (c *Client) take(at host, sure bool) *conn {
	for {
		c.mu.Lock()
		all := c.idle[at]
		if len(all) == 0 {
			c.mu.Unlock()
			return nil
		}
		last := all[len(all)-1]
		all[len(all)-1] = nil
		c.idle[at] = all[:len(all)-1]
		c.mu.Unlock()
		if !sure || last.socket.look() == quiet {
			return last
		}
		last.close()
	}
}

func (c *Client) put(free *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.idle[free.at]) >= maxIdle {
		free.close()
		return
	}
	c.idle[free.at] = append(c.idle[free.at], free)
	if c.reaper == nil {
		c.reaper = time.AfterFunc(idleTimeout, c.reap)
	}
}

// reap closes what was idle for too long.
func (c *Client) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reaper = nil
	for at, all := range c.idle {
		old := 0
		for old < len(all) && time.Since(all[old].extended) >= idleTimeout {
			all[old].close()
			old++
		}
		c.idle[at] = append(all[:0], all[old:]...)
		clear(all[len(all)-old:])
		if len(all) > old && c.reaper == nil && !c.closed {
			c.reaper = time.AfterFunc(idleTimeout/2, c.reap)
		}
	}
}

// Close ends all keeping of connections; answers that are on their way end first.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, all := range c.idle {
		for _, idle := range all {
			idle.close()
		}
	}
	clear(c.idle)
	if c.reaper != nil {
		c.reaper.Stop()
	}
}

// dial opens a connection. Its errors are *net.OpError with the Op dial, for the
// handshake too: nothing was asked yet.
func (c *Client) dial(ctx context.Context, at host) (*conn, error) {
	name, port, err := net.SplitHostPort(at.name)
	if err != nil {
		name, port = strings.Trim(at.name, "[]"), map[string]string{"http": "80", "https": "443"}[at.scheme]
	}
	plain, err := c.dialer.DialContext(ctx, "tcp", net.JoinHostPort(name, port))
	if err != nil {
		return nil, err
	}
	if at.scheme == "http" {
		return newConn(c, at, plain, plain), nil
	}
	config := c.tls.Clone()
	config.ServerName = name
	secure := tls.Client(plain, config)
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		plain.Close()
		return nil, &net.OpError{Op: "dial", Net: "tls", Addr: plain.RemoteAddr(), Err: err}
	}
	return newConn(c, at, secure, plain), nil
}

// ErrHead is a request that cannot be sent, because it would end a line of its head.
var ErrHead = errors.New("the method, the target or a field of the head has a character that would end it")

// appendRequest writes a request with its body. Fields of the connection it leaves to
// the connection.
func appendRequest(out []byte, hostName string, r *Request) ([]byte, error) {
	if !IsName(r.Method) || r.Target == "" || strings.ContainsAny(r.Target, " \t") || !IsValue(r.Target) {
		return nil, ErrHead
	}
	out = append(out, r.Method...)
	out = append(out, ' ')
	out = append(out, r.Target...)
	out = append(out, " HTTP/1.1\r\nHost: "...)
	out = append(out, hostName...)
	out = append(out, "\r\n"...)
	for i := range r.Header {
		f := &r.Header[i]
		if ofConnection(f.Name) || Is(f.Name, "Host") {
			continue
		}
		if !IsName(f.Name) || !IsValue(f.Value) {
			return nil, ErrHead
		}
		out = appendField(out, f.Name, f.Value)
	}
	if len(r.Body) > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut {
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, int64(len(r.Body)), 10)
		out = append(out, "\r\n"...)
	}
	out = append(out, "\r\n"...)
	return append(out, r.Body...), nil
}

func appendField(out []byte, name, value string) []byte {
	out = append(out, name...)
	out = append(out, ": "...)
	out = append(out, value...)
	return append(out, "\r\n"...)
}
