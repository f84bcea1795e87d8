package instrument

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// BinanceConfig says how requests to Binance are measured, and by which way they go.
type BinanceConfig struct {
	// Client names the service to the governor.
	Client string
	// Governor is the base URL of hedgewatch's governor, "http://127.0.0.1:9091".
	// Without one every request goes straight to the exchange and is only watched.
	Governor string
	// Token is the client token that a governor on another machine asks for.
	Token string
	// TLS is for a governor with https.
	TLS *tls.Config
	// DirectShare is the share of the exchange's weight limit that this service may
	// use while the governor is down; 0 means 0.1. The shares of all services
	// behind one address must not exceed 1. Orders and cancels are never held back.
	DirectShare float64
	// Exchange are base URLs for requests that go direct, where they are not
	// Binance's own.
	Exchange map[Market]string
	// Next carries requests to the exchange; nil means http.DefaultTransport.
	Next http.RoundTripper
	// Logger is told when the governor is lost and found; nil is silence.
	Logger *slog.Logger
	// MaxAccounts bounds the label account in each market; 0 means 50. Further
	// accounts share "other".
	MaxAccounts int
}

// Binance measures requests to the exchange: used weight, order counts, answers,
// latency and bans, from the headers of each answer. With a governor it sends them
// there, and direct with a safe share of the limit while the governor is down. It
// is safe for concurrent use.
type Binance struct {
	client   string
	next     http.RoundTripper
	clock    clock
	server   serverTime
	headers  atomic.Pointer[[]limitHeader]
	markets  [4]*binanceMarket
	governor *governor // nil: only watch.

	usedDesc, ordersDesc *prometheus.Desc
	limit                *prometheus.GaugeVec

	mu       sync.Mutex // Held while headers or accounts grow.
	accounts atomic.Pointer[[]*usage]
	// maxAccounts bounds the label account in each market.
	maxAccounts int
}

// binanceMarket is what is known of one market.
type binanceMarket struct {
	name      Market
	base      *url.URL
	responses [codes]prometheus.Counter
	took      [5]prometheus.Observer // By rank of the priority.
	weight    usage
	banned    deadline
	backoff   deadline
	budget    budget
}

// NewBinance registers the metrics hedgewatch_binance_*.
func NewBinance(reg prometheus.Registerer, cfg BinanceConfig) (*Binance, error) {
	if cfg.Next == nil {
		cfg.Next = http.DefaultTransport
	}
	cfg.MaxAccounts = cmp.Or(max(cfg.MaxAccounts, 0), 50)
	cfg.DirectShare = cmp.Or(cfg.DirectShare, 0.1)
	if cfg.Governor != "" {
		var errs []error
		if cfg.Client == "" {
			errs = append(errs, errors.New("BinanceConfig.Client is empty; name the service, so that the governor can share out the limit"))
		}
		if !(cfg.DirectShare > 0 && cfg.DirectShare <= 1) {
			errs = append(errs, fmt.Errorf("BinanceConfig.DirectShare is %v; use a share between 0 and 1", cfg.DirectShare))
		}
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
	}
	b := &Binance{client: cfg.Client, next: cfg.Next, clock: newClock(), maxAccounts: cfg.MaxAccounts}
	b.accounts.Store(new([]*usage))
	headers := documentedHeaders()
	b.headers.Store(&headers)
	m := newBinanceMetrics()
	b.usedDesc, b.ordersDesc, b.limit = m.used, m.orders, m.limit
	for i, name := range []Market{Spot, USDM, COINM, SAPI} {
		base, err := parseBase(cmp.Or(cfg.Exchange[name], defaultBase(name)))
		if err != nil {
			return nil, fmt.Errorf("BinanceConfig.Exchange[%q]: %w", name, err)
		}
		b.markets[i] = m.market(name, base, cfg.DirectShare)
	}
	metrics := append(m.all(), usageCollector{b})
	if cfg.Governor != "" {
		g, err := newGovernor(cfg, m)
		if err != nil {
			return nil, err
		}
		b.governor = g
		metrics = append(metrics, m.up, m.direct)
	}
	if err := register(reg, "Binance client", metrics...); err != nil {
		return nil, err
	}
	return b, nil
}

// SetWeightLimit tells what exchangeInfo says that the market allows in a minute.
// Until then no limit is shown, and the share while the governor is down is that
// of the documented limit.
func (b *Binance) SetWeightLimit(market Market, perMinute int) {
	if m := b.market(market); m != nil && perMinute > 0 {
		m.budget.limit.Store(int64(perMinute))
		b.limit.WithLabelValues(string(market), "1m").Set(float64(perMinute))
	}
}

// market returns nil for a market that there is not.
func (b *Binance) market(name Market) *binanceMarket {
	for _, m := range b.markets {
		if m.name == name {
			return m
		}
	}
	return nil
}

func defaultBase(m Market) string {
	switch m {
	case USDM:
		return "https://fapi.binance.com"
	case COINM:
		return "https://dapi.binance.com"
	}
	return "https://api.binance.com"
}

func parseBase(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%q is no base URL; use http://host:port", text)
	}
	if base.Path != "" && base.Path != "/" || base.RawQuery != "" {
		return nil, fmt.Errorf("%q has a path; the exchange's own path follows the host", text)
	}
	return base, nil
}

// deadline is a time that only moves forward, and its metric.
type deadline struct {
	mu    sync.Mutex
	until time.Time
	gauge prometheus.Gauge
}

func (d *deadline) extend(until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if until.After(d.until) {
		d.until = until
		d.gauge.Set(seconds(until))
	}
}

func (d *deadline) left(now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(0, d.until.Sub(now))
}

// account returns the order counts of a market's account.
func (b *Binance) account(market Market, name string) *usage {
	if u := b.findAccount(market, name); u != nil {
		return u
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	known := *b.accounts.Load()
	named := 0
	for _, u := range known {
		if u.labels[0] == string(market) {
			named++
		}
	}
	if named >= b.maxAccounts {
		name = "other"
	}
	if u := b.findAccount(market, name); u != nil {
		return u
	}
	u := &usage{labels: []string{string(market), name}}
	grown := append(known[:len(known):len(known)], u)
	b.accounts.Store(&grown)
	return u
}

func (b *Binance) findAccount(market Market, name string) *usage {
	for _, u := range *b.accounts.Load() {
		if u.labels[0] == string(market) && u.labels[1] == name {
			return u
		}
	}
	return nil
}

// codes counts the values of the label code.
const codes = 18

// codeNames are the statuses that Binance documents or a proxy on the way sends,
// and what else may happen to a request.
var codeNames = [codes]string{
	"200", "201", "400", "401", "403", "404", "409", "418", "429", "451", "500", "502", "503", "504",
	"other", "governor", "canceled", "error",
}

const (
	codeOther    = codes - 4
	codeGovernor = codes - 3 // Not the exchange's: the governor answered itself.
	codeCanceled = codes - 2
	codeError    = codes - 1
)

func codeIndex(status int) int {
	for i, known := range [codeOther]int{200, 201, 400, 401, 403, 404, 409, 418, 429, 451, 500, 502, 503, 504} {
		if known == status {
			return i
		}
	}
	return codeOther
}

// binanceMetrics are the metrics while they are built.
type binanceMetrics struct {
	used, orders           *prometheus.Desc
	responses, direct      *prometheus.CounterVec
	took                   *prometheus.HistogramVec
	limit, banned, backoff *prometheus.GaugeVec
	up                     prometheus.Gauge
}

func newBinanceMetrics() binanceMetrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hedgewatch_binance_" + name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hedgewatch_binance_" + name, Help: help}, labels)
	}
	return binanceMetrics{
		used: prometheus.NewDesc("hedgewatch_binance_used_weight",
			"Weight that this address has used in the current window, by the last answer of the exchange in it; 0 if there was none.",
			[]string{"market", "window"}, nil),
		orders: prometheus.NewDesc("hedgewatch_binance_orders_used",
			"Unfilled orders that count against the account in the current window, by the last answer of the exchange in it; 0 if there was none.",
			[]string{"market", "account", "window"}, nil),
		responses: counter("responses_total",
			"Answers of the exchange by status; governor if the governor answered itself, canceled if we gave up, error if no answer came.",
			"market", "code"),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hedgewatch_binance_request_duration_seconds",
			Help:    "Time from a request to the header of its answer, or to its error.",
			Buckets: latencyBuckets(),
		}, []string{"market", "priority"}),
		limit:   gauge("weight_limit", "Weight that the exchange allows an address in the window.", "market", "window"),
		banned:  gauge("banned_until_timestamp_seconds", "Until when the exchange refuses this address (418, 403); 0 if it never has.", "market"),
		backoff: gauge("backoff_until_timestamp_seconds", "Until when the exchange asked this address to wait (429); 0 if it never has.", "market"),
		direct: counter("direct_requests_total",
			"Requests while the governor was down: sent to the exchange, or refused by this service to keep the limit.",
			"market", "priority", "outcome"),
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hedgewatch_binance_governor_up", Help: "Whether requests go through the governor, 1, or direct with a safe share, 0.",
		}),
	}
}

func (m binanceMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.responses, m.took, m.limit, m.banned, m.backoff}
}

func (m binanceMetrics) market(name Market, base *url.URL, share float64) *binanceMarket {
	b := &binanceMarket{name: name, base: base}
	for i, code := range codeNames {
		b.responses[i] = m.responses.WithLabelValues(string(name), code)
	}
	for i, p := range priorities() {
		b.took[i] = m.took.WithLabelValues(string(name), string(p))
	}
	b.weight.labels = []string{string(name)}
	b.banned.gauge = m.banned.WithLabelValues(string(name))
	b.backoff.gauge = m.backoff.WithLabelValues(string(name))
	b.budget.share = share
	b.budget.limit.Store(documentedLimit(name))
	return b
}

// usageCollector shows what the exchange said was used, while it still holds.
type usageCollector struct{ b *Binance }

// Describe implements prometheus.Collector.
func (c usageCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.b.usedDesc
	ch <- c.b.ordersDesc
}

// Collect implements prometheus.Collector.
func (c usageCollector) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	for _, m := range c.b.markets {
		m.weight.collect(ch, c.b.usedDesc, now)
	}
	for _, account := range *c.b.accounts.Load() {
		account.collect(ch, c.b.ordersDesc, now)
	}
}
