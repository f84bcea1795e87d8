package http1

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Reply takes the answer to a request: Begin once, then the body. Small answers
// leave in one write.
type Reply struct {
	client  *client
	out     []byte
	begun   bool
	noBody  bool
	chunked bool
	left    int64 // Of a body with a length.
	err     error
}

// sendAt is as much as is collected before it is sent.
const sendAt = 16 << 10

// Begin writes the head. What has a length of -1 goes in chunks. Fields of the
// connection are left out.
func (w *Reply) Begin(status int, header Header, length int64) {
	if w.begun {
		return
	}
	w.begun = true
	w.out = append(w.out, "HTTP/1.1 "...)
	w.out = strconv.AppendInt(w.out, int64(status), 10)
	w.out = append(w.out, ' ')
	w.out = append(w.out, http.StatusText(status)...)
	w.out = append(w.out, "\r\n"...)
	for i := range header {
		f := &header[i]
		switch {
		case ofConnection(f.Name):
		case IsValue(f.Value):
			w.out = appendField(w.out, f.Name, f.Value)
		default:
			w.out = appendField(w.out, f.Name, endsNoLine.Replace(f.Value))
		}
	}
	w.frame(status, length)
	if w.client.server.stopping.Load() {
		w.out = append(w.out, "Connection: close\r\n"...)
	}
	w.out = append(w.out, "\r\n"...)
}

// endsNoLine keeps a value on its line.
var endsNoLine = strings.NewReplacer("\n", " ", "\r", " ")

// frame tells the client where the body ends.
func (w *Reply) frame(status int, length int64) {
	const noContent, notModified = http.StatusNoContent, http.StatusNotModified
	empty := w.noBody || status == noContent || status == notModified
	switch {
	case length >= 0 && status != noContent:
		w.out = append(w.out, "Content-Length: "...)
		w.out = strconv.AppendInt(w.out, length, 10)
		w.out = append(w.out, "\r\n"...)
		w.left = length
	case !empty:
		w.chunked = true
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
	w.noBody = empty
}

// Write implements io.Writer.
func (w *Reply) Write(p []byte) (int, error) {
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

// Flush sends what was written.
func (w *Reply) Flush() error {
	w.send()
	return w.err
}

func (w *Reply) send() {
	if w.err == nil && len(w.out) > 0 {
		w.client.extend(time.Now())
		_, w.err = w.client.Conn.Write(w.out)
	}
	w.out = w.out[:0]
}

// finish ends the answer. After an error the connection is of no use.
func (w *Reply) finish() error {
	w.Begin(http.StatusOK, nil, 0)
	if w.chunked {
		w.out = append(w.out, "0\r\n\r\n"...)
	}
	w.send()
	if w.err == nil && w.left > 0 && !w.noBody {
		w.err = http.ErrContentLength
	}
	return w.err
}
