package alerting

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"
)

func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := withPatience(t.Context(), time.Second)
		defer cancel()
		time.Sleep(time.Second - time.Millisecond)
		synctest.Wait()
		if ctx.Err() != nil {
			t.Errorf("ended early: %v", context.Cause(ctx))
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if !errors.Is(context.Cause(ctx), errNoAnswer) {
			t.Errorf("got %v, want %v", context.Cause(ctx), errNoAnswer)
		}
	})
}

// The process is stopped for real: a timer that is late cannot be had in virtual time.
func TestATimerThatIsLateIsNoTimeout(t *testing.T) {
	ctx, cancel := withPatience(t.Context(), 500*time.Millisecond)
	defer cancel()
	began := time.Now()
	stop := exec.Command("sh", "-c", "kill -STOP $PPID; sleep 1.5; kill -CONT $PPID")
	if out, err := stop.CombinedOutput(); err != nil {
		t.Fatalf("stop this process: %v %s", err, out)
	}
	stood := time.Since(began)
	time.Sleep(100 * time.Millisecond)
	if ctx.Err() != nil {
		t.Errorf("the timeout was believed after %s: %v", stood, context.Cause(ctx))
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		t.Error("patience has no end")
	}
}
