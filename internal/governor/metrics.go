package governor

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// metrics are what is counted as it happens; see collect for what is read.
type metrics struct {
	changed       func()
	requests      *prometheus.CounterVec
	wait          *prometheus.HistogramVec
	overhead      prometheus.Histogram
	responses     *prometheus.CounterVec
	refusals      *prometheus.CounterVec
	brokenAnswers prometheus.Counter
	eventsDropped prometheus.Counter
	sockets       *prometheus.GaugeVec
	observed      prometheus.Counter

	mu      sync.Mutex
	clients map[string]bool
}

// maxClients bounds the label client; further clients share "other".
const maxClients = 100

func newMetrics(changed func()) *metrics {
	if changed == nil {
		changed = func() {}
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	latency := func(name, help string) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Name: name, Help: help, Buckets: []float64{
			50e-6, 100e-6, 150e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 50e-3, 250e-3, 1, 5, 10, 30, 60,
		}}
	}
	m := &metrics{
		changed:   changed,
		requests:  counter("hedgewatch_governor_requests_total", "Requests of clients by what became of them: sent to the exchange, answered by us, or refused.", "market", "client", "priority", "outcome"),
		wait:      prometheus.NewHistogramVec(latency("hedgewatch_governor_wait_seconds", "Time that requests waited for their turn before they were sent."), []string{"market", "priority"}),
		overhead:  prometheus.NewHistogram(latency("hedgewatch_governor_overhead_seconds", "Time that the governor itself took for a request, without the exchange's and the queue's.")),
		responses: counter("hedgewatch_binance_responses_total", "Answers of the exchange by status; error if no answer came.", "market", "code"),
		refusals:  counter("hedgewatch_binance_refusals_total", "Answers of the exchange that ask for less or refuse this address, by kind.", "market", "kind"),
		brokenAnswers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_governor_broken_answers_total", Help: "Answers that the exchange broke off in the middle.",
		}),
		eventsDropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_governor_events_dropped_total", Help: "Bans that were not handed to the alert path because it was too slow.",
		}),
		sockets: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hedgewatch_governor_websockets", Help: "Open connections to the exchange's WebSocket API.",
		}, []string{"market"}),
		observed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_governor_observed_answers_total", Help: "Answers of the exchange that services reported, which did not pass the governor.",
		}),
		clients: make(map[string]bool),
	}
	for _, market := range binance.Markets() {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusTeapot} {
			// There from the start, so that increase sees the first one.
			m.responses.WithLabelValues(string(market), strconv.Itoa(status))
		}
	}
	return m
}

func (m *metrics) register(reg prometheus.Registerer, g *Governor) error {
	var errs []error
	for _, c := range []prometheus.Collector{
		m.requests, m.wait, m.overhead, m.responses, m.refusals, m.brokenAnswers, m.eventsDropped, m.sockets, m.observed, newCollector(g),
	} {
		errs = append(errs, reg.Register(c))
	}
	return errors.Join(errs...)
}

// client bounds the label.
func (m *metrics) client(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.clients[name] {
		if len(m.clients) >= maxClients {
			return otherLabel
		}
		m.clients[name] = true
	}
	return name
}

func (m *metrics) served(c *call, outcome string) {
	market := string(c.market)
	if market == "" {
		market = "none"
	}
	m.requests.WithLabelValues(market, m.client(c.client), c.class.String(), outcome).Inc()
	m.changed()
}

func (m *metrics) waited(c *call, d time.Duration) {
	m.wait.WithLabelValues(string(c.market), c.class.String()).Observe(d.Seconds())
}

func (m *metrics) answered(market binance.Market, status int) {
	code := otherLabel
	if status >= 100 && status < 600 {
		code = strconv.Itoa(status)
	}
	m.responses.WithLabelValues(string(market), code).Inc()
	m.changed()
}

func (m *metrics) unanswered(market binance.Market) {
	m.responses.WithLabelValues(string(market), "error").Inc()
}

func (m *metrics) refused(market binance.Market, kind binance.Kind) {
	m.refusals.WithLabelValues(string(market), kind.String()).Inc()
}

// collector shows the state of the budgets, as it is when somebody looks.
type collector struct {
	g *Governor

	used, limit, projected, exhausted, foreign, banned, backoff *prometheus.Desc
	ordersUsed, ordersLimit, offset, drift, queued, table       *prometheus.Desc
	limitsRead                                                  *prometheus.Desc
}

func newCollector(g *Governor) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &collector{
		g:           g,
		used:        desc("hedgewatch_binance_used_weight", "Weight that this address has used in the current window: the higher of our own count and the exchange's, and what is on its way.", "market", "egress", "window"),
		limit:       desc("hedgewatch_binance_weight_limit", "Weight that the exchange allows an address in the window.", "market", "window"),
		projected:   desc("hedgewatch_binance_projected_weight", "Weight that this address will have used at the end of the window at the present rate.", "market", "egress", "window"),
		exhausted:   desc("hedgewatch_binance_weight_exhausted_timestamp_seconds", "When the limit will be used up at the present rate; 0 if not in this window.", "market", "egress"),
		foreign:     desc("hedgewatch_binance_foreign_weight", "Weight of the current window that was used by somebody who bypasses the governor, at least.", "market", "egress"),
		banned:      desc("hedgewatch_binance_banned_until_timestamp_seconds", "Until when the exchange refuses this address (418, 403, 451); 0 if it does not.", "market", "egress"),
		backoff:     desc("hedgewatch_binance_backoff_until_timestamp_seconds", "Until when the exchange asked this address to wait (429); 0 if it does not.", "market", "egress"),
		ordersUsed:  desc("hedgewatch_binance_orders_used", "Unfilled orders that count against the account in the current window.", "market", "account", "window"),
		ordersLimit: desc("hedgewatch_binance_orders_limit", "Unfilled orders that the exchange allows an account in the window.", "market", "window"),
		offset:      desc("hedgewatch_binance_clock_offset_seconds", "The exchange's time less ours; absent until it was measured.", "market"),
		drift:       desc("hedgewatch_binance_weight_table_drift", "What a request costs by the exchange's own count, less what our table says.", "market", "endpoint", "condition"),
		queued:      desc("hedgewatch_governor_queued_requests", "Requests that wait for their turn.", "market", "priority"),
		table:       desc("hedgewatch_binance_weight_table_info", "1, with the version of the weight table.", "version"),
		limitsRead:  desc("hedgewatch_binance_limits_read_timestamp_seconds", "When the limits were last read from the exchange; 0 if the documented ones hold.", "market"),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.used, c.limit, c.projected, c.exhausted, c.foreign, c.banned, c.backoff, c.ordersUsed, c.ordersLimit,
		c.offset, c.drift, c.queued, c.table, c.limitsRead,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := time.Now()
	gauge(c.table, 1, c.g.setup.Load().table.Version())
	for _, m := range c.g.Status().Markets {
		name := string(m.Market)
		gauge(c.limit, float64(m.Limit), name, m.Window)
		gauge(c.limitsRead, unixSeconds(m.LimitsRead), name)
		if m.ClockOffset != nil {
			gauge(c.offset, *m.ClockOffset, name)
		}
		for _, e := range m.Egress {
			gauge(c.used, float64(e.Used), name, e.Name, m.Window)
			gauge(c.projected, float64(e.Projected), name, e.Name, m.Window)
			gauge(c.foreign, float64(e.Foreign), name, e.Name)
			gauge(c.banned, unixSeconds(e.BannedUntil), name, e.Name)
			gauge(c.backoff, unixSeconds(e.BackoffUntil), name, e.Name)
			exhausted := 0.0
			if e.ExhaustedIn != nil {
				exhausted = unixSeconds(new(now.Add(time.Duration(*e.ExhaustedIn * float64(time.Second)))))
			}
			gauge(c.exhausted, exhausted, name, e.Name)
		}
		for priority, n := range m.Queued {
			gauge(c.queued, float64(n), name, priority)
		}
		limits := make(map[string]int64)
		for _, o := range m.Orders {
			gauge(c.ordersUsed, float64(o.Used), name, o.Account, o.Window)
		}
		for _, l := range m.OrderLimits {
			limits[l.Window] = l.Limit
		}
		for window, n := range limits {
			gauge(c.ordersLimit, float64(n), name, window)
		}
		for _, d := range c.g.lessons[m.Market].drifts() {
			gauge(c.drift, float64(d.more), name, d.endpoint, d.when)
		}
	}
}

func unixSeconds(t *time.Time) float64 {
	if t == nil || t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
