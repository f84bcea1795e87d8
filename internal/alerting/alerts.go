package alerting

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/provider"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/common/model"
)

var errStopped = errors.New("alerting has stopped")

// alerts is the provider that API, inhibitor and dispatcher share. To the
// library's memory of alerts it adds the list of unfinished ones, kept in the
// journal: those that fire, and those that have resolved while a receiver may
// not know it yet. A restart and a reload begin with that list.
type alerts struct {
	mem     *mem.Alerts // set before anyone else sees the alerts
	journal *journal
	logger  *slog.Logger

	// turn has one slot; who holds it may write mem. Unlike a mutex it can be
	// waited for with a deadline. It guards what is known of the alerts being
	// written: whether their sender repeats them, where they come from.
	turn   chan struct{}
	resent bool
	origin Origin
	values Values

	stopped chan struct{}

	transitions *transitions
	origins     *origins
	news        []*alert.Alert           // of the put under way; guarded by turn
	prompter    atomic.Pointer[prompter] // nil until alerts are dispatched

	mu         sync.Mutex
	unfinished map[model.Fingerprint]savedAlert
}

// savedAlert is an alert as the journal keeps it.
type savedAlert struct {
	Alert     model.Alert `json:"alert"`
	UpdatedAt time.Time   `json:"updatedAt"`
	// Timeout says that EndsAt is our guess, not the sender's word.
	Timeout bool `json:"timeout,omitempty"`
	// Resolved is the state when the alert was saved: by now EndsAt may have
	// passed only because we were down.
	Resolved bool `json:"resolved,omitempty"`
	// Resent alerts come again until they resolve, with a new EndsAt each time.
	Resent bool `json:"resent,omitempty"`
	// Muted is why nobody is told, if that is so, as the history has it.
	Muted State `json:"muted,omitempty"`

	value float64 // NaN if not known, as after a restart
}

func newAlerts(j *journal, logger *slog.Logger, report func(Transition)) *alerts {
	return &alerts{
		transitions: &transitions{report: report, states: make(map[model.Fingerprint]State)},
		origins:     newOrigins(),
		journal:     j,
		logger:      logger,
		turn:        make(chan struct{}, 1),
		stopped:     make(chan struct{}),
		unfinished:  make(map[model.Fingerprint]savedAlert),
	}
}

// put stores valid alerts. resent says that the sender repeats them for as long
// as they fire, as a rule manager does.
func (a *alerts) put(ctx context.Context, resent bool, as ...*alert.Alert) error {
	select {
	case a.turn <- struct{}{}:
	case <-a.stopped:
		return errStopped
	case <-ctx.Done():
		return fmt.Errorf("wait for other alerts to be stored: %w", ctx.Err())
	}
	defer func() { <-a.turn }()
	a.resent = resent
	a.origin, _ = ctx.Value(originKey{}).(Origin)
	a.origin.Put = time.Now()
	a.values = ValuesOf(ctx)
	a.news = nil
	err := a.mem.Put(ctx, as...)
	if p := a.prompter.Load(); p != nil && len(a.news) > 0 {
		p.changed(a.news)
	}
	return err
}

// stop lets a put that is under way end and refuses all later ones.
func (a *alerts) stop() {
	a.turn <- struct{}{}
	close(a.stopped)
	a.mem.Close()
}

// Put implements provider.Alerts for the API, whose clients may resend or not.
func (a *alerts) Put(ctx context.Context, as ...*alert.Alert) error {
	return a.put(ctx, false, as...)
}

// SlurpAndSubscribe implements provider.Alerts. It starts with the unfinished
// alerts, where the library would also give resolved ones that every receiver
// has heard of, and would have dropped undelivered ones after a while.
func (a *alerts) SlurpAndSubscribe(name string) ([]*alert.Alert, provider.AlertIterator) {
	a.turn <- struct{}{} // no alert is stored between the list and the subscription
	defer func() { <-a.turn }()
	_, it := a.mem.SlurpAndSubscribe(name)

	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]*alert.Alert, 0, len(a.unfinished))
	for _, s := range a.unfinished {
		list = append(list, s.alert())
	}
	return list, it
}

// Subscribe implements provider.Alerts.
func (a *alerts) Subscribe(name string) provider.AlertIterator { return a.mem.Subscribe(name) }

// GetPending implements provider.Alerts.
func (a *alerts) GetPending() provider.AlertIterator { return a.mem.GetPending() }

// Get implements provider.Alerts.
func (a *alerts) Get(fp model.Fingerprint) (*alert.Alert, error) { return a.mem.Get(fp) }

// newest returns alerts, as the dispatcher marks them for a notification, in their
// newest state: what it lists may be older than what was told beside it since.
func (a *alerts) newest(as []*alert.Alert) []*alert.Alert {
	now := time.Now()
	list := make([]*alert.Alert, len(as))
	for i, al := range as {
		if known, err := a.mem.Get(al.Fingerprint()); err == nil && !known.UpdatedAt.Before(al.UpdatedAt) {
			al = known
		}
		if !al.EndsAt.IsZero() && !al.ResolvedAt(now) {
			marked := *al
			marked.EndsAt = time.Time{}
			al = &marked
		}
		list[i] = al
	}
	return list
}

// save notes an alert that mem has just stored, within a put.
func (a *alerts) save(al *alert.Alert) {
	fp := al.Fingerprint()
	a.remember(fp, savedAlert{
		Alert:     al.Alert,
		UpdatedAt: al.UpdatedAt,
		Timeout:   al.Timeout,
		Resolved:  al.Resolved(),
		Resent:    a.resent,
		value:     a.values.of(fp),
	})
	if a.seen(al) {
		a.news = append(a.news, al)
		a.origins.changed(fp, a.origin)
	}
}

func (a *alerts) remember(fp model.Fingerprint, s savedAlert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, known := a.unfinished[fp]
	if state := a.transitions.of(fp); state != StateFiring {
		s.Muted = state
	}
	a.unfinished[fp] = s
	if known && before.sameToRestart(s) {
		return
	}
	a.keep(fp, s)
}

// muted notes whether a firing alert is withheld from people, as the history
// knows it. It returns false if that is no change.
func (a *alerts) muted(al *alert.Alert, to State) (Transition, bool) {
	tr, changed := a.transitions.muted(al, to, time.Now())
	if !changed {
		return tr, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s, ok := a.unfinished[tr.Fingerprint]; ok {
		if s.Muted = to; to == StateFiring {
			s.Muted = ""
		}
		a.unfinished[tr.Fingerprint] = s
		a.keep(tr.Fingerprint, s)
	}
	return tr, true
}

// keep writes an alert down, under mu.
func (a *alerts) keep(fp model.Fingerprint, s savedAlert) {
	e, err := s.entry()
	if err != nil {
		a.logger.Error("An alert will not survive a restart", "alert", s.Alert.Labels, "err", err)
		return
	}
	a.journal.set(alertKey(fp), e)
}

// seen notes what an alert is now, and reports whether that is news.
func (a *alerts) seen(al *alert.Alert) bool {
	value := math.NaN()
	a.mu.Lock()
	if s, ok := a.unfinished[al.Fingerprint()]; ok {
		value = s.value
	}
	a.mu.Unlock()
	return a.transitions.is(al, value, time.Now())
}

// finish forgets an alert whose end every receiver that should hear of it has
// heard, unless it has fired again since.
func (a *alerts) finish(fp model.Fingerprint) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s, ok := a.unfinished[fp]; ok && s.Alert.Resolved() {
		delete(a.unfinished, fp)
		a.journal.delete(alertKey(fp))
	}
}

// forgetExpired gives up on resolved alerts that no receiver would take in all
// the time that notifications are remembered.
func (a *alerts) forgetExpired(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.unfinished, func(fp model.Fingerprint, s savedAlert) bool {
		expired := s.Alert.ResolvedAt(now.Add(-retention))
		if expired {
			a.journal.delete(alertKey(fp))
		}
		return expired
	})
}

// restore puts the alerts of the journal back, or their newer state in the
// messages that wait, which may be on disk first. Those that fired get grace to
// be heard of again; the ones that are not have recovered while nobody watched.
func (a *alerts) restore(ctx context.Context, grace time.Duration, waiting []*alert.Alert) (firing, resolved int, err error) {
	now := time.Now()
	var once, resent []*alert.Alert
	saved, errs := a.saved()
	for _, al := range waiting {
		fp := al.Fingerprint()
		before, known := saved[fp]
		if al.Resolved() && !known || known && !al.UpdatedAt.After(before.UpdatedAt) {
			continue // All know its end, or the journal is as new.
		}
		saved[fp] = savedAlert{Alert: al.Alert, UpdatedAt: al.UpdatedAt, Timeout: al.Timeout, Resolved: al.Resolved(), Resent: !known || before.Resent, Muted: before.Muted}
	}
	for _, s := range saved {
		al := s.alert()
		if s.Resolved {
			resolved++
		} else {
			firing++
			a.transitions.was(al.Fingerprint(), cmp.Or(s.Muted, StateFiring))
			if end := now.Add(grace); s.Resent || al.EndsAt.Before(end) {
				al.EndsAt = end
				al.Timeout = true
			}
		}
		if s.Resent {
			resent = append(resent, al)
		} else {
			once = append(once, al)
		}
	}
	errs = append(errs, a.put(ctx, false, once...), a.put(ctx, true, resent...))
	return firing, resolved, errors.Join(errs...)
}

// saved are the alerts of the journal.
func (a *alerts) saved() (saved map[model.Fingerprint]savedAlert, errs []error) {
	saved = make(map[model.Fingerprint]savedAlert)
	a.journal.each(alertPrefix, func(key string, value []byte) {
		var s savedAlert
		if err := json.Unmarshal(value, &s); err != nil {
			errs = append(errs, fmt.Errorf("alert %s in the journal: %w", key, err))
			return
		}
		saved[s.Alert.Fingerprint()] = s
	})
	return saved, errs
}

func (s savedAlert) alert() *alert.Alert {
	return &alert.Alert{Alert: s.Alert, UpdatedAt: s.UpdatedAt, Timeout: s.Timeout}
}

// sameToRestart reports whether a restart would do the same with s and o. The
// EndsAt of a firing alert that is resent does not matter to it, which spares
// the disk every alert's refresh.
func (s savedAlert) sameToRestart(o savedAlert) bool {
	return s.Resolved == o.Resolved && s.Resent == o.Resent && s.Muted == o.Muted &&
		s.Alert.StartsAt.Equal(o.Alert.StartsAt) &&
		(s.Alert.EndsAt.Equal(o.Alert.EndsAt) || s.Resent && !s.Resolved) &&
		s.Alert.GeneratorURL == o.Alert.GeneratorURL &&
		s.Alert.Annotations.Equal(o.Alert.Annotations)
}

func (s savedAlert) entry() (entry, error) {
	value, err := json.Marshal(s)
	e := entry{value: value}
	if s.Resolved {
		e.expires = s.Alert.EndsAt.Add(retention)
	}
	return e, err
}

// storeCallback connects mem to the list of unfinished alerts and to the cache
// of the silencer, of which it only needs to override PostStore.
type storeCallback struct {
	*silence.Silencer
	alerts *alerts
}

// PostStore implements mem.AlertStoreCallback.
func (c storeCallback) PostStore(al *alert.Alert, _ bool) { c.alerts.save(al) }
