// Package schedule says when something that recurs is due, by the wall clock of
// a time zone. It is right on the days when that clock is moved: a time that
// the clock skips is due when it skips, and one that it repeats is due once.
//
// It starts nothing. Begin with [Parse].
package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // Containers often come without time zones.

	"github.com/robfig/cron/v3"
)

// maxSpecBytes bounds what Parse reads.
const maxSpecBytes = 256

// lookBack is how far behind the given time Next begins to look, because a
// time of the skipped hour is due after it; no zone skips more.
const lookBack = 3 * time.Hour

// Schedule is a recurring time.
type Schedule struct {
	spec string
	cron cron.Schedule
	zone *time.Location
}

// Parse reads one of
//
//	daily 02:00
//	Sat,Sun 02:00       or Mon-Fri 02:00
//	day 1 02:00         of each month, or day 1,15 02:00
//	0 2 * * 6           cron: minute, hour, day of month, month, day of week
//
// in a time zone such as Europe/Berlin; "" is UTC.
func Parse(spec, zone string) (*Schedule, error) {
	if len(spec) > maxSpecBytes {
		return nil, fmt.Errorf("schedule: got %d bytes, at most %d are read", len(spec), maxSpecBytes)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w; use a name such as Europe/Berlin or UTC", zone, err)
	}
	expression, err := toCron(strings.Fields(spec))
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", spec, err)
	}
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(expression)
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", spec, err)
	}
	s := &Schedule{spec: spec, cron: parsed, zone: location}
	if s.Next(time.Now()).IsZero() {
		return nil, fmt.Errorf("schedule %q: no day of the next years is one", spec)
	}
	return s, nil
}

var errForm = errors.New("want `daily 02:00`, `Mon-Fri 02:00`, `day 1 02:00`, or the five fields of cron")

// toCron returns the fields as a cron expression.
func toCron(fields []string) (string, error) {
	if len(fields) == 5 && !strings.Contains(fields[0], "=") { // TZ=…: the zone has a place of its own.
		return strings.Join(fields, " "), nil
	}
	if len(fields) != 2 && (len(fields) != 3 || fields[0] != "day") {
		return "", errForm
	}
	clock, err := time.Parse("15:04", fields[len(fields)-1])
	if err != nil {
		return "", fmt.Errorf("%q is no time of the day; write 02:00", fields[len(fields)-1])
	}
	day := fields[len(fields)-2]
	switch {
	case len(fields) == 3:
		return fmt.Sprintf("%d %d %s * *", clock.Minute(), clock.Hour(), day), nil
	case day == "daily":
		day = "*"
	}
	return fmt.Sprintf("%d %d * * %s", clock.Minute(), clock.Hour(), day), nil
}

// String is the schedule as it was written.
func (s *Schedule) String() string { return s.spec }

// Next is the first time after the given one, in UTC. It is zero when there is
// none in the next years.
func (s *Schedule) Next(after time.Time) time.Time {
	// The wall clock's readings, as if they were UTC, where no hour is missing.
	for wall := asUTC(after.In(s.zone)).Add(-lookBack); ; {
		wall = s.cron.Next(wall)
		if wall.IsZero() {
			return time.Time{}
		}
		if t := s.instant(wall); t.After(after) {
			return t
		}
	}
}

func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// instant is when the wall clock reads the given time. Later readings have
// later or the same instants.
func (s *Schedule) instant(wall time.Time) time.Time {
	_, before := wall.AddDate(0, 0, -1).In(s.zone).Zone()
	_, after := wall.AddDate(0, 0, 1).In(s.zone).Zone()
	first := wall.Add(-time.Duration(before) * time.Second)
	if asUTC(first.In(s.zone)).Equal(wall) {
		return first // The first of two, where the clock is put back.
	}
	second := wall.Add(-time.Duration(after) * time.Second)
	if asUTC(second.In(s.zone)).Equal(wall) {
		return second
	}
	// The clock never reads so. By the old offset this is behind the change.
	change, _ := first.In(s.zone).ZoneBounds()
	return change.UTC()
}
