package ruler

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// Tap is a storage whose appenders tell the rules what was committed. Every way
// in goes through one: scrapes, remote write, OTLP.
type Tap struct {
	into Appendables
	r    *Ruler
}

// Appendables is a storage that takes samples by both of the library's
// interfaces: scrapes and OTLP use the second, remote write the first.
type Appendables interface {
	storage.Appendable
	storage.AppendableV2
}

// Tap returns into with rules evaluated on its commits. What the rules record
// themselves must not go through it.
func (r *Ruler) Tap(into Appendables) *Tap { return &Tap{into: into, r: r} }

// Appender implements storage.Appendable.
func (t *Tap) Appender(ctx context.Context) storage.Appender {
	return &appender{Appender: t.into.Appender(ctx), listener: listener{index: t.r.index.Load(), committed: t.r.committed}}
}

// AppenderV2 implements storage.AppendableV2.
func (t *Tap) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &appenderV2{AppenderV2: t.into.AppenderV2(ctx), listener: listener{index: t.r.index.Load(), committed: t.r.committed}}
}

// listener collects what the samples of one transaction mean for the rules.
type listener struct {
	index *index
	// committed is called after the commit; nil if nobody wants to know.
	committed func()
	heard     []heard
	// costly are the watches that wake whatever the sample's value is; newest is
	// the timestamp of the last sample for them, in milliseconds.
	costly []*watch
	newest int64
}

type heard struct {
	watch  *watch
	sample sample
}

func (l *listener) hear(s sample, ls labels.Labels) {
	for _, w := range l.index.of(s.ref, ls) {
		switch {
		case w.while != nil && !w.while.Load():
		case w.compare == nil:
			l.newest = max(l.newest, s.time)
			if !slices.Contains(l.costly, w) {
				l.costly = append(l.costly, w)
			}
		case w.wants(s):
			l.heard = append(l.heard, heard{w, s})
		}
	}
}

// tell passes on what was heard, once it is committed.
func (l *listener) tell() {
	if l.committed != nil {
		l.committed()
	}
	if len(l.heard) == 0 && len(l.costly) == 0 {
		return
	}
	now := time.Now()
	for _, h := range l.heard {
		h.watch.committed(h.sample, now)
	}
	for _, w := range l.costly {
		w.runner.wakeThrottled(w.rule, Cause{Sampled: time.UnixMilli(l.newest), Committed: now})
	}
}

type appenderV2 struct {
	storage.AppenderV2
	listener listener
}

// Append implements storage.AppenderV2.
func (a *appenderV2) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	got, err := a.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
	if err == nil {
		a.listener.hear(sample{ref: got, time: t, value: v, histogram: h != nil || fh != nil}, ls)
	}
	return got, err
}

// Commit implements storage.AppenderTransaction.
func (a *appenderV2) Commit() error {
	err := a.AppenderV2.Commit()
	if err == nil {
		a.listener.tell()
	}
	return err
}

type appender struct {
	storage.Appender
	listener listener
}

// Append implements storage.Appender.
func (a *appender) Append(ref storage.SeriesRef, ls labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	got, err := a.Appender.Append(ref, ls, t, v)
	if err == nil {
		a.listener.hear(sample{ref: got, time: t, value: v}, ls)
	}
	return got, err
}

// AppendHistogram implements storage.HistogramAppender.
func (a *appender) AppendHistogram(ref storage.SeriesRef, ls labels.Labels, t int64, h *histogram.Histogram, fh *histogram.FloatHistogram) (storage.SeriesRef, error) {
	got, err := a.Appender.AppendHistogram(ref, ls, t, h, fh)
	if err == nil {
		a.listener.hear(sample{ref: got, time: t, histogram: true}, ls)
	}
	return got, err
}

// Commit implements storage.AppenderTransaction.
func (a *appender) Commit() error {
	err := a.Appender.Commit()
	if err == nil {
		a.listener.tell()
	}
	return err
}
