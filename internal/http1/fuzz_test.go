package http1

import (
	"bufio"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// byName sorts fields by their names in the form of net/http, and keeps the order of
// those with one name.
func byName(h Header) Header {
	sorted := make(Header, len(h))
	for i, f := range h {
		sorted[i] = Field{http.CanonicalHeaderKey(f.Name), f.Value}
	}
	slices.SortStableFunc(sorted, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}

// without is the header without fields of the connection, as net/http leaves them out.
func without(h Header, names ...string) Header {
	return slices.DeleteFunc(h, func(f Field) bool {
		return slices.ContainsFunc(names, func(name string) bool { return Is(f.Name, name) })
	})
}

// What is plain means the same to net/http: the same request, the same body, and the
// next one begins at the same byte.
func FuzzParseRequest(f *testing.F) {
	const head = " HTTP/1.1\r\nHost: x\r\n"
	for _, raw := range []string{
		"GET /api/v3/klines?symbol=BTCUSDT" + head + "\r\n",
		"GET /a?b=%zz&c=d'\"<>" + head + "X-Mbx-Apikey: k\r\nx-mbx-apikey: l\r\nA: \t b \r\n\r\nGET /b" + head + "\r\n",
		"POST /api/v3/order?signature=x" + head + "Content-Length: 3\r\n\r\na=1GET / HTTP/1.1",
		"POST /o" + head + "Content-Length: 3\r\nContent-Length: 3\r\n\r\na=1",
		"POST /o" + head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\na=1",
		"POST /o" + head + "Content-Length: +3\r\n\r\na=1", "POST /o" + head + "Content-Length: 3 \r\n\r\na=1",
		"POST /o" + head + "Content-Length: 3, 3\r\n\r\na=1", "POST /o" + head + "content-length : 3\r\n\r\na=1",
		"POST /o" + head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST /o" + head + "Transfer-Encoding: identity\r\n\r\n", "POST /o" + head + "Transfer-Encoding:\tchunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n",
		"GET /a" + head + "Connection: keep-alive\r\n\r\n", "GET /a" + head + "Connection: close\r\n\r\n",
		"GET /a" + head + " folded: x\r\n\r\n", "GET /a" + head + "A: b\r\n c\r\n\r\n", "GET /a" + head + "A: b\rB: c\r\n\r\n", "GET /a" + head + "A: b\nB: c\r\n\r\n",
		"GET /a HTTP/1.1\nHost: x\n\n", "GET /a HTTP/1.1\r\n\r\n", "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", "GET /a HTTP/1.1\r\nHost:\r\n\r\n",
		"GET http://y/a" + head + "\r\n", "GET //y/a" + head + "\r\n", "GET /a%2" + head + "\r\n", "GET /a#b" + head + "\r\n", "GET /a b" + head + "\r\n", "GET  /a" + head + "\r\n",
		"GET /a\x00" + head + "\r\n", "GET /\xc3\xbc" + head + "\r\n", "GET /a" + head + "A\xc3\xbc: b\r\n\r\n", "GET /a" + head + "A: \xc3\xbc\r\n\r\n", "GET /a" + head + ": b\r\n\r\n",
		"OPTIONS *" + head + "\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /a HTTP/1.0\r\nHost: x\r\n\r\n", "\r\nGET /a" + head + "\r\n", "get /a" + head + "\r\n", "", "\x16\x03\x01\x02\x00",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, n, how := parseRequest([]byte(raw), nil, maxPlain)
		if how != whole {
			return
		}
		text := strings.NewReader(raw)
		in := bufio.NewReader(text)
		want, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("%q is plain, but for net/http %v", raw, err)
		}
		body, err := io.ReadAll(want.Body)
		if err != nil || string(body) != string(got.Body) {
			t.Errorf("body: got %q, want %q, %v", got.Body, body, err)
		}
		if rest := in.Buffered() + text.Len(); len(raw)-n != rest {
			t.Errorf("%d bytes are left, want %d", len(raw)-n, rest)
		}
		if got.Method != want.Method || got.Target != want.RequestURI || want.Close || want.ProtoMinor != 1 {
			t.Errorf("got %s %s, want %s %s, close %v, %s", got.Method, got.Target, want.Method, want.RequestURI, want.Close, want.Proto)
		}
		// It takes Host out of the header.
		if h := byName(without(slices.Clone(got.Header), "Host")); !slices.Equal(h, byName(HeaderOf(want.Header))) || got.Header.Get("host") != want.Host {
			t.Errorf("got header %q, want %q and Host %q", got.Header, want.Header, want.Host)
		}
		if part := raw[:n-1]; n > 1 {
			if _, _, how := parseRequest([]byte(part), nil, maxPlain); how == whole {
				t.Errorf("%q is whole already", part)
			}
		}
	})
}

// What is a plain answer means the same to net/http.
func FuzzParseResponse(f *testing.F) {
	for _, raw := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-mbx-used-weight-1m: 5\r\nDate: x\r\n\r\n{}more",
		"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 200OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 0200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 204 No Content\r\n\r\nmore", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nmore", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nmore",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "HTTP/1.1 200 OK\r\n\r\n{}",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
	} {
		f.Add(raw, "GET")
		f.Add(raw, "HEAD")
	}
	f.Fuzz(func(t *testing.T, raw, method string) {
		got, n, ok := parseResponse([]byte(raw), method)
		if !ok {
			return
		}
		in := bufio.NewReader(strings.NewReader(raw[n:]))
		want, err := http.ReadResponse(bufio.NewReader(strings.NewReader(raw)), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q is plain, but for net/http %v", raw, err)
		}
		if got.Status != want.StatusCode || want.Close || len(want.TransferEncoding) > 0 {
			t.Errorf("got %d, want %d, close %v, encoding %q", got.Status, want.StatusCode, want.Close, want.TransferEncoding)
		}
		length := max(got.Length, 0)
		if method == http.MethodHead || got.Status == http.StatusNotModified {
			length = 0
		}
		mine, _ := io.ReadAll(io.LimitReader(in, length)) // Reads from memory.
		theirs, _ := io.ReadAll(want.Body)                // It breaks off where raw does.
		if string(mine) != string(theirs) {
			t.Errorf("body: got %q, want %q", mine, theirs)
		}
		header := byName(HeaderOf(want.Header).Passed())
		// For Pragma it invents a field.
		if h := byName(got.Header); got.Header.Get("Pragma") == "" && !slices.Equal(h, header) {
			t.Errorf("got header %q, want %q", h, header)
		}
	})
}

// FuzzAnswer lets a server answer anything: what comes is an answer or an error, and
// the next one is not mixed up with it.
func FuzzAnswer(f *testing.F) {
	for _, raw := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Mbx-Used-Weight-1m: -1\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Mbx-Used-Weight-1m: 99999999999999999999\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\nsomebody else's",
		"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", "HTTP/1.1 999 \r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"HTTP/1.1 503 Service Unavailable\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", "HTTP/1.1 200 OK\r\nDate: never\r\n\r\n", "",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		base, _ := scripted(t, raw)
		c := newTestClient(t)
		for range 2 {
			resp, err := send(t.Context(), c, http.MethodPost, base, "")
			if err != nil {
				continue
			}
			body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			resp.Body.Close()
			if err == nil && strings.Contains(string(body), "somebody else") && strings.Contains(raw, "Content-Length: 2\r\n") {
				t.Errorf("got %q, which is another answer", body)
			}
		}
	})
}
