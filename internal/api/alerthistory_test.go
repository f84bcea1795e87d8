package api_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

var historyStart = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// recordHistory writes ten steps, one a minute, of two alerts.
func recordHistory(t *testing.T, db *state.State) {
	t.Helper()
	for i := range 10 {
		name, to := "Lag", "firing"
		if i%2 == 1 {
			name = "Ban"
		}
		if i > 5 {
			to = "resolved"
		}
		db.Record(state.Transition{
			Time: historyStart.Add(time.Duration(i) * time.Minute), Fingerprint: "f" + name,
			Labels: map[string]string{"alertname": name, "severity": strings.ToLower(name), "cmd": "=1+1"},
			From:   "firing", To: to, Value: state.Value(float64(i) / 4), Who: "-ann",
		})
	}
	db.Record(state.Transition{Time: historyStart.Add(time.Hour), Fingerprint: "fInf", Labels: map[string]string{"alertname": "Inf"}, Value: state.Value(math.Inf(1))})
	db.Record(state.Transition{Time: historyStart.Add(time.Hour), Fingerprint: "fInf", Labels: map[string]string{"alertname": "Inf"}, Value: state.NoValue()})
	eventually(t, "the history", func() bool {
		n := 0
		must(t, db.Transitions(t.Context(), state.TransitionFilter{}, func(state.Transition) bool { n++; return true }))
		return n == 12
	})
}

func TestAlertHistoryChooses(t *testing.T) {
	s := newSystem(t)
	recordHistory(t, s.deps.State)
	p := &page{t: t, h: s.handler(t)}
	for query, want := range map[string]string{
		"?alertname=Lag":                                                "08 06 04 02 00",
		"?alertname=Ban&limit=2":                                        "09 07 more",
		"?fingerprint=fLag&from=1777636980":                             "08 06 04",
		"?to=2026-05-01T12:02:00Z":                                      "02 01 00",
		"?filter=severity%3D%22ban%22":                                  "09 07 05 03 01",
		"?filter=severity%3D~%22b.*%22&filter=x%3D%22%22&to=1777637100": "05 03 01",
		"?filter=severity%21%3D%22ban%22&limit=3":                       "00 00 08 more",
		"?alertname=Nothing":                                            "",
	} {
		page := get[struct {
			Transitions []struct{ Time time.Time }
			NextCursor  string
		}](t, p.fetch("GET", "/alerts/history"+query, nil), 200)
		var got []string
		for _, tr := range page.Transitions {
			got = append(got, tr.Time.Format("04"))
		}
		if page.NextCursor != "" {
			got = append(got, "more")
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s: got minutes %q, want %q", query, got, want)
		}
	}
}

func TestPagesHaveEverythingOnce(t *testing.T) {
	s := newSystem(t)
	recordHistory(t, s.deps.State)
	p := &page{t: t, h: s.handler(t)}
	seen, cursor := []int64{}, ""
	for range 20 {
		page := get[struct {
			Transitions []struct{ ID int64 }
			NextCursor  string
		}](t, p.fetch("GET", "/alerts/history?limit=5&cursor="+cursor, nil), 200)
		for _, tr := range page.Transitions {
			seen = append(seen, tr.ID)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if diff := cmp.Diff([]int64{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAlertHistoryAsFiles(t *testing.T) {
	s := newSystem(t)
	recordHistory(t, s.deps.State)
	p := &page{t: t, h: s.handler(t)}
	rows, err := csv.NewReader(p.fetch("GET", "/alerts/history?format=csv", nil).Body).ReadAll()
	must(t, err)
	if len(rows) != 13 || fmt.Sprint(rows[12][:5]) != "[2026-05-01T12:00:00Z Lag firing firing 0]" || rows[12][9] != "'-ann" || rows[2][4] != "+Inf" {
		t.Errorf("got %d rows %q", len(rows), rows)
	}
	var list []map[string]any
	must(t, json.Unmarshal(p.fetch("GET", "/alerts/history?format=json&alertname=Inf", nil).Body.Bytes(), &list))
	if len(list) != 2 || list[0]["value"] != nil || list[1]["value"] != "+Inf" {
		t.Errorf("got %v, want no value and infinity", list)
	}
	if got := p.fetch("GET", "/alerts/history?format=json&alertname=Nothing", nil).Body.String(); strings.TrimSpace(got) != "[]" {
		t.Errorf("got %q, want an empty list", got)
	}
}

func TestBadHistoryQueries(t *testing.T) {
	p := &page{t: t, h: newSystem(t).handler(t)}
	for query, want := range map[string]string{
		"?from=yesterday":      "use a time such as",
		"?to=1e300":            "use a time such as",
		"?limit=0":             "from 1 to 10000",
		"?limit=10001":         "from 1 to 10000",
		"?cursor=abc":          "nextCursor",
		"?filter=severity":     "filter",
		"?filter=a%3D~%22(%22": "filter",
		"?format=xml":          "use csv or json",
	} {
		if w := p.fetch("GET", "/alerts/history"+query, nil); w.Code != 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d %s, want 400 and %q", query, w.Code, w.Body, want)
		}
	}
}
