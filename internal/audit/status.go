package audit

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Status is how the audit stands.
type Status struct {
	Datasets []DatasetStatus `json:"datasets"`
}

// DatasetStatus is how one dataset stands.
type DatasetStatus struct {
	Source  string `json:"source"`
	Dataset string `json:"dataset"`
	Market  string `json:"market"`
	// Error says why nothing can be verified now.
	Error string `json:"error,omitempty"`
	// HistoryVerifiedAt is when all of the past was verified last.
	HistoryVerifiedAt time.Time      `json:"historyVerifiedAt,omitzero"`
	OpenFindings      int            `json:"openFindings"`
	DroppedFindings   int64          `json:"droppedFindings,omitempty"`
	Series            []SeriesStatus `json:"series"`
	// Asked are the verifications that somebody has asked for, the newest last.
	Asked []Verification `json:"asked"`
}

// SeriesStatus is how one series stands.
type SeriesStatus struct {
	Series
	From          time.Time `json:"from,omitzero"`
	Until         time.Time `json:"until,omitzero"`
	VerifiedUntil time.Time `json:"verifiedUntil,omitzero"`
	ComparedUntil time.Time `json:"comparedUntil,omitzero"`
	Newest        time.Time `json:"newest,omitzero"`
	// WitnessedUntil is the end of the last bar that the exchange sent as it closed;
	// zero if none was seen since the start.
	WitnessedUntil time.Time `json:"witnessedUntil,omitzero"`
	LastSuccess    time.Time `json:"lastSuccess,omitzero"`
	Missing        int64     `json:"missing"`
	// MissingAtExchange is what the exchange does not have either.
	MissingAtExchange int64 `json:"missingAtExchange"`
	Duplicate         int64 `json:"duplicate"`
	Mismatched        int64 `json:"mismatched"`
	// WrongSums are days of an account whose sums are not the exchange's.
	WrongSums int64 `json:"wrongSums"`
	// Unchecked says why a check could not run; empty if all did.
	Unchecked  string  `json:"unchecked,omitempty"`
	LagSeconds float64 `json:"lagSeconds"`
}

// Status returns how the audit stands now.
func (a *Auditor) Status() Status {
	now := time.Now()
	status := Status{Datasets: []DatasetStatus{}}
	for _, w := range a.watches {
		status.Datasets = append(status.Datasets, w.status(now))
	}
	return status
}

func (w *watch) status(now time.Time) DatasetStatus {
	list := w.sorted()
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	d := DatasetStatus{
		Source: w.Source, Dataset: w.Name, Market: w.Market, HistoryVerifiedAt: w.history.Done, OpenFindings: w.book.count(),
		DroppedFindings: w.book.dropped, Series: make([]SeriesStatus, len(list)), Asked: append([]Verification{}, w.asked...),
	}
	if w.err != nil {
		d.Error = w.err.Error()
	}
	at := map[Series]*SeriesStatus{}
	for i, p := range list {
		d.Series[i] = SeriesStatus{
			Series: p.Series, From: p.From, Until: p.Until, VerifiedUntil: p.Until, ComparedUntil: p.Compared, Newest: p.Newest,
			LastSuccess: p.LastSuccess, LagSeconds: w.lag(&p, now), Unchecked: w.unchecked(p.Series),
			WitnessedUntil: w.witness.until(p.Series),
		}
		// What an account lacks is found by comparison only.
		if w.Compare && p.Series.Account != "" && p.Compared.Before(p.Until) {
			d.Series[i].VerifiedUntil = p.Compared
		}
		at[p.Series] = &d.Series[i]
	}
	for _, r := range w.book.records {
		if !r.open() {
			continue
		}
		for _, f := range r.perSymbol() {
			if s := at[f.Series]; s != nil {
				s.count(&f)
			}
		}
	}
	return d
}

// lag is how much later than the exchange the newest row is; for rows without a
// schedule, how long they took to be stored.
func (w *watch) lag(p *progress, now time.Time) float64 {
	if p.Series.Dataset != Klines {
		return p.Slowest.Seconds()
	}
	if p.Newest.IsZero() {
		return max(0, p.Until.Sub(p.From).Seconds())
	}
	return max(0, w.due(p.Series.Interval, now).Sub(p.Newest).Seconds())
}

func (s *SeriesStatus) count(f *Finding) {
	switch {
	case f.Kind == Missing && f.Cause == Exchange:
		s.MissingAtExchange += f.Count
		if !f.To.Before(s.Until) {
			s.LagSeconds = 0 // Behind an exchange that makes nothing is nobody.
		}
		return
	case f.Kind == Missing:
		s.Missing += f.Count
		if f.LastID != 0 && f.From.After(s.Newest) { // Nothing was stored since.
			s.LagSeconds = max(s.LagSeconds, s.Until.Sub(f.From).Seconds())
		}
	case f.Kind == Duplicate:
		s.Duplicate += f.Count
	case f.Kind == Late:
		return
	case f.Kind == Unchecked:
		s.Unchecked = f.Evidence
	case f.Kind == WrongSum:
		s.WrongSums += f.Count
	default:
		s.Mismatched += f.Count
	}
	if f.From.Before(s.VerifiedUntil) {
		s.VerifiedUntil = f.From
	}
}

// collector exports the status.
type collector struct {
	a *Auditor

	missing, duplicate, mismatched, lag, verified, success, sums, unchecked, failing, witnessed, witnessUp *prometheus.Desc
}

func newCollector(a *Auditor) *collector {
	labels := []string{"source", "dataset", "market", "account", "symbol", "interval"}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &collector{
		a:          a,
		missing:    desc("hedgewatch_audit_missing_rows", "Rows that are not there, by whose fault.", append(labels, "cause")...),
		duplicate:  desc("hedgewatch_audit_duplicate_rows", "Rows that are there more than once.", labels...),
		mismatched: desc("hedgewatch_audit_mismatched_rows", "Rows whose values cannot be right, or are not the exchange's.", labels...),
		lag:        desc("hedgewatch_audit_lag_seconds", "How far the newest row is behind the exchange, or how long the slowest new row took to be stored.", labels...),
		verified:   desc("hedgewatch_audit_verified_until_timestamp_seconds", "Until when nothing is missing or wrong.", labels...),
		success:    desc("hedgewatch_audit_last_success_timestamp_seconds", "When rows of the series could be verified last.", labels...),
		sums:       desc("hedgewatch_audit_wrong_sums", "Sums of a day of an account that are not the exchange's: realised PnL, commission, a type of incomes.", labels...),
		unchecked:  desc("hedgewatch_audit_unchecked", "1 while rows of the series cannot be held against the exchange's.", labels...),
		witnessed:  desc("hedgewatch_audit_witnessed_until_timestamp_seconds", "End of the last bar that the exchange sent to the witness as it closed, time of the last public trade.", labels...),
		witnessUp:  desc("hedgewatch_audit_witness_up", "1 while a connection of the witness has sent data; while it is 0, live rows are not witnessed.", "market"),
		failing:    desc("hedgewatch_audit_failing", "1 while a dataset cannot be verified.", "source", "dataset"),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.missing, c.duplicate, c.mismatched, c.lag, c.verified, c.success, c.sums, c.unchecked, c.failing, c.witnessed, c.witnessUp} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, values ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, values...)
	}
	for market, w := range c.a.witnesses {
		if !w.needed() {
			continue
		}
		up := 0.0
		if w.up() {
			up = 1
		}
		gauge(c.witnessUp, up, string(market))
	}
	seen := map[Series]bool{} // Two tables may hold the same series; one of them is shown.
	for _, d := range c.a.Status().Datasets {
		down := 0.0
		if d.Error != "" {
			down = 1
		}
		gauge(c.failing, down, d.Source, d.Dataset)
		for _, s := range d.Series {
			values := []string{d.Source, s.Dataset, d.Market, s.Account, s.Symbol, string(s.Interval)}
			if s.LastSuccess.IsZero() || seen[s.Series] {
				continue // Unknown is not zero.
			}
			seen[s.Series] = true
			gauge(c.missing, float64(s.Missing), append(values, string(Platform))...)
			gauge(c.missing, float64(s.MissingAtExchange), append(values, string(Exchange))...)
			gauge(c.duplicate, float64(s.Duplicate), values...)
			gauge(c.mismatched, float64(s.Mismatched), values...)
			gauge(c.lag, s.LagSeconds, values...)
			if !s.VerifiedUntil.IsZero() {
				gauge(c.verified, float64(s.VerifiedUntil.UnixMilli())/1000, values...)
			}
			if !s.WitnessedUntil.IsZero() {
				gauge(c.witnessed, float64(s.WitnessedUntil.UnixMilli())/1000, values...)
			}
			no := 0.0
			if s.Unchecked != "" {
				no = 1
			}
			gauge(c.unchecked, no, values...)
			if s.Account != "" {
				gauge(c.sums, float64(s.WrongSums), values...)
			}
			gauge(c.success, float64(s.LastSuccess.UnixMilli())/1000, values...)
		}
	}
}
