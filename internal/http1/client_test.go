package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// scripted answers the nth request of each connection with the nth text, and closes
// the connection after the last one.
func scripted(t testing.TB, texts ...string) (base string, asked *atomic.Int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	asked = new(atomic.Int64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for _, text := range texts {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					asked.Add(1)
					_, _ = io.WriteString(c, text)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), asked
}

func newTestClient(t testing.TB) *Client {
	c := NewClient(&net.Dialer{Timeout: 5 * time.Second})
	t.Cleanup(c.Close)
	return c
}

// send sends a request to the base of a URL.
func send(ctx context.Context, c *Client, method, base, body string) (*Response, error) {
	to, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	return c.Do(ctx, to, &Request{Method: method, Target: "/api/v3/order", Body: []byte(body)})
}

func readAll(r *Response) string {
	text, _ := io.ReadAll(r.Body) // What was read is what matters.
	r.Body.Close()
	return string(text)
}

func TestClientReadsAnswersAsTheyAreFramed(t *testing.T) {
	tests := []struct {
		name, method, text, want string
		status                   int
		keeps                    bool // The connection.
	}{
		{"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 200, true},
		{"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", "ok", 200, true},
		{"trailer", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n2\r\nok\r\n0\r\nX-A: 1\r\n\r\n", "ok", 200, true},
		{"to the end", "GET", "HTTP/1.1 200 OK\r\n\r\nok", "ok", 200, false},
		{"last one", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok", 200, false},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 200, false},
		{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "", 200, true},
		{"nothing", "DELETE", "HTTP/1.1 204 No Content\r\n\r\n", "", 204, true},
		{"interim", "POST", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 200, true},
		{"more than asked for", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", "ok", 200, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base, _ := scripted(t, test.text, test.text)
			if strings.HasPrefix(test.name, "to the end") {
				base, _ = scripted(t, test.text)
			}
			c := newTestClient(t)
			resp, err := send(t.Context(), c, test.method, base, "")
			if err != nil {
				t.Fatal(err)
			}
			if got := readAll(resp); got != test.want || resp.Status != test.status {
				t.Errorf("got %d %q, want %d %q", resp.Status, got, test.status, test.want)
			}
			kept := 0
			for _, all := range c.idle {
				kept += len(all)
			}
			if (kept == 1) != test.keeps {
				t.Errorf("%d connections are kept, want that to be %v", kept, test.keeps)
			}
		})
	}
}

func TestClientRefusesWhatIsNoAnswer(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "unexpected EOF"},
		{"half a head", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "unexpected EOF"},
		{"no HTTP", "SSH-2.0-x\r\n\r\n", "malformed"},
		{"upgrade", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "unasked"},
		{"endless interim", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20), "interim"},
		{"endless head", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", maxAnswerHead) + "\r\n\r\n", errLongHead.Error()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base, _ := scripted(t, test.text)
			_, err := send(t.Context(), newTestClient(t), "POST", base, "a")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

// The server closes a connection after each answer without saying so.
func TestStaleConnectionsCostNoOrder(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, method := range []string{"GET", "POST"} {
		base, asked := scripted(t, ok)
		c := newTestClient(t)
		for i := range 5 {
			resp, err := send(t.Context(), c, method, base, "")
			if err != nil {
				t.Fatalf("%s %d: %v", method, i, err)
			}
			readAll(resp)
			time.Sleep(5 * time.Millisecond) // For its end to arrive.
		}
		if n := asked.Load(); n != 5 {
			t.Errorf("%s: the server was asked %d times, want 5", method, n)
		}
	}
}

// The server takes the second request of a connection and says nothing.
func TestOnlyReadingsAreRepeated(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, test := range []struct {
		method string
		repeat bool
	}{{"GET", true}, {"POST", false}, {"DELETE", false}} {
		base, asked := scripted(t, ok, "")
		c := newTestClient(t)
		resp, err := send(t.Context(), c, test.method, base, "")
		if err != nil {
			t.Fatal(err)
		}
		readAll(resp)
		resp, err = send(t.Context(), c, test.method, base, "")
		if err == nil {
			readAll(resp)
		}
		if (err == nil) != test.repeat {
			t.Errorf("%s: got error %v, want that to be %v", test.method, err, !test.repeat)
		}
		if n, want := asked.Load(), map[bool]int64{false: 2, true: 3}[test.repeat]; n != want {
			t.Errorf("%s: the server was asked %d times, want %d", test.method, n, want)
		}
	}
}

func TestClientEndsWithItsContext(t *testing.T) {
	arrived := make(chan struct{}, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = http.ReadRequest(bufio.NewReader(c))
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
		arrived <- struct{}{}
		_, _ = c.Read(make([]byte, 1)) // Until the other side closes.
	}()
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := send(ctx, newTestClient(t), "GET", "http://"+l.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	<-arrived
	time.AfterFunc(5*time.Millisecond, cancel)
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context was canceled", err)
	}
	resp.Body.Close()
	<-done
}

func TestNothingEndsALineOfTheHead(t *testing.T) {
	base, asked := scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	to, _ := url.Parse(base)
	c := newTestClient(t)
	for name, r := range map[string]Request{
		"method": {Method: "GET / HTTP/1.1\r\nX:", Target: "/"},
		"target": {Method: "GET", Target: "/?a HTTP/1.1\r\nX: y"},
		"space":  {Method: "GET", Target: "/?a b"},
		"header": {Method: "GET", Target: "/", Header: Header{{"X-A", "a\r\nX-B: c"}}},
		"name":   {Method: "GET", Target: "/", Header: Header{{"X: a\r\nX-B", "a"}}},
	} {
		if _, err := c.Do(t.Context(), to, &r); !errors.Is(err, ErrHead) {
			t.Errorf("%s: got %v, want %v", name, err, ErrHead)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// What was written stands as it came: order, spelling, and nothing of ours.
func TestRequestsGoOutAsTheyAre(t *testing.T) {
	tests := []struct {
		name string
		r    Request
		want string
	}{
		{
			"reading",
			Request{Method: "GET", Target: "/api/v3/account?b=%2f&a=&&signature=AbC%2F=", Header: Header{{"x-mbx-APIKEY", "k"}, {"A", "1"}, {"accept", ""}, {"A", "2"}}},
			"GET /api/v3/account?b=%2f&a=&&signature=AbC%2F= HTTP/1.1\r\nHost: h:1\r\nx-mbx-APIKEY: k\r\nA: 1\r\naccept: \r\nA: 2\r\n\r\n",
		},
		{"order", Request{Method: "POST", Target: "/o", Body: []byte("a=b")}, "POST /o HTTP/1.1\r\nHost: h:1\r\nContent-Length: 3\r\n\r\na=b"},
		{"empty order", Request{Method: "POST", Target: "/o"}, "POST /o HTTP/1.1\r\nHost: h:1\r\nContent-Length: 0\r\n\r\n"},
		{"cancel", Request{Method: "DELETE", Target: "/o"}, "DELETE /o HTTP/1.1\r\nHost: h:1\r\n\r\n"},
		{
			"of the connection",
			Request{Method: "GET", Target: "/", Header: Header{{"Host", "other"}, {"connection", "close"}, {"Content-length", "7"}, {"Transfer-Encoding", "chunked"}, {"TE", "trailers"}, {"upgrade", "h2c"}}},
			"GET / HTTP/1.1\r\nHost: h:1\r\n\r\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := appendRequest(nil, "h:1", &test.r)
			if err != nil || string(got) != test.want {
				t.Errorf("got %q, %v\nwant %q", got, err, test.want)
			}
		})
	}
}
