package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// toPresent leaves the year 2000, in which virtual time begins.
func toPresent() { time.Sleep(time.Until(time.Date(2026, 11, 22, 10, 0, 3, 0, time.UTC))) }

// pipes is a network in memory, so that its time can be virtual.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}

	mu   sync.Mutex
	down bool
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

func (p *pipes) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// serve is a network with one server, until the test ends.
func serve(t *testing.T, h http.Handler) (*pipes, *http.Client) {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn, 16), done: make(chan struct{})}
	server := &http.Server{Handler: h}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(p); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	transport := &http.Transport{DialContext: p.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close() // Connections that were upgraded are the handler's.
		<-ended
	})
	return p, &http.Client{Transport: transport}
}

// copied is a platform that stores what a simulated exchange has, but for what a
// test takes away.
type copied struct {
	t        *testing.T
	exchange *exchangesim.Exchange

	mu      sync.Mutex
	lost    map[string]bool
	altered map[string]bool
	asked   []string // by the auditor: symbol and first minute
}

func (c *copied) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

func (c *copied) get(query string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "/api/v3/klines?"+query, nil)
	answer := httptest.NewRecorder()
	c.exchange.Handler().ServeHTTP(answer, r)
	return answer.Result()
}

// RoundTrip is how the auditor asks.
func (c *copied) RoundTrip(r *http.Request) (*http.Response, error) {
	ms, err := strconv.ParseInt(r.URL.Query().Get("startTime"), 10, 64)
	if err != nil {
		return nil, err
	}
	c.change(func() { c.asked = append(c.asked, id(r.URL.Query().Get("symbol"), time.UnixMilli(ms).UTC())) })
	return c.get(r.URL.RawQuery), nil
}

func (c *copied) Series(context.Context) ([]Series, error) {
	var list []Series
	for _, s := range []string{"BTCUSDT", "ETHUSDT"} {
		list = append(list, Series{Source: "platform", Dataset: Klines, Market: "spot", Symbol: s, Interval: "1m"})
	}
	return list, nil
}

func (c *copied) Klines(_ context.Context, s Series, from, to time.Time, each func(*Kline, bool)) error {
	for at := from; at.Before(to); at = at.Add(1000 * time.Minute) {
		end := at.Add(1000 * time.Minute)
		if to.Before(end) {
			end = to
		}
		res := c.get(fmt.Sprintf("symbol=%s&interval=1m&limit=1000&startTime=%d&endTime=%d", s.Symbol, at.UnixMilli(), end.UnixMilli()-1))
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("the simulated exchange answers %s", res.Status)
		}
		var rows [][]json.RawMessage
		if err := json.NewDecoder(res.Body).Decode(&rows); err != nil {
			return err
		}
		for _, row := range rows {
			k, err := parseKline(row)
			if err != nil {
				return err
			}
			if k.CloseTime >= time.Now().UnixMicro() {
				continue
			}
			c.mu.Lock()
			name := id(s.Symbol, micro(k.OpenTime))
			lost := c.lost[name]
			if c.altered[name] {
				k.QuoteVolume = k.QuoteVolume.Add(k.QuoteVolume)
			}
			c.mu.Unlock()
			if !lost {
				each(&k, false)
			}
		}
	}
	return nil
}

func (c *copied) Entries(context.Context, Series, time.Time, time.Time, func(*Entry)) error {
	return errors.New("there are none")
}

func evidence(a *Auditor, at time.Time) string {
	for _, r := range a.Findings() {
		if r.open() && r.From.Equal(at) {
			return r.Evidence
		}
	}
	return ""
}

func TestWitnessTellsOfLostAndAlteredRowsWithoutRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		toPresent()
		clock := func(hour, minute, second int) time.Time {
			return time.Date(2026, 11, 22, hour, minute, second, 0, time.UTC)
		}
		until := func(at time.Time) { t.Helper(); time.Sleep(time.Until(at)); synctest.Wait() }
		x := exchangesim.New(exchangesim.Config{Seed: 1, Since: time.Now().Add(-3 * time.Hour)})
		network, client := serve(t, x.Handler())
		c := &copied{t: t, exchange: x, lost: map[string]bool{}, altered: map[string]bool{}}
		lost := func(symbol string, at time.Time) { c.change(func() { c.lost[id(symbol, at)] = true }) }
		lost("ETHUSDT", clock(10, 5, 0))
		c.altered[id("BTCUSDT", clock(10, 6, 0))] = true

		d := DefaultDataset()
		d.Source, d.Name, d.Grace, d.History = "platform", "platform/t", model.Duration(5*time.Second), model.Duration(2*time.Hour)
		reg := prometheus.NewRegistry()
		a, err := New(Config{
			Datasets: []Dataset{d},
			Witness:  WitnessConfig{Enabled: true, StreamURLs: map[binance.Market]string{"spot": "ws://exchange/spot"}},
		}, Deps{
			Logger: slog.New(slog.DiscardHandler), Registerer: reg, Dir: t.TempDir(), Dial: client,
			Open:      func(context.Context, int) (Rows, error) { return c, nil },
			Transport: c, BaseURL: func(string) string { return "http://exchange" },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			x.Close()
		}()
		up := func(want string) {
			t.Helper()
			text := "# HELP hedgewatch_audit_witness_up 1 while a connection of the witness has sent data; while it is 0, live rows are not witnessed.\n" +
				"# TYPE hedgewatch_audit_witness_up gauge\nhedgewatch_audit_witness_up{market=\"spot\"} " + want + "\n"
			if err := testutil.GatherAndCompare(reg, strings.NewReader(text), "hedgewatch_audit_witness_up"); err != nil {
				t.Error(err)
			}
		}

		until(clock(10, 6, 4))
		up("1")
		expect(t, a)
		if got := a.Status().Datasets[0].Series[0].WitnessedUntil; !got.Equal(clock(10, 6, 0)) {
			t.Errorf("witnessed until %s, want 10:06", got)
		}
		until(clock(10, 6, 6)) // The row is due at 10:06:05.
		expect(t, a, "ETHUSDT 10:05-10:06 1 missing platform")
		if got := evidence(a, clock(10, 5, 0)); !strings.Contains(got, "sent") {
			t.Errorf("got evidence %q", got)
		}
		until(clock(10, 7, 12)) // It was looked for again, and is still wrong.
		expect(t, a, "BTCUSDT 10:06-10:07 1 mismatch platform", "ETHUSDT 10:05-10:06 1 missing platform")
		c.change(func() { clear(c.lost); clear(c.altered) })
		until(clock(10, 7, 50))
		expect(t, a)
		c.change(func() {
			for _, name := range c.asked {
				if name == id("ETHUSDT", clock(10, 5, 0)) || name == id("BTCUSDT", clock(10, 6, 0)) {
					t.Errorf("the exchange was asked for %s", name)
				}
			}
		})

		// A connection that breaks is made again, and sees what comes then.
		if err := x.Inject(exchangesim.Fault{Kind: exchangesim.Drop}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		up("0")
		lost("BTCUSDT", clock(10, 8, 0))
		until(clock(10, 9, 6))
		up("1")
		expect(t, a, "BTCUSDT 10:08-10:09 1 missing platform")
		if got := evidence(a, clock(10, 8, 0)); !strings.Contains(got, "sent") {
			t.Errorf("after a reconnection, got evidence %q", got)
		}

		// While it is away nothing is taken for seen, and the exchange is asked.
		network.setDown(true)
		if err := x.Inject(exchangesim.Fault{Kind: exchangesim.Drop}); err != nil {
			t.Fatal(err)
		}
		lost("ETHUSDT", clock(10, 12, 0))
		until(clock(10, 13, 6))
		up("0")
		expect(t, a, "BTCUSDT 10:08-10:09 1 missing platform", "ETHUSDT 10:12-10:13 1 missing platform")
		if got := evidence(a, clock(10, 12, 0)); got != "the exchange has these bars" {
			t.Errorf("without a witness, got evidence %q", got)
		}
		if got := a.Status().Datasets[0].Series[0].WitnessedUntil; !got.Equal(clock(10, 9, 0)) {
			t.Errorf("witnessed until %s while it was away, want 10:09", got)
		}
		network.setDown(false)
		until(clock(10, 15, 6)) // It tries once a minute at least.
		up("1")
		if got := a.Status().Datasets[0].Series[0].WitnessedUntil; !got.Equal(clock(10, 15, 0)) {
			t.Errorf("witnessed until %s, want 10:15", got)
		}
	})
}

// script is a server of streams that does as a test says.
type script struct {
	play func(ctx context.Context, conn *websocket.Conn, subscribed []string)

	mu          sync.Mutex
	opened, now int
	most        int // connections at once
}

func (s *script) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += n
	s.opened += max(n, 0)
	s.most = max(s.most, s.now)
}

// counted returns how many connections were opened, are open, and were at once.
func (s *script) counted() (opened, now, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened, s.now, s.most
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	s.count(1)
	defer s.count(-1)
	_, message, err := conn.Read(r.Context())
	if err != nil {
		return
	}
	var q struct {
		Params []string `json:"params"`
	}
	if json.Unmarshal(message, &q) != nil {
		return
	}
	// From here on it only writes; the end of the connection ends ctx.
	s.play(conn.CloseRead(context.Background()), conn, q.Params)
}

func startWitness(t *testing.T, s *script) (*witness, *prometheus.Registry, func()) {
	t.Helper()
	_, client := serve(t, s)
	reg := prometheus.NewRegistry()
	m, err := newWitnessMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	c := WitnessConfig{Enabled: true, StreamURLs: map[binance.Market]string{"usdm": "ws://exchange"}}
	w := newWitness(c, binance.USDM, Deps{Logger: slog.New(slog.DiscardHandler), Dial: client}, m)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.run(ctx) }()
	return w, reg, func() { cancel(); <-done }
}

func frameOf(at time.Time) string {
	ms := at.Truncate(time.Minute).Add(-time.Minute).UnixMilli()
	return fmt.Sprintf(`{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":%d,"s":"BTCUSDT","k":{"t":%d,"T":%d,"s":"BTCUSDT","i":"1m","f":1,"L":2,`+
		`"o":"10","c":"11","h":"12","l":"9","v":"3","n":2,"x":true,"q":"30","V":"1","Q":"10","B":"0"}}}`, at.UnixMilli(), ms, ms+59_999)
}

var btc = Series{Dataset: Klines, Market: "usdm", Symbol: "BTCUSDT", Interval: "1m"}

func TestWitnessRotatesWithoutLosingABar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{play: func(ctx context.Context, conn *websocket.Conn, _ []string) {
			for sleep(ctx, time.Until(time.Now().Truncate(time.Minute).Add(time.Minute))) == nil {
				if conn.Write(ctx, websocket.MessageText, []byte(frameOf(time.Now()))) != nil {
					return
				}
			}
		}}
		toPresent()
		w, reg, stop := startWitness(t, s)
		defer stop()
		w.want(btc)
		time.Sleep(23*time.Hour + 40*time.Minute + 30*time.Second)
		synctest.Wait()
		if opened, _, _ := s.counted(); opened != 1 || !w.up() {
			t.Errorf("got %d connections, up %t before the rotation", opened, w.up())
		}
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if opened, now, most := s.counted(); opened != 2 || most != 2 || now != 1 || !w.up() {
			t.Errorf("got %d connections, %d at once, %d now, up %t; want 2, 2, 1", opened, most, now, w.up())
		}
		end := time.Now().Truncate(time.Minute)
		if bars, all := w.bars(btc, end.Add(-keptBars*time.Minute), end); !all || len(bars) != keptBars {
			t.Errorf("got %d bars of %d", len(bars), keptBars)
		}
		want := "# HELP hedgewatch_audit_witness_errors_total Connections of the witness that failed or ended, rows that could not be read, and series that are too many.\n" +
			"# TYPE hedgewatch_audit_witness_errors_total counter\nhedgewatch_audit_witness_errors_total{market=\"usdm\"} 0\n"
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "hedgewatch_audit_witness_errors_total"); err != nil {
			t.Error(err)
		}
	})
}

// The exchange acknowledges streams that it does not send: that is no sight of them,
// and a connection that is silent is opened again.
func TestSilentWitnessIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{play: func(ctx context.Context, conn *websocket.Conn, _ []string) {
			_ = conn.Write(ctx, websocket.MessageText, []byte(`{"result":null,"id":1}`))
			<-ctx.Done()
		}}
		w, _, stop := startWitness(t, s)
		defer stop()
		w.want(btc)
		time.Sleep(time.Minute)
		synctest.Wait()
		if opened, _, _ := s.counted(); w.up() || !w.until(btc).IsZero() || opened != 1 {
			t.Errorf("up %t, until %s, %d connections after an acknowledgement", w.up(), w.until(btc), opened)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if opened, _, most := s.counted(); opened < 3 || opened > 6 || most != 1 {
			t.Errorf("got %d connections in eleven minutes, %d at once", opened, most)
		}
	})
}

func TestWitnessTakesSeriesAsTheyAppearUpToItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		toPresent()
		var mu sync.Mutex
		var got []string
		_, client := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(rw, r, nil)
			if err != nil {
				return
			}
			defer conn.CloseNow()
			conn.SetReadLimit(64 << 10)
			for {
				_, message, err := conn.Read(context.Background())
				if err != nil {
					return
				}
				var q struct {
					Params []string `json:"params"`
				}
				if err := json.Unmarshal(message, &q); err != nil || len(message) > 16<<10 {
					t.Errorf("got %d bytes, %v", len(message), err)
				}
				mu.Lock()
				got = append(got, q.Params...)
				mu.Unlock()
				if err := conn.Write(context.Background(), websocket.MessageText, []byte(frameOf(time.Now()))); err != nil {
					return
				}
			}
		}))
		m, err := newWitnessMetrics(prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		w := newWitness(WitnessConfig{StreamURLs: map[binance.Market]string{"spot": "ws://exchange"}}, binance.Spot,
			Deps{Logger: slog.New(slog.DiscardHandler), Dial: client}, m)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); w.run(ctx) }()
		w.want(btc)
		time.Sleep(30 * time.Second)
		for n := range 2 * maxWitnessed {
			w.want(Series{Dataset: Klines, Symbol: fmt.Sprintf("S%dUSDT", n), Interval: "1m"})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		mu.Lock()
		if len(got) != maxWitnessed || got[0] != "btcusdt@kline_1m" || got[1] != "s0usdt@kline_1m" {
			t.Errorf("got %d streams: %v", len(got), got[:min(2, len(got))])
		}
		mu.Unlock()
		if n := testutil.ToFloat64(m.errors); n != 1 {
			t.Errorf("counted %v errors, want 1: there are too many series", n)
		}
		cancel()
		<-done
	})
}

func TestBarsOfTheStreamThatAreNotTaken(t *testing.T) {
	good := frameOf(time.Date(2026, 11, 22, 10, 1, 0, 0, time.UTC))
	name, k, closed, err := parseStreamed([]byte(good))
	if err != nil || !closed || name != "btcusdt@kline_1m" || k.Trades != 2 || k.Low.String() != "9" || k.TakerBase.String() != "1" ||
		showTime(k.OpenTime) != "2026-11-22T10:00:00Z" {
		t.Fatalf("got %q, %+v, %t, %v", name, k, closed, err)
	}
	for _, test := range []struct{ name, old, new string }{
		{"no JSON", `{"stream"`, `{"stream`},
		{"a price that is no number", `"o":"10"`, `"o":"ten"`},
		{"no price", `"o":"10",`, ``},
		{"a price of null", `"o":"10"`, `"o":null`},
		{"of another symbol", `"s":"BTCUSDT","i"`, `"s":"ETHUSDT","i"`},
		{"of no interval", `"i":"1m"`, `"i":"1x"`},
		{"of another interval", `"i":"1m"`, `"i":"5m"`},
		{"no time", `"t":`, `"t":0,"t1":`},
		{"not on the grid", `"t":1`, `"t":1000001`},
		{"a low above the open", `"l":"9"`, `"l":"10.5"`},
		{"a time as text", `"E":`, `"E":"x","E1":`},
	} {
		frame := strings.Replace(good, test.old, test.new, 1)
		if frame == good {
			t.Fatalf("%s: changes nothing", test.name)
		}
		if _, k, closed, err := parseStreamed([]byte(frame)); err == nil || closed {
			t.Errorf("%s: got %+v, closed %t, want an error", test.name, k, closed)
		}
	}
	growing := strings.Replace(good, `"x":true`, `"x":false`, 1)
	if _, _, closed, err := parseStreamed([]byte(growing)); closed || err != nil {
		t.Errorf("a bar that grows: closed %t, %v", closed, err)
	}
}

func FuzzStreamedBar(f *testing.F) {
	f.Add([]byte(frameOf(time.Date(2026, 11, 22, 10, 1, 0, 0, time.UTC))))
	f.Add([]byte(`{"result":null,"id":1}`))
	f.Add([]byte(`{"stream":"a@kline_1M","data":{"e":"kline","k":{"x":true,"i":"1M","s":"A"}}}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		name, k, closed, err := parseStreamed(frame)
		if closed && (err != nil || name == "" || k.OpenTime <= 0 || k.High.Less(k.Low)) {
			t.Errorf("took %+v of %q, %v", k, name, err)
		}
	})
}

func TestWitnessConfigSaysAllThatIsWrong(t *testing.T) {
	err := WitnessConfig{StreamURLs: map[binance.Market]string{"sapi": "wss://x", "spot": "stream.example"}}.Validate()
	if err == nil || !strings.Contains(err.Error(), `"sapi"`) || !strings.Contains(err.Error(), "stream.example") {
		t.Errorf("got %v", err)
	}
}
