package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// measureAlerts times breaches and their ends from the moment at which a scraped
// value changes to the arrival of the POST. Both contenders scrape and evaluate
// every second, group without waiting, and run at the same time.
func measureAlerts(ctx context.Context, b *bench) ([]result, error) {
	trials := either(b, 20, 100)
	breach := result{what: "breach, scraped at 1 s → POST", unit: seconds(), most: 1.1, tail: true}
	scraped := result{what: "… of it from the scrape", unit: milliseconds(), most: 0.020, tail: true}
	resolved := result{what: "resolved, scraped at 1 s → POST", unit: seconds(), most: 1.2, tail: true}
	var (
		mu       sync.Mutex
		failed   error
		measured sync.WaitGroup
	)
	teams, stop, err := b.startAlertTeams(ctx, 2, trials+1, everySecond)
	if err != nil {
		return nil, err
	}
	defer stop()
	for _, t := range teams {
		measured.Go(func() {
			for timed := range t.trials(ctx, trials) {
				mu.Lock()
				if failed = errors.Join(failed, timed.err); timed.err == nil {
					breach.add(t.by, timed.breach)
					scraped.add(t.by, timed.scraped)
					resolved.add(t.by, timed.resolved)
				}
				mu.Unlock()
			}
		})
	}
	measured.Wait()
	return []result{breach, scraped, resolved}, failed
}

// An alertTeam is a team between a target and a sink of its own.
type alertTeam struct {
	*team
	gauges *gauges
	sink   *sink
}

func (t *alertTeam) stop() {
	if t.team != nil {
		t.team.stop()
	}
	if t.gauges != nil {
		t.gauges.close()
	}
	if t.sink != nil {
		t.sink.close()
	}
}

// startAlertTeams starts the first n contenders with a target of some series, and
// returns when each has told its sink of trial 0.
func (b *bench) startAlertTeams(ctx context.Context, n, series int, path func(*alertTeam) alertPath) (teams []*alertTeam, stop func(), err error) {
	stop = func() {
		for _, t := range teams {
			t.stop()
		}
	}
	for _, c := range b.contenders()[:n] {
		t := &alertTeam{}
		teams = append(teams, t)
		if err := t.start(ctx, b, c, series, path); err != nil {
			stop()
			return nil, nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return teams, stop, nil
}

func (t *alertTeam) start(ctx context.Context, b *bench, c contender, series int, path func(*alertTeam) alertPath) (err error) {
	if t.gauges, err = startGauges(series); err != nil {
		return err
	}
	if t.sink, err = startSink("trial"); err != nil {
		return err
	}
	t.gauges.set(1, 0)
	if t.team, err = b.startPath(ctx, c, filepath.Join(b.dir, c.name), path(t)); err != nil {
		return err
	}
	_, err = t.sink.await(ctx, news{"firing", "0"}, time.Minute)
	return err
}

// everySecond scrapes and evaluates the gauges every second.
func everySecond(t *alertTeam) alertPath {
	return alertPath{
		evaluation: time.Second,
		scrapes:    t.gauges.scrapeJob(time.Second),
		rules:      breachRule,
		notify:     toWebhook(t.sink.url, time.Second),
	}
}

// A timing is one trial.
type timing struct {
	breach, scraped, resolved time.Duration
	err                       error
}

// trials begins two trials in three seconds, each at a random phase of the scrape
// interval, and yields them as they end. More would look like a storm.
func (t *alertTeam) trials(ctx context.Context, n int) <-chan timing {
	timings := make(chan timing)
	go func() {
		defer close(timings)
		var running sync.WaitGroup
		defer running.Wait()
		for trial := range n {
			if err := pause(ctx, time.Second+rand.N(time.Second), t.members...); err != nil {
				timings <- timing{err: err}
				return
			}
			running.Go(func() { timings <- t.trial(ctx, trial+1) })
		}
	}()
	return timings
}

func (t *alertTeam) trial(ctx context.Context, trial int) (timed timing) {
	const patience = time.Minute
	name := strconv.Itoa(trial)
	began := t.gauges.set(1, trial)
	told, err := t.sink.await(ctx, news{"firing", name}, patience)
	if err != nil {
		return timing{err: err}
	}
	timed.breach, timed.scraped = told.Sub(began), told.Sub(t.gauges.servedAt(trial))
	if err := pause(ctx, 300*time.Millisecond+rand.N(time.Second)); err != nil {
		return timing{err: err}
	}
	ended := t.gauges.set(0, trial)
	told, err = t.sink.await(ctx, news{"resolved", name}, patience)
	timed.resolved, timed.err = told.Sub(ended), err
	return timed
}
