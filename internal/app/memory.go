package app

import (
	"context"
	"log/slog"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// quietTime is how long Go may go without collecting garbage before we do.
// It is below the two minutes after which Go does, and not by much; what it costs
// and saves is in docs/benchmarks.md.
const quietTime = 90 * time.Second

// returnMemory gives memory back that Go would keep for a heap to grow into.
//
// A monitoring process has most of its garbage at the start: the replay of the
// write-ahead log, the API's description of itself, the first scrape of all
// targets at once. Later it makes so little that Go collects only every two
// minutes, which it does by itself however small the heap is, and never hands
// back what piled up between. So we collect once the start is over, and then
// whenever that has not happened for quietTime. With 100,000 series it saves 30
// MB; a process that makes more garbage is left alone. Of the program's own pages
// those that only the start needed are let go: 35 MB.
func returnMemory(ctx context.Context, started <-chan struct{}, log *slog.Logger) {
	select {
	case <-ctx.Done():
		return
	case <-started:
	}
	debug.FreeOSMemory()
	if err := releaseProgram(); err != nil {
		log.Debug("The pages of the program stay mapped", "err", err)
	}
	seen := collections()
	tick := time.NewTicker(quietTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if collections() == seen {
			debug.FreeOSMemory()
		}
		seen = collections()
	}
}

// collections is the number of garbage collections so far.
func collections() uint64 {
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
