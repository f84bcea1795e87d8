package host

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/node_exporter/collector"
)

// maxRuns bounds the runs of one collector that hang at the same time. It is
// more than one because a new run may get past what holds up the old one: the
// filesystem collector leaves out a mount that has not answered.
const maxRuns = 3

var errHangs = errors.New("collector hangs")

// runner runs one collector, each time in goroutines that end when the
// collector returns, which may be long after the gather that started them.
type runner struct {
	name      string
	collector collector.Collector
	logger    *slog.Logger
	// failing is what was logged last; gathers, which take turns, own it.
	failing bool

	mu sync.Mutex
	// started has when each unfinished run began, oldest first.
	started []time.Time
}

type result struct {
	metrics []prometheus.Metric
	err     error
	took    time.Duration
}

// start begins a run. Its result arrives on the returned channel, at once when
// too many runs hang already.
func (r *runner) start() <-chan result {
	done := make(chan result, 1)
	begin := time.Now()
	r.mu.Lock()
	full := len(r.started) >= maxRuns
	if !full {
		r.started = append(r.started, begin)
	}
	r.mu.Unlock()
	if full {
		done <- r.hanging()
		return done
	}

	ch := make(chan prometheus.Metric, 64)
	var err error // written before ch is closed, read after
	go func() {
		defer close(ch)
		// A bug in one collector must not end the process that would report it.
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("collector panics: %v", p)
			}
		}()
		err = r.collector.Update(ch)
	}()
	go func() {
		var res result
		for m := range ch {
			res.metrics = append(res.metrics, m)
		}
		res.err, res.took = err, time.Since(begin)
		r.finish(begin)
		done <- res
	}()
	return done
}

func (r *runner) finish(begin time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, t := range r.started {
		if t.Equal(begin) {
			r.started = append(r.started[:i], r.started[i+1:]...)
			return
		}
	}
}

// poll is for when time is up: the result if it is there, else that it hangs.
func (r *runner) poll(pending <-chan result) result {
	select {
	case res := <-pending:
		return res
	default:
		return r.hanging()
	}
}

// hanging has no metrics: what the collector found before is no longer known.
func (r *runner) hanging() result {
	res := result{err: errHangs}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.started) > 0 {
		res.took = time.Since(r.started[0])
	}
	return res
}

// report logs when a collector begins or ceases to fail.
func (r *runner) report(res result) {
	failing := res.err != nil && !collector.IsNoDataError(res.err)
	if failing == r.failing {
		return
	}
	r.failing = failing
	if failing {
		r.logger.Warn("Host collector fails", "err", res.err, "took", res.took)
	} else {
		r.logger.Info("Host collector works again", "took", res.took)
	}
}
