package governor

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// reply is the http.ResponseWriter of the front. What has no Content-Length goes in
// chunks. Small answers leave in one write.
type reply struct {
	conn    *plain
	header  http.Header // Kept for the next reply, as out is.
	out     []byte
	status  int
	noBody  bool
	chunked bool
	left    int64 // Of a body with a length.
	err     error
}

// sendAt is as much as is collected before it is sent.
const sendAt = 16 << 10

func newReply(p *plain, r *http.Request) *reply {
	w := p.front.replies.Get().(*reply)
	*w = reply{conn: p, header: w.header, out: w.out[:0], noBody: r.Method == http.MethodHead}
	return w
}

func (w *reply) release() {
	front := w.conn.front
	clear(w.header)
	w.conn = nil
	if cap(w.out) > 2*sendAt {
		w.out = nil
	}
	front.replies.Put(w)
}

// Header implements http.ResponseWriter.
func (w *reply) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *reply) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	w.out = append(w.out, "HTTP/1.1 "...)
	w.out = strconv.AppendInt(w.out, int64(status), 10)
	w.out = append(w.out, ' ')
	w.out = append(w.out, http.StatusText(status)...)
	w.out = append(w.out, "\r\n"...)
	if _, ok := w.header["Date"]; !ok {
		w.out = append(w.out, "Date: "...)
		w.out = time.Now().UTC().AppendFormat(w.out, http.TimeFormat)
		w.out = append(w.out, "\r\n"...)
	}
	for name, values := range w.header {
		for _, value := range values {
			w.out = append(w.out, name...)
			w.out = append(w.out, ": "...)
			w.out = append(w.out, endsNoLine.Replace(value)...)
			w.out = append(w.out, "\r\n"...)
		}
	}
	w.frame()
	if w.conn.front.stopping.Load() {
		w.out = append(w.out, "Connection: close\r\n"...)
	}
	w.out = append(w.out, "\r\n"...)
}

// endsNoLine keeps a value on its line.
var endsNoLine = strings.NewReplacer("\n", " ", "\r", " ")

// frame decides how the client knows where the body ends.
func (w *reply) frame() {
	w.noBody = w.noBody || w.status == http.StatusNoContent || w.status == http.StatusNotModified
	if length := w.header["Content-Length"]; len(length) == 1 {
		if n, err := strconv.ParseInt(length[0], 10, 64); err == nil {
			w.left = n
			return
		}
	}
	if !w.noBody {
		w.chunked = true
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
}

// Write implements http.ResponseWriter.
func (w *reply) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.noBody || len(p) == 0:
		return len(p), nil
	case w.chunked:
		w.out = strconv.AppendInt(w.out, int64(len(p)), 16)
		w.out = append(w.out, "\r\n"...)
		w.out = append(w.out, p...)
		w.out = append(w.out, "\r\n"...)
	case int64(len(p)) > w.left:
		return 0, http.ErrContentLength
	default:
		w.left -= int64(len(p))
		w.out = append(w.out, p...)
	}
	if len(w.out) >= sendAt {
		w.send()
	}
	return len(p), w.err
}

// FlushError implements what http.ResponseController looks for.
func (w *reply) FlushError() error {
	w.WriteHeader(http.StatusOK)
	w.send()
	return w.err
}

func (w *reply) send() {
	if w.err == nil && len(w.out) > 0 {
		w.conn.extend(time.Now())
		_, w.err = w.conn.Conn.Write(w.out)
	}
	w.out = w.out[:0]
}

// finish ends the answer. After an error the connection is of no use.
func (w *reply) finish() error {
	w.WriteHeader(http.StatusOK)
	if w.chunked {
		w.out = append(w.out, "0\r\n\r\n"...)
	}
	w.send()
	if w.err == nil && w.left > 0 && !w.noBody {
		w.err = http.ErrContentLength
	}
	return w.err
}
