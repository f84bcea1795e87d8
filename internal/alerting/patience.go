package alerting

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// stall is how late a timer has to be that this process must have stood still.
	stall = 250 * time.Millisecond
	// secondLook is how long an answer may take that came while we stood still.
	secondLook = 2 * time.Second
)

// errNoAnswer is the cause of a context whose patience has ended.
var errNoAnswer = errors.New("no answer")

// withPatience is context.WithTimeout for a process that may stand still: by
// SIGSTOP, or as the guest of a machine that is moved. When it goes on, the answer
// that came meanwhile waits beside a timer that is due. Whoever believed the timer
// would send once more what has arrived, so a timer that is late is no timeout yet.
func withPatience(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for wait := timeout; ; wait = secondLook {
			due := time.Now().Add(wait)
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			if time.Since(due) < stall {
				cancel(fmt.Errorf("%w within %s", errNoAnswer, timeout))
				return
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}
