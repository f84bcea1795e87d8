package alerting

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	// journalSlackBytes is how much superseded data the file may hold, beyond
	// as much again as is live, before it is rewritten.
	journalSlackBytes = 1 << 20
	// journalRetry is how often a journal that cannot be written tries again.
	journalRetry = time.Second
	// journalGather is how long changes wait for others, and for whoever waits for
	// them: an fsync that nobody waits for delays one that somebody does.
	journalGather = 20 * time.Millisecond
)

var errJournalClosed = errors.New("the journal is closed")

// journal is a small durable map: it keeps what a restart must know, in memory
// and in one append-only file that is rewritten when half of it is superseded.
//
// Changes cost a map entry; one goroutine, run, writes all that has gathered
// with one write and one fsync. Whoever must not go on before a change is on
// disk calls sync, which has it written at once. When the disk refuses, the map goes on in memory, sync
// returns the reason at once, and every second the whole map is offered again:
// what waits meanwhile is bounded by the map itself.
type journal struct {
	path    string
	logger  *slog.Logger
	metrics journalMetrics
	damage  damage   // found while loading
	reserve *reserve // nil if there is none

	wake  chan struct{} // one slot: there is something to write
	hurry chan struct{} // one slot: somebody waits for it

	mu        sync.Mutex
	live      map[string]entry
	liveBytes int64
	dirty     map[string]struct{} // keys that differ from the file
	changes   uint64              // number of calls of set and delete
	written   uint64              // how many of them are on disk
	attempted chan struct{}       // closed and replaced after each write
	err       error               // outcome of the last write
}

type journalMetrics struct {
	failures prometheus.Counter
	failing  prometheus.Gauge
	size     prometheus.Gauge
	duration prometheus.Histogram
}

// newJournalMetrics labels the metrics with the name of the file.
func newJournalMetrics(file string, r prometheus.Registerer) journalMetrics {
	f := promauto.With(prometheus.WrapRegistererWith(prometheus.Labels{"file": file}, r))
	return journalMetrics{
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_alerting_journal_failures_total",
			Help: "Writes of the alert journal that failed.",
		}),
		failing: f.NewGauge(prometheus.GaugeOpts{
			Name: "hedgewatch_alerting_journal_failing",
			Help: "1 while alert state is kept in memory only, because the journal cannot be written.",
		}),
		size: f.NewGauge(prometheus.GaugeOpts{
			Name: "hedgewatch_alerting_journal_size_bytes",
			Help: "Size of the alert journal.",
		}),
		duration: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "hedgewatch_alerting_journal_write_duration_seconds",
			Help:    "How long it takes to bring waiting changes of alert state to disk.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12),
		}),
	}
}

// loadJournal reads the journal at path, which need not exist. It changes
// nothing on disk; run repairs what is damaged.
func loadJournal(path string, logger *slog.Logger, r prometheus.Registerer) (*journal, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read alert journal: %w", err)
	}
	j := &journal{
		path:      path,
		logger:    logger,
		metrics:   newJournalMetrics(filepath.Base(path), r),
		wake:      make(chan struct{}, 1),
		hurry:     make(chan struct{}, 1),
		live:      make(map[string]entry),
		dirty:     make(map[string]struct{}),
		attempted: make(chan struct{}),
	}
	j.damage = readRecords(data, func(r record) {
		if r.op == opDelete {
			delete(j.live, r.key)
			return
		}
		j.live[r.key] = r.entry
	})
	j.forgetExpired(time.Now())
	return j, nil
}

// each calls f for every entry whose key starts with prefix, without the prefix.
func (j *journal) each(prefix string, f func(key string, value []byte)) {
	j.mu.Lock()
	live := maps.Clone(j.live)
	j.mu.Unlock()
	for key, e := range live {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			f(rest, e.value)
		}
	}
}

// get returns what key holds.
func (j *journal) get(key string) (entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.live[key]
	return e, ok
}

// set makes key hold e. It does not wait, so it may be called under a lock.
func (j *journal) set(key string, e entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.liveBytes += entryBytes(key, e) - entryBytes(key, j.live[key])
	j.live[key] = e
	j.changed(key)
}

// delete forgets key. It does not wait, so it may be called under a lock.
func (j *journal) delete(key string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.live[key]
	if !ok {
		return
	}
	j.liveBytes -= entryBytes(key, e)
	delete(j.live, key)
	j.changed(key)
}

// changed notes, under mu, that key differs from the file.
func (j *journal) changed(key string) {
	j.changes++
	j.dirty[key] = struct{}{}
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// sync waits until every change made before the call is on disk. It returns an
// error, without waiting, while the disk refuses.
func (j *journal) sync(ctx context.Context) error {
	j.mu.Lock()
	target := j.changes
	for {
		written, err, attempted := j.written, j.err, j.attempted
		j.mu.Unlock()
		if written >= target {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case j.hurry <- struct{}{}:
		default:
		}
		select {
		case <-attempted:
		case <-ctx.Done():
			return fmt.Errorf("wait for alert journal %q: %w", j.path, ctx.Err())
		}
		j.mu.Lock()
	}
}

// run writes changes until ctx ends, then writes once more and closes the file.
func (j *journal) run(ctx context.Context) {
	w := journalWriter{path: j.path, quarantine: j.damage.holes > 0}
	j.reportDamage()
	defer func() {
		w.close()
		j.publish(0, 0, errJournalClosed)
	}()
	for {
		j.write(&w)
		wake, retry := j.wake, (<-chan time.Time)(nil)
		if w.file == nil {
			// The disk refuses. New changes do not make it willing, time may.
			wake, retry = nil, time.After(journalRetry)
		}
		select {
		case <-wake:
			j.gather(ctx)
		case <-retry:
		case <-ctx.Done():
			j.write(&w)
			return
		}
	}
}

// gather waits for changes that may share a write.
func (j *journal) gather(ctx context.Context) {
	select {
	case <-j.hurry:
	case <-time.After(journalGather):
	case <-ctx.Done():
	}
}

func (j *journal) reportDamage() {
	if j.damage.tornBytes > 0 {
		j.logger.Warn("Cut an unfinished write off the alert journal", "file", j.path, "bytes", j.damage.tornBytes)
	}
	if j.damage.holes > 0 {
		j.logger.Error("The alert journal is corrupt; the readable records are in use",
			"file", j.path, "places", j.damage.holes, "bytes", j.damage.holeBytes)
	}
}

// write brings everything that has changed to disk.
func (j *journal) write(w *journalWriter) {
	j.reserve.keep()
	start := time.Now()
	changes, wrote, err := j.attempt(w)
	if j.reserve.release(err) {
		changes, wrote, err = j.attempt(w)
	}
	if !wrote {
		return
	}
	if w.quarantined != "" {
		j.logger.Error("Kept a copy of the corrupt alert journal for inspection", "file", w.quarantined)
		w.quarantined = ""
	}
	j.publish(changes, w.size, err)
	j.metrics.duration.Observe(time.Since(start).Seconds())
}

// attempt brings what has changed to disk once. It returns the count of changes
// that it includes.
func (j *journal) attempt(w *journalWriter) (changes uint64, wrote bool, err error) {
	rewrite, entries, deleted, changes := j.take(w)
	if !rewrite && len(entries) == 0 && len(deleted) == 0 {
		return changes, false, nil
	}
	batch := w.buffer()
	for key, e := range entries {
		batch = appendSet(batch, key, e)
	}
	for _, key := range deleted {
		batch = appendDelete(batch, key)
	}
	if rewrite {
		return changes, true, w.rewrite(batch)
	}
	return changes, true, w.append(batch)
}

// take hands over what the next write has to bring to disk: the whole map for a
// rewrite, otherwise what has changed. changes is the count it includes.
func (j *journal) take(w *journalWriter) (rewrite bool, entries map[string]entry, deleted []string, changes uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer clear(j.dirty)

	if w.file == nil || w.size > 2*j.liveBytes+journalSlackBytes {
		j.forgetExpired(time.Now())
		return true, maps.Clone(j.live), nil, j.changes
	}
	entries = make(map[string]entry, len(j.dirty))
	for key := range j.dirty {
		if e, ok := j.live[key]; ok {
			entries[key] = e
		} else {
			deleted = append(deleted, key)
		}
	}
	return false, entries, deleted, j.changes
}

// publish tells those who wait in sync how a write ended.
func (j *journal) publish(changes uint64, sizeBytes int64, err error) {
	j.mu.Lock()
	before := j.err
	j.err = err
	if err == nil {
		j.written = changes
	}
	close(j.attempted)
	j.attempted = make(chan struct{})
	j.mu.Unlock()

	switch {
	case errors.Is(err, errJournalClosed):
	case err != nil:
		j.metrics.failures.Inc()
		j.metrics.failing.Set(1)
		if before == nil {
			j.logger.Error("Alert state is kept in memory only until its journal can be written again", "file", j.path, "err", err)
		}
	default:
		j.metrics.failing.Set(0)
		j.metrics.size.Set(float64(sizeBytes))
		if before != nil {
			j.logger.Info("Alert journal is written again, nothing is missing from it", "file", j.path)
		}
	}
}

// forgetExpired drops, under mu or before anyone shares the journal, what has
// expired, and counts what is left.
func (j *journal) forgetExpired(now time.Time) {
	j.liveBytes = 0
	for key, e := range j.live {
		if e.expired(now) {
			delete(j.live, key)
			continue
		}
		j.liveBytes += entryBytes(key, e)
	}
}

func entryBytes(key string, e entry) int64 {
	return int64(len(key) + len(e.value) + recordHeaderBytes)
}

// journalWriter is the file behind a journal. It belongs to one goroutine.
type journalWriter struct {
	path string
	// file is open for appending; nil means that the file at path must be
	// replaced as a whole, because it is damaged or a write to it failed.
	file *os.File
	size int64
	// quarantine says that the file at path is corrupt and must be kept;
	// quarantined is its new name once that is done.
	quarantine  bool
	quarantined string
	buf         []byte
}

// buffer returns an empty buffer, the last one unless that grew large.
func (w *journalWriter) buffer() []byte {
	if cap(w.buf) > journalSlackBytes {
		w.buf = nil
	}
	return w.buf[:0]
}

func (w *journalWriter) append(batch []byte) error {
	w.buf = batch
	_, err := w.file.Write(batch)
	if err == nil {
		err = w.file.Sync()
	}
	if err != nil {
		// Neither the end of the file nor its pages can be trusted now.
		w.close()
		return fmt.Errorf("append to alert journal: %w", err)
	}
	w.size += int64(len(batch))
	return nil
}

// rewrite replaces the file at path by one that holds just batch. Until the
// new file is complete on disk, the old one stays.
func (w *journalWriter) rewrite(batch []byte) error {
	w.buf = batch
	w.close()
	file, err := w.replace(batch)
	if err != nil {
		return fmt.Errorf("rewrite alert journal: %w", err)
	}
	w.file, w.size = file, int64(len(batch))
	return nil
}

func (w *journalWriter) replace(batch []byte) (_ *os.File, err error) {
	file, err := os.OpenFile(w.path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			// The next rewrite starts over; err says what was wrong.
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if _, err := file.Write(batch); err != nil {
		return nil, err
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	if w.quarantine {
		kept := w.path + ".corrupt-" + time.Now().UTC().Format("20060102T150405.000Z")
		if err := os.Link(w.path, kept); err != nil {
			return nil, err
		}
		w.quarantine, w.quarantined = false, kept
	}
	if err := os.Rename(file.Name(), w.path); err != nil {
		return nil, err
	}
	return file, syncDir(filepath.Dir(w.path))
}

// close closes the file. Its error is dropped: what had to be on disk was
// synced before, and what failed is written anew.
func (w *journalWriter) close() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
