package instrument

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// register registers all metrics of a part or none.
func register(reg prometheus.Registerer, part string, metrics ...prometheus.Collector) error {
	if reg == nil {
		return fmt.Errorf("register the metrics of the %s: the Registerer is nil; pass prometheus.NewRegistry()", part)
	}
	for i, m := range metrics {
		err := reg.Register(m)
		if err == nil {
			continue
		}
		for _, done := range metrics[:i] {
			reg.Unregister(done)
		}
		if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			return fmt.Errorf("register the metrics of the %s: %w; build it once, or tell two apart with prometheus.WrapRegistererWith", part, err)
		}
		return fmt.Errorf("register the metrics of the %s: %w", part, err)
	}
	return nil
}

// latencyBuckets are the upper bounds, in seconds, of how long requests take. A
// call inside a data centre takes a millisecond and a patient client waits 10 s.
//
// They are classic buckets: a native histogram allocates when it is observed.
func latencyBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}
