package alerting

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hedgewatch/hedgewatch/internal/schedule"
)

const (
	calendarPrefix = "calendar/" // + ID, in the journal

	// calendarAhead and maxAhead bound which silences exist before their time:
	// enough to see the next of a weekly one.
	calendarAhead = 8 * 24 * time.Hour
	maxAhead      = 10
	calendarTick  = time.Minute

	maxCalendars        = 500
	maxCalendarMatchers = 50
	minCalendarDuration = time.Minute
	maxCalendarDuration = 31 * 24 * time.Hour
)

// The annotations by which a silence is known as an occurrence.
const (
	calendarAnnotation   = "hedgewatch_calendar"
	revisionAnnotation   = "hedgewatch_calendar_revision"
	occurrenceAnnotation = "hedgewatch_calendar_start"
)

// ErrUnknownCalendar says that there is no such calendar silence.
var ErrUnknownCalendar = errors.New("no such calendar silence")

// CalendarSilence is a silence that recurs.
type CalendarSilence struct {
	ID       string    `json:"id"`
	Matchers []Matcher `json:"matchers"`
	// Schedule says when it begins, such as "Sat 02:00"; see package schedule.
	Schedule string `json:"schedule"`
	TimeZone string `json:"timeZone,omitempty"` // UTC if empty
	// Duration is how long it lasts each time, such as "2h".
	Duration  string    `json:"duration"`
	CreatedBy string    `json:"createdBy"`
	Comment   string    `json:"comment"`
	UpdatedAt time.Time `json:"updatedAt"`
	// Through is the start of the last occurrence that became a silence. None
	// is made twice, not even one that somebody has expired.
	Through time.Time `json:"through,omitzero"`
	// Next are the silences that stand for it now and next.
	Next []Occurrence `json:"next,omitempty"`
}

// Matcher is a matcher of a silence, as in the Alertmanager API.
type Matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual *bool  `json:"isEqual,omitempty"` // nil is true
}

// Occurrence is one time of a calendar silence.
type Occurrence struct {
	SilenceID string    `json:"silenceID,omitempty"` // Empty: it is made later.
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"`
}

// calendar makes silences of calendar silences, some time ahead. The silences
// are the library's own: it, amtool and every UI treat them as any other.
type calendar struct {
	journal  *journal
	silences *silence.Silences
	logger   *slog.Logger

	// mu serialises changes; the silences and the journal it calls under it
	// wait for memory only.
	mu   sync.Mutex
	live map[string]recurring
}

// recurring is a calendar silence with its texts understood.
type recurring struct {
	CalendarSilence
	schedule *schedule.Schedule
	duration time.Duration
	matchers []*silencepb.Matcher
}

func newCalendar(j *journal, s *silence.Silences, logger *slog.Logger) *calendar {
	c := &calendar{journal: j, silences: s, logger: logger, live: make(map[string]recurring)}
	j.each(calendarPrefix, func(id string, value []byte) {
		var spec CalendarSilence
		err := json.Unmarshal(value, &spec)
		var r recurring
		if err == nil {
			r, err = spec.parse()
		}
		if err != nil {
			logger.Error("A calendar silence is forgotten", "id", id, "err", err)
			return
		}
		c.live[id] = r
	})
	return c
}

// run makes silences as their time comes near.
func (c *calendar) run(ctx context.Context) {
	t := time.NewTicker(calendarTick)
	defer t.Stop()
	for {
		c.mu.Lock()
		err := c.reconcile(ctx, time.Now())
		c.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			c.logger.Error("A calendar silence is not in force", "err", err)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// reconcile makes the silences that are missing and ends those whose calendar
// silence has changed or gone, under mu.
func (c *calendar) reconcile(ctx context.Context, now time.Time) error {
	made, err := c.made(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range made {
		r, ok := c.live[s.Annotations[calendarAnnotation]]
		if ok && s.Annotations[revisionAnnotation] == r.revision() {
			continue
		}
		if err := c.silences.Expire(ctx, s.Id); err != nil {
			errs = append(errs, fmt.Errorf("end silence %s of calendar silence %s: %w", s.Id, s.Annotations[calendarAnnotation], err))
		}
	}
	for id, r := range c.live {
		if err := c.makeAhead(ctx, r, c.occurrences(made, r), now); err != nil {
			errs = append(errs, fmt.Errorf("calendar silence %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// made returns the silences of any calendar silence that have not ended.
func (c *calendar) made(ctx context.Context) ([]*silencepb.Silence, error) {
	all, _, err := c.silences.Query(ctx, silence.QState(silence.SilenceStateActive, silence.SilenceStatePending))
	if err != nil {
		return nil, fmt.Errorf("query silences: %w", err)
	}
	return slices.DeleteFunc(all, func(s *silencepb.Silence) bool { return s.Annotations[calendarAnnotation] == "" }), nil
}

// occurrences are those among the silences made that stand for r.
func (c *calendar) occurrences(made []*silencepb.Silence, r recurring) []*silencepb.Silence {
	var own []*silencepb.Silence
	for _, s := range made {
		if s.Annotations[calendarAnnotation] == r.ID && s.Annotations[revisionAnnotation] == r.revision() {
			own = append(own, s)
		}
	}
	return own
}

// makeAhead makes the silences of r that are due to exist and do not.
func (c *calendar) makeAhead(ctx context.Context, r recurring, existing []*silencepb.Silence, now time.Time) error {
	after := now.Add(-r.duration) // The one under way has its silence, too.
	if r.Through.After(after) {
		after = r.Through
	}
	for count := len(existing); count < maxAhead; count++ {
		start := r.schedule.Next(after)
		if start.IsZero() || start.After(now.Add(calendarAhead)) {
			return nil
		}
		after = start
		// A crash may have come between a silence and the note that it exists.
		known := slices.ContainsFunc(existing, func(s *silencepb.Silence) bool {
			return s.Annotations[occurrenceAnnotation] == start.Format(time.RFC3339)
		})
		if !known {
			if err := c.silences.Set(ctx, r.silence(start)); err != nil {
				return fmt.Errorf("make the silence of %s: %w", start.Format(time.RFC3339), err)
			}
		}
		r.Through = start
		if err := c.keep(r); err != nil {
			return err
		}
	}
	return nil
}

// keep notes r in memory and in the journal, under mu.
func (c *calendar) keep(r recurring) error {
	value, err := json.Marshal(r.CalendarSilence)
	if err != nil {
		return err
	}
	c.live[r.ID] = r
	c.journal.set(calendarPrefix+r.ID, entry{value: value})
	return nil
}

// shown is r with what comes next.
func (c *calendar) shown(made []*silencepb.Silence, r recurring) CalendarSilence {
	out := r.CalendarSilence
	for _, s := range c.occurrences(made, r) {
		out.Next = append(out.Next, Occurrence{SilenceID: s.Id, StartsAt: s.StartsAt.AsTime(), EndsAt: s.EndsAt.AsTime()})
	}
	slices.SortFunc(out.Next, func(x, y Occurrence) int { return x.StartsAt.Compare(y.StartsAt) })
	if len(out.Next) == 0 {
		after := time.Now()
		if r.Through.After(after) {
			after = r.Through
		}
		if start := r.schedule.Next(after); !start.IsZero() {
			out.Next = []Occurrence{{StartsAt: start, EndsAt: start.Add(r.duration)}}
		}
	}
	return out
}

// revision tells the silences of this version from those of earlier ones.
func (r recurring) revision() string { return strconv.FormatInt(r.UpdatedAt.UnixMilli(), 10) }

func (r recurring) silence(start time.Time) *silencepb.Silence {
	return &silencepb.Silence{
		MatcherSets: []*silencepb.MatcherSet{{Matchers: r.matchers}},
		StartsAt:    timestamppb.New(start),
		EndsAt:      timestamppb.New(start.Add(r.duration)),
		CreatedBy:   r.CreatedBy,
		Comment:     fmt.Sprintf("%s (recurs: %s %s)", r.Comment, r.Schedule, cmp.Or(r.TimeZone, "UTC")),
		Annotations: map[string]string{
			calendarAnnotation:   r.ID,
			revisionAnnotation:   r.revision(),
			occurrenceAnnotation: start.Format(time.RFC3339),
		},
	}
}

// parse understands the texts of a calendar silence, or says everything that is
// wrong with them.
func (s CalendarSilence) parse() (recurring, error) {
	r := recurring{CalendarSilence: s}
	var errs []error
	when, err := schedule.Parse(s.Schedule, s.TimeZone)
	r.schedule = when
	errs = append(errs, err)
	d, err := model.ParseDuration(s.Duration)
	r.duration = time.Duration(d)
	if err != nil || r.duration < minCalendarDuration || r.duration > maxCalendarDuration {
		errs = append(errs, fmt.Errorf("duration: got %q, want between 1m and 31d, such as 2h", s.Duration))
	}
	if s.CreatedBy == "" || s.Comment == "" {
		errs = append(errs, errors.New("createdBy and comment: both are needed, for whoever wonders about the silence"))
	}
	if len(s.CreatedBy) > maxWordBytes || len(s.Comment) > maxWordBytes {
		errs = append(errs, fmt.Errorf("createdBy and comment: at most %d bytes each", maxWordBytes))
	}
	if len(s.Matchers) > maxCalendarMatchers {
		errs = append(errs, fmt.Errorf("matchers: got %d, at most %d are used", len(s.Matchers), maxCalendarMatchers))
		return r, errors.Join(errs...)
	}
	selective := false
	for i, m := range s.Matchers {
		parsed, matchesEmpty, err := m.parse()
		if err != nil {
			errs = append(errs, fmt.Errorf("matchers[%d]: %w", i, err))
		}
		r.matchers = append(r.matchers, parsed)
		selective = selective || err != nil || !matchesEmpty
	}
	if !selective {
		errs = append(errs, errors.New("matchers: at least one must not match an empty label, or the silence holds for everything"))
	}
	return r, errors.Join(errs...)
}

// parse returns the matcher as the library has it, and whether it matches an
// alert without the label.
func (m Matcher) parse() (_ *silencepb.Matcher, matchesEmpty bool, err error) {
	if m.Name == "" || !model.UTF8Validation.IsValidLabelName(m.Name) || len(m.Name)+len(m.Value) > maxWordBytes {
		return nil, false, fmt.Errorf("%.100q is no name of a label, or the matcher has more than %d bytes", m.Name, maxWordBytes)
	}
	kind, typ := labels.MatchEqual, silencepb.Matcher_EQUAL
	switch equal := m.IsEqual == nil || *m.IsEqual; {
	case equal && m.IsRegex:
		kind, typ = labels.MatchRegexp, silencepb.Matcher_REGEXP
	case !equal && m.IsRegex:
		kind, typ = labels.MatchNotRegexp, silencepb.Matcher_NOT_REGEXP
	case !equal:
		kind, typ = labels.MatchNotEqual, silencepb.Matcher_NOT_EQUAL
	}
	parsed, err := labels.NewMatcher(kind, m.Name, m.Value)
	if err != nil {
		return nil, false, err
	}
	return &silencepb.Matcher{Type: typ, Name: m.Name, Pattern: m.Value}, parsed.Matches(""), nil
}

// CalendarSilences returns all calendar silences, by comment.
func (a *Alerting) CalendarSilences(ctx context.Context) ([]CalendarSilence, error) {
	c := a.calendar
	c.mu.Lock()
	defer c.mu.Unlock()
	made, err := c.made(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]CalendarSilence, 0, len(c.live))
	for _, r := range c.live {
		all = append(all, c.shown(made, r))
	}
	slices.SortFunc(all, func(x, y CalendarSilence) int {
		return cmp.Or(strings.Compare(x.Comment, y.Comment), strings.Compare(x.ID, y.ID))
	})
	return all, nil
}

// SetCalendarSilence makes a calendar silence, or changes the one whose ID s
// has. The change holds at once, also for an occurrence under way, and is on
// disk when the call returns.
func (a *Alerting) SetCalendarSilence(ctx context.Context, s CalendarSilence) (CalendarSilence, error) {
	s.UpdatedAt, s.Through, s.Next = time.Now().UTC().Truncate(time.Millisecond), time.Time{}, nil
	r, err := s.parse()
	if err != nil {
		return CalendarSilence{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	c := a.calendar
	c.mu.Lock()
	shown, err := c.set(ctx, r)
	c.mu.Unlock()
	// A disk that refuses has been reported; the silence is in force.
	_ = a.journal.awaitDisk(ctx)
	return shown, err
}

func (c *calendar) set(ctx context.Context, r recurring) (CalendarSilence, error) {
	switch before, known := c.live[r.ID]; {
	case r.ID == "" && len(c.live) >= maxCalendars:
		return CalendarSilence{}, fmt.Errorf("%w: there are %d calendar silences already, which is the limit", ErrInvalid, maxCalendars)
	case r.ID == "":
		r.ID = rand.Text()
	case !known:
		return CalendarSilence{}, fmt.Errorf("%w: %q", ErrUnknownCalendar, r.ID)
	case !r.UpdatedAt.After(before.UpdatedAt):
		r.UpdatedAt = before.UpdatedAt.Add(time.Millisecond)
	}
	if err := c.keep(r); err != nil {
		return CalendarSilence{}, err
	}
	if err := c.reconcile(ctx, time.Now()); err != nil {
		return CalendarSilence{}, err
	}
	made, err := c.made(ctx)
	return c.shown(made, c.live[r.ID]), err
}

// DeleteCalendarSilence forgets a calendar silence and ends its silences, also
// one under way. It is on disk when the call returns.
func (a *Alerting) DeleteCalendarSilence(ctx context.Context, id string) error {
	c := a.calendar
	c.mu.Lock()
	if _, known := c.live[id]; !known {
		c.mu.Unlock()
		return fmt.Errorf("%w: %q", ErrUnknownCalendar, id)
	}
	delete(c.live, id)
	c.journal.delete(calendarPrefix + id)
	err := c.reconcile(ctx, time.Now())
	c.mu.Unlock()
	_ = a.journal.awaitDisk(ctx) // As in SetCalendarSilence.
	return err
}
