package http1

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// echo answers with the request, and says who has read it: us or net/http. The query
// says what kind of answer it is.
type echo struct{ started, stopped chan struct{} }

func (e echo) ServeHTTP1(w *Reply, r *Request) {
	path, query, _ := strings.Cut(r.Target, "?")
	text := fmt.Sprintf("http1 %s %s %q", r.Method, path, r.Body)
	switch query {
	case "panic":
		panic("a bug of the handler")
	case "abort":
		w.Begin(200, nil, 100)
		_, _ = w.Write([]byte(text)) // What is lost is looked at by the client.
		_ = w.Flush()
		panic(http.ErrAbortHandler)
	case "short":
		w.Begin(200, nil, 100)
		_, _ = w.Write([]byte(text)) // As above.
	case "empty":
	case "204":
		w.Begin(204, Header{{"A", "b"}}, -1)
	case "304":
		w.Begin(304, nil, 7)
	case "line":
		w.Begin(200, Header{{"A", "b\r\nC: d"}, {"Connection", "close"}, {"Content-Length", "3"}}, int64(len(text)))
		_, _ = w.Write([]byte(text)) // As above.
	case "chunks":
		w.Begin(200, nil, -1)
		for _, part := range strings.SplitAfter(text, " ") {
			_, _ = w.Write([]byte(part)) // As above.
			_ = w.Flush()
		}
	case "long":
		w.Begin(200, nil, 1<<20)
		_, _ = w.Write(bytes.Repeat([]byte("a"), 1<<20)) // As above.
	case "gone":
		close(e.started)
		for !r.Gone() {
			time.Sleep(time.Millisecond)
		}
		close(e.stopped)
	default:
		w.Begin(200, nil, int64(len(text)))
		_, _ = w.Write([]byte(text)) // As above.
	}
}

func (e echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // What was read is what matters.
	fmt.Fprintf(w, "net/http %s %s %q", r.Method, r.URL.Path, body)
}

// serve starts a server in front of one of net/http's.
func serve(t *testing.T, limits Limits) (address string, handler echo, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handler = echo{started: make(chan struct{}), stopped: make(chan struct{})}
	front := NewServer(l, handler, limits, slog.New(slog.DiscardHandler))
	behind := &http.Server{Handler: handler, ReadHeaderTimeout: limits.Head}
	var running sync.WaitGroup
	running.Go(func() { _ = front.Serve() }) // It says that the listener was closed.
	running.Go(func() { _ = behind.Serve(front) })
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := front.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		_ = behind.Close() // As above.
		running.Wait()
	})
	t.Cleanup(stop)
	return l.Addr().String(), handler, stop
}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // It only fails for a closed one.
	return c
}

var patient = Limits{Head: 10 * time.Second, Idle: time.Minute, Write: 10 * time.Second}

// Parts of a request are divided by "|", as they come in.
func TestRequestsAreServedHoweverTheyCome(t *testing.T) {
	address, _, _ := serve(t, patient)
	const head = " HTTP/1.1\r\nHost: x\r\n"
	tests := []struct {
		name, parts string
		want        []string
	}{
		{"whole", "POST /o" + head + "Content-Length: 3\r\n\r\nb=2", []string{`http1 POST /o "b=2"`}},
		{"one after the other, at once", "GET /a" + head + "\r\nGET /b" + head + "\r\nPOST /c" + head + "Content-Length: 1\r\n\r\nx", []string{`http1 GET /a ""`, `http1 GET /b ""`, `http1 POST /c "x"`}},
		{"in parts", "PO|ST /o HT|TP/1.1\r|\nHost: x\r\n|Content-Length: 3\r\n\r|\nb|=2", []string{`http1 POST /o "b=2"`}},
		{"a second one in parts", "GET /a" + head + "\r\nGET /b HT|TP/1.1\r\nHost: x\r\n\r\n", []string{`http1 GET /a ""`, `http1 GET /b ""`}},
		{"chunked", "POST /o" + head + "Transfer-Encoding: chunked\r\n\r\n3\r\nb=2\r\n0\r\n\r\nGET /b" + head + "\r\n", []string{`net/http POST /o "b=2"`, `net/http GET /b ""`}},
		{"long head", "GET /o" + head + "X-Long: " + strings.Repeat("a", 10_000) + "\r\n\r\n", []string{`net/http GET /o ""`}},
		{"long body", "POST /o" + head + "Content-Length: 5000\r\n\r\n" + strings.Repeat("a", 5000), []string{`net/http POST /o "` + strings.Repeat("a", 5000) + `"`}},
		{"of a whole buffer", "POST /o" + head + "Content-Length: 4041\r\n\r\n" + strings.Repeat("a", 4041), []string{`http1 POST /o "` + strings.Repeat("a", 4041) + `"`}},
		{"last one", "GET /a" + head + "Connection: close\r\n\r\n", []string{`net/http GET /a ""`}},
		{"HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n", []string{`net/http GET /a ""`}},
		{"bare line ends", "GET /a HTTP/1.1\nHost: x\n\n", []string{`net/http GET /a ""`}},
		{"waits to be asked for its body", "POST /o" + head + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", []string{"", `net/http POST /o "x"`}},
		{"in chunks", "GET /o?chunks" + head + "\r\nGET /b" + head + "\r\n", []string{`http1 GET /o ""`, `http1 GET /b ""`}},
		{"nothing", "GET /o?empty" + head + "\r\nGET /o?204" + head + "\r\nGET /o?304" + head + "\r\nGET /b" + head + "\r\n", []string{"", "", "", `http1 GET /b ""`}},
		{"fields of the handler's", "GET /o?line" + head + "\r\nGET /b" + head + "\r\n", []string{`http1 GET /o ""`, `http1 GET /b ""`}},
		{"head only", "HEAD /o" + head + "\r\nHEAD /o?chunks" + head + "\r\nGET /b" + head + "\r\n", []string{"", "", `http1 GET /b ""`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := connect(t, address)
			for _, part := range strings.Split(test.parts, "|") {
				if _, err := io.WriteString(c, part); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Millisecond) // So that it is a part of its own.
			}
			in := bufio.NewReader(c)
			for i, want := range test.want {
				asked := &http.Request{Method: http.MethodGet}
				if test.name == "head only" && want == "" {
					asked.Method = http.MethodHead
				}
				resp, err := http.ReadResponse(in, asked)
				if err != nil {
					t.Fatalf("answer %d: %v", i, err)
				}
				got, err := io.ReadAll(resp.Body)
				if err != nil || string(got) != want || resp.Header.Get("C") != "" || resp.Close && i < len(test.want)-1 {
					t.Errorf("answer %d: got %q, %v, %v, want %q", i, got, err, resp.Header, want)
				}
			}
		})
	}
}

// What nobody may serve is refused by net/http, and nothing after it is read as a
// request.
func TestAmbiguousRequestsAreRefused(t *testing.T) {
	address, _, _ := serve(t, patient)
	const head = "POST /o HTTP/1.1\r\nHost: x\r\n"
	for name, raw := range map[string]string{
		"two lengths":           head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
		"list of lengths":       head + "Content-Length: 5, 6\r\n\r\nabcde",
		"signed length":         head + "Content-Length: +5\r\n\r\nabcde",
		"hexadecimal length":    head + "Content-Length: 0x5\r\n\r\nabcde",
		"unknown encoding":      head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"two encodings":         head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"space before colon":    head + "Content-Length : 5\r\n\r\nabcde",
		"folded line":           head + "A: b\r\n Content-Length: 5\r\nTransfer-Encoding: \x0bchunked\r\n\r\nabcde",
		"carriage return":       head + "A: b\rContent-Length: 5\r\n\r\n",
		"two hosts":             "GET /o HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"no host":               "GET /o HTTP/1.1\r\n\r\n",
		"control character":     "GET /o HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
		"space in the target":   "GET /o /p HTTP/1.1\r\nHost: x\r\n\r\n",
		"name with a byte 0x80": "GET /o HTTP/1.1\r\nHost: x\r\nA\x80: b\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, address)
			if _, err := io.WriteString(c, raw+"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body) // What was read is what matters.
			if resp.StatusCode < 400 || !resp.Close || strings.Contains(string(body), "smuggled") {
				t.Errorf("got %s %q, close %v; want a refusal that ends the connection", resp.Status, body, resp.Close)
			}
		})
	}
}

// A length beside chunks is what net/http reads as chunks only, and ends the matter.
func TestLengthBesideChunksIsNotBelieved(t *testing.T) {
	address, _, _ := serve(t, patient)
	c := connect(t, address)
	fmt.Fprint(c, "POST /o HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
	in := bufio.NewReader(c)
	for i, want := range []string{`net/http POST /o "a"`, `net/http GET /b ""`} {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			if i > 0 {
				return // It need not serve more on such a connection.
			}
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(resp.Body); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestBrokenAnswersEndTheConnection(t *testing.T) {
	address, _, _ := serve(t, patient)
	for _, kind := range []string{"panic", "abort", "short"} {
		c := connect(t, address)
		fmt.Fprintf(c, "GET /o?%s HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n", kind)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		if err == nil {
			t.Errorf("%s: got a whole answer, want an error", kind)
		}
	}
}

func TestClientsThatAreSlowLoseTheirConnection(t *testing.T) {
	address, _, stop := serve(t, Limits{Head: 50 * time.Millisecond, Idle: 50 * time.Millisecond, Write: 50 * time.Millisecond})
	// A byte now and then does not buy more time.
	dribble := connect(t, address)
	fmt.Fprint(dribble, "GET /o HTTP/1.1\r\n")
	idle := connect(t, address)
	fmt.Fprint(idle, "GET /o HTTP/1.1\r\nHost: x\r\n\r\n")
	deaf := connect(t, address)
	fmt.Fprint(deaf, strings.Repeat("GET /o?long HTTP/1.1\r\nHost: x\r\n\r\n", 30))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, idle) // Until the other side closes.
		_, _ = io.Copy(io.Discard, dribble)
	}()
	for open := true; open; {
		select {
		case <-ended:
			open = false
		case <-time.After(10 * time.Millisecond):
			fmt.Fprint(dribble, "A")
		}
	}
	stop() // It waits for the one that takes nothing.
}

func TestClientsThatLeaveAreSeen(t *testing.T) {
	address, handler, _ := serve(t, patient)
	c := connect(t, address)
	fmt.Fprint(c, "GET /o?gone HTTP/1.1\r\nHost: x\r\n\r\n")
	<-handler.started
	c.Close()
	<-handler.stopped
}

func TestShutdownLetsAnswersFinish(t *testing.T) {
	address, handler, stop := serve(t, patient)
	idle, busy := connect(t, address), connect(t, address)
	fmt.Fprint(idle, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
	in := bufio.NewReader(idle)
	if resp, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	} else if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(busy, "GET /o?gone HTTP/1.1\r\nHost: x\r\n\r\n")
	<-handler.started
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("idle connection: got %v, want its end", err)
	}
	select {
	case <-stopped:
		t.Error("stopped before the answer was given")
	default:
	}
	busy.(*net.TCPConn).CloseWrite()
	<-handler.stopped
	resp, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil || !resp.Close {
		t.Errorf("got %v, %v, want an answer that is the last one", resp, err)
	}
	<-stopped
}
