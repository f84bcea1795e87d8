package exchangesim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

type userTrade struct {
	ID      int64  `json:"id"`
	OrderID int64  `json:"orderId"`
	Price   string `json:"price"`
	Qty     string `json:"qty"`
	Profit  string `json:"realizedPnl"`
}

type income struct {
	Type    string `json:"incomeType"`
	Income  string `json:"income"`
	TradeID string `json:"tradeId"`
}

// A fill is a user trade, incomes, and events of the user data stream.
func TestFuturesFill(t *testing.T) {
	s := newSim(t)
	var key struct {
		ListenKey string `json:"listenKey"`
	}
	decode(t, s.signed(http.MethodPost, "/fapi/v1/listenKey"), &key)
	c := dial(t, s.serve()+"/usdm/private/ws/"+key.ListenKey)
	time.Sleep(60 * time.Millisecond)
	for _, side := range []string{"BUY", "SELL"} {
		w := s.signed(http.MethodPost, "/fapi/v1/order", "symbol", "BTCUSDT", "side", side, "type", "MARKET", "quantity", "0.010")
		if w.Code != http.StatusOK || w.Header().Get("X-MBX-ORDER-COUNT-10S") == "" {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		s.clock.add(time.Minute)
		for _, event := range []string{"NEW", "FILLED"} {
			m := c.until(func(m message) bool { return m.Event == "ORDER_TRADE_UPDATE" })
			if m.Status != event {
				t.Errorf("got %s, want %s", m.Status, event)
			}
		}
	}
	var trades []userTrade
	decode(t, s.signed(http.MethodGet, "/fapi/v1/userTrades", "symbol", "BTCUSDT"), &trades)
	if len(trades) != 2 || trades[0].ID >= trades[1].ID || trades[1].Profit == "0.00000000" {
		t.Fatalf("got trades %+v, want two, the second with a profit or a loss", trades)
	}
	profit := (number(t, trades[1].Price) - number(t, trades[0].Price)) * 0.01
	if got := number(t, trades[1].Profit); got-profit > 1e-8 || profit-got > 1e-8 {
		t.Errorf("got a profit of %v, want %v", got, profit)
	}
	var incomes []income
	decode(t, s.signed(http.MethodGet, "/fapi/v1/income"), &incomes)
	var kinds []string
	for _, i := range incomes {
		kinds = append(kinds, i.Type)
	}
	if got := fmt.Sprint(kinds); got != "[COMMISSION COMMISSION REALIZED_PNL]" {
		t.Errorf("got incomes %s", got)
	}
	if last := incomes[len(incomes)-1]; last.TradeID != fmt.Sprint(trades[1].ID) || last.Income != trades[1].Profit {
		t.Errorf("got income %+v, want that of trade %+v", last, trades[1])
	}
}

func TestPositionPaysFunding(t *testing.T) {
	s := newSim(t)
	s.signed(http.MethodPost, "/fapi/v1/order", "symbol", "BTCUSDT", "side", "BUY", "type", "MARKET", "quantity", "1")
	s.clock.add(24 * time.Hour)
	var incomes []income
	decode(t, s.signed(http.MethodGet, "/fapi/v1/income", "incomeType", "FUNDING_FEE"), &incomes)
	if len(incomes) != 3 || !strings.HasPrefix(incomes[0].Income, "-") {
		t.Errorf("got %v, want three payments in a day", incomes)
	}
}

func TestLimitOrderFillsWhenItsPriceIsTraded(t *testing.T) {
	s := newSim(t)
	last := get[[]aggTrade](s, "/api/v3/aggTrades?symbol=BTCUSDT&limit=1")[0]
	below := fmt.Sprintf("%.2f", number(t, last.P)*0.999)
	if w := s.signed(http.MethodPost, "/api/v3/order", "symbol", "BTCUSDT", "side", "BUY", "type", "LIMIT_MAKER", "quantity", "0.1", "price", below); w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	for range 400 {
		s.clock.add(10 * time.Minute)
		var trades []userTrade
		decode(t, s.signed(http.MethodGet, "/api/v3/myTrades", "symbol", "BTCUSDT"), &trades)
		if len(trades) == 0 {
			continue
		}
		if number(t, trades[0].Price) != number(t, below) {
			t.Errorf("got a fill at %s, want %s", trades[0].Price, below)
		}
		return
	}
	t.Error("the order was not filled in days")
}

func TestCancel(t *testing.T) {
	s := newSim(t)
	s.signed(http.MethodPost, "/fapi/v1/order", "symbol", "BTCUSDT", "side", "BUY", "type", "LIMIT", "timeInForce", "GTC", "quantity", "1", "price", "1000", "newClientOrderId", "mine")
	for i, want := range []int{200, 400} {
		if w := s.signed(http.MethodDelete, "/fapi/v1/order", "symbol", "BTCUSDT", "origClientOrderId", "mine"); w.Code != want {
			t.Errorf("cancel %d: got %d %s, want %d", i, w.Code, w.Body, want)
		}
	}
}

func TestRefusedOrders(t *testing.T) {
	s := newSim(t)
	order := func(params ...string) (int, string) {
		all := append([]string{"symbol", "BTCUSDT", "side", "BUY", "type", "LIMIT", "timeInForce", "GTC", "quantity", "1", "price", "1000"}, params...)
		w := s.signed(http.MethodPost, "/api/v3/order", all...)
		return w.Code, w.Body.String()
	}
	for name, tt := range map[string]struct {
		params []string
		code   string
	}{
		"symbol":   {[]string{"symbol", "NONE"}, "-1121"},
		"side":     {[]string{"side", "UP"}, "-1117"},
		"type":     {[]string{"type", "GUESS"}, "-1116"},
		"quantity": {[]string{"quantity", "0.0000001"}, "-1013"},
		"price":    {[]string{"price", "0.001"}, "-1013"},
		"balance":  {[]string{"quantity", "9999"}, "-2010"},
	} {
		if status, body := order(tt.params...); status != http.StatusBadRequest || !strings.Contains(body, tt.code) {
			t.Errorf("%s: got %d %s, want %s", name, status, body, tt.code)
		}
	}
}
