package alerting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// night is every day from 02:30 to 04:30 in Berlin.
func night() CalendarSilence {
	return CalendarSilence{
		Matchers: []Matcher{{Name: "job", Value: "backup|sync", IsRegex: true}},
		Schedule: "daily 02:30", TimeZone: "Europe/Berlin", Duration: "2h",
		CreatedBy: "ada", Comment: "nightly copy",
	}
}

func setCalendar(t *testing.T, i *instance, s CalendarSilence) CalendarSilence {
	t.Helper()
	out, err := i.SetCalendarSilence(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Millisecond) // The library ignores two changes at the same instant.
	return out
}

// spans are the silences that have not ended, as the API shows them.
func (i *instance) spans(t *testing.T) []string {
	t.Helper()
	w := httptest.NewRecorder()
	i.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v2/silences", nil))
	var answer []struct {
		StartsAt, EndsAt time.Time
		Status           struct{ State string }
		Annotations      map[string]string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	var spans []string
	for _, s := range answer {
		if s.Status.State != "expired" {
			spans = append(spans, fmt.Sprintf("%s %s %v", s.Status.State, s.StartsAt.UTC().Format("01-02 15:04"), s.EndsAt.Sub(s.StartsAt).Round(time.Second)))
		}
	}
	return spans
}

func sleepUntil(t *testing.T, at string) {
	t.Helper()
	end, err := time.Parse(time.DateTime, at)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(end))
}

func wantFirst(t *testing.T, when string, got []string, want ...string) {
	t.Helper()
	if len(got) < len(want) {
		t.Fatalf("%s: got %v, want %v first", when, got, want)
	}
	if diff := cmp.Diff(want, got[:len(want)]); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func TestCalendarSilenceBecomesSilencesAheadOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Berlin's clock goes from 02:00 to 03:00 on 26 March 2000.
		sleepUntil(t, "2000-03-24 12:00:00")
		i := startAlerting(t, DefaultConfig(), testDeps(t, t.TempDir()))
		s := setCalendar(t, i, night())
		wantFirst(t, "made", i.spans(t), "pending 03-25 01:30 2h0m0s", "pending 03-26 01:00 2h0m0s", "pending 03-27 00:30 2h0m0s")
		if got := len(i.spans(t)); got != 8 {
			t.Errorf("got %d silences ahead, want those of 8 days", got)
		}
		if len(s.Next) != 8 || s.Next[0].SilenceID == "" {
			t.Errorf("got next %v, want 8 with their silences", s.Next)
		}

		sleepUntil(t, "2000-03-25 02:00:00")
		wantFirst(t, "under way", i.spans(t), "active 03-25 01:30 2h0m0s", "pending 03-26 01:00 2h0m0s")
		a := firing("alertname", "A", "job", "backup")
		if !i.silencer.Mutes(t.Context(), a.Labels) {
			t.Error("the alert is not silenced")
		}
		sleepUntil(t, "2000-03-25 04:00:00")
		wantFirst(t, "over", i.spans(t), "pending 03-26 01:00 2h0m0s")
		if got := len(i.spans(t)); got != 8 {
			t.Errorf("got %d silences ahead a day later, want 8", got)
		}
	})
}

func TestCalendarSilenceIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		i := startAlerting(t, DefaultConfig(), testDeps(t, dir))
		s := setCalendar(t, i, night())
		before := i.spans(t)
		// Somebody wants to hear of the next night.
		if err := i.silences.Expire(t.Context(), s.Next[0].SilenceID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if diff := cmp.Diff(before[1:], i.spans(t)); diff != "" {
			t.Errorf("the expired one came back (-want +got):\n%s", diff)
		}
		i.stop()
		i = startAlerting(t, DefaultConfig(), testDeps(t, dir))
		time.Sleep(10 * time.Minute)
		if diff := cmp.Diff(before[1:], i.spans(t)); diff != "" {
			t.Errorf("after a restart (-want +got):\n%s", diff)
		}
		i.stop()

		// A restart long after: what passed meanwhile is not made up for.
		time.Sleep(30 * 24 * time.Hour)
		i = startAlerting(t, DefaultConfig(), testDeps(t, dir))
		time.Sleep(time.Minute)
		if got := i.spans(t); len(got) != 8 {
			t.Errorf("got %v after a month, want 8 silences ahead", got)
		}
	})
}

// A crash between a silence and the note that it exists leaves the silence.
func TestOccurrenceThatWasNotNotedIsNotMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := startAlerting(t, DefaultConfig(), testDeps(t, t.TempDir()))
		s := setCalendar(t, i, night())
		before := i.spans(t)
		i.calendar.mu.Lock()
		r := i.calendar.live[s.ID]
		r.Through = s.Next[3].StartsAt
		err := i.calendar.keep(r)
		i.calendar.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if diff := cmp.Diff(before, i.spans(t)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestChangeOfACalendarSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := startAlerting(t, DefaultConfig(), testDeps(t, t.TempDir()))
		sleepUntil(t, "2000-01-05 02:00:00")
		s := setCalendar(t, i, night())
		wantFirst(t, "made while it is under way", i.spans(t), "active 01-05 02:00 1h30m0s", "pending 01-06 01:30 2h0m0s")

		s.Duration, s.Matchers = "1h", []Matcher{{Name: "job", Value: "sync"}}
		changed := setCalendar(t, i, s)
		wantFirst(t, "changed", i.spans(t), "active 01-05 02:00 30m0s", "pending 01-06 01:30 1h0m0s")
		if changed.ID != s.ID || len(i.spans(t)) != 9 {
			t.Errorf("got %v and %v, want the same ID and 9 silences", changed, i.spans(t))
		}

		s.Schedule = "0 3 1 * *"
		changed = setCalendar(t, i, s)
		if got := i.spans(t); len(got) != 0 {
			t.Errorf("got %v, want none: the next is a month away", got)
		}
		want := []Occurrence{{StartsAt: time.Date(2000, 2, 1, 2, 0, 0, 0, time.UTC), EndsAt: time.Date(2000, 2, 1, 3, 0, 0, 0, time.UTC)}}
		if diff := cmp.Diff(want, changed.Next); diff != "" {
			t.Errorf("next (-want +got):\n%s", diff)
		}
		sleepUntil(t, "2000-01-31 02:00:00")
		wantFirst(t, "a month later", i.spans(t), "pending 02-01 02:00 1h0m0s")

		if err := i.DeleteCalendarSilence(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		if got := i.spans(t); len(got) != 0 {
			t.Errorf("got %v after the end, want none", got)
		}
		if err := i.DeleteCalendarSilence(t.Context(), s.ID); !errors.Is(err, ErrUnknownCalendar) {
			t.Errorf("got error %v, want ErrUnknownCalendar", err)
		}
		if all, err := i.CalendarSilences(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("got %v, %v; want none", all, err)
		}
	})
}

func TestSilencesAheadAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := startAlerting(t, DefaultConfig(), testDeps(t, t.TempDir()))
		s := night()
		s.Schedule, s.Duration = "*/5 * * * *", "1m"
		setCalendar(t, i, s)
		time.Sleep(24*time.Hour + 2*time.Minute)
		if got := i.spans(t); len(got) != maxAhead {
			t.Errorf("got %d silences, want %d", len(got), maxAhead)
		}
	})
}

func TestBadCalendarSilencesAreRefused(t *testing.T) {
	i := startAlerting(t, DefaultConfig(), testDeps(t, t.TempDir()))
	unequal := false
	tests := []struct {
		name   string
		change func(*CalendarSilence)
		want   string
		is     error
	}{
		{"unknown ID", func(s *CalendarSilence) { s.ID = "x" }, `no such calendar silence: "x"`, ErrUnknownCalendar},
		{"schedule", func(s *CalendarSilence) { s.Schedule = "often" }, `schedule "often": want`, ErrInvalid},
		{"time zone", func(s *CalendarSilence) { s.TimeZone = "Mars" }, `time zone "Mars"`, ErrInvalid},
		{"duration", func(s *CalendarSilence) { s.Duration = "long" }, `duration: got "long"`, ErrInvalid},
		{"short", func(s *CalendarSilence) { s.Duration = "1s" }, `duration: got "1s", want between 1m and 31d`, ErrInvalid},
		{"nobody", func(s *CalendarSilence) { s.CreatedBy = "" }, "createdBy and comment", ErrInvalid},
		{"no matcher", func(s *CalendarSilence) { s.Matchers = nil }, "at least one must not match an empty label", ErrInvalid},
		{"everything", func(s *CalendarSilence) { s.Matchers = []Matcher{{Name: "job", Value: ".*", IsRegex: true}} }, "at least one must not match", ErrInvalid},
		{"all but one", func(s *CalendarSilence) { s.Matchers = []Matcher{{Name: "job", Value: "a", IsEqual: &unequal}} }, "at least one must not match", ErrInvalid},
		{"regular expression", func(s *CalendarSilence) { s.Matchers = []Matcher{{Name: "job", Value: "(", IsRegex: true}} }, "matchers[0]: error parsing regexp", ErrInvalid},
		{"label", func(s *CalendarSilence) { s.Matchers = []Matcher{{Value: "a"}} }, `matchers[0]: "" is no name of a label`, ErrInvalid},
		{"many", func(s *CalendarSilence) { s.Matchers = make([]Matcher, 51) }, "got 51, at most 50", ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := night()
			tt.change(&s)
			_, err := i.SetCalendarSilence(t.Context(), s)
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %v with %q", err, tt.is, tt.want)
			}
		})
	}
	if all, err := i.CalendarSilences(context.Background()); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v; want none", all, err)
	}
}
