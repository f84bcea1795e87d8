package binance

import (
	"strings"
	"testing"
)

func defaultTable(t testing.TB) *Table {
	t.Helper()
	table, err := DefaultTable()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestRequestsCostWhatTheDocumentsSay(t *testing.T) {
	tests := []struct {
		method, path, query string
		weight, success     int64
		orders, long        int64
	}{
		{"GET", "/api/v3/depth", "symbol=BTCUSDT", 5, 5, 0, 0},
		{"GET", "/api/v3/depth", "symbol=BTCUSDT&limit=101", 25, 25, 0, 0},
		{"GET", "/api/v3/depth", "limit=5000", 250, 250, 0, 0},
		{"GET", "/api/v3/depth", "limit=nonsense", 250, 250, 0, 0},
		{"GET", "/api/v3/depth", "limit=-1", 250, 250, 0, 0},
		{"GET", "/api/v3/klines", "limit=1000", 2, 2, 0, 0},
		{"GET", "/api/v3/ticker/24hr", "", 80, 80, 0, 0},
		{"GET", "/api/v3/ticker/24hr", "symbol=", 80, 80, 0, 0},
		{"GET", "/api/v3/ticker/24hr", "symbol=BTCUSDT", 2, 2, 0, 0},
		{"GET", "/api/v3/ticker/24hr", "symbols=%5B" + strings.Repeat("%22A%22%2C", 20) + "%22A%22%5D", 40, 40, 0, 0},
		{"GET", "/api/v3/ticker", "symbols=[1,2,3]", 12, 12, 0, 0},
		{"GET", "/api/v3/ticker", "symbols=[" + strings.Repeat("A,", 99) + "A]", 200, 200, 0, 0},
		{"GET", "/api/v3/openOrders", "", 80, 80, 0, 0},
		{"POST", "/api/v3/order", "", 1, 0, 1, 1},
		{"POST", "/api/v3/orderList/otoco", "", 1, 0, 3, 3},
		{"POST", "/api/v3/order/test", "computeCommissionRates=TRUE", 20, 20, 0, 0},
		{"DELETE", "/api/v3/order", "", 1, 0, 0, 0},
		{"GET", "/fapi/v1/klines", "limit=100", 2, 2, 0, 0},
		{"GET", "/fapi/v1/klines", "", 5, 5, 0, 0},
		{"GET", "/fapi/v1/klines", "limit=1500", 10, 10, 0, 0},
		{"POST", "/fapi/v1/order", "", 0, 0, 1, 1},
		{"POST", "/fapi/v1/batchOrders", "", 5, 5, 5, 1},
		{"GET", "/dapi/v1/depth", "limit=1000", 20, 20, 0, 0},
		{"GET", "/dapi/v1/allOrders", "symbol=BTCUSD_PERP", 20, 20, 0, 0},
		{"GET", "/dapi/v1/allOrders", "pair=BTCUSD", 40, 40, 0, 0},
		{"GET", "/sapi/v1/system/status", "", 1, 1, 0, 0},
		{"GET", "/sapi/v1/capital/withdraw/history", "", 18000, 18000, 0, 0},
		{"POST", "/sapi/v1/margin/order", "symbol=BTCUSDT", 6, 6, 0, 0},
		{"POST", "/sapi/v1/margin/order", "sideEffectType=NO_SIDE_EFFECT", 6, 6, 0, 0},
		{"POST", "/sapi/v1/margin/order", "sideEffectType=MARGIN_BUY", 1500, 1500, 0, 0},
		{"GET", "/sapi/v1/margin/isolatedMarginData", "symbol=BTCUSDT", 1, 1, 0, 0},
		{"GET", "/sapi/v1/margin/isolatedMarginData", "", 10, 10, 0, 0},
		{"WS", "userDataStream.subscribe", "", 2, 2, 0, 0},
		{"GET", "/api/v9/unknown", "", Unlisted, Unlisted, 0, 0},
	}
	table := defaultTable(t)
	for _, test := range tests {
		got := table.Cost(test.method, test.path, test.query)
		if got.Weight != test.weight || got.Success != test.success || got.Orders != test.orders || got.OrdersLong != test.long {
			t.Errorf("%s %s?%.40s: got weight %d, on success %d, orders %d/%d, want %d, %d, %d/%d", test.method, test.path, test.query,
				got.Weight, got.Success, got.Orders, got.OrdersLong, test.weight, test.success, test.orders, test.long)
		}
	}
}

// Each endpoint of /sapi has a limit of its own, some by address and some by account;
// one of them must not cost more than its whole limit.
func TestWalletEndpointsHaveTheirOwnLimits(t *testing.T) {
	accounts := map[string]bool{
		"GET /sapi/v1/capital/withdraw/history": true, "POST /sapi/v1/margin/order": true,
		"DELETE /sapi/v1/margin/order": false, "GET /sapi/v1/system/status": false,
	}
	byAccount, byAddress := 0, 0
	for key, e := range defaultTable(t).endpoints {
		if e.Market != SAPI {
			continue
		}
		limit := DefaultLimits(SAPI)[0].Count
		if e.PerAccount {
			limit = SAPIPerAccount
			byAccount++
		} else {
			byAddress++
		}
		for _, r := range e.rules {
			if r.weight > limit {
				t.Errorf("%s %s: got weight %d, want at most its limit of %d", key.method, key.path, r.weight, limit)
			}
		}
		if want, ok := accounts[key.method+" "+key.path]; ok && e.PerAccount != want {
			t.Errorf("%s %s: got PerAccount %v, want %v", key.method, key.path, e.PerAccount, want)
		}
	}
	if byAccount < 50 || byAddress < 250 {
		t.Errorf("got %d endpoints by account and %d by address, want the 375 of the documents", byAccount, byAddress)
	}
}

func TestTableErrorsNameTheLine(t *testing.T) {
	const head = "# version: 1\nmarket,method,path,when,weight,success,orders,flags,source\n"
	tests := []struct{ name, table, want string }{
		{"no version", "market\n", "first line"},
		{"empty", head, "no rows"},
		{"weight", head + "spot,GET,/api/v3/x,,many,,,,\n", `line 3: weight "many"`},
		{"negative", head + "spot,GET,/api/v3/x,,-1,,,,\n", `line 3: weight "-1"`},
		{"market", head + "moon,GET,/api/v3/x,,1,,,,\n", `market "moon"`},
		{"path", head + "spot,GET,/fapi/v1/x,,1,,,,\n", "does not belong"},
		{"condition", head + "spot,GET,/api/v3/x,limit<=a,1,,,,\n", `condition "limit<=a"`},
		{"no worst case", head + "spot,GET,/api/v3/x,symbol,1,,,,\n", "must have no condition"},
		{"flag", head + "spot,GET,/api/v3/x,,1,,,free,\n", `flag "free"`},
		{"account", head + "spot,GET,/api/v3/x,,1,,,uid,\n", "only endpoints of sapi"},
		{"fields", head + "spot,GET\n", "wrong number of fields"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ParseTable(strings.NewReader(test.table)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestTableCanBeOverridden(t *testing.T) {
	own, err := ParseTable(strings.NewReader("# version: own\nmarket,method,path,when,weight,success,orders,flags,source\nspot,GET,/api/v3/klines,,7,,,public,measured\n"))
	if err != nil {
		t.Fatal(err)
	}
	table := defaultTable(t)
	merged := table.Over(own)
	got := merged.Cost("GET", "/api/v3/klines", "")
	if got.Weight != 7 || got.Row != table.Rows()+1 {
		t.Errorf("got weight %d in row %d, want 7 in row %d", got.Weight, got.Row, table.Rows()+1)
	}
	if got := merged.Cost("GET", "/api/v3/time", "").Weight; got != 1 {
		t.Errorf("got weight %d of another endpoint, want 1", got)
	}
}

func FuzzCost(f *testing.F) {
	f.Add("GET", "/api/v3/depth", "limit=100&symbol=A")
	f.Add("GET", "/api/v3/ticker", "symbols=%5B%22A%22%5D")
	table := defaultTable(f)
	f.Fuzz(func(t *testing.T, method, path, query string) {
		c := table.Cost(method, path, query)
		if c.Weight < 0 || c.Success > c.Weight || c.Weight > 1000 {
			t.Errorf("%s %s?%s: got weight %d, on success %d", method, path, query, c.Weight, c.Success)
		}
	})
}

func BenchmarkCost(b *testing.B) {
	table := defaultTable(b)
	b.ReportAllocs()
	for b.Loop() {
		table.Cost("GET", "/api/v3/depth", "symbol=BTCUSDT&limit=1000")
	}
}
