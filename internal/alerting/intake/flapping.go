package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"

	"github.com/hedgewatch/hedgewatch/internal/journal"
)

const (
	// ourPrefix begins the annotations that are for us, and leave with no alert.
	ourPrefix          = "hedgewatch_"
	flappingAnnotation = ourPrefix + "flapping"
	valueAnnotation    = ourPrefix + "value"
	// mark is the annotation that says that an alert flaps.
	mark = "flapping"

	// maxTracks bounds the alerts whose changes are counted, and maxChanges the
	// changes of one.
	maxTracks  = 10000
	maxChanges = 100
	// sweepInterval is how often alerts that are not heard of are forgotten.
	sweepInterval = time.Minute
)

// Flapping is the `flapping` section: when an alert counts as flapping. Such an
// alert is held firing until it has been quiet.
type Flapping struct {
	Enabled bool `yaml:"enabled"`
	// More than Changes within Window, each firing and each resolving counted,
	// is flapping; Quiet without any ends it. Zero Quiet is half of Window.
	Changes int            `yaml:"changes"`
	Window  model.Duration `yaml:"window"`
	Quiet   model.Duration `yaml:"quiet,omitempty"`
}

// DefaultFlapping is what applies without the section.
func DefaultFlapping() Flapping {
	return Flapping{Enabled: true, Changes: 6, Window: model.Duration(10 * time.Minute)}
}

// Validate reports everything that is wrong with the section.
func (f Flapping) Validate() error {
	var errs []error
	if f.Changes < 2 || f.Changes >= maxChanges {
		errs = append(errs, fmt.Errorf("flapping.changes: %d is not between 2 and %d", f.Changes, maxChanges-1))
	}
	if w := time.Duration(f.Window); w < time.Second || w > 24*time.Hour {
		errs = append(errs, fmt.Errorf("flapping.window: %v is not between 1s and 1d", f.Window))
	}
	if q := time.Duration(f.Quiet); q < 0 || q > 24*time.Hour {
		errs = append(errs, fmt.Errorf("flapping.quiet: %v is more than 1d", f.Quiet))
	}
	return errors.Join(errs...)
}

func (f Flapping) quiet() time.Duration {
	if f.Quiet > 0 {
		return time.Duration(f.Quiet)
	}
	return time.Duration(f.Window) / 2
}

// flaps counts how often alerts change, and holds those that flap.
type flaps struct {
	logger    *slog.Logger
	journal   *journal.Journal // nil keeps nothing
	untracked prometheus.Counter

	// mu guards what follows.
	mu      sync.Mutex
	setting Flapping
	tracks  map[uint64]*track
	swept   time.Time
}

// track is what is known of an alert's changes. That of one that flaps is saved.
type track struct {
	// Alert is the one that was sent last.
	Alert *notifier.Alert `json:"alert"`
	// Changes are when it began to fire or resolved, oldest first.
	Changes []time.Time `json:"changes"`
	// Firing is its own state, whatever we say.
	Firing   bool `json:"firing"`
	flapping bool
	heard    time.Time
}

func newFlaps(path string, logger *slog.Logger, reg prometheus.Registerer) (*flaps, error) {
	f := &flaps{
		logger:  logger,
		setting: DefaultFlapping(),
		tracks:  map[uint64]*track{},
		untracked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_intake_untracked_alerts_total",
			Help: "Alerts whose changes were not counted, because too many others' are.",
		}),
	}
	active := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hedgewatch_intake_flapping_alerts",
		Help: "Alerts that are held firing because they change too often.",
	}, func() float64 { return f.count(time.Now()) })
	if err := errors.Join(reg.Register(f.untracked), reg.Register(active)); err != nil {
		return nil, err
	}
	if path == "" {
		return f, nil
	}
	j, damaged, err := journal.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load flapping alerts: %w", err)
	}
	if damaged > 0 {
		logger.Warn("Part of the saved flapping alerts could not be read", "file", path, "bytes", damaged)
	}
	f.journal = j
	for key, value := range j.All() {
		t := &track{flapping: true, heard: time.Now()}
		if err := json.Unmarshal(value, t); err != nil || t.Alert == nil || len(t.Changes) == 0 {
			logger.Error("A flapping alert is forgotten", "key", key, "err", err)
			continue
		}
		f.tracks[t.Alert.Hash()] = t
	}
	return f, nil
}

func (f *flaps) set(setting Flapping) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setting = setting
}

// restored returns the alerts that were held when a former process ended. Their
// rules do not know of them any more, so nobody else would end them.
func (f *flaps) restored() []*notifier.Alert {
	f.mu.Lock()
	defer f.mu.Unlock()
	var held []*notifier.Alert
	for _, t := range f.tracks {
		if !t.Firing {
			held = append(held, t.held(f.setting))
		}
	}
	return held
}

// pass returns alerts as they are to be told: those that flap are firing and
// say so. save brings the changes of flapping alerts to disk.
func (f *flaps) pass(alerts []*notifier.Alert, now time.Time) (out []*notifier.Alert, save func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var changes []journal.Change
	out = make([]*notifier.Alert, len(alerts))
	for i, a := range alerts {
		out[i] = a
		h := a.Hash()
		if !f.setting.Enabled || a.Annotations.Get(flappingAnnotation) == "off" {
			if t := f.tracks[h]; t != nil {
				changes = f.forget(h, changes)
			}
			continue
		}
		t := f.track(h, a, now)
		if t == nil {
			continue
		}
		was, changed := t.flapping, t.change(a, f.setting, now)
		if t.flapping {
			out[i] = t.held(f.setting)
		}
		switch {
		case was && !t.flapping:
			changes = append(changes, journal.Change{Key: trackKey(h)})
		case t.flapping && (changed || !was):
			c, err := journal.Set(trackKey(h), t)
			if err != nil {
				f.logger.Error("A flapping alert will not survive a restart", "err", err)
				break
			}
			changes = append(changes, c)
		}
	}
	if now.Sub(f.swept) >= sweepInterval {
		f.swept = now
		changes = f.sweep(now, changes)
	}
	return out, func() { f.save(changes) }
}

// track returns the track of an alert, nil if it has none and needs none.
func (f *flaps) track(h uint64, a *notifier.Alert, now time.Time) *track {
	t := f.tracks[h]
	if t != nil || a.ResolvedAt(now) {
		return t
	}
	if len(f.tracks) >= maxTracks {
		f.untracked.Inc()
		return nil
	}
	t = &track{}
	f.tracks[h] = t
	return t
}

// change takes the alert's new state in, and reports whether it is another one.
func (t *track) change(a *notifier.Alert, setting Flapping, now time.Time) (changed bool) {
	if t.flapping && now.Sub(t.last()) >= setting.quiet() {
		t.flapping, t.Changes = false, nil
	}
	firing := !a.ResolvedAt(now)
	changed = firing != t.Firing
	t.Alert, t.Firing, t.heard = a, firing, now
	if changed {
		t.Changes = append(t.Changes, now)
	}
	for len(t.Changes) > maxChanges || len(t.Changes) > 1 && now.Sub(t.Changes[0]) > time.Duration(setting.Window) {
		t.Changes = t.Changes[1:]
	}
	t.flapping = t.flapping || len(t.Changes) > setting.Changes
	return changed
}

func (t *track) last() time.Time { return t.Changes[len(t.Changes)-1] }

// held returns the alert as firing, until it has been quiet for long enough.
func (t *track) held(setting Flapping) *notifier.Alert {
	held := *t.Alert
	held.Annotations = labels.NewBuilder(held.Annotations).
		Set(mark, fmt.Sprintf("%d changes in %v", len(t.Changes), setting.Window)).Labels()
	if !t.Firing {
		held.EndsAt = t.last().Add(setting.quiet())
	}
	return &held
}

// sweep forgets alerts that can neither flap nor be held.
func (f *flaps) sweep(now time.Time, changes []journal.Change) []journal.Change {
	for h, t := range f.tracks {
		// A firing alert is repeated; one that is not has ended untold.
		still := t.Firing && now.Sub(t.heard) < resendsWithin
		if !still && now.Sub(t.heard) > max(time.Duration(f.setting.Window), f.setting.quiet()) {
			changes = f.forget(h, changes)
		}
	}
	return changes
}

// resendsWithin is how long the sender of a firing alert may be silent.
const resendsWithin = time.Hour

// forget drops a track, under mu.
func (f *flaps) forget(h uint64, changes []journal.Change) []journal.Change {
	if f.tracks[h].flapping {
		changes = append(changes, journal.Change{Key: trackKey(h)})
	}
	delete(f.tracks, h)
	return changes
}

func (f *flaps) count(now time.Time) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, t := range f.tracks {
		if t.flapping && now.Sub(t.last()) < f.setting.quiet() {
			n++
		}
	}
	return float64(n)
}

func (f *flaps) save(changes []journal.Change) {
	if f.journal == nil || len(changes) == 0 {
		return
	}
	if err := f.journal.Write(changes...); err != nil {
		f.logger.Error("Flapping alerts are in memory only until they can be saved", "err", err)
	}
}

func (f *flaps) close() {
	if f.journal == nil {
		return
	}
	if err := f.journal.Close(); err != nil {
		f.logger.Error("Flapping alerts not closed cleanly", "err", err)
	}
}

func trackKey(h uint64) string { return fmt.Sprintf("%016x", h) }

// strip returns alerts without the annotations that are for us.
func strip(alerts []*notifier.Alert) []*notifier.Alert {
	out := make([]*notifier.Alert, len(alerts))
	for i, a := range alerts {
		out[i] = a
		ours := false
		a.Annotations.Range(func(l labels.Label) { ours = ours || strings.HasPrefix(l.Name, ourPrefix) })
		if !ours {
			continue
		}
		b := labels.NewBuilder(a.Annotations)
		a.Annotations.Range(func(l labels.Label) {
			if strings.HasPrefix(l.Name, ourPrefix) {
				b.Del(l.Name)
			}
		})
		stripped := *a
		stripped.Annotations = b.Labels()
		out[i] = &stripped
	}
	return out
}
