package governor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// wire is one connection to the exchange, with at most one request on it.
type wire struct {
	net.Conn
	pool *direct
	key  hostKey
	// raw is the socket, below the encryption.
	raw  syscall.RawConn
	in   *bufio.Reader
	left int64 // What may be read of the head that comes.
	used bool  // It has carried an answer.
	// since is when it became idle, extended when its deadline was last set.
	since, extended time.Time
}

// maxAnswerHead bounds the head of an answer.
const maxAnswerHead = 256 << 10

func newWire(pool *direct, key hostKey, c, socket net.Conn) *wire {
	w := &wire{Conn: c, pool: pool, key: key, raw: rawOf(socket)}
	const size = 8 << 10
	w.in = bufio.NewReaderSize(bounded{w}, size)
	return w
}

// close ends the connection; there is nobody whom an error would help.
func (w *wire) close() { _ = w.Conn.Close() }

var errLongHead = fmt.Errorf("the head of the answer is longer than %d bytes", maxAnswerHead)

// bounded reads from a wire no more than it may.
type bounded struct{ w *wire }

func (b bounded) Read(p []byte) (int, error) {
	if b.w.left <= 0 {
		return 0, errLongHead
	}
	n, err := b.w.Conn.Read(p)
	b.w.left -= int64(n)
	return n, err
}

// patience gives the exchange time for what is waited for now, unless ctx has ended.
// It need not be exact to the second.
func (w *wire) patience(ctx context.Context, now time.Time) {
	if now.Sub(w.extended) < time.Second {
		return
	}
	w.extended = now
	// A connection that is closed says so when it is used.
	_ = w.SetDeadline(now.Add(answerTimeout))
	if ctx.Err() != nil {
		w.hurry()
	}
}

// hurry ends all waiting.
func (w *wire) hurry() { _ = w.SetDeadline(time.Unix(1, 0)) }

// exchange sends a request and reads the head of its answer. The connection closes
// or goes back when the body was read or closed.
func (w *wire) exchange(r *http.Request, out []byte) (*http.Response, error) {
	ctx := r.Context()
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, w.hurry)
	}
	w.patience(ctx, time.Now())
	resp, err := w.ask(r, out)
	if err != nil {
		stop()
		w.close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	w.used = true
	b := &wireBody{answer: resp.Body, w: w, ctx: ctx, stop: stop, last: resp.Close}
	if resp.Body == http.NoBody {
		b.end(true)
		return resp, nil
	}
	resp.Body = b
	return resp, nil
}

func (w *wire) ask(r *http.Request, out []byte) (*http.Response, error) {
	if n, err := w.Write(out); err != nil {
		if w.used && !isTimeout(err) {
			return nil, &staleError{written: n > 0, err: err}
		}
		return nil, err
	}
	w.left = maxAnswerHead
	if _, err := w.in.Peek(1); err != nil {
		if w.used && !isTimeout(err) {
			return nil, &staleError{written: true, err: err}
		}
		return nil, noEOF(err)
	}
	const maxInterim = 5
	for range maxInterim {
		resp, err := http.ReadResponse(w.in, r)
		switch {
		case err != nil:
			return nil, noEOF(err)
		case resp.StatusCode >= 200:
			w.left = 1<<63 - 1
			return resp, nil
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the exchange switched protocols, unasked")
		}
	}
	return nil, errors.New("the exchange goes on sending interim answers")
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

// wireBody is the body of an answer.
type wireBody struct {
	answer io.ReadCloser
	w      *wire
	ctx    context.Context // Of the request, to which an answer belongs.
	stop   func() bool
	last   bool // The connection ends with this answer.
	ended  atomic.Bool
}

func (b *wireBody) Read(p []byte) (int, error) {
	if !b.ended.Load() && b.w.in.Buffered() == 0 {
		b.w.patience(b.ctx, time.Now())
	}
	n, err := b.answer.Read(p)
	if err != nil {
		b.end(err == io.EOF)
		if err != io.EOF && b.ctx.Err() != nil {
			err = b.ctx.Err()
		}
	}
	return n, err
}

// Close implements io.Closer. Of what was not read nobody knows how long it is, so
// that the connection ends.
func (b *wireBody) Close() error {
	b.end(false)
	return nil
}

// end gives the connection back if its answer is whole.
func (b *wireBody) end(whole bool) {
	if b.ended.Swap(true) {
		return
	}
	if stopped := b.stop(); whole && stopped && !b.last && b.w.in.Buffered() == 0 {
		b.w.pool.put(b.w)
		return
	}
	b.w.close()
}
