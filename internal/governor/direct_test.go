package governor

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

func newTestDirect(t testing.TB) *direct {
	d := newDirect(&net.Dialer{Timeout: dialTimeout})
	t.Cleanup(d.CloseIdleConnections)
	return d
}

func outgoing(ctx context.Context, method, base, body string) *http.Request {
	u, _ := url.Parse(base)
	c := call{method: method, path: "/api/v3/order", body: []byte(body), header: http.Header{}}
	return c.withHeader(u, c.header).WithContext(ctx)
}

func TestDirectReadsAnswersAsTheyAreFramed(t *testing.T) {
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
			d := newTestDirect(t)
			resp, err := d.RoundTrip(outgoing(t.Context(), test.method, base, ""))
			if err != nil {
				t.Fatal(err)
			}
			if got := readAll(resp); got != test.want || resp.StatusCode != test.status {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, got, test.status, test.want)
			}
			kept := 0
			for _, all := range d.idle {
				kept += len(all)
			}
			if (kept == 1) != test.keeps {
				t.Errorf("%d connections are kept, want that to be %v", kept, test.keeps)
			}
		})
	}
}

func TestDirectRefusesWhatIsNoAnswer(t *testing.T) {
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
			_, err := newTestDirect(t).RoundTrip(outgoing(t.Context(), "POST", base, "a"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

// The exchange closes a connection after each answer without saying so.
func TestStaleConnectionsCostNoOrder(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, method := range []string{"GET", "POST"} {
		base, asked := scripted(t, ok)
		d := newTestDirect(t)
		for i := range 5 {
			resp, err := d.RoundTrip(outgoing(t.Context(), method, base, ""))
			if err != nil {
				t.Fatalf("%s %d: %v", method, i, err)
			}
			readAll(resp)
			time.Sleep(5 * time.Millisecond) // For its end to arrive.
		}
		if n := asked.Load(); n != 5 {
			t.Errorf("%s: the exchange was asked %d times, want 5", method, n)
		}
	}
}

// The exchange takes the second request of a connection and says nothing.
func TestOnlyReadingsAreRepeated(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, test := range []struct {
		method string
		repeat bool
	}{{"GET", true}, {"POST", false}, {"DELETE", false}} {
		base, asked := scripted(t, ok, "")
		d := newTestDirect(t)
		resp, err := d.RoundTrip(outgoing(t.Context(), test.method, base, ""))
		if err != nil {
			t.Fatal(err)
		}
		readAll(resp)
		resp, err = d.RoundTrip(outgoing(t.Context(), test.method, base, ""))
		if err == nil {
			readAll(resp)
		}
		if (err == nil) != test.repeat {
			t.Errorf("%s: got error %v, want that to be %v", test.method, err, !test.repeat)
		}
		if n, want := asked.Load(), map[bool]int64{false: 2, true: 3}[test.repeat]; n != want {
			t.Errorf("%s: the exchange was asked %d times, want %d", test.method, n, want)
		}
	}
}

func TestDirectEndsWithItsContext(t *testing.T) {
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
	resp, err := newTestDirect(t).RoundTrip(outgoing(ctx, "GET", "http://"+l.Addr().String(), ""))
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
	d := newTestDirect(t)
	for name, change := range map[string]func(*http.Request){
		"query":  func(r *http.Request) { r.URL.RawQuery = "a HTTP/1.1\r\nX: y" },
		"header": func(r *http.Request) { r.Header["X-A"] = []string{"a\r\nX-B: c"} },
		"name":   func(r *http.Request) { r.Header["X: a\r\nX-B"] = []string{"a"} },
	} {
		r := outgoing(t.Context(), "GET", base, "")
		change(r)
		if _, err := d.RoundTrip(r); !errors.Is(err, errHeader) {
			t.Errorf("%s: got %v, want %v", name, err, errHeader)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the exchange was asked %d times", n)
	}
}
