//go:build race

package alerting

// The race detector bears 8,128 goroutines, and each group of the dispatcher is
// one.
const (
	raceDetector = true
	stormAlerts  = 1000
)
