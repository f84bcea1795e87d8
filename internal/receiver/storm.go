package receiver

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
)

// WithStorm is a message's alerts, with one in front that says what a storm is:
// the library's templates know none.
func WithStorm(m Message) []*alert.Alert {
	s := m.Storm
	if s == nil {
		return m.Alerts
	}
	names := slices.SortedFunc(maps.Keys(s.ByName), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.ByName[b], s.ByName[a]), cmp.Compare(a, b))
	})
	const shown = 20
	var counts []string
	for _, name := range names[:min(len(names), shown)] {
		counts = append(counts, fmt.Sprintf("%s: %d", name, s.ByName[name]))
	}
	if more := len(names) - shown; more > 0 {
		counts = append(counts, fmt.Sprintf("and %d more", more))
	}
	summary := fmt.Sprintf("Storm of alerts: %d firing, %d resolved, in %d groups.", s.Firing, s.Resolved, s.Groups)
	if s.Over {
		summary = fmt.Sprintf("The storm of alerts is over: %d still firing, %d resolved, in %d groups.", s.Firing, s.Resolved, s.Groups)
	}
	about := &alert.Alert{Alert: model.Alert{
		Labels: model.LabelSet{model.AlertNameLabel: "AlertStorm"},
		Annotations: model.LabelSet{
			"summary":     model.LabelValue(summary),
			"description": model.LabelValue(strings.Join(counts, ", ")),
		},
		StartsAt: s.Since,
	}}
	if s.Firing == 0 {
		about.EndsAt = time.Now()
	}
	return append([]*alert.Alert{about}, m.Alerts...)
}
