package governor

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Whether the front serves a request or hands it over, its answer is the same.
func TestRequestsAreServedHoweverTheyCome(t *testing.T) {
	p := newProxy(t, answers(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Query().Has("stream") {
			w.(http.Flusher).Flush()
		}
		fmt.Fprintf(w, "%s %s %s %d", r.Method, r.RequestURI, body, len(r.Header.Get("X-Long")))
	}))
	const head = " HTTP/1.1\r\nHost: x\r\n"
	tests := []struct {
		name  string
		parts []string
		want  []string
	}{
		{"whole", []string{"POST /api/v3/order?a=1" + head + "Content-Length: 3\r\n\r\nb=2"}, []string{"POST /api/v3/order?a=1 b=2 0"}},
		{
			"one after the other, at once",
			[]string{"GET /api/v3/order?a=1" + head + "\r\nGET /api/v3/order?a=2" + head + "\r\nPOST /api/v3/order?a=3" + head + "Content-Length: 1\r\n\r\nx"},
			[]string{"GET /api/v3/order?a=1  0", "GET /api/v3/order?a=2  0", "POST /api/v3/order?a=3 x 0"},
		},
		{"in parts", []string{"POST /api/v3/ord", "er?a=1" + head, "Content-Length: 3\r\n\r\n", "b=2"}, []string{"POST /api/v3/order?a=1 b=2 0"}},
		{"half of the second", []string{"GET /api/v3/order?a=1" + head + "\r\nGET /api/v3/or", "der?a=2" + head + "\r\n"}, []string{"GET /api/v3/order?a=1  0", "GET /api/v3/order?a=2  0"}},
		{"body after its head", []string{"POST /api/v3/order?a=1" + head + "Content-Length: 3\r\n\r\n", "b=2"}, []string{"POST /api/v3/order?a=1 b=2 0"}},
		{"chunked", []string{"POST /api/v3/order" + head + "Transfer-Encoding: chunked\r\n\r\n3\r\nb=2\r\n0\r\n\r\n"}, []string{"POST /api/v3/order b=2 0"}},
		{"long head", []string{"GET /api/v3/order" + head + "X-Long: " + strings.Repeat("a", 10_000) + "\r\n\r\n"}, []string{"GET /api/v3/order  10000"}},
		{"long body", []string{"POST /api/v3/order" + head + "Content-Length: 9000\r\n\r\n" + strings.Repeat("a", 9000)}, []string{"POST /api/v3/order " + strings.Repeat("a", 9000) + " 0"}},
		{"of unknown length", []string{"GET /api/v3/order?stream" + head + "\r\n"}, []string{"GET /api/v3/order?stream  0"}},
		{"head only", []string{"HEAD /api/v3/order" + head + "\r\nGET /api/v3/order?a=2" + head + "\r\n"}, []string{"", "GET /api/v3/order?a=2  0"}},
		{"last one", []string{"GET /api/v3/order" + head + "Connection: close\r\n\r\n"}, []string{"GET /api/v3/order  0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := net.Dial("tcp", p.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			for _, part := range test.parts {
				if _, err := io.WriteString(c, part); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Millisecond) // So that it is a part of its own.
			}
			in := bufio.NewReader(c)
			for i, want := range test.want {
				request := &http.Request{Method: http.MethodGet}
				if want == "" {
					request.Method = http.MethodHead
				}
				resp, err := http.ReadResponse(in, request)
				if err != nil {
					t.Fatalf("answer %d: %v", i, err)
				}
				if got := readAll(resp); got != want || resp.StatusCode != http.StatusOK {
					t.Errorf("answer %d: got %d %q, want %q", i, resp.StatusCode, got, want)
				}
			}
		})
	}
}

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	p := newProxy(t, answers(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-answer
		_, _ = io.WriteString(w, "done")
	}))
	idle, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	got := make(chan string, 1)
	go func() {
		resp, err := p.client.Post(p.url+"/api/v3/order", "", nil)
		if err != nil {
			got <- err.Error()
			return
		}
		got <- readAll(resp)
	}()
	<-arrived
	stopped := make(chan struct{})
	go func() {
		p.stop()
		close(stopped)
	}()
	_ = idle.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("idle connection: got %v, want EOF", err)
	}
	select {
	case <-stopped:
		t.Error("stopped before the order was answered")
	default:
	}
	close(answer)
	if text := <-got; text != "done" {
		t.Errorf("got %q, want %q", text, "done")
	}
	<-stopped
}

// A client that leaves while it waits costs nothing.
func TestNothingIsSentForAClientThatLeft(t *testing.T) {
	// The next window would let the request go.
	if left := time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)); left < 15*time.Second {
		time.Sleep(left)
	}
	var sent atomic.Int64
	p := newProxy(t, answers(func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		w.Header().Set("X-MBX-USED-WEIGHT-1M", "6000") // More than any limit, read or not.
	}))
	resp, _ := p.do(t, http.MethodGet, "/api/v3/account?signature=x", "")
	expect(t, resp, http.StatusOK, "")
	// The window is full, so that these wait for the next.
	gate := p.market("spot")
	gate.setRules(rules{queueSize: 10, timeout: 2 * time.Minute})
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET /api/v3/account?signature=y HTTP/1.1\r\nHost: x\r\n\r\n")
	waiting := func() int { return p.Status().Markets[0].Queued["account"] }
	await(t, "the request waits", func() bool { return waiting() == 1 })
	c.Close()
	await(t, "nothing waits", func() bool { return waiting() == 0 })
	if n := sent.Load(); n != 1 {
		t.Errorf("%d requests were sent, want 1", n)
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen in time: %s", what)
		}
	}
}
