package instrument

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Jobs makes the trackers of work that a service does again and again: crawlers,
// reconciliations, clean-ups. It is safe for concurrent use.
type Jobs struct {
	runs                                  *prometheus.CounterVec
	running, interval, started, succeeded *prometheus.GaugeVec
	duration                              *prometheus.HistogramVec

	mu    sync.Mutex
	names map[string]bool
}

// maxJobs bounds the label task.
const maxJobs = 200

// NewJobs registers the metrics hedgewatch_job_*. Their label is task, for job is
// what Prometheus calls a group of targets.
func NewJobs(reg prometheus.Registerer) (*Jobs, error) {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hedgewatch_job_" + name, Help: help}, []string{"task"})
	}
	j := &Jobs{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_job_runs_total", Help: "Runs that ended, by outcome: success, failure or panic.",
		}, []string{"task", "outcome"}),
		running:   gauge("running", "Runs that are under way."),
		interval:  gauge("interval_seconds", "How often a run is due."),
		started:   gauge("last_start_timestamp_seconds", "When the last run began."),
		succeeded: gauge("last_success_timestamp_seconds", "When a run last ended well, or last gave a sign of life."),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hedgewatch_job_duration_seconds",
			Help:    "Time that runs took, whatever their outcome.",
			Buckets: []float64{.01, .1, .5, 1, 5, 10, 30, 60, 300, 900, 3600},
		}, []string{"task"}),
		names: make(map[string]bool),
	}
	if err := register(reg, "jobs", j.runs, j.running, j.interval, j.started, j.succeeded, j.duration); err != nil {
		return nil, err
	}
	return j, nil
}

// Job tracks a job that is due once in an interval, which one alert for all jobs
// compares with the time of the last success.
func (j *Jobs) Job(task string, every time.Duration) (*Job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case every <= 0:
		return nil, fmt.Errorf("track job %q: interval %v; say how often a run is due", task, every)
	case j.names[task]:
		return nil, fmt.Errorf("track job %q: it is tracked already; keep the tracker and share it", task)
	case len(j.names) == maxJobs:
		return nil, fmt.Errorf("track job %q: there are %d already; name jobs by what they do, not by what they work on", task, maxJobs)
	}
	j.names[task] = true
	j.interval.WithLabelValues(task).Set(every.Seconds())
	return &Job{
		jobs:     j,
		task:     task,
		success:  j.runs.WithLabelValues(task, "success"),
		failure:  j.runs.WithLabelValues(task, "failure"),
		panicked: j.runs.WithLabelValues(task, "panic"),
		running:  j.running.WithLabelValues(task),
		duration: j.duration.WithLabelValues(task),
	}, nil
}

// Job follows the runs of one job.
type Job struct {
	jobs                       *Jobs
	task                       string
	success, failure, panicked prometheus.Counter
	running                    prometheus.Gauge
	duration                   prometheus.Observer

	succeeded lazyGauge
}

// Run runs the job once and returns its error. A panic is counted and goes on.
func (j *Job) Run(ctx context.Context, run func(context.Context) error) (err error) {
	start := time.Now()
	j.jobs.started.WithLabelValues(j.task).Set(seconds(start))
	j.running.Inc()
	outcome := j.panicked
	defer func() {
		j.running.Dec()
		j.duration.Observe(time.Since(start).Seconds())
		outcome.Inc()
	}()
	err = run(ctx)
	if err != nil {
		outcome = j.failure
		return err
	}
	outcome = j.success
	j.Heartbeat()
	return nil
}

// Heartbeat tells that the job is doing well: for loops that have no runs to end.
func (j *Job) Heartbeat() {
	j.succeeded.get(j.jobs.succeeded, j.task).Set(seconds(time.Now()))
}

// lazyGauge is a gauge that exists from its first use on: no time is not 1970.
type lazyGauge struct {
	once  sync.Once
	gauge prometheus.Gauge
}

func (l *lazyGauge) get(vec *prometheus.GaugeVec, label string) prometheus.Gauge {
	l.once.Do(func() { l.gauge = vec.WithLabelValues(label) })
	return l.gauge
}
