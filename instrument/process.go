package instrument

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// RegisterBuildInfo registers hedgewatch_service_build_info, which says what runs:
// the service's name and version, and the revision and Go version of the binary.
func RegisterBuildInfo(reg prometheus.Registerer, service, version string) error {
	if service == "" {
		return errors.New("register the build info: the service has no name; use the one that people know it by")
	}
	revision := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "hedgewatch_service_build_info",
		Help:        "What runs, as labels; always 1.",
		ConstLabels: prometheus.Labels{"service": service, "version": version, "revision": revision, "goversion": runtime.Version()},
	})
	info.Set(1)
	return register(reg, "build info", info)
}

// Panics counts panics that something recovers from, by the place of the code
// that has panicked. Those of HTTP handlers and jobs are counted there already. A
// panic that ends the process cannot be counted: its service restarts.
type Panics struct {
	places map[string]prometheus.Counter
}

// NewPanics registers hedgewatch_service_panics_total, at 0 for each place.
func NewPanics(reg prometheus.Registerer, places ...string) (*Panics, error) {
	count := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hedgewatch_service_panics_total", Help: "Panics that the service recovered from.",
	}, []string{"place"})
	if err := register(reg, "panics", count); err != nil {
		return nil, err
	}
	p := &Panics{places: make(map[string]prometheus.Counter)}
	for _, place := range append(places, "other") {
		p.places[place] = count.WithLabelValues(place)
	}
	return p, nil
}

// Recover ends a panic, counts it and hands it to report with its stack. It is
// deferred as it is:
//
//	defer panics.Recover("orders", func(err error) { logger.Error("Panic", "err", err) })
//
// A place that NewPanics was not told of counts as "other".
func (p *Panics) Recover(place string, report func(error)) {
	v := recover()
	if v == nil {
		return
	}
	count, ok := p.places[place]
	if !ok {
		count = p.places["other"]
	}
	count.Inc()
	err, ok := v.(error)
	if !ok {
		err = fmt.Errorf("%v", v)
	}
	report(fmt.Errorf("panic in %s: %w\n%s", place, err, debug.Stack()))
}
