package ruler

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/rules"
)

// Incident says that data of one source is missing, whatever number of series
// and rules that concerns.
type Incident struct {
	// Source has the labels job and instance of the missing series; or, if they
	// have neither, the label rule.
	Source labels.Labels
	// Whole is set if nothing at all comes from the source any more.
	Whole bool
	// Rule and Severity are those of the rule that missed the data first, and
	// Since is when.
	Rule, Severity string
	Since          time.Time
}

// Incidents tells people that data is missing, until it is back. Both methods
// may be called again with what they know.
type Incidents interface {
	Raise(context.Context, Incident) error
	Clear(ctx context.Context, source labels.Labels) error
}

// sourceOf is the source of a series that a rule misses.
func sourceOf(metric labels.Labels, rule string) labels.Labels {
	b := labels.NewBuilder(labels.EmptyLabels())
	for _, name := range []string{model.JobLabel, model.InstanceLabel} {
		b.Set(name, metric.Get(name))
	}
	if source := b.Labels(); !source.IsEmpty() {
		return source
	}
	return labels.FromStrings("rule", rule)
}

// sources has the sources that data is missing from: the first series raises
// the incident of a source, the last one clears it.
type sources struct {
	incidents Incidents // nil tells nobody
	logger    *slog.Logger
	engine    rules.QueryFunc

	// mu guards missing: what is missing, by source.
	mu      sync.Mutex
	missing map[string]map[string]bool
}

func newSources(i Incidents, logger *slog.Logger, engine rules.QueryFunc) *sources {
	return &sources{incidents: i, logger: logger, engine: engine, missing: map[string]map[string]bool{}}
}

// restore takes up a series of before a start, whose incident is known.
func (s *sources) restore(source labels.Labels, series string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(source, series)
}

// put notes a missing series under mu, and reports whether it is the source's
// first.
func (s *sources) put(source labels.Labels, series string) (first bool) {
	key := source.String()
	first = len(s.missing[key]) == 0
	if first {
		s.missing[key] = map[string]bool{}
	}
	s.missing[key][series] = true
	return first
}

// add notes a missing series, and raises the incident if it is the first of its
// source. If nobody takes the incident, the series is not noted.
func (s *sources) add(ctx context.Context, i Incident, series string, at time.Time) bool {
	s.mu.Lock()
	first := s.put(i.Source, series)
	s.mu.Unlock()
	if !first || s.incidents == nil {
		return true
	}
	i.Whole = s.isSilent(ctx, i.Source, at)
	if err := s.incidents.Raise(ctx, i); err != nil {
		s.logger.Error("Missing data not told, trying again at the next evaluation", "source", i.Source, "err", err)
		s.remove(i.Source, series)
		return false
	}
	return true
}

// remove forgets a missing series, and reports whether it was the source's last.
func (s *sources) remove(source labels.Labels, series string) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := source.String()
	if !s.missing[key][series] {
		return false
	}
	delete(s.missing[key], series)
	if len(s.missing[key]) > 0 {
		return false
	}
	delete(s.missing, key)
	return true
}

func (s *sources) clear(ctx context.Context, source labels.Labels) {
	if s.incidents == nil {
		return
	}
	if err := s.incidents.Clear(ctx, source); err != nil {
		s.logger.Error("End of missing data not told", "source", source, "err", err)
	}
}

// isSilent reports whether nothing comes from the target any more. What the
// scraper and the rules write about it themselves does not count.
func (s *sources) isSilent(ctx context.Context, source labels.Labels, at time.Time) bool {
	job, instance := source.Get(model.JobLabel), source.Get(model.InstanceLabel)
	if job == "" || instance == "" {
		return false
	}
	query := fmt.Sprintf(`count({job=%q,instance=%q,__name__!~"up|scrape_.+|ALERTS.*|.+:.+"})`, job, instance)
	result, err := s.engine(ctx, query, at)
	if err != nil {
		s.logger.Warn("Not known whether a source is silent as a whole", "source", source, "err", err)
	}
	return err == nil && len(result) == 0
}
