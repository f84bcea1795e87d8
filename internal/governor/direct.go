package governor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// direct is the way to the exchange without a proxy. It does what http.Transport
// does, in the goroutine that asks: Transport has two more for each connection, and
// to pass a request through them costs more than all else that is done with it.
//
// It takes requests in the form of call.withHeader only: HTTP/1.1, target in Opaque,
// no upgrade. Headers that end here it leaves out.
type direct struct {
	dialer *net.Dialer
	tls    *tls.Config
	// heads are buffers for what is sent.
	heads sync.Pool

	mu     sync.Mutex
	idle   map[hostKey][]*wire // The one used last comes last.
	reaper *time.Timer         // Nil while nothing is idle.
	closed bool
}

type hostKey struct{ scheme, host string }

func newDirect(dialer *net.Dialer) *direct {
	return &direct{
		dialer: dialer,
		tls:    &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		heads:  sync.Pool{New: func() any { return new([]byte) }},
		idle:   make(map[hostKey][]*wire),
	}
}

// maxPooledHead keeps a rare long body from staying in memory.
const maxPooledHead = 64 << 10

// RoundTrip implements http.RoundTripper.
func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	buffer := d.heads.Get().(*[]byte)
	defer d.heads.Put(buffer)
	out, err := appendRequest((*buffer)[:0], r)
	if err != nil {
		return nil, err
	}
	if cap(out) <= maxPooledHead {
		*buffer = out
	}
	key := hostKey{r.URL.Scheme, r.URL.Host}
	if w := d.take(key, !repeatable(r)); w != nil {
		resp, err := w.exchange(r, out)
		if err == nil || !mayRepeat(r, err) {
			return resp, err
		}
	}
	w, err := d.dial(r.Context(), key)
	if err != nil {
		return nil, err
	}
	return w.exchange(r, out)
}

// mayRepeat says that a request that met a connection which the exchange had closed
// may go by a new one. An order may only if no byte of it was written.
func mayRepeat(r *http.Request, err error) bool {
	if r.Context().Err() != nil {
		return false
	}
	var stale *staleError
	return errors.As(err, &stale) && (!stale.written || repeatable(r))
}

func repeatable(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// staleError is a connection that ended before the first byte of an answer.
type staleError struct {
	written bool
	err     error
}

func (e *staleError) Error() string { return e.err.Error() }
func (e *staleError) Unwrap() error { return e.err }

// take returns an idle connection, nil if there is none. To be sure that it is still
// open costs a look; what can be repeated need not be sure.
func (d *direct) take(key hostKey, sure bool) *wire {
	for {
		d.mu.Lock()
		all := d.idle[key]
		if len(all) == 0 {
			d.mu.Unlock()
			return nil
		}
		w := all[len(all)-1]
		all[len(all)-1] = nil
		d.idle[key] = all[:len(all)-1]
		d.mu.Unlock()
		if !sure || look(w.raw) == socketQuiet {
			return w
		}
		w.close()
	}
}

func (d *direct) put(w *wire) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.idle[w.key]) >= idleConnections {
		w.close()
		return
	}
	w.since = time.Now()
	d.idle[w.key] = append(d.idle[w.key], w)
	if d.reaper == nil {
		d.reaper = time.AfterFunc(idleTimeout, d.reap)
	}
}

// reap closes what was idle for too long.
func (d *direct) reap() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reaper = nil
	for key, all := range d.idle {
		old := 0
		for old < len(all) && time.Since(all[old].since) >= idleTimeout {
			all[old].close()
			old++
		}
		d.idle[key] = append(all[:0], all[old:]...)
		clear(all[len(all)-old:])
		if len(all) > old && d.reaper == nil && !d.closed {
			d.reaper = time.AfterFunc(idleTimeout/2, d.reap)
		}
	}
}

// CloseIdleConnections ends all keeping of connections.
func (d *direct) CloseIdleConnections() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, all := range d.idle {
		for _, w := range all {
			w.close()
		}
	}
	clear(d.idle)
	if d.reaper != nil {
		d.reaper.Stop()
	}
}

// dial opens a connection. Its errors are *net.OpError with the Op dial, for the
// handshake too: nothing was asked yet.
func (d *direct) dial(ctx context.Context, key hostKey) (*wire, error) {
	host, port, err := net.SplitHostPort(key.host)
	if err != nil {
		host, port = strings.Trim(key.host, "[]"), map[string]string{"http": "80", "https": "443"}[key.scheme]
	}
	c, err := d.dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	if key.scheme == "http" {
		return newWire(d, key, c, c), nil
	}
	config := d.tls.Clone()
	config.ServerName = host
	secure := tls.Client(c, config)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, &net.OpError{Op: "dial", Net: "tls", Addr: c.RemoteAddr(), Err: err}
	}
	return newWire(d, key, secure, c), nil
}

var errHeader = errors.New("a header or the target has a character that would end it")

// appendRequest writes a request with its body.
func appendRequest(out []byte, r *http.Request) ([]byte, error) {
	out = append(out, r.Method...)
	out = append(out, ' ')
	out = append(out, r.URL.Opaque...)
	if r.URL.RawQuery != "" {
		out = append(out, '?')
		out = append(out, r.URL.RawQuery...)
	}
	if strings.ContainsAny(r.URL.RawQuery, " \t") || !oneLine(r.URL.RawQuery) {
		return nil, errHeader
	}
	out = append(out, " HTTP/1.1\r\nHost: "...)
	out = append(out, r.Host...)
	out = append(out, "\r\n"...)
	for name, values := range r.Header {
		if ends(name) {
			continue
		}
		for _, value := range values {
			if !oneLine(name) || !oneLine(value) || strings.ContainsAny(name, ": ") {
				return nil, errHeader
			}
			out = append(out, name...)
			out = append(out, ": "...)
			out = append(out, value...)
			out = append(out, "\r\n"...)
		}
	}
	if r.ContentLength > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut {
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, r.ContentLength, 10)
		out = append(out, "\r\n"...)
	}
	out = append(out, "\r\n"...)
	if r.ContentLength == 0 {
		return out, nil
	}
	head := len(out)
	out = append(out, make([]byte, r.ContentLength)...)
	if _, err := io.ReadFull(r.Body, out[head:]); err != nil {
		return nil, fmt.Errorf("read the body to send: %w", err)
	}
	return out, nil
}

// oneLine says that a text cannot end a line of a request's head.
func oneLine(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
