package services

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrTooLarge is in the error of an answer that is beyond its bound.
var ErrTooLarge = errors.New("too large to be read")

// BoundBody makes the reading of resp's body fail beyond limit bytes. Who serves
// a platform's API is trusted to tell what runs, not with all of our memory.
func BoundBody(resp *http.Response, limit int64) {
	resp.Body = &boundedBody{ReadCloser: resp.Body, what: whatAnswer(resp), limit: limit}
}

// BoundLines is BoundBody for a stream of lines that has no end: each of them may
// have limit bytes.
func BoundLines(resp *http.Response, limit int64) {
	resp.Body = &boundedBody{ReadCloser: resp.Body, what: "one line of " + whatAnswer(resp), limit: limit, lines: true}
}

func whatAnswer(resp *http.Response) string {
	if resp.Request == nil || resp.Request.URL == nil {
		return "the answer"
	}
	return "the answer to " + resp.Request.Method + " " + resp.Request.URL.Path
}

type boundedBody struct {
	io.ReadCloser
	what        string
	limit, used int64
	lines       bool
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.used > b.limit {
		return 0, b.err()
	}
	n, err := b.ReadCloser.Read(p)
	b.used += int64(n)
	if i := bytes.LastIndexByte(p[:n], '\n'); b.lines && i >= 0 {
		b.used = int64(n - i - 1)
	}
	if b.used > b.limit {
		return 0, b.err()
	}
	return n, err
}

func (b *boundedBody) err() error {
	return fmt.Errorf("%s is larger than %d bytes: %w", b.what, b.limit, ErrTooLarge)
}

// LogTail keeps the last MaxLogBytes of what is written to it.
type LogTail struct{ text []byte }

// Write implements io.Writer.
func (t *LogTail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) >= MaxLogBytes {
		t.text, p = t.text[:0], p[len(p)-MaxLogBytes:]
	}
	if over := len(t.text) + len(p) - MaxLogBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	t.text = append(t.text, p...)
	return n, nil
}

// Bytes returns what is kept.
func (t *LogTail) Bytes() []byte { return t.text }
