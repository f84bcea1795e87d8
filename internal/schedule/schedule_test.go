package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/schedule"
)

func TestNext(t *testing.T) {
	tests := []struct {
		name, spec, zone string
		after            string
		want             []string
	}{
		{"daily", "daily 02:00", "", "2026-05-01T02:00:00Z", []string{"2026-05-02T02:00:00Z", "2026-05-03T02:00:00Z"}},
		{"weekdays", "Sat,Sun 02:00", "", "2026-05-01T00:00:00Z", []string{"2026-05-02T02:00:00Z", "2026-05-03T02:00:00Z", "2026-05-09T02:00:00Z"}},
		{"range of weekdays", "Mon-Fri 22:15", "Asia/Tokyo", "2026-05-01T13:15:00Z", []string{"2026-05-04T13:15:00Z"}},
		{"monthly", "day 1,15 00:30", "", "2026-05-01T00:30:00Z", []string{"2026-05-15T00:30:00Z", "2026-06-01T00:30:00Z"}},
		{"a day that some months lack", "day 31 00:00", "", "2026-05-31T00:00:00Z", []string{"2026-07-31T00:00:00Z"}},
		{"cron", "*/20 9 * * 1", "", "2026-05-04T09:30:00Z", []string{"2026-05-04T09:40:00Z", "2026-05-11T09:00:00Z"}},

		// Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00.
		{"the same wall time in summer", "daily 12:00", "Europe/Berlin", "2026-03-28T00:00:00Z", []string{"2026-03-28T11:00:00Z", "2026-03-29T10:00:00Z"}},
		{"a skipped time is when the clock skips", "daily 02:30", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"skipped times are one", "*/15 2 * * *", "Europe/Berlin", "2026-03-29T00:50:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
		{"a repeated time is due once", "daily 02:30", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"asked in the repeated hour", "daily 02:30", "Europe/Berlin", "2026-10-25T01:10:00Z", []string{"2026-10-26T01:30:00Z"}},
		{"half an hour, Lord Howe", "daily 02:15", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", []string{"2026-10-03T15:30:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := schedule.Parse(tt.spec, tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, tt.after)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range tt.want {
				at = s.Next(at)
				got = append(got, at.Format(time.RFC3339))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadSchedulesAreExplained(t *testing.T) {
	tests := []struct{ name, spec, zone, want string }{
		{"empty", "", "", "want `daily 02:00`"},
		{"no time", "Mon noon", "", `"noon" is no time of the day`},
		{"hour 25", "daily 25:00", "", `"25:00" is no time of the day`},
		{"no such day", "Mom 02:00", "", `schedule "Mom 02:00"`},
		{"zone in the wrong place", "TZ=UTC 2 * * 1", "", "want `daily 02:00`"},
		{"a day that never comes", "0 0 30 2 *", "", "no day of the next years"},
		{"zone", "daily 02:00", "Berlin", `time zone "Berlin"`},
		{"too long", strings.Repeat("1,", 200) + "1 * * * *", "", "at most 256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := schedule.Parse(tt.spec, tt.zone)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, spec := range []string{"daily 02:00", "Mon-Fri 22:15", "day 1 00:30", "*/5 * * * *", "TZ= * * * *", "@every 1s", "0 0 31 2 ?"} {
		f.Add(spec, "Europe/Berlin")
	}
	at := time.Date(2026, 3, 29, 0, 59, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, spec, zone string) {
		s, err := schedule.Parse(spec, zone)
		if err != nil {
			return
		}
		first := s.Next(at)
		if second := s.Next(first); !first.After(at) || !second.IsZero() && !second.After(first) {
			t.Errorf("%q: got %v after %v, and %v after that", spec, first, at, second)
		}
	})
}
