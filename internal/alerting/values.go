package alerting

import (
	"context"
	"math"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// Values are what the rules' expressions had, by alert. An alert in Alertmanager
// has no place for it.
type Values map[model.Fingerprint]float64

type valuesKey struct{}

// WithValues returns a context for [Alerting.Put] with the alerts' values.
func WithValues(ctx context.Context, v Values) context.Context {
	return context.WithValue(ctx, valuesKey{}, v)
}

// ValuesOf returns the values that came with ctx.
func ValuesOf(ctx context.Context) Values {
	v, _ := ctx.Value(valuesKey{}).(Values)
	return v
}

// of returns the value of an alert, NaN if it has none.
func (v Values) of(fp model.Fingerprint) float64 {
	if value, ok := v[fp]; ok {
		return value
	}
	return math.NaN()
}

// valuesOf returns the last values of firing alerts, as people read them.
func (a *alerts) valuesOf(as []*alert.Alert) map[model.Fingerprint]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	values := make(map[model.Fingerprint]string)
	for _, al := range as {
		fp := al.Fingerprint()
		if s, ok := a.unfinished[fp]; ok && !s.Resolved && !math.IsNaN(s.value) {
			values[fp] = receiver.FormatValue(s.value)
		}
	}
	return values
}
