package governor

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzRequest sends bytes that need not be a request. Whatever they are, what reaches
// the exchange is a request of the exchange's, without anything that is ours, and the
// governor goes on.
func FuzzRequest(f *testing.F) {
	const head = " HTTP/1.1\r\nHost: x\r\n"
	for _, raw := range []string{
		"GET /api/v3/klines?symbol=BTCUSDT" + head + "\r\n",
		"POST /api/v3/order?timestamp=1&signature=x" + head + "Content-Length: 3\r\n\r\na=1",
		"POST /api/v3/order" + head + "Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n",
		"POST /api/v3/order" + head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /api/v3/order" + head + "X-Hedgewatch-Client: a\r\nAuthorization: Bearer b\r\nX-Hedgewatch-Priority: cancel\r\n\r\n",
		"GET /api/v3/order" + head + "x-hedgewatch-client : a\r\n\r\n",
		"GET /api/v3/order" + head + "Connection: X-MBX-APIKEY\r\nX-MBX-APIKEY: k\r\n\r\n",
		"GET /api/v3/order" + head + "X-A: b\rX-Hedgewatch-Client: c\r\n\r\n",
		"GET /api/..%2fv3/order" + head + "\r\nGET /sapi/v1/a" + head + "\r\n",
		"GET http://other.example/api/v3/time" + head + "\r\n",
		"GET /ws-api/v3" + head + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x85abcdefghi",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"GET /api/v3/order HTTP/1.0\r\n\r\n", "\r\n\r\n\r\n", "", "\x16\x03\x01\x02\x00",
	} {
		f.Add(raw)
	}
	p := newProxy(f, answers(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{clientHeader, priorityHeader, "Authorization"} {
			if r.Header.Get(name) != "" {
				f.Errorf("%s %s reached the exchange with %s", r.Method, r.RequestURI, name)
			}
		}
		path, _, _ := strings.Cut(r.RequestURI, "?")
		if !strings.HasPrefix(path, "/ws-") && checkPath(path) != nil {
			f.Errorf("the exchange was asked for %q", r.RequestURI)
		}
	}))
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := net.Dial("tcp", p.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // It only fails for a closed one.
		// Either side may end it at any time.
		_, _ = io.WriteString(c, raw)
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		resp, _ := p.do(t, http.MethodGet, "/api/v3/order?signature=x", "")
		if resp.StatusCode != http.StatusOK {
			t.Errorf("got %d for the next client, want 200", resp.StatusCode)
		}
		if log := p.log.String(); strings.Contains(log, "a bug") {
			t.Fatal(log)
		}
	})
}
