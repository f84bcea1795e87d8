package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/journal"
)

// Deps are the parts that an Auditor works with.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Dir keeps what was verified and found.
	Dir string
	// Open opens the rows of a dataset of the configuration, by its index. It is
	// called again after an error.
	Open func(ctx context.Context, dataset int) (Rows, error)
	// Transport carries requests to the exchange, BaseURL is where a market is.
	Transport http.RoundTripper
	BaseURL   func(market string) string
	// Dial opens the streams of a witness, without a deadline of its own; nil is
	// http.DefaultClient.
	Dial *http.Client
	// Raise tells at once what should not wait for a rule, Clear that it is over.
	Raise func(context.Context, Alarm) error
	Clear func(ctx context.Context, key string) error
	// Repair hands a plan to who repairs, once; nil if nobody does. key is the same
	// for each attempt at a plan. Whether to try again is in a *receiver.Error.
	Repair func(ctx context.Context, key string, plan []byte) error
	// Changed is called when something of [Status] or the findings has changed. It
	// must not wait; nil if nobody wants to know.
	Changed func()
}

// Alarm says that rows of a dataset are missing or wrong by the platform's fault.
type Alarm struct {
	Key     string
	Dataset Series // without account and symbol
	Kind    Kind
	Rows    int64
	Example Finding
}

// Auditor verifies what a platform stores, as long as it runs: new rows when
// they are due, older ones in the background, and all again from time to time.
type Auditor struct {
	deps     Deps
	config   Config
	journal  *journal.Journal
	exchange *exchange
	watches  []*watch
	repairs  *prometheus.CounterVec
	// witnesses see the markets of bars that are compared; none if it is off.
	witnesses map[binance.Market]*witness

	// mu guards the state of all watches.
	mu sync.Mutex
}

// New returns an Auditor that goes on where the last one stopped.
func New(c Config, d Deps) (*Auditor, error) {
	if c.WeightPerMinute <= 0 {
		c.WeightPerMinute = DefaultWeightPerMinute
	}
	if d.Changed == nil {
		d.Changed = func() {}
	}
	x, err := newExchange(d, c.WeightPerMinute)
	if err != nil {
		return nil, err
	}
	j, damaged, err := journal.Open(filepath.Join(d.Dir, "journal"))
	if err != nil {
		return nil, fmt.Errorf("load audit: %w", err)
	}
	if damaged > 0 {
		d.Logger.Warn("Part of what was verified could not be read; it is verified again", "bytes", damaged)
	}
	a := &Auditor{deps: d, config: c, journal: j, exchange: x}
	names := map[string]bool{}
	for i, ds := range c.Datasets {
		if err := errors.Join(ds.Validate(), unique(names, ds.Name)); err != nil {
			return nil, fmt.Errorf("audit.datasets[%d]: %w", i, err)
		}
		a.watches = append(a.watches, newWatch(a, i, ds))
	}
	if err := a.callWitnesses(); err != nil {
		return nil, err
	}
	a.load()
	a.repairs = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hedgewatch_audit_repairs_total", Help: "Attempts to hand repair plans to the platform, by what became of them.",
	}, []string{"outcome"})
	collectors := []prometheus.Collector{newCollector(a)}
	if d.Repair != nil {
		collectors = append(collectors, repairMetrics(a)...)
	}
	for _, c := range collectors {
		if err := d.Registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// callWitnesses makes one for each market whose rows are compared.
func (a *Auditor) callWitnesses() error {
	c := a.config.Witness
	if !c.Enabled {
		return nil
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("audit.witness: %w", err)
	}
	m, err := newWitnessMetrics(a.deps.Registerer)
	if err != nil {
		return err
	}
	a.witnesses = map[binance.Market]*witness{}
	for _, w := range a.watches {
		if !w.Compare {
			continue
		}
		market := binance.Market(w.Market)
		if a.witnesses[market] == nil {
			a.witnesses[market] = newWitness(c, market, a.deps, m)
		}
		w.witness = a.witnesses[market]
	}
	return nil
}

func unique(names map[string]bool, name string) error {
	if names[name] {
		return fmt.Errorf("%s is there twice", name)
	}
	names[name] = true
	return nil
}

// load reads the journal; what belongs to no dataset any more is dropped.
func (a *Auditor) load() {
	var gone []journal.Change
	for key, value := range a.journal.All() {
		if !slices.ContainsFunc(a.watches, func(w *watch) bool { return w.load(key, value) }) {
			gone = append(gone, journal.Change{Key: key})
		}
	}
	if len(gone) == 0 {
		return
	}
	if err := a.journal.Write(gone...); err != nil {
		a.deps.Logger.Warn("Records of former datasets not dropped", "err", err)
	}
}

// Run works until ctx ends.
func (a *Auditor) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for _, w := range a.watches {
		workers.Go(func() { w.run(ctx) })
	}
	for _, w := range a.witnesses {
		workers.Go(func() { w.run(ctx) })
	}
	if a.deps.Repair != nil {
		workers.Go(func() { a.runRepairs(ctx) })
	}
	workers.Wait()
	return a.journal.Close()
}

// progress is what is known of one series, as it is kept on disk.
type progress struct {
	Series Series `json:"series"`
	// Rows from From to Until were looked at; what was wrong is a finding.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Compared is until when the exchange was asked, ComparedAt when that was.
	Compared   time.Time `json:"compared,omitzero"`
	ComparedAt time.Time `json:"comparedAt,omitzero"`
	// Summed is the day until which sums of an account were compared, RefusedAt
	// when the exchange refused last to show the rows.
	Summed    time.Time `json:"summed,omitzero"`
	RefusedAt time.Time `json:"refusedAt,omitzero"`
	// Newest is the time of the newest row, for bars the end of its interval.
	Newest time.Time `json:"newest,omitzero"`
	// NewestID is the id of that row, of public trades.
	NewestID int64 `json:"newestId,omitempty"`
	// Edge is the time of the oldest row of a pass over history: older rows end with
	// the id before its.
	Edge        time.Time `json:"edge,omitzero"`
	CountedAt   time.Time `json:"countedAt,omitzero"` // When trades were counted last.
	LastSuccess time.Time `json:"lastSuccess"`
	// Slowest is how long the slowest row of the last look took to be stored.
	Slowest time.Duration `json:"slowest,omitempty"`
}

// watch is one dataset. Its fields below rows are guarded by Auditor.mu.
type watch struct {
	Dataset
	a      *Auditor
	index  int
	logger *slog.Logger
	rows   Rows
	// witness sees the bars of the exchange as they close; nil if there is none.
	witness *witness
	sooner  chan struct{} // Something is due sooner than it was.

	series  map[Series]*progress
	book    book
	history pass
	asked   []Verification
	err     error // why nothing can be verified now
	raised  map[Kind]int64
	// tickers are counts of the exchange that are to be compared; the background's own.
	tickers map[Series]ticker
	// listAgain is how long the list of series is good for.
	listAgain time.Duration
}

// pass is how far back the history is verified.
type pass struct {
	Cursor time.Time `json:"cursor"`
	Done   time.Time `json:"done,omitzero"` // when the last pass was over
}

func newWatch(a *Auditor, i int, d Dataset) *watch {
	return &watch{
		Dataset: d, a: a, index: i, logger: a.deps.Logger.With("source", d.Source, "dataset", d.Name),
		series: map[Series]*progress{}, book: book{prefix: d.Name + "|finding|", records: map[string]*Record{}}, raised: map[Kind]int64{},
		sooner: make(chan struct{}, 1), tickers: map[Series]ticker{},
	}
}

func (w *watch) load(key string, value json.RawMessage) bool {
	kind, ok := strings.CutPrefix(key, w.Name+"|")
	var err error
	switch {
	case !ok:
		return false
	case kind == "pass":
		err = json.Unmarshal(value, &w.history)
	case strings.HasPrefix(kind, "series|"):
		p := &progress{}
		if err = json.Unmarshal(value, p); err == nil {
			w.series[p.Series] = p
		}
	default:
		err = w.book.load(value)
	}
	return err == nil // What cannot be read is verified again.
}

// Pauses of the loops.
const (
	openAgain     = 15 * time.Second
	seriesAgain   = 5 * time.Minute
	newAgain      = 5 * time.Second // While new series appear, and twice that time after time.
	idlePause     = time.Minute
	workPause     = 200 * time.Millisecond
	failedPause   = 10 * time.Second
	entryInterval = 4 * time.Second
)

func (w *watch) run(ctx context.Context) {
	for {
		rows, err := w.a.deps.Open(ctx, w.index)
		if err == nil {
			w.rows = rows
			break
		}
		w.fail(err)
		if sleep(ctx, openAgain) != nil {
			return
		}
	}
	var background sync.WaitGroup
	background.Go(func() { w.runBackground(ctx) })
	defer background.Wait()
	var listed time.Time
	for {
		if time.Since(listed) >= w.listAgain {
			if w.report(w.list(ctx)) {
				listed = time.Now()
			}
		}
		w.report(w.live(ctx, time.Now()))
		w.recheck(ctx, time.Now())
		w.flush()
		w.alarm(ctx)
		if w.wait(ctx, time.Until(w.nextDue(time.Now()))) != nil {
			return
		}
	}
}

// hurry has what is due looked for at once.
func (w *watch) hurry() {
	select {
	case w.sooner <- struct{}{}:
	default: // It is awake already.
	}
}

// wait is sleep that a change of what is due ends early.
func (w *watch) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.sooner:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// runBackground verifies what is not new, one piece at a time.
func (w *watch) runBackground(ctx context.Context) {
	for {
		pause := workPause
		for _, step := range []func(context.Context, time.Time) (bool, error){w.askedStep, w.historyStep, w.compareStep} {
			more, err := step(ctx, time.Now())
			switch {
			case err != nil:
				w.report(err)
				pause = failedPause
			case !more && pause < failedPause:
				pause = max(pause, time.Second)
			}
		}
		w.flush()
		if sleep(ctx, pause) != nil {
			return
		}
	}
}

// report notes whether the source answers; it logs changes only.
func (w *watch) report(err error) (ok bool) {
	if err == nil {
		w.a.mu.Lock()
		was := w.err
		w.err = nil
		w.a.mu.Unlock()
		if was != nil {
			w.a.deps.Changed()
			w.logger.Info("Audit goes on")
		}
		return true
	}
	w.fail(err)
	return false
}

func (w *watch) fail(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	w.a.mu.Lock()
	was := w.err
	w.err = err
	w.a.mu.Unlock()
	if was == nil || was.Error() != err.Error() {
		w.a.deps.Changed()
		w.logger.Warn("Audit cannot verify; nothing is taken for fine", "err", err)
	}
}

// list finds series that are new. A platform's tables fill one after the other:
// where there is nothing yet, or something new, there will be more.
func (w *watch) list(ctx context.Context) error {
	list, err := w.rows.Series(ctx)
	if err != nil {
		return err
	}
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	w.listAgain = min(2*max(w.listAgain, newAgain), seriesAgain)
	if len(list) == 0 {
		w.listAgain = newAgain
	}
	for _, s := range list {
		chosen := (len(w.Symbols) == 0 || slices.Contains(w.Symbols, s.Symbol)) && (len(w.Accounts) == 0 || slices.Contains(w.Accounts, s.Account))
		if chosen && w.series[s] == nil && (s.Dataset != Klines || s.Interval.Validate() == nil) {
			w.series[s] = &progress{Series: s}
			w.listAgain = newAgain
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(w.series), func(a, b Series) int { return strings.Compare(a.String(), b.String()) }) {
		if s.Dataset == Klines || s.public() {
			w.witness.want(s)
		}
	}
	return nil
}

// sorted returns copies of the progress of all series.
func (w *watch) sorted() []progress {
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(w.series), func(a, b Series) int { return strings.Compare(a.String(), b.String()) })
	list := make([]progress, len(keys))
	for i, k := range keys {
		list[i] = *w.series[k]
	}
	return list
}

// update changes the progress of a series.
func (w *watch) update(s Series, change func(p *progress)) {
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	p := w.series[s]
	change(p)
	if c, err := journal.Set(w.Name+"|series|"+s.Account+"|"+s.Symbol+"|"+string(s.Interval), p); err == nil { // It encodes always.
		w.book.changes = append(w.book.changes, c)
	}
}

// add opens findings with their plans.
func (w *watch) add(now time.Time, findings []Finding, confirmed bool) {
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	for _, r := range w.book.add(now, findings) {
		r.Confirmed = confirmed
		r.Plan = w.a.exchange.plan(&r.Finding, now)
		w.book.save(r)
	}
}

// flush writes what has changed.
func (w *watch) flush() {
	w.a.mu.Lock()
	changes := w.book.changes
	w.book.changes = nil
	w.a.mu.Unlock()
	if len(changes) == 0 {
		return
	}
	w.a.deps.Changed()
	if err := w.a.journal.Write(changes...); err != nil {
		w.logger.Warn("What was verified is not on disk; after a restart it is verified again", "err", err)
	}
}

// alarm tells changes of what is missing or wrong by the platform's fault.
func (w *watch) alarm(ctx context.Context) {
	if w.a.deps.Raise == nil {
		return
	}
	now := map[Kind]*Alarm{}
	w.a.mu.Lock()
	for _, r := range w.book.records {
		if !r.open() || r.Cause != Platform || r.Kind == Late || r.Kind == WrongSum {
			continue
		}
		kind := Mismatch
		if r.Kind == Missing {
			kind = Missing
		}
		al := now[kind]
		if al == nil {
			s := r.Series
			s.Account, s.Symbol = "", ""
			al = &Alarm{Key: "audit/" + w.Name + "/" + string(kind), Dataset: s, Kind: kind, Example: r.Finding}
			now[kind] = al
		}
		al.Rows += r.Count
	}
	w.a.mu.Unlock()
	for _, kind := range []Kind{Missing, Mismatch} {
		al, was := now[kind], w.raised[kind]
		var err error
		switch {
		case al == nil && was > 0:
			err = w.a.deps.Clear(ctx, "audit/"+w.Name+"/"+string(kind))
			delete(w.raised, kind)
		case al != nil && al.Rows != was:
			err = w.a.deps.Raise(ctx, *al)
			w.raised[kind] = al.Rows
		}
		if err != nil {
			delete(w.raised, kind) // Again next time.
			w.logger.Error("Finding not told as an alert", "kind", kind, "err", err)
		}
	}
}
