// Package http1 passes HTTP/1.1 messages on without taking them to pieces. It knows
// the plain ones, which nearly all are: heads of ordinary lines, bodies whose length
// is told. It keeps names, their order and every byte as they came, and needs
// neither maps nor further goroutines for them.
//
// It has no opinion on anything else. What is not plain goes to net/http, which
// knows what is allowed: a [Server] hands the connection over with all that it has
// read, a [Client] lets net/http read the answer. So there is one judge of what is
// odd, and none of it can mean one thing here and another there.
//
// Start with [Server] and [Client]. It is not for WebSockets, HTTP/2 or the server's
// side of TLS.
package http1

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Header is the fields of a head, in the order and the spelling in which they came.
type Header []Field

// Field is one line of a head.
type Field struct{ Name, Value string }

// Get is the value of the first field of that name, empty if there is none.
func (h Header) Get(name string) string {
	for i := range h {
		if Is(h[i].Name, name) {
			return h[i].Value
		}
	}
	return ""
}

// HeaderOf takes over what net/http has read.
func HeaderOf(from http.Header) Header {
	h := make(Header, 0, len(from)+1)
	for name, values := range from {
		for _, value := range values {
			h = append(h, Field{name, value})
		}
	}
	return h
}

// HTTP is the header in the form of net/http.
func (h Header) HTTP() http.Header {
	to := make(http.Header, len(h))
	for _, f := range h {
		to.Add(f.Name, f.Value)
	}
	return to
}

// Passed are the fields that go on to the next connection: all but those that the
// connection itself needs, and those that it names. It uses h's memory.
func (h Header) Passed() Header {
	var named []string
	for _, f := range h {
		if Is(f.Name, "Connection") && !Is(f.Value, "keep-alive") {
			named = append(named, strings.Split(f.Value, ",")...)
		}
	}
	return slices.DeleteFunc(h, func(f Field) bool {
		return ofConnection(f.Name) || slices.ContainsFunc(named, func(name string) bool { return Is(f.Name, strings.Trim(name, " \t")) })
	})
}

// ofConnection says that a field concerns one connection, or tells where a body ends,
// which the next connection tells in its own way.
func ofConnection(name string) bool {
	switch len(name) {
	case len("TE"):
		return Is(name, "TE")
	case len("Trailer"):
		return Is(name, "Trailer") || Is(name, "Upgrade")
	case len("Connection"):
		return Is(name, "Connection") || Is(name, "Keep-Alive")
	case len("Content-Length"):
		return Is(name, "Content-Length")
	case len("Proxy-Connection"):
		return Is(name, "Proxy-Connection")
	case len("Transfer-Encoding"):
		return Is(name, "Transfer-Encoding")
	case len("Proxy-Authenticate"):
		return Is(name, "Proxy-Authenticate")
	case len("Proxy-Authorization"):
		return Is(name, "Proxy-Authorization")
	}
	return false
}

// Is compares names, whose letters may be of either case.
func Is(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// Request is a whole request.
type Request struct {
	// Method and Target stand as the client wrote them.
	Method, Target string
	Header         Header
	Body           []byte
	// Gone tells whether the client of a server has left. A request that is sent has
	// a context for that.
	Gone func() bool
}

// Response is an answer whose body is still on its way.
type Response struct {
	Status int
	// Header has no fields of the connection.
	Header Header
	// Length is the body's, -1 if nobody knows. The answer to HEAD has a length and
	// no body.
	Length int64
	// Body must be closed.
	Body io.ReadCloser
}

// HTTP is the answer in the form of net/http.
func (r *Response) HTTP(asked *http.Request) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(r.Status) + " " + http.StatusText(r.Status), StatusCode: r.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.Header.HTTP(), ContentLength: r.Length, Body: r.Body, Request: asked,
	}
}

// ResponseOf takes over an answer that net/http has read.
func ResponseOf(r *http.Response) *Response {
	out := &Response{Status: r.StatusCode, Header: HeaderOf(r.Header).Passed(), Length: r.ContentLength, Body: r.Body}
	if out.Body == nil {
		out.Body = http.NoBody
	}
	return out
}
