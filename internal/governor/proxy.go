package governor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/http1"
)

const (
	// bodyTimeout is for a client to send its body, which is short.
	bodyTimeout = 10 * time.Second
	// writeTimeout is for a client to take each part of an answer.
	writeTimeout = 30 * time.Second
)

// handler is what the listener serves: plain requests by [http1.Server], the others by
// net/http.
type handler struct {
	g       *Governor
	buffers sync.Pool
}

func newHandler(g *Governor) *handler {
	return &handler{g: g, buffers: sync.Pool{New: func() any { return new([32 << 10]byte) }}}
}

const healthyPath = "/-/healthy"

// ServeHTTP1 implements http1.Handler.
func (h *handler) ServeHTTP1(w *http1.Reply, r *http1.Request) {
	path, query, _ := strings.Cut(r.Target, "?")
	if path == healthyPath {
		return
	}
	client, p := h.g.authenticate(r.Header, nil)
	if p != nil {
		h.refuse(w, &call{client: otherLabel, class: market}, p)
		return
	}
	h.serve(context.Background(), w, call{
		method: r.Method, path: path, query: query, header: r.Header, body: r.Body, client: client, gone: r.Gone,
	})
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to, header := netWriter{w}, http1.HeaderOf(r.Header)
	if r.URL.Path == healthyPath {
		to.Begin(http.StatusOK, nil, 0)
		return
	}
	client, p := h.g.authenticate(header, r.TLS)
	if p != nil {
		h.refuse(to, &call{client: otherLabel, class: market}, p)
		return
	}
	if isUpgrade(r) {
		h.webSocket(w, r, client)
		return
	}
	body, p := h.body(w, r)
	if p != nil {
		h.refuse(to, &call{client: client, class: market}, p)
		return
	}
	path, query := target(r)
	h.serve(r.Context(), to, call{method: r.Method, path: path, query: query, header: header, body: body, client: client})
}

// serve answers a request that is whole.
func (h *handler) serve(ctx context.Context, w writer, asked call) {
	started := time.Now()
	c, p := h.g.newCall(asked, asked.header.Get(priorityHeader))
	if p != nil {
		h.refuse(w, &call{client: asked.client, class: market}, p)
		return
	}
	a, err := h.g.fetch(ctx, c)
	if err != nil {
		h.refuse(w, c, h.g.problem(err))
		return
	}
	defer a.Body.Close()
	h.g.metrics.served(c, a.outcome)
	if a.outcome == outcomeSent {
		h.g.metrics.overhead.Observe((time.Since(started) - a.upstream - a.waited).Seconds())
	}
	h.write(w, a.Response)
}

// body takes the whole body before anything is spent for the request: a client that is
// slow, or breaks off, then costs nobody else anything.
func (h *handler) body(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	most := h.g.setup.Load().config.MaxBodyBytes
	tooLong := &problem{status: http.StatusRequestEntityTooLarge, outcome: outcomeInvalid, code: -1100, text: "Not sent: the body is too long"}
	if r.ContentLength > most {
		return nil, tooLong // Without waiting for it.
	}
	// It only fails for a ResponseWriter that has no deadlines.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return nil, tooLong
		}
		return nil, &problem{status: http.StatusBadRequest, outcome: outcomeInvalid, code: -1100, text: "Not sent: the body broke off"}
	}
	_ = control.SetReadDeadline(time.Time{})
	return body, nil
}

// target is the request's path and query as the client wrote them.
func target(r *http.Request) (path, query string) {
	uri := r.RequestURI
	if !strings.HasPrefix(uri, "/") {
		uri = r.URL.RequestURI() // The absolute form, which is for proxies of another kind.
	}
	path, query, _ = strings.Cut(uri, "?")
	return path, query
}

// problem is what the client hears of an error.
func (g *Governor) problem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	// Only the client's own context is left; 499 is what nginx calls that.
	return &problem{status: 499, outcome: outcomeCanceled, text: "the client has gone"}
}

func (h *handler) refuse(w writer, c *call, p *problem) {
	h.g.metrics.served(c, p.outcome)
	h.write(w, localResponse(p))
}

// writer is where an answer goes.
type writer interface {
	// Begin writes the head; a length of -1 is not known.
	Begin(status int, header http1.Header, length int64)
	io.Writer
	// Flush sends what was written, and gives the client time to take it.
	Flush() error
}

// netWriter is a writer of net/http's.
type netWriter struct{ http.ResponseWriter }

func (w netWriter) Begin(status int, header http1.Header, length int64) {
	to := w.Header()
	// They are the exchange's to tell: net/http must not guess them.
	to["Date"], to["Content-Type"] = nil, nil
	for _, f := range header {
		to.Add(f.Name, f.Value)
	}
	if length >= 0 && status != http.StatusNoContent {
		to.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	w.extend()
	w.WriteHeader(status)
}

func (w netWriter) Flush() error {
	w.extend()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w netWriter) extend() {
	// It only fails for a ResponseWriter that has no deadlines.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeTimeout))
}

// write passes an answer on, as it comes. One that breaks off breaks off for the
// client as well, who must not take the beginning for the whole.
func (h *handler) write(w writer, r *http1.Response) {
	w.Begin(r.Status, r.Header, r.Length)
	buffer := h.buffers.Get().(*[32 << 10]byte)
	defer h.buffers.Put(buffer)
	for {
		n, err := r.Body.Read(buffer[:])
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return // The client has gone.
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			h.g.metrics.brokenAnswers.Inc()
			panic(http.ErrAbortHandler)
		}
		if err := w.Flush(); err != nil {
			return // As above.
		}
	}
}

// Transport is the way to the exchange for a part of this process, which needs no
// connection to the listener. Requests keep their path and query; the host does
// not matter. The priority is one of cancel, order, account, market and backfill.
func (g *Governor) Transport(client, priority string) http.RoundTripper {
	return &transport{g: g, client: client, priority: priority}
}

type transport struct {
	g                *Governor
	client, priority string
}

// RoundTrip implements http.RoundTripper. A refusal is an answer with the header
// X-Hedgewatch-Outcome.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readBody(r, t.g.setup.Load().config.MaxBodyBytes)
	if err != nil {
		return nil, err
	}
	c, p := t.g.newCall(call{
		method: r.Method, path: r.URL.EscapedPath(), query: r.URL.RawQuery,
		header: http1.HeaderOf(r.Header), body: body, client: t.client,
	}, t.priority)
	if p == nil {
		a, err := t.g.fetch(r.Context(), c)
		if err == nil {
			t.g.metrics.served(c, a.outcome)
			return a.Response.HTTP(r), nil
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			t.g.metrics.served(c, outcomeCanceled)
			return nil, err
		}
		p = t.g.problem(err)
	} else {
		c = &call{client: t.client, class: market}
	}
	t.g.metrics.served(c, p.outcome)
	return localResponse(p).HTTP(r), nil
}

func readBody(r *http.Request, most int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err == nil && int64(len(body)) > most {
		err = errors.New("the body is too long")
	}
	return body, err
}
