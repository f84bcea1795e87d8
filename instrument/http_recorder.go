package instrument

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
)

// recorder remembers the status of an answer. What it wraps may offer more than
// http.ResponseWriter, and code asks for that by type assertion, so the recorder
// has a view for each of the writers of net/http: HTTP/1 can flush, hijack and
// read from a file, HTTP/2 can flush.
type recorder struct {
	w        http.ResponseWriter
	status   int
	hijacked bool

	plain  plainWriter
	http2  flushWriter
	http1  fullWriter
	reader io.ReaderFrom
}

func newRecorder() *recorder {
	r := new(recorder)
	r.plain.recorder, r.http2.recorder, r.http1.recorder = r, r, r
	return r
}

func (r *recorder) wrap(w http.ResponseWriter) http.ResponseWriter {
	r.w = w
	if _, ok := w.(http.Flusher); !ok {
		return &r.plain
	}
	if _, ok := w.(http.Hijacker); ok {
		if r.reader, ok = w.(io.ReaderFrom); ok {
			return &r.http1
		}
	}
	return &r.http2
}

// release gives the recorder back. A hijacked one may still be in use.
func (r *recorder) release(pool *sync.Pool) {
	if r.hijacked {
		return
	}
	r.w, r.reader, r.status = nil, nil, 0
	pool.Put(r)
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.w.Header() }

// WriteHeader implements http.ResponseWriter. Early hints come before the status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.status = status
	}
	r.w.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	r.begin()
	return r.w.Write(b)
}

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.w }

// begin notes that net/http sends 200 now, if nothing else was said.
func (r *recorder) begin() {
	if r.status == 0 {
		r.status = http.StatusOK
	}
}

func (r *recorder) flush() {
	r.begin()
	r.w.(http.Flusher).Flush()
}

type plainWriter struct{ *recorder }

type flushWriter struct{ *recorder }

// Flush implements http.Flusher.
func (w *flushWriter) Flush() { w.flush() }

type fullWriter struct{ *recorder }

// Flush implements http.Flusher.
func (w *fullWriter) Flush() { w.flush() }

// Hijack implements http.Hijacker.
func (w *fullWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := w.w.(http.Hijacker).Hijack()
	w.hijacked = err == nil
	return conn, buffer, err
}

// ReadFrom implements io.ReaderFrom, which lets net/http use sendfile.
func (w *fullWriter) ReadFrom(src io.Reader) (int64, error) {
	w.begin()
	return w.reader.ReadFrom(src)
}
