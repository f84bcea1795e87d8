package governor

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// frame writes a text frame; the client's are masked.
func frame(text string, masked bool) []byte {
	b := []byte{0x81}
	mask := byte(0)
	if masked {
		mask = 0x80
	}
	switch {
	case len(text) < 126:
		b = append(b, mask|byte(len(text)))
	default:
		b = append(b, mask|126, byte(len(text)>>8), byte(len(text)))
	}
	payload := []byte(text)
	if masked {
		key := [4]byte{1, 2, 3, 4}
		b = append(b, key[:]...)
		for i := range payload {
			payload[i] ^= key[i%4]
		}
	}
	return append(b, payload...)
}

// socketServer answers each message with the text that reply gives.
func socketServer(t *testing.T, reply func(message string) string) http.Handler {
	return answers(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Sec-WebSocket-Extensions"); got != "" {
			t.Errorf("the exchange was asked for %q", got)
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
		f := &frames{message: func(m []byte) { _, _ = conn.Write(frame(reply(string(m)), false)) }}
		copyFrames(io.Discard, rw, f)
	})
}

func TestWebSocketsPassAndAreCounted(t *testing.T) {
	p := newProxy(t, socketServer(t, func(message string) string {
		return `{"id":1,"status":200,"result":"` + strings.Repeat("x", 300) + `","rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000,"count":1234}]}`
	}))
	awayFromBoundary()
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /ws-api/v3 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v", resp, err)
	}
	// In two parts, as the network may deliver it.
	message := frame(`{"id":1,"method":"klines","params":{"symbol":"BTCUSDT"}}`, true)
	_, _ = conn.Write(message[:7])
	time.Sleep(10 * time.Millisecond)
	_, _ = conn.Write(message[7:])
	got := make(chan string, 1)
	f := &frames{message: func(m []byte) { got <- string(m) }}
	buffer := make([]byte, 1000)
	for len(got) == 0 {
		n, err := in.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		f.see(buffer[:n])
	}
	if m := <-got; !strings.Contains(m, `"count":1234`) {
		t.Errorf("got %q", m)
	}
	if e := p.Status().Markets[0].Egress[0]; e.Used < 1234 || e.InFlight != 0 {
		t.Errorf("got %d used and %d in flight, want what the answer said and 0", e.Used, e.InFlight)
	}
	if n := p.metric(t, "hedgewatch_governor_websockets"); n != 1 {
		t.Errorf("got %v open connections, want 1", n)
	}
	sockets := p.Status().Sockets
	if len(sockets) != 1 || sockets[0].Asked != 1 || sockets[0].Waiting != 0 || sockets[0].Market != "spot" || sockets[0].LastAsked.Before(sockets[0].OpenedAt) {
		t.Errorf("got %+v, want one with one request that is answered", sockets)
	}
	p.stop() // It does not wait for a socket that stays open.
	if _, err := in.ReadByte(); err == nil {
		t.Error("the connection outlived the governor")
	}
	for len(p.Status().Sockets) > 0 { // A closed one is forgotten, or the test times out.
		runtime.Gosched()
	}
}

func TestBannedAddressOpensNoWebSocket(t *testing.T) {
	p := newProxy(t, answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTeapot)
	}))
	for _, outcome := range []string{"", outcomeBanned} {
		resp, _ := p.do(t, http.MethodGet, "/ws-api/v3", "", "Connection", "Upgrade", "Upgrade", "websocket")
		expect(t, resp, http.StatusTeapot, outcome)
	}
}

func TestFramesAreReadInAnyParts(t *testing.T) {
	long := strings.Repeat("long", 100)
	stream := append(frame("short", true), frame(long, true)...)
	stream = append(stream, 0x89, 0)                                   // A ping.
	stream = append(stream, 0x01, 2, 'i', 'n', 0x80, 3, 't', 'w', 'o') // A message in two frames.
	for _, size := range []int{1, 3, 7, 1000} {
		var got []string
		f := &frames{message: func(m []byte) { got = append(got, string(m)) }}
		for from := 0; from < len(stream); from += size {
			f.see(stream[from:min(from+size, len(stream))])
		}
		if diff := cmp.Diff([]string{"short", long, "intwo"}, got); diff != "" {
			t.Errorf("in parts of %d (-want +got):\n%s", size, diff)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(frame("text", true))
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &frames{message: func(m []byte) {
			if len(m) > maxMessage {
				t.Errorf("got a message of %d bytes", len(m))
			}
		}}
		s.see(b)
		if cap(s.payload) > 4*len(b)+64 {
			t.Errorf("%d bytes are held for %d", cap(s.payload), len(b))
		}
	})
}
