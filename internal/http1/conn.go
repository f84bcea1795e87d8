package http1

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// conn is one connection to a server, with at most one request on it.
type conn struct {
	net.Conn
	pool *Client
	at   host
	// socket is below the encryption.
	socket *socket
	in     *bufio.Reader
	left   int64 // What may be read of the head that comes.
	used   bool  // It has carried an answer.
	// extended is when its deadline was last set, and about when it was last used.
	extended time.Time
}

// maxAnswerHead bounds the head of an answer.
const maxAnswerHead = 256 << 10

func newConn(pool *Client, at host, c, below net.Conn) *conn {
	w := &conn{Conn: c, pool: pool, at: at, socket: newSocket(below)}
	const size = 8 << 10
	w.in = bufio.NewReaderSize(bounded{w}, size)
	return w
}

// close ends the connection; there is nobody whom an error would help.
func (c *conn) close() { _ = c.Conn.Close() }

var errLongHead = fmt.Errorf("the head of the answer is longer than %d bytes", maxAnswerHead)

// bounded reads from a connection no more than it may.
type bounded struct{ c *conn }

func (b bounded) Read(p []byte) (int, error) {
	if b.c.left <= 0 {
		return 0, errLongHead
	}
	n, err := b.c.Conn.Read(p)
	b.c.left -= int64(n)
	return n, err
}

// patience gives the server time for what is waited for now, unless ctx has ended.
// It need not be exact to the second.
func (c *conn) patience(ctx context.Context, now time.Time) {
	if now.Sub(c.extended) < time.Second {
		return
	}
	c.extended = now
	// A connection that is closed says so when it is used.
	_ = c.SetDeadline(now.Add(answerTimeout))
	if ctx.Err() != nil {
		c.hurry()
	}
}

// hurry ends all waiting.
func (c *conn) hurry() { _ = c.SetDeadline(time.Unix(1, 0)) }

// exchange sends a request and reads the head of its answer. The connection closes
// or goes back when the body was read or closed.
func (c *conn) exchange(ctx context.Context, method string, out []byte) (*Response, error) {
	var stop func() bool
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, c.hurry)
	}
	c.patience(ctx, time.Now())
	b := &body{c: c, ctx: ctx, stop: stop}
	resp, err := c.ask(method, out, b)
	if err != nil {
		b.end(false)
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	c.used = true
	resp.Body = b
	if b.left == 0 && b.framed == nil {
		b.end(true)
		resp.Body = http.NoBody
	}
	return resp, nil
}

func (c *conn) ask(method string, out []byte, b *body) (*Response, error) {
	if n, err := c.Write(out); err != nil {
		if c.used && !isTimeout(err) {
			return nil, &staleError{written: n > 0, err: err}
		}
		return nil, err
	}
	c.left = maxAnswerHead
	if _, err := c.in.Peek(1); err != nil {
		if c.used && !isTimeout(err) {
			return nil, &staleError{written: true, err: err}
		}
		return nil, noEOF(err)
	}
	came, _ := c.in.Peek(c.in.Buffered()) // It has what it is asked for.
	resp, n, ok := parseResponse(came, method)
	if !ok {
		return c.askNetHTTP(method, b)
	}
	_, _ = c.in.Discard(n) // As above.
	c.left = 1<<63 - 1
	b.left = max(resp.Length, 0)
	if method == http.MethodHead || resp.Status == http.StatusNotModified {
		b.left = 0
	}
	return resp, nil
}

// askNetHTTP reads an answer that is not plain.
func (c *conn) askNetHTTP(method string, b *body) (*Response, error) {
	const maxInterim = 5
	for range maxInterim {
		resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
		switch {
		case err != nil:
			return nil, noEOF(err)
		case resp.StatusCode >= 200:
			c.left = 1<<63 - 1
			b.last = resp.Close
			if resp.Body != http.NoBody {
				b.framed = resp.Body
			}
			return ResponseOf(resp), nil
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the server switched protocols, unasked")
		}
	}
	return nil, errors.New("the server goes on sending interim answers")
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// noEOF keeps an answer that is missing from looking like one that is over.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// body is the body of an answer.
type body struct {
	c    *conn
	ctx  context.Context // Of the request, to which an answer belongs.
	stop func() bool     // Nil if ctx cannot end.
	// left is what is still to come of a body whose length was told; framed has one
	// that net/http reads.
	left   int64
	framed io.ReadCloser
	last   bool // The connection ends with this answer.
	ended  atomic.Bool
	err    error // What Read ended with.
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (n int, err error) {
	if b.err != nil || b.ended.Load() {
		return 0, cmp.Or(b.err, http.ErrBodyReadAfterClose)
	}
	if b.c.in.Buffered() == 0 {
		b.c.patience(b.ctx, time.Now())
	}
	if b.framed != nil {
		n, err = b.framed.Read(p)
	} else {
		n, err = b.c.in.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		if b.left == 0 {
			err = io.EOF
		} else {
			err = noEOF(err)
		}
	}
	if err != nil {
		b.end(err == io.EOF)
		if err != io.EOF && b.ctx.Err() != nil {
			err = b.ctx.Err()
		}
		b.err = err
	}
	return n, err
}

// Close implements io.Closer. Of what was not read nobody knows how long it is, so
// that the connection ends.
func (b *body) Close() error {
	b.end(false)
	return nil
}

// end gives the connection back if its answer is whole.
func (b *body) end(whole bool) {
	if b.ended.Swap(true) {
		return
	}
	stopped := b.stop == nil || b.stop()
	if whole && stopped && !b.last && b.c.in.Buffered() == 0 {
		b.c.pool.put(b.c)
		return
	}
	b.c.close()
}
