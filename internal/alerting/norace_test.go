//go:build !race

package alerting

const (
	raceDetector = false
	stormAlerts  = 10000
)
