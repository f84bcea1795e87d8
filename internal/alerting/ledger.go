package alerting

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Delivery is one attempt to deliver a message, as the ledger keeps it.
type Delivery struct {
	// ID is the message's; all its attempts have it.
	ID          string           `json:"id"`
	Attempt     int              `json:"attempt"`
	Receiver    string           `json:"receiver"`
	Integration string           `json:"integration"`
	Index       int              `json:"index"`
	GroupKey    string           `json:"groupKey"`
	GroupLabels model.LabelSet   `json:"groupLabels,omitempty"`
	Reason      receiver.Reason  `json:"reason"`
	Alerts      []DeliveredAlert `json:"alerts,omitempty"`
	// AlertCount is more than there are Alerts where these are many.
	AlertCount int `json:"alertCount"`
	// QueuedAt is when the oldest state that the message stands for was to be
	// told; LateSeconds is the time from then to the end of the attempt.
	QueuedAt       time.Time `json:"queuedAt"`
	AttemptedAt    time.Time `json:"attemptedAt"`
	LatencySeconds float64   `json:"latencySeconds"`
	LateSeconds    float64   `json:"lateSeconds"`
	Superseded     int       `json:"superseded,omitempty"`
	Storm          bool      `json:"storm,omitempty"`
	Outcome        Outcome   `json:"outcome"`
	Error          string    `json:"error,omitempty"`
	Endpoint       string    `json:"endpoint,omitempty"`
	Status         int       `json:"status,omitempty"`
	Answer         string    `json:"answer,omitempty"`
	Payload        string    `json:"payload,omitempty"`
	// Truncated says that Payload or Answer is only the beginning.
	Truncated bool `json:"truncated,omitempty"`
}

// DeliveredAlert is one of the alerts of a delivery.
type DeliveredAlert struct {
	Fingerprint string            `json:"fingerprint"`
	Name        string            `json:"name"`
	Status      model.AlertStatus `json:"status"`
	StartsAt    time.Time         `json:"startsAt"`
	// Origin has the measured times of an alert that was news.
	Origin *Origin `json:"origin,omitempty"`
}

// Outcome is what became of an attempt, or of a message without one.
type Outcome string

// The outcomes. After delivered, rejected, expired and dropped there is no
// other attempt.
const (
	OutcomeDelivered Outcome = "delivered"
	OutcomeRetry     Outcome = "retry"
	OutcomePaced     Outcome = "paced"
	OutcomeDead      Outcome = "dead"
	OutcomeRejected  Outcome = "rejected"
	OutcomeExpired   Outcome = "expired" // It was too late.
	OutcomeDropped   Outcome = "dropped" // The destination is not configured any more.
)

// Valid reports whether there is such an outcome.
func (o Outcome) Valid() bool { return slices.Contains(outcomes(), o) }

// final reports whether the message is off the queue.
func (o Outcome) final() bool {
	switch o {
	case OutcomeRetry, OutcomePaced, OutcomeDead:
		return false
	}
	return true
}

func outcomes() []Outcome {
	return []Outcome{OutcomeDelivered, OutcomeRetry, OutcomePaced, OutcomeDead, OutcomeRejected, OutcomeExpired, OutcomeDropped}
}

func outcomeOf(err error) Outcome {
	if err == nil {
		return OutcomeDelivered
	}
	return Outcome(receiver.KindOf(err).String())
}

const (
	maxPayloadBytes = 16 << 10
	maxAnswerBytes  = 4 << 10
	maxErrorBytes   = 1 << 10
	// maxLedgerAlerts bounds the alerts that a record names.
	maxLedgerAlerts = 500
	// segmentBytes and segmentAge bound a file of the ledger: it is deleted as a
	// whole.
	segmentBytes = 8 << 20
	segmentAge   = 24 * time.Hour
	// ledgerSync is how often records are made to survive a power cut. They
	// survive a crash of the process at once.
	ledgerSync = time.Second
)

// ledger keeps every attempt in files of its own: segments named for the time
// of their first record, framed as the journal's records are. A process starts
// a new segment, so that it never appends to what a crash has torn.
type ledger struct {
	dir    string
	logger *slog.Logger
	// added is called after each record.
	added    func()
	failures prometheus.Counter
	size     prometheus.Gauge

	mu       sync.Mutex
	file     *os.File // nil until there is something to write
	bytes    int64
	opened   time.Time
	unsynced bool
	failing  bool
}

func newLedger(dir string, logger *slog.Logger, r prometheus.Registerer) (*ledger, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create directory for the delivery ledger: %w", err)
	}
	f := promauto.With(r)
	return &ledger{
		dir:    dir,
		logger: logger,
		added:  func() {},
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_ledger_failures_total",
			Help: "Attempts to deliver that could not be written into the delivery ledger.",
		}),
		size: f.NewGauge(prometheus.GaugeOpts{
			Name: "hedgewatch_ledger_size_bytes",
			Help: "Size of the delivery ledger.",
		}),
	}, nil
}

// add writes a record. What cannot be written is lost to the ledger only.
func (l *ledger) add(d Delivery) {
	value, err := json.Marshal(d)
	if err != nil { // Text, numbers and times always marshal.
		return
	}
	record := appendSet(nil, d.ID, entry{value: value})

	l.mu.Lock()
	err = l.append(record, time.Now())
	before := l.failing
	l.failing = err != nil
	l.mu.Unlock()
	if err != nil {
		l.failures.Inc()
		if !before {
			l.logger.Error("Attempts to deliver are not recorded until the delivery ledger can be written again", "dir", l.dir, "err", err)
		}
	}
	l.added()
}

// append writes, under mu, to the segment of now.
func (l *ledger) append(record []byte, now time.Time) error {
	if l.file != nil && (l.bytes > segmentBytes || now.Sub(l.opened) > segmentAge) {
		l.close()
	}
	if l.file == nil {
		file, err := os.OpenFile(filepath.Join(l.dir, segmentName(now)), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		l.file, l.bytes, l.opened = file, 0, now
	}
	n, err := l.file.Write(record)
	l.bytes += int64(n)
	l.unsynced = true
	if err != nil {
		// What was written of the record is skipped by whoever reads on.
		l.close()
	}
	return err
}

// close closes, under mu, the segment. What it holds is synced as well as the
// disk allows.
func (l *ledger) close() {
	if l.file == nil {
		return
	}
	_ = errors.Join(l.file.Sync(), l.file.Close())
	l.file, l.unsynced = nil, false
}

// sync makes what was added survive a power cut.
func (l *ledger) sync() {
	l.mu.Lock()
	file, unsynced := l.file, l.unsynced
	l.unsynced = false
	l.mu.Unlock()
	if unsynced {
		// Records of a closed file were synced when it was closed.
		_ = file.Sync()
	}
}

func (l *ledger) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close()
}

// trim deletes the oldest segments beyond the bounds. The newest one stays.
func (l *ledger) trim(now time.Time, keep LedgerConfig) {
	segments, err := l.segments()
	if err != nil {
		l.logger.Error("Delivery ledger not looked through for what is too old", "err", err)
		return
	}
	var total int64
	for _, s := range segments {
		total += s.bytes
	}
	for i, s := range segments {
		// A segment ends where the next begins.
		last := i == len(segments)-1
		if last || total <= int64(keep.MaxSize) && now.Sub(segments[i+1].start) <= time.Duration(keep.Retention) {
			break
		}
		if err := os.Remove(filepath.Join(l.dir, s.name)); err != nil {
			l.logger.Error("Delivery ledger keeps what is too old", "err", err)
			break
		}
		total -= s.bytes
	}
	l.size.Set(float64(total))
}

type segment struct {
	name  string
	start time.Time
	bytes int64
}

const segmentSuffix = ".deliveries"

func segmentName(start time.Time) string {
	return fmt.Sprintf("%013d%s", start.UnixMilli(), segmentSuffix)
}

// segments lists the files, the oldest first.
func (l *ledger) segments() ([]segment, error) {
	files, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	var segments []segment
	for _, f := range files {
		digits, ok := strings.CutSuffix(f.Name(), segmentSuffix)
		ms, err := strconv.ParseInt(digits, 10, 64)
		if !ok || err != nil {
			continue // Not ours.
		}
		info, err := f.Info()
		if err != nil {
			continue // Deleted meanwhile.
		}
		segments = append(segments, segment{f.Name(), time.UnixMilli(ms), info.Size()})
	}
	slices.SortFunc(segments, func(a, b segment) int { return a.start.Compare(b.start) })
	return segments, nil
}

// beginning returns at most limit bytes of text, whole characters.
func beginning(text string, limit int) (string, bool) {
	if len(text) <= limit {
		return text, false
	}
	return strings.ToValidUTF8(text[:limit], ""), true
}

// attempt is what became of a job, or of a message that ended without one.
type attempt struct {
	job        *job
	message    receiver.Message
	receipt    receiver.Receipt
	outcome    Outcome
	err        error
	start, end time.Time
}

// record enters an attempt into ledger and metrics.
func (o *outbox) record(d *destination, a attempt) {
	if d.hidden {
		return
	}
	key, m, r := d.key, a.message, a.receipt
	o.metrics.deliveries.WithLabelValues(key.Receiver, key.Integration, string(a.outcome)).Inc()
	entry := Delivery{
		ID: m.ID, Attempt: a.job.attempt,
		Receiver: key.Receiver, Integration: key.Integration, Index: key.Index,
		GroupKey: m.GroupKey, GroupLabels: m.GroupLabels, Reason: m.Reason, Alerts: a.alerts(), AlertCount: len(m.Alerts),
		QueuedAt: m.QueuedAt, AttemptedAt: a.start, LatencySeconds: a.end.Sub(a.start).Seconds(), LateSeconds: m.Late(a.end).Seconds(),
		Superseded: m.Superseded, Storm: m.Storm != nil,
		Outcome: a.outcome, Endpoint: r.Endpoint, Status: r.Status,
	}
	if m.Storm != nil {
		entry.AlertCount = m.Storm.Firing + m.Storm.Resolved
	}
	if a.err != nil {
		entry.Error, _ = beginning(a.err.Error(), maxErrorBytes)
	}
	var cutPayload, cutAnswer bool
	entry.Payload, cutPayload = beginning(r.Payload, maxPayloadBytes)
	entry.Answer, cutAnswer = beginning(r.Answer, maxAnswerBytes)
	entry.Truncated = cutPayload || cutAnswer
	o.ledger.add(entry)
}

// alerts are those that a record names.
func (a attempt) alerts() []DeliveredAlert {
	var named []DeliveredAlert
	for _, al := range a.message.Alerts[:min(len(a.message.Alerts), maxLedgerAlerts)] {
		fp := al.Fingerprint()
		da := DeliveredAlert{Fingerprint: fp.String(), Name: al.Name(), Status: al.Status(), StartsAt: al.StartsAt}
		if a.job.state != nil {
			if origin, ok := a.job.state.Origins[fp]; ok {
				da.Origin = &origin
			}
		}
		named = append(named, da)
	}
	return named
}
