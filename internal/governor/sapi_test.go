package governor

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// Two accounts and two addresses ask for their withdrawals, which count by account,
// and for the state of their account, which counts by address.
func TestWalletLimitsAreKeptByAccountAndByAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accounts := []exchangesim.Account{{Name: "alpha"}, {Name: "beta"}}
		n := newNetwork(exchangesim.Config{Accounts: accounts})
		defer n.Close()
		cfg := testConfig()
		cfg.Queue.Timeout = 0
		for _, a := range n.Accounts() {
			cfg.Exchange.Accounts = append(cfg.Exchange.Accounts, Account{Name: a.Name, APIKeys: []Secret{Secret(a.Key)}})
		}
		cfg.Egress = []Egress{{Name: "a"}, {Name: "b"}}
		g := start(t, cfg, n)
		time.Sleep(time.Minute - time.Duration(time.Now().UnixNano())%time.Minute + time.Second)
		rt := g.Transport("wallet", account.String())
		const history, state = "/sapi/v1/capital/withdraw/history", "/sapi/v1/account/status"
		served := make(map[string]int)
		for i := range 30 {
			name := n.Accounts()[i%2].Name
			for _, path := range []string{history, state} {
				resp, err := rt.RoundTrip(n.signed(t, i%2, http.MethodGet, path, ""))
				if err != nil {
					t.Fatal(err)
				}
				readAll(resp)
				if resp.StatusCode == http.StatusOK {
					served[name+" "+path]++
				}
			}
		}
		// 180,000 less what is left to orders are 8 times 18,000 at a window's start.
		want := map[string]int{"alpha " + history: 8, "beta " + history: 8, "alpha " + state: 15, "beta " + state: 15}
		if diff := cmp.Diff(want, served); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		if c := n.Counts(); c.Limited > 0 || c.Banned > 0 {
			t.Errorf("got %d answers 429 and %d answers 418, want none", c.Limited, c.Banned)
		}
		var shown []string
		for _, e := range g.Status().Endpoints {
			if e.By == "address" {
				e.Used = 0 // The exchange sees one address here.
			}
			shown = append(shown, fmt.Sprintf("%s %s %s %s %d/%d", e.Market, e.Endpoint, e.By, e.Name, e.Used, e.Limit))
		}
		slices.Sort(shown)
		wantShown := []string{
			"sapi GET " + state + " address a 0/12000",
			"sapi GET " + state + " address b 0/12000",
			"sapi GET " + history + " account alpha 144000/180000",
			"sapi GET " + history + " account beta 144000/180000",
		}
		if diff := cmp.Diff(wantShown, shown); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	})
}

// A client that makes up paths makes no more limits than there may be, and takes
// nothing from the endpoints of others.
func TestMadeUpEndpointsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(exchangesim.Config{})
		defer n.Close()
		g := start(t, testConfig(), n)
		for i := range maxEndpoints + 100 {
			g.gateOf(&call{market: binance.SAPI, method: http.MethodGet, path: fmt.Sprint("/sapi/v1/made-up/", i)})
		}
		if len(g.gates) > maxEndpoints+1 {
			t.Errorf("got %d limits, want at most %d", len(g.gates), maxEndpoints+1)
		}
		if got := g.gateOf(&call{market: binance.SAPI, method: http.MethodGet, path: "/sapi/v1/one-more"}).config.endpoint; got != otherLabel {
			t.Errorf("got %q, want %q", got, otherLabel)
		}
		if got := g.gateOf(&call{market: binance.Spot}); got != g.market(binance.Spot) {
			t.Error("got another limit for spot, want its own")
		}
	})
}
