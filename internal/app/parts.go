package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// part is something that runs as long as the program.
type part struct {
	name string
	run  func(context.Context) error
	// ready is closed when the next part may start; nil means at once.
	ready <-chan struct{}
	// stop bounds how long run may go on after its context has ended.
	stop time.Duration
}

// runningPart is a part that was started.
type runningPart struct {
	part
	cancel context.CancelFunc
	done   chan error
}

// errEnded says that a part returned although nobody had stopped it.
var errEnded = errors.New("ended by itself")

// runParts starts parts one after the other, works until ctx ends or a part
// returns, and then stops them one after the other in reverse. It calls waiting
// with the name of the part whose start it awaits, and with "" when all run.
//
// Neither errgroup nor oklog/run does that: both interrupt everything at once.
func runParts(ctx context.Context, logger *slog.Logger, parts []part, waiting func(name string)) error {
	// A part's end must reach us while we wait for another one.
	failed := make(chan error, len(parts))
	var running []runningPart
	var errs []error
	for _, p := range parts {
		waiting(p.name)
		r := start(context.WithoutCancel(ctx), p, failed)
		running = append(running, r)
		if err := awaitReady(ctx, p, failed); err != nil {
			errs = append(errs, err)
			break
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(errs) == 0 && ctx.Err() == nil {
		waiting("")
		select {
		case <-ctx.Done():
		case err := <-failed:
			errs = append(errs, err)
		}
	}
	waiting("the stop")
	for _, r := range slices.Backward(running) {
		if err := r.end(logger); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func start(ctx context.Context, p part, failed chan<- error) runningPart {
	ctx, cancel := context.WithCancel(ctx)
	r := runningPart{part: p, cancel: cancel, done: make(chan error, 1)}
	go func() {
		err := p.run(ctx)
		if ctx.Err() == nil {
			if err == nil {
				err = errEnded
			}
			failed <- fmt.Errorf("%s: %w", p.name, err)
			err = nil // It is reported already.
		}
		r.done <- err
	}()
	return r
}

func awaitReady(ctx context.Context, p part, failed <-chan error) error {
	if p.ready == nil {
		return nil
	}
	select {
	case <-p.ready:
		return nil
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// end stops the part and waits for it, within its time.
func (r runningPart) end(logger *slog.Logger) error {
	r.cancel()
	started := time.Now()
	select {
	case err := <-r.done:
		if err != nil {
			return fmt.Errorf("stop %s: %w", r.name, err)
		}
		logger.Debug("Stopped", "part", r.name, "took", time.Since(started))
		return nil
	case <-time.After(r.stop):
		return fmt.Errorf("stop %s: still at work after %v; going on without it", r.name, r.stop)
	}
}
