package http1

import (
	"bytes"
	"strings"
)

var endOfHead = []byte("\r\n\r\n")

// maxFields bounds the fields of a plain head.
const maxFields = 64

// parseHead reads the plain head at the beginning of b into fields. It takes what
// everybody reads in the same way and nothing else: each line ends in CRLF, each name
// is a token that the colon follows, no value has a control character.
//
//	GET /api/v3/time HTTP/1.1⏎ → start
//	Host: x⏎                   → a field
//	⏎                          → n is behind this
//
// It is false if the head is not whole, or not plain.
func parseHead(b []byte, fields Header) (start string, _ Header, n int, ok bool) {
	end := bytes.Index(b, endOfHead)
	if end < 0 {
		return "", fields, 0, false
	}
	n = end + len(endOfHead)
	// One copy, which the strings of the head share.
	text := string(b[:end+2])
	for first := true; text != ""; first = false {
		at := strings.IndexByte(text, '\r')
		if at < 0 || at+1 >= len(text) || text[at+1] != '\n' {
			return "", fields, 0, false
		}
		line := text[:at]
		text = text[at+2:]
		if first {
			start = line
			continue
		}
		f, plain := parseField(line)
		if !plain || len(fields) == maxFields {
			return "", fields, 0, false
		}
		fields = append(fields, f)
	}
	return start, fields, n, IsValue(start)
}

func parseField(line string) (f Field, ok bool) {
	colon := strings.IndexByte(line, ':')
	if colon <= 0 {
		return f, false
	}
	f = Field{line[:colon], strings.Trim(line[colon+1:], " \t")}
	return f, IsName(f.Name) && IsValue(f.Value)
}

// IsName says that a text can stand before the colon of a field; RFC 9110, 5.6.2.
func IsName(text string) bool {
	for i := range len(text) {
		if !isToken(text[i]) {
			return false
		}
	}
	return text != ""
}

func isToken(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
		return true
	}
	return strings.IndexByte("!#$%&'*+.^_`|~", c) >= 0
}

// IsValue says that a text cannot end a line of a head.
func IsValue(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// parseLength reads a Content-Length of digits only.
func parseLength(text string) (n int64, ok bool) {
	const most = 18
	if text == "" || len(text) > most {
		return 0, false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(text[i]-'0')
	}
	return n, true
}

// framing is what a plain head says of its connection.
type framing struct {
	hosts  int
	length int64 // -1 if it is not told.
}

// frame reads the fields that say where the message ends. It is false if one of them
// is not plain.
func frame(fields Header) (f framing, ok bool) {
	f.length = -1
	for i := range fields {
		name, value := fields[i].Name, fields[i].Value
		switch len(name) {
		case len("Host"):
			if Is(name, "Host") {
				if !isHost(value) {
					return f, false
				}
				f.hosts++
			}
		case len("Content-Length"):
			if Is(name, "Content-Length") {
				n, whole := parseLength(value)
				if !whole || f.length >= 0 {
					return f, false
				}
				f.length = n
			}
		case len("Connection"):
			if Is(name, "Connection") && !Is(value, "keep-alive") {
				return f, false
			}
		case len("Expect"):
			if Is(name, "Expect") {
				return f, false
			}
		case len("Upgrade"):
			if Is(name, "Upgrade") || Is(name, "Trailer") {
				return f, false
			}
		case len("Transfer-Encoding"):
			if Is(name, "Transfer-Encoding") {
				return f, false
			}
		}
	}
	return f, true
}

// isHost says that a text is a host and perhaps a port, as far as that needs no
// thought.
func isHost(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(".-:[]_", c) >= 0:
		default:
			return false
		}
	}
	return text != ""
}

// reading is how far a request has come.
type reading int

const (
	whole  reading = iota
	partly         // More of it must come.
	odd            // It is for net/http.
)

// parseRequest reads the request at the beginning of b, which has n bytes. Its header
// uses the memory of fields, its body that of b. At most bytes may be a plain one.
func parseRequest(b []byte, fields Header, most int) (r Request, n int, _ reading) {
	start, fields, head, ok := parseHead(b, fields[:0])
	if !ok {
		if len(b) < most && !bytes.Contains(b, endOfHead) && startsPlain(b) {
			return r, 0, partly
		}
		return r, 0, odd
	}
	method, rest, _ := strings.Cut(start, " ")
	target, version, _ := strings.Cut(rest, " ")
	f, ok := frame(fields)
	if !ok || f.hosts != 1 || version != "HTTP/1.1" || !IsName(method) || !isTarget(target) || f.length > int64(most-head) {
		return r, 0, odd
	}
	n = head + int(max(f.length, 0))
	if len(b) < n {
		return r, 0, partly
	}
	return Request{Method: method, Target: target, Header: fields, Body: b[head:n]}, n, whole
}

// startsPlain says that what came of a head may become a plain one: it is no TLS,
// HTTP/2 or nonsense, which should not wait for more.
func startsPlain(b []byte) bool {
	method, rest, _ := bytes.Cut(b, []byte(" "))
	for _, c := range method {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	for at := bytes.IndexByte(rest, '\n'); at >= 0; at = bytes.IndexByte(rest, '\n') {
		if at == 0 || rest[at-1] != '\r' {
			return false
		}
		rest = rest[at+1:]
	}
	return len(method) > 0 && string(method) != "PRI"
}

// isTarget takes a path and a query that every reader splits at the same places.
func isTarget(target string) bool {
	if target == "" || target[0] != '/' {
		return false
	}
	path := true
	for i := range len(target) {
		switch c := target[i]; {
		case c <= ' ' || c >= 0x7f || c == '#' || path && c == '%':
			return false
		case c == '?':
			path = false
		}
	}
	return true
}

// parseResponse reads the plain head of an answer at the beginning of b, which has n
// bytes. The length is -1 only where no body follows.
func parseResponse(b []byte, method string) (r *Response, n int, ok bool) {
	const usual = 16
	start, fields, n, ok := parseHead(b, make(Header, 0, usual))
	if !ok {
		return nil, 0, false
	}
	status, ok := parseStatus(start)
	f, plain := frame(fields)
	bodyless := method == "HEAD" || status == 204 || status == 304
	if !ok || !plain || f.length < 0 && !bodyless || status == 204 && f.length >= 0 {
		return nil, 0, false
	}
	return &Response{Status: status, Header: fields.Passed(), Length: f.length}, n, true
}

// parseStatus reads "HTTP/1.1 200 OK"; an answer before the answer is not plain.
func parseStatus(start string) (status int, ok bool) {
	const version, digits = "HTTP/1.1 ", 3
	text, ok := strings.CutPrefix(start, version)
	if !ok || len(text) < digits || len(text) > digits && text[digits] != ' ' {
		return 0, false
	}
	for i := range digits {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		status = status*10 + int(text[i]-'0')
	}
	return status, status >= 200
}
