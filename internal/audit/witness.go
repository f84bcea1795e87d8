package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

const (
	// rotateAfter comes before the exchange's disconnection after 24 h, and overlap
	// is how long the old connection goes on beside the new one.
	rotateAfter = 23*time.Hour + 50*time.Minute
	overlap     = 10 * time.Second
	dialTimeout = 10 * time.Second
	// silentAfter ends a connection without a frame: it may be open and dead. Of
	// symbols that are not traded it ends too, which costs a connection.
	silentAfter    = 2 * time.Minute
	firstDialPause = time.Second
	maxDialPause   = time.Minute
	maxFrameBytes  = 64 << 10
	// maxWitnessed bounds the streams of a market; the exchange takes 1024 on a
	// connection (API docs, 2026-07).
	maxWitnessed = 1000
	// subscribeBatch streams are asked for in one message, and one message in
	// subscribePause: spot takes 5 in a second, futures 10 (API docs, 2026-07).
	subscribeBatch = 200
	subscribePause = time.Second
	// keptBars are remembered of each series, for rows that are late.
	keptBars = 30
)

// WitnessConfig is the section `audit.witness`.
type WitnessConfig struct {
	Enabled bool `yaml:"enabled"`
	// StreamURLs are the exchange's own where none is given.
	StreamURLs map[binance.Market]string `yaml:"stream_urls,omitempty"`
}

// Validate reports all that is wrong.
func (c WitnessConfig) Validate() error {
	var errs []error
	for _, m := range slices.Sorted(maps.Keys(c.StreamURLs)) {
		text := c.StreamURLs[m]
		if !slices.Contains([]binance.Market{binance.Spot, binance.USDM, binance.COINM}, m) {
			errs = append(errs, fmt.Errorf("stream_urls: %q: use spot, usdm or coinm", m))
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || !slices.Contains([]string{"ws", "wss", "http", "https"}, u.Scheme) {
			errs = append(errs, fmt.Errorf("stream_urls.%s: %q is no URL; use wss://host:port", m, text))
		}
	}
	return errors.Join(errs...)
}

// target is where bars are sent. USDⓈ-M sends them on a path of their own since
// 2026-04-23; on others a stream is acknowledged and silent.
func (c WitnessConfig) target(m binance.Market) string {
	base := strings.TrimSuffix(cmp.Or(c.StreamURLs[m], m.StreamURL()), "/")
	if m == binance.USDM {
		return base + "/market/stream"
	}
	return base + "/stream"
}

// witness takes the bars of one market that the exchange sends as they close, and its
// public trades. They say without a request what a table should have. What it has not seen proves
// nothing: it may have been away, or the stream silent. A nil witness sees nothing.
type witness struct {
	market  binance.Market
	target  string
	client  *http.Client
	logger  *slog.Logger
	metrics *witnessMetrics
	more    chan struct{} // There are new names.

	mu sync.Mutex
	// names are the streams, in the order in which they were wanted.
	names []string
	// By stream, the last bars in the order of time, and what was seen of trades.
	seen   map[string][]Kline
	trades map[string]*sight
	live   int  // Connections that have sent data; two while they rotate.
	full   bool // More were wanted than there may be.
}

type witnessMetrics struct {
	bars, trades, errors *prometheus.CounterVec
}

func newWitnessMetrics(r prometheus.Registerer) (*witnessMetrics, error) {
	m := &witnessMetrics{
		bars: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_audit_witness_bars_total", Help: "Closed bars that the exchange sent to the witness.",
		}, []string{"market"}),
		trades: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_audit_witness_trades_total", Help: "Public trades that the exchange sent to the witness.",
		}, []string{"market"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_audit_witness_errors_total", Help: "Connections of the witness that failed or ended, rows that could not be read, and series that are too many.",
		}, []string{"market"}),
	}
	return m, errors.Join(r.Register(m.bars), r.Register(m.trades), r.Register(m.errors))
}

func newWitness(c WitnessConfig, market binance.Market, d Deps, m *witnessMetrics) *witness {
	m.bars.WithLabelValues(string(market))
	m.trades.WithLabelValues(string(market))
	m.errors.WithLabelValues(string(market))
	return &witness{
		market: market, target: c.target(market), client: d.Dial, logger: d.Logger.With("market", market), metrics: m,
		more: make(chan struct{}, 1), seen: map[string][]Kline{}, trades: map[string]*sight{},
	}
}

// streamName is the stream of a series; the exchange knows lower case only, and
// keeps the M of a month.
func streamName(s Series) string {
	switch s.Dataset {
	case AggTrades:
		return strings.ToLower(s.Symbol) + "@aggTrade"
	case Trades:
		return strings.ToLower(s.Symbol) + "@trade"
	}
	return strings.ToLower(s.Symbol) + "@kline_" + string(s.Interval)
}

// want asks for a series, as long as there is room.
func (w *witness) want(s Series) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	name := streamName(s)
	if _, there := w.seen[name]; there || w.trades[name] != nil {
		return
	}
	if len(w.names) >= maxWitnessed {
		if !w.full {
			w.full = true
			w.metrics.errors.WithLabelValues(string(w.market)).Inc()
			w.logger.Warn("More series than one witness can see; the others are compared by requests only", "limit", maxWitnessed)
		}
		return
	}
	w.names = append(w.names, name)
	if s.public() {
		w.trades[name] = &sight{}
	} else {
		w.seen[name] = nil
	}
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// bars returns those that open in [from, to), if it has seen them all.
func (w *witness) bars(s Series, from, to time.Time) ([]Kline, bool) {
	if w == nil {
		return nil, false
	}
	c := newCalendar(s.Interval)
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []Kline
	for _, k := range w.seen[streamName(s)] {
		if k.OpenTime >= from.UnixMicro() && k.OpenTime < to.UnixMicro() {
			list = append(list, k)
		}
	}
	return list, len(list) > 0 && int64(len(list)) == c.count(from.UnixMicro(), to.UnixMicro())
}

// bar returns the one that opens at a time, in µs.
func (w *witness) bar(s Series, at int64) (Kline, bool) {
	if w == nil {
		return Kline{}, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.seen[streamName(s)] {
		if k.OpenTime == at {
			return k, true
		}
	}
	return Kline{}, false
}

// until is the end of the last bar seen of a series; zero if there is none.
func (w *witness) until(s Series) time.Time {
	if w == nil {
		return time.Time{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if seen := w.trades[streamName(s)]; seen != nil && len(seen.seconds) > 0 {
		return micro(seen.seconds[len(seen.seconds)-1].at)
	}
	list := w.seen[streamName(s)]
	if len(list) == 0 {
		return time.Time{}
	}
	return micro(newCalendar(s.Interval).next(list[len(list)-1].OpenTime))
}

// needed says whether there is anything to see.
func (w *witness) needed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.names) > 0
}

func (w *witness) up() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.live > 0
}

// run keeps a connection until ctx ends. Before the exchange ends it, the next one
// is opened, so that no bar is lost in between.
func (w *witness) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	pause := firstDialPause
	for ctx.Err() == nil {
		if !w.wanted(ctx) {
			return
		}
		conn, err := w.dial(ctx)
		if err == nil {
			opened := time.Now()
			ended := make(chan error, 1)
			running.Go(func() { ended <- w.serve(ctx, conn) })
			rotate := time.NewTimer(rotateAfter)
			select {
			case err = <-ended:
				rotate.Stop()
			case <-rotate.C:
				running.Go(func() {
					_ = sleep(ctx, overlap) // Either way it is over.
					conn.CloseNow()         // Its reader tells how it ended.
				})
				continue
			}
			if time.Since(opened) > maxDialPause {
				pause = firstDialPause
			}
		}
		if ctx.Err() != nil {
			return
		}
		w.metrics.errors.WithLabelValues(string(w.market)).Inc()
		w.logger.Warn("Witness is away; connecting again", "in", pause, "err", err)
		// Half of it is chance, so that not all come back at once.
		if sleep(ctx, pause/2+rand.N(pause/2)) != nil {
			return
		}
		pause = min(2*pause, maxDialPause)
	}
}

// wanted waits until there is something to subscribe to.
func (w *witness) wanted(ctx context.Context) bool {
	for {
		w.mu.Lock()
		n := len(w.names)
		w.mu.Unlock()
		if n > 0 {
			return true
		}
		select {
		case <-w.more:
		case <-ctx.Done():
			return false
		}
	}
}

func (w *witness) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, w.target, &websocket.DialOptions{HTTPClient: w.client})
	if err != nil {
		if res != nil {
			return nil, fmt.Errorf("open stream: status %d", res.StatusCode)
		}
		return nil, fmt.Errorf("open stream: %w", err)
	}
	conn.SetReadLimit(maxFrameBytes)
	return conn, nil
}

// serve subscribes, and takes bars until the connection ends.
func (w *witness) serve(ctx context.Context, conn *websocket.Conn) error {
	defer conn.CloseNow() // It is over either way.
	ctx, cancel := context.WithCancel(ctx)
	var subscribing sync.WaitGroup
	defer subscribing.Wait()
	defer cancel()
	subscribing.Go(func() {
		if err := w.subscribe(ctx, conn); err != nil {
			conn.CloseNow() // The reader tells how it ended.
		}
	})
	live := false
	defer func() {
		if live {
			w.mu.Lock()
			w.live--
			w.mu.Unlock()
		}
	}()
	for {
		frame, err := read(ctx, conn)
		if err != nil {
			return err
		}
		if bytes.Contains(frame, []byte(`"serverShutdown"`)) {
			return errors.New("the exchange shuts the connection down")
		}
		if !bytes.Contains(frame, []byte(`"stream":`)) {
			if bytes.Contains(frame, []byte(`"error":`)) {
				return fmt.Errorf("the exchange refuses the streams: %.200q", frame)
			}
			continue // An acknowledgement proves nothing: unknown streams have one too.
		}
		// Most frames of bars are of those that still grow, and need not be parsed.
		if !bytes.Contains(frame, []byte(`"x":false`)) {
			take := w.take
			if !bytes.Contains(frame, []byte("@kline_")) {
				take = w.takeTrade
			}
			if err := take(frame); err != nil {
				w.metrics.errors.WithLabelValues(string(w.market)).Inc()
				w.logger.Debug("Witness cannot read a frame", "err", err)
				continue
			}
		}
		if !live {
			live = true
			w.mu.Lock()
			w.live++
			w.mu.Unlock()
			w.logger.Info("Witness sees the streams")
		}
	}
}

func read(ctx context.Context, conn *websocket.Conn) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, silentAfter)
	defer cancel()
	_, frame, err := conn.Read(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("nothing was sent for %s", silentAfter)
	}
	return frame, err
}

// subscribe asks for all streams, and for new ones as they are wanted. A poll
// stands behind the signal, which only one of two connections takes.
func (w *witness) subscribe(ctx context.Context, conn *websocket.Conn) error {
	poll := time.NewTicker(overlap)
	defer poll.Stop()
	done := 0
	for {
		w.mu.Lock()
		names := slices.Clone(w.names[done:min(done+subscribeBatch, len(w.names))])
		w.mu.Unlock()
		if len(names) == 0 {
			select {
			case <-w.more:
			case <-poll.C:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		message, err := json.Marshal(map[string]any{"method": "SUBSCRIBE", "params": names, "id": done + 1})
		if err != nil {
			return err
		}
		write, cancel := context.WithTimeout(ctx, dialTimeout)
		err = conn.Write(write, websocket.MessageText, message)
		cancel()
		if err != nil {
			return err
		}
		done += len(names)
		if err := sleep(ctx, subscribePause); err != nil {
			return err
		}
	}
}

// take remembers a closed bar.
func (w *witness) take(frame []byte) error {
	name, k, closed, err := parseStreamed(frame)
	if err != nil || !closed {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	list, there := w.seen[name]
	if !there {
		return fmt.Errorf("bar of %q, which nobody asked for", name)
	}
	at, again := slices.BinarySearchFunc(list, k.OpenTime, func(k Kline, t int64) int { return cmp.Compare(k.OpenTime, t) })
	if again {
		list[at] = k // Both connections of a rotation send it.
		return nil
	}
	if list = slices.Insert(list, at, k); len(list) > keptBars {
		list = slices.Delete(list, 0, len(list)-keptBars)
	}
	w.seen[name] = list
	w.metrics.bars.WithLabelValues(string(w.market)).Inc()
	return nil
}

// streamed is a bar as it is sent; API docs, "Kline/Candlestick Streams", 2026-07.
// Names that differ in case only are all here, or encoding/json would mix them up.
type streamed struct {
	Stream string `json:"stream"`
	Data   struct {
		Event string `json:"e"`
		At    int64  `json:"E"`
		Bar   struct {
			Open       int64       `json:"t"`
			Close      int64       `json:"T"`
			Symbol     string      `json:"s"`
			Interval   Interval    `json:"i"`
			First      int64       `json:"f"`
			Last       int64       `json:"L"`
			O          json.Number `json:"o"`
			C          json.Number `json:"c"`
			H          json.Number `json:"h"`
			L          json.Number `json:"l"`
			Volume     json.Number `json:"v"`
			Trades     int64       `json:"n"`
			Closed     bool        `json:"x"`
			Quote      json.Number `json:"q"`
			TakerBase  json.Number `json:"V"`
			TakerQuote json.Number `json:"Q"`
		} `json:"k"`
	} `json:"data"`
}

// parseStreamed reads a frame; closed is false for what is no bar, or one that
// still grows.
func parseStreamed(frame []byte) (name string, k Kline, closed bool, err error) {
	var m streamed
	if err := json.Unmarshal(frame, &m); err != nil {
		return "", k, false, fmt.Errorf("read stream: %w", err)
	}
	b := m.Data.Bar
	if m.Data.Event != "kline" || !b.Closed {
		return m.Stream, k, false, nil
	}
	fail := func(err error) (string, Kline, bool, error) {
		return m.Stream, Kline{}, false, fmt.Errorf("read bar of stream %q: %w", m.Stream, err)
	}
	if err := b.Interval.Validate(); err != nil {
		return fail(err)
	}
	if got := streamName(Series{Symbol: b.Symbol, Interval: b.Interval}); got != m.Stream {
		return fail(fmt.Errorf("it is of %q", got))
	}
	var errs []error
	number := func(n json.Number) Decimal {
		d, err := ParseDecimal([]byte(n))
		if n == "" {
			err = errNumber
		}
		errs = append(errs, err)
		return d
	}
	stamp := func(n int64) int64 {
		us, _, err := Micros(n)
		errs = append(errs, err)
		return us
	}
	k = Kline{
		OpenTime: stamp(b.Open), CloseTime: stamp(b.Close), Open: number(b.O), High: number(b.H), Low: number(b.L), Close: number(b.C),
		Volume: number(b.Volume), QuoteVolume: number(b.Quote), Trades: b.Trades, TakerBase: number(b.TakerBase), TakerQuote: number(b.TakerQuote),
		Has: AllColumns,
	}
	if err := errors.Join(errs...); err != nil {
		return fail(err)
	}
	if f := k.flaws(newCalendar(b.Interval)); f != 0 {
		_, evidence := f.describe(&k)
		return fail(errors.New(evidence))
	}
	return m.Stream, k, true, nil
}
