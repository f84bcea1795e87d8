package exchangesim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// stream is a client's connection.
type stream struct {
	t    *testing.T
	conn *websocket.Conn
}

func (s *sim) serve() string {
	server := httptest.NewServer(s.Handler())
	s.t.Cleanup(server.Close)
	s.t.Cleanup(s.Close) // Before the server, which waits for its connections.
	return server.URL
}

func dial(t *testing.T, url string) *stream {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { conn.CloseNow() })
	return &stream{t, conn}
}

func (s *stream) send(v any) {
	s.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.conn.Write(s.t.Context(), websocket.MessageText, b); err != nil {
		s.t.Fatal(err)
	}
}

// message is what tests look at. Keys that differ by their case only are different
// things, which encoding/json does not know.
type message struct {
	Event  string
	Trade  int64
	First  int64
	Last   int64
	Prev   int64
	Bids   [][2]string
	Kline  *candleEvent
	Status string // Of an order.
	Result any
	ID     any
}

type candleEvent struct {
	Open   int64
	Close  string
	Closed bool
	Trades int
}

func readMessage(t *testing.T, b []byte) (m message) {
	t.Helper()
	field := func(from map[string]json.RawMessage, key string, to any) {
		if from[key] == nil {
			return
		}
		if err := json.Unmarshal(from[key], to); err != nil {
			t.Fatalf("%s of %s: %v", key, b, err)
		}
	}
	var all, part map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatalf("got %s: %v", b, err)
	}
	field(all, "e", &m.Event)
	field(all, "U", &m.First)
	field(all, "u", &m.Last)
	field(all, "pu", &m.Prev)
	field(all, "result", &m.Result)
	field(all, "id", &m.ID)
	switch m.Event {
	case "trade":
		field(all, "t", &m.Trade)
	case "depthUpdate":
		field(all, "b", &m.Bids)
	case "kline":
		m.Kline = new(candleEvent)
		field(all, "k", &part)
		field(part, "t", &m.Kline.Open)
		field(part, "c", &m.Kline.Close)
		field(part, "x", &m.Kline.Closed)
		field(part, "n", &m.Kline.Trades)
	case "ORDER_TRADE_UPDATE":
		field(all, "o", &part)
		field(part, "X", &m.Status)
	}
	return m
}

// read is the next message, or false if none comes in time.
func (s *stream) read(d time.Duration) (m message, ok bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	_, b, err := s.conn.Read(ctx)
	if err != nil {
		return m, false
	}
	return readMessage(s.t, b), true
}

// until reads until a message is wanted.
func (s *stream) until(want func(message) bool) message {
	s.t.Helper()
	for range 10_000 {
		m, ok := s.read(5 * time.Second)
		if !ok {
			s.t.Fatal("no message came")
		}
		if want(m) {
			return m
		}
	}
	s.t.Fatal("the message did not come")
	return message{}
}

func TestTradeStreamHasNoGap(t *testing.T) {
	s := newSim(t)
	c := dial(t, s.serve()+"/ws/btcusdt@trade")
	last, got := int64(0), 0
	for range 5 {
		time.Sleep(60 * time.Millisecond) // The connection looks for news in real time.
		s.clock.add(20 * time.Second)
	}
	for got < 50 {
		m := c.until(func(m message) bool { return m.Event == "trade" })
		if last > 0 && m.Trade != last+1 {
			t.Fatalf("trade %d follows %d", m.Trade, last)
		}
		last = m.Trade
		got++
	}
}

func TestClosedBarOfTheStreamIsTheOneOfREST(t *testing.T) {
	s := newSim(t)
	c := dial(t, s.serve()+"/usdm/market/ws/btcusdt@kline_1m")
	time.Sleep(60 * time.Millisecond)
	s.clock.add(41 * time.Second)
	m := c.until(func(m message) bool { return m.Kline != nil && m.Kline.Closed })
	bars := get[[]candle](s, fmt.Sprintf("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=%d&limit=1", m.Kline.Open))
	if bars[0][4] != m.Kline.Close || bars[0].trades() != m.Kline.Trades {
		t.Errorf("got close %s of %d trades, want %v of %d", m.Kline.Close, m.Kline.Trades, bars[0][4], bars[0].trades())
	}
}

// Updates on a snapshot are the next snapshot.
func TestDepthUpdatesFitTheSnapshot(t *testing.T) {
	s := newSim(t)
	c := dial(t, s.serve()+"/usdm/public/ws/btcusdt@depth@100ms")
	type snapshot struct {
		Last int64       `json:"lastUpdateId"`
		Bids [][2]string `json:"bids"`
	}
	time.Sleep(60 * time.Millisecond)
	book := get[snapshot](s, "/fapi/v1/depth?symbol=BTCUSDT&limit=1000")
	levels := make(map[string]string)
	for _, l := range book.Bids {
		levels[l[0]] = l[1]
	}
	s.clock.add(3 * time.Second)
	want := get[snapshot](s, "/fapi/v1/depth?symbol=BTCUSDT&limit=1000")
	for last := book.Last; last < want.Last; {
		m := c.until(func(m message) bool { return m.Event == "depthUpdate" && m.Last > book.Last })
		if m.Prev != last {
			t.Fatalf("got an update on %d, want one on %d", m.Prev, last)
		}
		last = m.Last
		for _, l := range m.Bids {
			if levels[l[0]] = l[1]; strings.Trim(l[1], "0.") == "" {
				delete(levels, l[0])
			}
		}
	}
	if len(levels) != len(want.Bids) {
		t.Errorf("got %d levels, want %d", len(levels), len(want.Bids))
	}
	for _, l := range want.Bids {
		if levels[l[0]] != l[1] {
			t.Errorf("level %s: got %s, want %s", l[0], levels[l[0]], l[1])
		}
	}
}

// An acknowledgement proves nothing: old paths, wrong paths, unknown and
// upper-case names are acknowledged and stay silent.
func TestAcknowledgedAndSilent(t *testing.T) {
	s := newSim(t)
	url := s.serve()
	for _, tt := range []struct{ path, stream string }{
		{"/usdm/ws", "btcusdt@aggTrade"},
		{"/usdm/public/ws", "btcusdt@aggTrade"},
		{"/usdm/market/ws", "btcusdt@depth"},
		{"/usdm/market/ws", "nonesuch@aggTrade"},
		{"/ws", "BTCUSDT@trade"},
	} {
		t.Run(tt.path+" "+tt.stream, func(t *testing.T) {
			c := dial(t, url+tt.path)
			c.send(map[string]any{"method": "SUBSCRIBE", "params": []string{tt.stream}, "id": 7})
			if m, ok := c.read(5 * time.Second); !ok || m.ID != 7.0 || m.Result != nil {
				t.Errorf("got %v, want an acknowledgement", m)
			}
			s.clock.add(time.Minute)
			if m, ok := c.read(200 * time.Millisecond); ok {
				t.Errorf("got %v, want silence", m)
			}
		})
	}
}

func TestSilencedStreamLosesItsData(t *testing.T) {
	s := newSim(t)
	c := dial(t, s.serve()+"/ws/btcusdt@trade")
	time.Sleep(60 * time.Millisecond)
	if err := s.Inject(exchangesim.Fault{Kind: exchangesim.Silence, Stream: "@trade", For: 60}); err != nil {
		t.Fatal(err)
	}
	before := get[[]aggTrade](s, "/api/v3/aggTrades?symbol=BTCUSDT&limit=1")[0].L
	s.clock.add(30 * time.Second)
	time.Sleep(120 * time.Millisecond)
	s.Clear(exchangesim.Silence)
	s.clock.add(30 * time.Second)
	if m := c.until(func(m message) bool { return m.Event == "trade" }); m.Trade <= before+1 {
		t.Errorf("got trade %d after the silence, want a gap after %d", m.Trade, before)
	}
}

func TestSocketsEnd(t *testing.T) {
	tests := []struct {
		name   string
		change func(*exchangesim.Config)
		path   string
		do     func(s *sim, c *stream)
	}{
		{"who sends too much", nil, "/ws/ethbtc@trade", func(_ *sim, c *stream) {
			for range 6 {
				c.send(map[string]any{"method": "LIST_SUBSCRIPTIONS", "id": 1})
			}
		}},
		{"after a day", nil, "/ws/ethbtc@trade", func(s *sim, _ *stream) { s.clock.add(24 * time.Hour) }},
		{"by a fault", nil, "/ws/ethbtc@trade", func(s *sim, _ *stream) {
			if err := s.Inject(exchangesim.Fault{Kind: exchangesim.Drop}); err != nil {
				s.t.Error(err)
			}
		}},
		{"too many streams of futures", nil, "/usdm/market/ws", func(_ *sim, c *stream) {
			names := make([]string, 1025)
			for i := range names {
				names[i] = fmt.Sprintf("s%d@aggTrade", i)
			}
			c.send(map[string]any{"method": "SUBSCRIBE", "params": names, "id": 1})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSim(t)
			c := dial(t, s.serve()+tt.path)
			time.Sleep(60 * time.Millisecond)
			tt.do(s, c)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			for {
				if _, _, err := c.conn.Read(ctx); err != nil {
					break
				}
			}
			if ctx.Err() != nil {
				t.Error("the connection goes on")
			}
		})
	}
}

// Who does not read does not answer pings either.
func TestSocketWithoutPongEnds(t *testing.T) {
	s := newSim(t, func(c *exchangesim.Config) {
		c.Sockets = exchangesim.Sockets{PingEvery: 20 * time.Millisecond, PongWithin: 50 * time.Millisecond}
	})
	c := dial(t, s.serve()+"/ws/ethbtc@trade")
	time.Sleep(300 * time.Millisecond)
	if m, ok := c.read(time.Second); ok {
		t.Errorf("got %v, want the end", m)
	}
}

func TestTooManyConnections(t *testing.T) {
	s := newSim(t, func(c *exchangesim.Config) { c.Sockets.Connects = 2 })
	url := s.serve()
	dial(t, url+"/ws")
	dial(t, url+"/ws")
	_, resp, err := websocket.Dial(t.Context(), url+"/ws", nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("got error %v, want 429", err)
	}
}

func TestWebSocketAPI(t *testing.T) {
	s := newSim(t)
	c := dial(t, s.serve()+"/ws-api/v3")
	call := func(method string, params map[string]any) (answer struct {
		Status     int
		Result     json.RawMessage
		Error      struct{ Code int }
		RateLimits []struct{ Count int }
	},
	) {
		c.send(map[string]any{"id": "1", "method": method, "params": params})
		_, b, err := c.conn.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	// The connection weighs 2.
	if a := call("time", nil); a.Status != 200 || a.RateLimits[0].Count != 3 {
		t.Errorf("got %+v, want 200 with 3 used", a)
	}
	if a := call("klines", map[string]any{"symbol": "BTCUSDT", "interval": "1m", "limit": 3}); a.RateLimits[0].Count != 5 || !strings.HasPrefix(string(a.Result), "[[") {
		t.Errorf("got %+v %s, want bars with 5 used", a, a.Result)
	}
	if a := call("order.place", map[string]any{"symbol": "BTCUSDT"}); a.Error.Code != -2014 {
		t.Errorf("got %+v without a key, want -2014", a)
	}
	if a := call("nonesuch", nil); a.Status != 400 || a.Error.Code != -1135 {
		t.Errorf("got %+v, want -1135", a)
	}
}
