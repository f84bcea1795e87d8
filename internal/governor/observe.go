package governor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/http1"
)

// Observed is an answer of the exchange that did not pass the governor: what a
// service saw that goes by another way.
type Observed struct {
	Market binance.Market `json:"market"`
	// Egress is the way out whose address the service has; empty is the first one.
	Egress string `json:"egress,omitempty"`
	// Account is a name, never a key.
	Account string            `json:"account,omitempty"`
	Client  string            `json:"client,omitempty"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	// Error is the beginning of the body, where the answer is an error.
	Error string `json:"error,omitempty"`
}

// What one report may hold.
const (
	maxReportBytes  = 256 << 10
	maxReportAnswer = 500
)

// ObservedHandler takes reports: a JSON list of [Observed].
func (g *Governor) ObservedHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.takeReport(http.MaxBytesReader(w, r.Body, maxReportBytes)); err != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			// The client may be gone; there is nobody to tell.
			_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func (g *Governor) takeReport(body io.Reader) error {
	var report []Observed
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(&report); err != nil {
		return fmt.Errorf("read report: %w; send a list of {market, status, headers}", err)
	}
	if len(report) > maxReportAnswer {
		return fmt.Errorf("the report has %d answers; send at most %d at once", len(report), maxReportAnswer)
	}
	var errs []error
	for i, o := range report {
		if err := g.Observe(o); err != nil {
			errs = append(errs, fmt.Errorf("answer %d: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// Observe takes an answer that did not pass the governor. It counts for the address
// as if it had: used weight, orders, bans.
func (g *Governor) Observe(o Observed) error {
	if g.clocks[o.Market] == nil {
		return fmt.Errorf("market %q; use spot, usdm or coinm", o.Market)
	}
	if o.Account != "" && !name.MatchString(o.Account) || o.Client != "" && !name.MatchString(o.Client) {
		return errors.New("account and client: use letters, digits, dots, dashes and underscores")
	}
	at := g.market(o.Market)
	l := at.lane(o.Egress)
	if l == nil {
		return fmt.Errorf("egress %q is not configured", o.Egress)
	}
	header := make(http1.Header, 0, len(o.Headers))
	for name, value := range o.Headers {
		header = append(header, http1.Field{Name: name, Value: value})
	}
	now := time.Now()
	g.metrics.observed.Inc()
	g.metrics.answered(o.Market, o.Status)
	used := usedBy(header, nil)
	at.observe(l, used, g.dates.parse(header.Get("Date")), now)
	v := binance.Judge(o.Status, header, []byte(o.Error), at.clock.now(now))
	c := &call{client: o.Client, market: o.Market, account: o.Account, endpoint: otherLabel}
	for _, u := range used {
		if u.Type == binance.Orders && o.Account != "" {
			g.orders[o.Market].settle(o.Account, binance.Cost{}, used, v, now)
			break
		}
	}
	if v.Kind != binance.Accepted && v.Kind != binance.Refused {
		g.refused(c, at, l, v, now)
	}
	return nil
}

// lane finds a way out by name, the first one for "".
func (g *gate) lane(name string) *lane {
	for _, l := range g.lanes {
		if name == "" || l.egress.name == name {
			return l
		}
	}
	return nil
}

func (g *gate) observe(l *lane, used []binance.Used, dated, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, u := range used {
		if u.Type == binance.RequestWeight && u.Window == l.weight.length {
			l.weight.observe(g.clock.now(now), dated, u.Count)
		}
	}
}
