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
)

const (
	// bodyTimeout is for a client to send its body, which is short.
	bodyTimeout = 10 * time.Second
	// writeTimeout is for a client to take each part of an answer.
	writeTimeout = 30 * time.Second
)

// handler is what the listener serves.
type handler struct {
	g       *Governor
	buffers sync.Pool
}

func newHandler(g *Governor) *handler {
	return &handler{g: g, buffers: sync.Pool{New: func() any { return new([32 << 10]byte) }}}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r, nil) }

// serve is ServeHTTP. If gone is not nil it tells whether the client has left, which
// the request's context does not then.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, gone func() bool) {
	started := time.Now()
	if r.URL.Path == "/-/healthy" {
		w.WriteHeader(http.StatusOK)
		return
	}
	client, p := h.g.authenticate(r)
	if p != nil {
		h.refuse(w, &call{client: otherLabel, class: market}, p)
		return
	}
	if isUpgrade(r) {
		h.webSocket(w, r, client)
		return
	}
	c, p := h.read(w, r, client)
	if p != nil {
		h.refuse(w, &call{client: client, class: market}, p)
		return
	}
	c.gone = gone
	a, err := h.g.fetch(r.Context(), c)
	if err != nil {
		h.refuse(w, c, h.g.problem(err))
		return
	}
	defer a.Body.Close()
	h.g.metrics.served(c, a.outcome)
	if a.outcome == outcomeSent {
		h.g.metrics.overhead.Observe((time.Since(started) - a.upstream - a.waited).Seconds())
	}
	h.write(w, a)
}

// read takes the whole request before anything is spent for it: a client that is
// slow, or breaks off, then costs nobody else anything.
func (h *handler) read(w http.ResponseWriter, r *http.Request, client string) (*call, *problem) {
	path, query := target(r)
	var body []byte
	if r.Body != nil && r.Body != http.NoBody {
		// It only fails for a ResponseWriter that has no deadlines.
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
		var err error
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, h.g.setup.Load().config.MaxBodyBytes))
		if err != nil {
			if errors.As(err, new(*http.MaxBytesError)) {
				return nil, &problem{status: http.StatusRequestEntityTooLarge, outcome: outcomeInvalid, code: -1100, text: "Not sent: the body is too long"}
			}
			return nil, &problem{status: http.StatusBadRequest, outcome: outcomeInvalid, code: -1100, text: "Not sent: the body broke off"}
		}
		_ = control.SetReadDeadline(time.Time{})
	}
	return h.g.newCall(call{method: r.Method, path: path, query: query, header: r.Header, body: body, client: client}, r.Header.Get(priorityHeader))
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

func (h *handler) refuse(w http.ResponseWriter, c *call, p *problem) {
	h.g.metrics.served(c, p.outcome)
	resp := localResponse(p)
	h.write(w, &answer{Response: resp})
}

// write passes an answer on, as it comes. One that breaks off breaks off for the
// client as well, who must not take the beginning for the whole.
func (h *handler) write(w http.ResponseWriter, a *answer) {
	header := w.Header()
	for name, values := range a.Header {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
			continue
		}
		header[name] = values
	}
	if _, ok := header["Date"]; !ok && a.outcome != "" {
		header["Date"] = nil // The exchange's time is the exchange's to tell.
	}
	if _, ok := header["Content-Length"]; !ok && a.ContentLength > 0 {
		header["Content-Length"] = []string{strconv.FormatInt(a.ContentLength, 10)}
	}
	w.WriteHeader(a.StatusCode)
	buffer := h.buffers.Get().(*[32 << 10]byte)
	defer h.buffers.Put(buffer)
	control := http.NewResponseController(w)
	stream, limited := a.ContentLength < 0, false
	for parts := 0; ; parts++ {
		n, err := a.Body.Read(buffer[:])
		if n > 0 {
			if limited = parts > 0 || stream; limited {
				// It only fails for a ResponseWriter that has no deadlines.
				_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
			}
			if _, err := w.Write(buffer[:n]); err != nil {
				return // The client has gone.
			}
			if stream {
				_ = control.Flush() // As above; Write tells if the client has gone.
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			h.g.metrics.brokenAnswers.Inc()
			panic(http.ErrAbortHandler)
		}
	}
	if limited {
		_ = control.SetWriteDeadline(time.Time{}) // As above.
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
		header: r.Header, body: body, client: t.client,
	}, t.priority)
	if p == nil {
		a, err := t.g.fetch(r.Context(), c)
		if err == nil {
			t.g.metrics.served(c, a.outcome)
			a.Request = r
			return a.Response, nil
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
	resp := localResponse(p)
	resp.Request = r
	return resp, nil
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
