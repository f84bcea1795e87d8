package governor

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSignedRequestsPassByteForByte(t *testing.T) {
	type request struct{ Target, Body, Key, Agent, Client, Priority, Token string }
	var mu sync.Mutex
	var got []request
	p := newProxy(t, answers(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, request{
			r.RequestURI, string(body), r.Header.Get("X-MBX-APIKEY"), strings.Join(r.Header["User-Agent"], "|"),
			r.Header.Get(clientHeader), r.Header.Get(priorityHeader), r.Header.Get("Authorization"),
		})
	}))
	const query = "symbol=BTCUSDT&quantity=1%2e50&newClientOrderId=a+b%20c;d&timestamp=1700000000000&&signature=AbC%2F="
	p.do(t, http.MethodPost, "/api/v3/order?"+query, "price=1%2E0&x=ü", "X-MBX-APIKEY", "thekey", "User-Agent", "", clientHeader, "strategy", "Authorization", "Bearer mine")
	p.do(t, http.MethodDelete, "/fapi/v1/order?", "", "User-Agent", "me/1")
	want := []request{
		{Target: "/api/v3/order?" + query, Body: "price=1%2E0&x=ü", Key: "thekey"},
		{Target: "/fapi/v1/order", Agent: "me/1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the exchange got (-want +got):\n%s", diff)
	}
	all := p.log.String() + p.exposed(t) + fmt.Sprintf("%+v", p.Status())
	for _, secret := range []string{"thekey", "AbC", "BTCUSDT"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in logs, metrics or status", secret)
		}
	}
}

func TestBadRequestsGetAClearAnswerAndGoNowhere(t *testing.T) {
	var reached atomic.Int64
	p := newProxy(t, answers(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	tests := []struct {
		name, raw string
		want      int
	}{
		{"unknown market", "GET /eapi/v1/klines HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"root", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"parent directory", "GET /api/../fapi/v1/order HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"double slash", "GET /api//v3/order HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"escaped", "GET /api/v3/%6frder HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"long path", "GET /api/" + strings.Repeat("a", 200) + " HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"method", "PATCH /api/v3/order HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		{"long body", "POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("a", 2_000_000), 413},
		{"length of a long body", "POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\na", 413},
		{"chunks without end", "POST /api/v3/order HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("4000\r\n"+strings.Repeat("a", 0x4000)+"\r\n", 100), 413},
		{"negative length", "POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
		{"two lengths", "POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 400},
		{"no WebSocket there", "GET /api/v3/order HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 404},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", p.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() { _, _ = io.WriteString(conn, test.raw) }() // It may stop reading before the end.
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			readAll(resp)
			if resp.StatusCode != test.want {
				t.Errorf("got %d, want %d", resp.StatusCode, test.want)
			}
		})
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d bad requests reached the exchange", n)
	}
	// A body that is shorter than it says is not half an order.
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nquantity=1")
	conn.Close()
	resp, _ := p.do(t, http.MethodGet, "/api/v3/klines", "")
	expect(t, resp, 200, "")
	if n := reached.Load(); n != 1 {
		t.Errorf("%d requests reached the exchange, want the good one", n)
	}
}

func TestAnswersThatBreakOffBreakOffForTheClient(t *testing.T) {
	p := newProxy(t, answers(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v3/klines" {
			return
		}
		w.Header().Set("Content-Length", "100000")
		fmt.Fprint(w, strings.Repeat("a", 50_000))
		panic(http.ErrAbortHandler)
	}))
	resp, err := p.client.Get(p.url + "/api/v3/depth")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(resp.Body)
	resp.Body.Close()
	if err == nil {
		t.Error("got a whole answer, want an error")
	}
	resp, _ = p.do(t, http.MethodGet, "/api/v3/klines", "")
	expect(t, resp, 200, "")
	if got := p.metric(t, "hedgewatch_governor_broken_answers_total"); got != 1 {
		t.Errorf("got %v broken answers, want 1", got)
	}
}

func TestAnswersAreStreamed(t *testing.T) {
	read := make(chan struct{})
	p := newProxy(t, answers(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "first")
		w.(http.Flusher).Flush()
		<-read
		fmt.Fprint(w, "second")
	}))
	resp, err := p.client.Get(p.url + "/fapi/v1/allOrders?signature=x")
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 5)
	_, err = io.ReadFull(resp.Body, first)
	close(read)
	if rest := readAll(resp); err != nil || string(first)+rest != "firstsecond" {
		t.Errorf("got %q and %q, %v", first, rest, err)
	}
}

// An order whose connection breaks is not sent again, whatever the client says of
// it, and its client hears that nobody knows.
func TestOrdersAreNeverSentTwice(t *testing.T) {
	var arrived atomic.Int64
	p := newProxy(t, answers(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v3/klines" {
			return
		}
		arrived.Add(1)
		panic(http.ErrAbortHandler)
	}))
	p.do(t, http.MethodGet, "/api/v3/klines", "") // So that there is a connection to reuse.
	resp, body := p.do(t, http.MethodPost, "/api/v3/order?signature=x", "", "Idempotency-Key", "1")
	expect(t, resp, http.StatusBadGateway, outcomeBroken)
	if !strings.Contains(body, "execution status is unknown") {
		t.Errorf("got %s", body)
	}
	if n := arrived.Load(); n != 1 {
		t.Errorf("the order arrived %d times", n)
	}
}

func TestUnreachableExchangeIsSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	p := newProxyAt(t, "http://"+address, t.TempDir())
	resp, body := p.do(t, http.MethodPost, "/api/v3/order?signature=x", "")
	expect(t, resp, http.StatusServiceUnavailable, outcomeUnreachable)
	if !strings.Contains(body, "Not sent") {
		t.Errorf("got %s", body)
	}
	if used := p.Status().Markets[0].Egress[0].Used; used != 0 {
		t.Errorf("got %d used, want 0: nothing was sent", used)
	}
}

func TestLyingHeadersAreNotBelieved(t *testing.T) {
	tests := []struct {
		used, date string
		want       int64
	}{
		{"-1", "", 2},
		{"many", "", 2},
		{"4000000000", "", 2},
		{"99999999999999999999", "", 2},
		{"700", "Mon, 02 Jan 2006 15:04:05 GMT", 2},
		{"700", "Mon, 02 Jan 2106 15:04:05 GMT", 2},
		{"1", "", 2}, // Less than we know of.
		{"700", "", 700},
	}
	for _, test := range tests {
		t.Run(test.used+test.date, func(t *testing.T) {
			p := newProxy(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "klines") {
					w.Header().Set("X-MBX-USED-WEIGHT-1M", test.used)
					if test.date != "" {
						w.Header().Set("Date", test.date)
					}
					return
				}
				http.NotFound(w, r)
			}), func(c *Config) { delete(c.Exchange.Markets, "usdm") })
			awayFromBoundary()
			before := p.Status().Markets[0].Egress[0].Used
			p.do(t, http.MethodGet, "/api/v3/klines?limit=1", "")
			got := p.Status().Markets[0].Egress[0].Used
			if test.want == 700 && got < 700 || test.want == 2 && got-before > 50 {
				t.Errorf("got %d used, before it %d, want about %d", got, before, test.want)
			}
		})
	}
}

// awayFromBoundary waits for a new minute if this one ends at once: these tests ask
// for the count of one window.
func awayFromBoundary() {
	if left := time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)); left < 4*time.Second {
		time.Sleep(left + 2*time.Second)
	}
}

func TestSameQuestionsShareOneAnswer(t *testing.T) {
	release := make(chan struct{})
	var arrived atomic.Int64
	p := newProxy(t, answers(func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		<-release
		w.Header().Set("X-MBX-USED-WEIGHT-1M", "7")
		fmt.Fprint(w, r.URL.RawQuery)
	}))
	var asked sync.WaitGroup
	outcomes := make(chan string, 20)
	for i := range 20 {
		asked.Go(func() {
			target := "/api/v3/depth?symbol=A"
			if i == 0 {
				target = "/api/v3/depth?symbol=B"
			}
			resp, body := p.do(t, http.MethodGet, target, "")
			if body != target[len("/api/v3/depth?"):] {
				t.Errorf("got the answer %q to %s", body, target)
			}
			outcomes <- resp.Header.Get(outcomeHeader)
		})
	}
	for p.followers() < 18 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	asked.Wait()
	close(outcomes)
	count := make(map[string]int)
	for o := range outcomes {
		count[o]++
	}
	if diff := cmp.Diff(map[string]int{"": 2, outcomeShared: 18}, count); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if n := arrived.Load(); n != 2 {
		t.Errorf("%d requests reached the exchange, want 2", n)
	}
}

func (p *proxy) followers() int {
	p.sharing.mu.Lock()
	defer p.sharing.mu.Unlock()
	n := 0
	for _, f := range p.sharing.flights {
		n += f.followers
	}
	return n
}

func TestExchangeInfoIsKeptBriefly(t *testing.T) {
	var arrived atomic.Int64
	p := newProxy(t, answers(func(w http.ResponseWriter, _ *http.Request) {
		arrived.Add(1)
		fmt.Fprint(w, "info")
	}))
	for i, want := range []string{"", outcomeCached, outcomeCached} {
		resp, body := p.do(t, http.MethodGet, "/api/v3/exchangeInfo?symbol=A", "")
		expect(t, resp, 200, want)
		if body != "info" {
			t.Errorf("%d: got %q", i, body)
		}
	}
	// What has a key may have another answer.
	p.do(t, http.MethodGet, "/api/v3/exchangeInfo?symbol=A", "", "X-MBX-APIKEY", "k")
	if n := arrived.Load(); n != 2 {
		t.Errorf("%d requests reached the exchange, want 2", n)
	}
}

func TestClientsNeedTheirTokens(t *testing.T) {
	p := newProxy(t, answers(func(http.ResponseWriter, *http.Request) {}), func(c *Config) {
		c.Clients = []Client{{Name: "syncer", Token: "0123456789abcdef"}}
	})
	resp, _ := p.do(t, http.MethodGet, "/api/v3/klines", "")
	expect(t, resp, http.StatusUnauthorized, outcomeUnauthorized)
	resp, _ = p.do(t, http.MethodGet, "/api/v3/klines", "", "Authorization", "Bearer 0123456789abcdee")
	expect(t, resp, http.StatusUnauthorized, outcomeUnauthorized)
	resp, _ = p.do(t, http.MethodGet, "/api/v3/klines", "", "Authorization", "Bearer 0123456789abcdef", clientHeader, "somebody-else")
	expect(t, resp, http.StatusOK, "")
	if !strings.Contains(p.exposed(t), `"syncer"`) {
		t.Error("the client's name is not in the metrics")
	}
}

func TestHTTP2IsServed(t *testing.T) {
	p := newProxy(t, answers(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	transport := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(p.url + "/api/v3/klines")
	if err != nil {
		t.Fatal(err)
	}
	if body := readAll(resp); resp.ProtoMajor != 2 || body != "HTTP/1.1" {
		t.Errorf("got HTTP/%d to us and %s to the exchange, want 2 and HTTP/1.1", resp.ProtoMajor, body)
	}
}

// A slow client holds neither a place in the accounting nor anybody else up.
func TestSlowClientsHoldNobodyUp(t *testing.T) {
	p := newProxy(t, answers(func(http.ResponseWriter, *http.Request) {}))
	for range 200 {
		conn, err := net.Dial("tcp", p.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	r := httptest.NewRequest(http.MethodPost, p.url+"/api/v3/order?signature=x", nil).WithContext(ctx)
	r.RequestURI = ""
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	readAll(resp)
	if inFlight := p.Status().Markets[0].Egress[0].InFlight; inFlight != 0 {
		t.Errorf("got %d reserved, want 0", inFlight)
	}
}

func FuzzPath(f *testing.F) {
	f.Add("/api/v3/order")
	f.Add("/api/..//%2e%2e/fapi")
	f.Fuzz(func(t *testing.T, path string) {
		if checkPath(path) == nil && (strings.Contains(path, "..") || strings.Contains(path, "//") || strings.ContainsAny(path, "%?#\r\n\x00 \\")) {
			t.Errorf("%q passes", path)
		}
	})
}
