package exchangesim_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// FuzzRequest asks anything. Nobody trades without a signature, what is used never
// falls below zero, and an answer is JSON or the firewall's page.
func FuzzRequest(f *testing.F) {
	for _, raw := range []string{
		"GET /api/v3/klines?symbol=BTCUSDT&interval=1m&limit=2", "GET /api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=9223372036854775807",
		"GET /api/v3/klines?symbol=BTCUSDT&interval=1m&endTime=-1&limit=-5", "GET /api/v3/aggTrades?symbol=BTCUSDT&fromId=-9223372036854775808",
		"GET /api/v3/depth?symbol=BTCUSDT&limit=99999999999999999999", "GET /api/v3/trades?symbol=%00&limit=1e3", "GET /api/v3/ticker/24hr?symbols=[\"BTCUSDT\"",
		"POST /api/v3/order?symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&timestamp=1&signature=0", "DELETE /api/v3/openOrders?symbol=' or 1=1",
		"GET /fapi/v1/klines?symbol=ETHUSDT&interval=9m", "GET /fapi/v1/fundingRate?symbol=BTCUSDT&startTime=1&endTime=0", "GET /dapi/v1/premiumIndex?pair=",
		"GET /sapi/v1/capital/withdraw/history?timestamp=", "GET /sapi/v1/x", "GET /api/v3", "GET //api//v3/time", "GET /sim/status", "PUT /fapi/v1/listenKey",
	} {
		f.Add(raw, "X-MBX-APIKEY: a", "symbol=BTCUSDT&quantity=-1")
	}
	f.Fuzz(func(t *testing.T, line, header, body string) {
		raw := line + " HTTP/1.1\r\nHost: x\r\n" + header + "\r\n\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil || strings.HasPrefix(r.URL.Path, "/sim/") || r.Header.Get("Upgrade") != "" {
			t.Skip("no request to the exchange")
		}
		r.RemoteAddr, r.Body = "192.0.2.1:1", http.NoBody
		if r.Method == http.MethodPost {
			r.Body = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)).Body
		}
		s := newSim(t)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if s.Counts().Orders != 0 {
			t.Errorf("%q traded without a signature", raw)
		}
		if used := w.Header().Get(used); used != "" {
			if n, err := strconv.ParseInt(used, 10, 64); err != nil || n < 0 {
				t.Errorf("got used weight %q", used)
			}
		}
		json := json.Valid(w.Body.Bytes())
		if html := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html"); !json && !html && w.Code == http.StatusOK {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	})
}

// FuzzFrame sends anything over the WebSocket API. Each message has its answer, or
// ends the connection.
func FuzzFrame(f *testing.F) {
	for _, text := range []string{
		`{"id":1,"method":"time"}`, `{"id":null,"method":"klines","params":{"symbol":"BTCUSDT","interval":"1m","limit":-1}}`,
		`{"id":"a","method":"order.place","params":{"symbol":["BTCUSDT"],"quantity":1e400,"apiKey":{},"signature":true}}`,
		`{"id":{"a":1},"method":"userDataStream.subscribe.signature","params":{"apiKey":"x"}}`, `{"method":"order.cancel","params":null}`,
		`[]`, `{`, ``, `{"id":1}{"id":2}`, `"time"`, `{"id":1,"method":"nonesuch"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := newSim(t)
		server := httptest.NewServer(s.Handler())
		defer server.Close()
		defer s.Close() // Before the server waits for it.
		c, resp, err := websocket.Dial(t.Context(), server.URL+"/ws-api/v3", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body != nil {
			defer resp.Body.Close()
		}
		defer c.CloseNow()
		if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			return // It may be no text.
		}
		_, answer, err := c.Read(t.Context())
		if err != nil {
			return
		}
		var said struct{ Status int }
		if err := json.Unmarshal(answer, &said); err != nil || said.Status == 0 {
			t.Errorf("got %q for %q, want an answer with a status", answer, text)
		}
		if s.Counts().Orders != 0 {
			t.Errorf("%q traded without a signature", text)
		}
	})
}
