package alerting

import "fmt"

// Healthy says why an alert would not be told now or not survive a crash, or
// nil. It does not know whether destinations answer; see [Alerting.Outbox].
func (a *Alerting) Healthy() error {
	if a.pipeline.Load() == nil {
		return errStopped
	}
	for _, j := range []*journal{a.journal, a.outbox.journal} {
		j.mu.Lock()
		err := j.err
		j.mu.Unlock()
		if err != nil {
			return fmt.Errorf("alert state is in memory only: %w", err)
		}
	}
	return nil
}
