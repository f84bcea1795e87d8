package app

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestGarbageIsCollectedAfterTheStartAndInQuietMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		started := make(chan struct{})
		before := collections()
		go returnMemory(ctx, started, slog.New(slog.DiscardHandler))
		close(started)
		synctest.Wait()
		afterStart := collections()
		if afterStart == before {
			t.Error("nothing was collected after the start")
		}
		time.Sleep(quietTime + time.Second)
		synctest.Wait()
		if collections() == afterStart {
			t.Error("nothing was collected in a quiet minute")
		}
	})
}
