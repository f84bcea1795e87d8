package faults

import (
	"context"
	"net/http"
	"syscall"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver/discord/discordtest"
)

// A kind is a way to break something.
type kind struct {
	name string
	// weight is how often it comes, compared with the others.
	weight int
	apply  func(context.Context) error
}

// kinds are all that can be broken here. The clock of a process cannot be set
// without setting the machine's; a process that is stopped for a while sees its
// clocks jump ahead, as one on a suspended virtual machine does.
func (w *world) kinds() []kind {
	kinds := []kind{
		{"kill -9", 6, func(ctx context.Context) error {
			w.program.kill()
			return w.program.start(ctx)
		}},
		{"orderly restart", 1, func(ctx context.Context) error {
			if err := w.program.terminate(ctx); err != nil {
				return err
			}
			return w.program.start(ctx)
		}},
		{"reload", 1, func(context.Context) error { return w.program.signal(syscall.SIGHUP) }},
		{"stopped for a while, clocks jump", 2, w.stopForAWhile},
		{"429", 3, func(context.Context) error {
			w.hiccup(discordtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: w.within(600 * time.Millisecond)})
			return nil
		}},
		{"5xx", 3, func(context.Context) error {
			w.hiccup(discordtest.Fault{Status: []int{500, 502, 503, 504}[w.rng.IntN(4)]})
			return nil
		}},
		{"connection broken", 2, func(context.Context) error {
			w.hiccup(discordtest.Fault{Close: true})
			return nil
		}},
		{"no answer", 1, func(context.Context) error {
			w.hiccup(discordtest.Fault{Hang: true})
			return nil
		}},
		{"outage", 1, func(ctx context.Context) error { return w.outage(ctx, discordtest.Fault{Close: true}) }},
		{"outage without answers", 1, func(ctx context.Context) error { return w.outage(ctx, discordtest.Fault{Hang: true}) }},
		{"outage with kill -9", 1, func(ctx context.Context) error {
			w.discord.Inject(discordtest.Fault{Until: time.Now().Add(w.within(4 * time.Second)), Status: http.StatusServiceUnavailable})
			if err := pause(ctx, w.within(2*time.Second)); err != nil {
				return err
			}
			w.program.kill()
			return w.program.start(ctx)
		}},
	}
	if w.disk != "" {
		kinds = append(kinds, kind{"disk full", 1, w.fillDisk(false)}, kind{"disk full with kill -9", 1, w.fillDisk(true)})
	}
	return kinds
}

// pick returns the kind that holds place n when each takes its weight.
func pick(kinds []kind, n int) kind {
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			return k
		}
	}
	panic("faults: n is not below the sum of the weights")
}

// hiccup makes requests fail while other things happen.
func (w *world) hiccup(f discordtest.Fault) {
	f.Until = time.Now().Add(w.within(1500 * time.Millisecond))
	w.discord.Inject(f)
}

func (w *world) within(most time.Duration) time.Duration {
	return time.Duration(1 + w.rng.Int64N(int64(most)))
}

func (w *world) stopForAWhile(ctx context.Context) error {
	if err := w.program.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err := pause(ctx, w.within(3*time.Second))
	if cont := w.program.signal(syscall.SIGCONT); cont != nil {
		return cont
	}
	return err
}

// outage lasts up to six seconds, a hundredth of ten minutes.
func (w *world) outage(ctx context.Context, f discordtest.Fault) error {
	length := w.within(6 * time.Second)
	f.Until = time.Now().Add(length)
	w.discord.Inject(f)
	return pause(ctx, length)
}
