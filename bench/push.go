package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/prompb"
)

// measurePush times breaches that are pushed by remote write, and events, which
// go to alerting without a sample; both from before the request until the POST,
// while 100,000 other series are scraped. The peer has no events.
func measurePush(ctx context.Context, b *bench) ([]result, error) {
	middle := result{what: "breach pushed, among 100,000 series → POST, p50", unit: milliseconds(), most: 0.005}
	tail := result{what: "… p99", unit: milliseconds(), most: 0.050, tail: true}
	raised := result{what: "event raised, among 100,000 series → POST, p50", unit: milliseconds(), most: 0.005}
	raisedTail := result{what: "… p99", unit: milliseconds(), most: 0.050, tail: true}
	teams, stop, err := b.startCrowded(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	trials := either(b, 50, 300)
	failed := make([]error, len(teams))
	var measured sync.WaitGroup
	var mu sync.Mutex
	into := func(t *alertTeam, results ...*result) func(time.Duration) {
		return func(took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range results {
				r.add(t.by, took)
			}
		}
	}
	for i, t := range teams {
		measured.Go(func() {
			failed[i] = t.pushes(ctx, trials, into(t, &middle, &tail))
			if t.by.ours && failed[i] == nil {
				failed[i] = t.tellEach(ctx, named("raised-", trials), t.raise, into(t, &raised, &raisedTail))
			}
		})
	}
	measured.Wait()
	return []result{middle, tail, raised, raisedTail}, errors.Join(failed...)
}

// startCrowded is startAlertTeams with 100,000 series beside.
func (b *bench) startCrowded(ctx context.Context) ([]*alertTeam, func(), error) {
	instances, paths := hundredThousand()
	var exporters []*child
	stopExporters := func() {
		for _, e := range exporters {
			e.stop()
		}
	}
	var failed error
	teams, stopTeams, err := b.startAlertTeams(ctx, 2, 1, func(t *alertTeam) alertPath {
		path := everySecond(t)
		path.own = "delivery: {storm: {except: [sink]}}\n" // Ten a second are one.
		exporter, addresses, err := startExporter(ctx, filepath.Join(b.dir, fmt.Sprintf("exporter-%d", len(exporters))), instances, paths)
		if err != nil {
			failed = errors.Join(failed, err)
			return path
		}
		exporters = append(exporters, exporter)
		path.scrapes += scrapeJob(addresses)
		return path
	})
	if err != nil {
		stopExporters()
		return nil, nil, errors.Join(failed, err)
	}
	stop := func() {
		stopTeams()
		stopExporters()
	}
	const settle = 30 * time.Second // Two scrapes of everything.
	failed = errors.Join(failed, pause(ctx, settle))
	for _, t := range teams {
		failed = errors.Join(failed, t.checkLoad(ctx))
	}
	if failed != nil {
		stop()
		return nil, nil, failed
	}
	return teams, stop, nil
}

// pushes makes the series of all trials, and breaches one after the other.
func (t *alertTeam) pushes(ctx context.Context, n int, timed func(time.Duration)) error {
	all := named("pushed-", n)
	if err := t.push(ctx, 0, all...); err != nil {
		return err
	}
	return t.tellEach(ctx, all, func(ctx context.Context, trial string) error { return t.push(ctx, 1, trial) }, timed)
}

func named(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = prefix + strconv.Itoa(i)
	}
	return all
}

// tellEach begins a trial about every 100 ms, and times each until its sink knows.
func (t *alertTeam) tellEach(ctx context.Context, trials []string, begin func(ctx context.Context, trial string) error, timed func(time.Duration)) error {
	var running sync.WaitGroup
	defer running.Wait()
	failures := make(chan error, len(trials))
	for _, trial := range trials {
		if err := pause(ctx, 50*time.Millisecond+rand.N(100*time.Millisecond), t.members...); err != nil {
			return err
		}
		running.Go(func() {
			const patience = time.Minute
			began := time.Now()
			if err := begin(ctx, trial); err != nil {
				failures <- err
				return
			}
			told, err := t.sink.await(ctx, news{"firing", trial}, patience)
			if err != nil {
				failures <- err
				return
			}
			timed(told.Sub(began))
		})
	}
	running.Wait()
	close(failures)
	var failed error
	for err := range failures {
		failed = errors.Join(failed, err)
	}
	return failed
}

// raise raises an event of a trial.
func (t *alertTeam) raise(ctx context.Context, trial string) error {
	_, err := postJSON(ctx, t.url+"/api/hw/v1/events", map[string]any{
		"state": "raised", "name": "Breach", "labels": map[string]string{"trial": trial},
	})
	return err
}

// push sends one sample of each trial by remote write 1.
func (t *alertTeam) push(ctx context.Context, v float64, trials ...string) error {
	request := &prompb.WriteRequest{}
	for _, trial := range trials {
		request.Timeseries = append(request.Timeseries, prompb.TimeSeries{
			Labels:  []prompb.Label{{Name: model.MetricNameLabel, Value: "bench_breach"}, {Name: "trial", Value: trial}},
			Samples: []prompb.Sample{{Value: v, Timestamp: time.Now().UnixMilli()}},
		})
	}
	body, err := request.Marshal()
	if err != nil {
		return err
	}
	_, err = post(ctx, t.url+"/api/v1/write", http.Header{
		"Content-Type": {"application/x-protobuf"}, "Content-Encoding": {"snappy"}, "X-Prometheus-Remote-Write-Version": {"0.1.0"},
	}, snappy.Encode(nil, body))
	return err
}
