package event_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/notifier"

	"github.com/hedgewatch/hedgewatch/internal/event"
)

func TestPost(t *testing.T) {
	tests := []struct {
		name, body string
		status     int
		want       string // Part of the answer.
		sent       []string
	}{
		{"raised", `{"name":"ExchangeBan","severity":"critical","labels":{"ip":"192.0.2.1"},"state":"raised"}`, 200, `"raisedAt":"2000-01-01T`, []string{banFires}},
		{"raised for a while", `{"name":"ExchangeBan","severity":"critical","labels":{"ip":"192.0.2.1"},"state":"raised","for":"10m"}`, 200, `"until":"2000-01-01T00:10:00Z"`, []string{banFires}},
		{"cleared and never raised", `{"key":"x","state":"cleared"}`, 404, `clear event "x": no such event is active`, nil},
		{"no name", `{"state":"raised"}`, 400, "it needs a name", nil},
		{"no state", `{"name":"A"}`, 400, `state is ""; use raised or cleared`, nil},
		{"bad duration", `{"name":"A","state":"raised","for":"soon"}`, 400, `for: "soon" is not a duration such as 10m`, nil},
		{"bad label", `{"name":"A","state":"raised","labels":{"__name__":"x"}}`, 400, `label name "__name__"`, nil},
		{"too large", `{"name":"A","state":"raised","labels":{"x":"` + strings.Repeat("x", 20000) + `"}}`, 400, "at most 16384", nil},
		{"far too large", `{"name":"` + strings.Repeat("x", 200000) + `"}`, 413, "too large", nil},
		{"unknown key", `{"nme":"A"}`, 400, `unknown field "nme"`, nil},
		{"not JSON", `name: A`, 400, "read event", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBoard(t, filepath.Join(t.TempDir(), "events"))
				w := httptest.NewRecorder()
				b.ServePost(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tt.body)))
				if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
					t.Errorf("got %d %s, want %d with %s", w.Code, w.Body, tt.status, tt.want)
				}
				b.expect("sent", tt.sent...)
			})
		})
	}
}

func TestClearedByNameAndLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(t, filepath.Join(t.TempDir(), "events"))
		for _, state := range []string{"raised", "cleared"} {
			w := httptest.NewRecorder()
			body := `{"name":"ExchangeBan","severity":"critical","labels":{"ip":"192.0.2.1"},"state":"` + state + `"}`
			b.ServePost(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
			if w.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", state, w.Code, w.Body)
			}
		}
		b.expect("sent", banFires, banResolves)
		w := httptest.NewRecorder()
		b.ServeList(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if got := w.Body.String(); !strings.Contains(got, `"clearedAt"`) || strings.Count(got, "ExchangeBan") != 2 {
			t.Errorf("list: %s", got)
		}
	})
}

func FuzzPost(f *testing.F) {
	f.Add(`{"name":"A","state":"raised","for":"10m","labels":{"a":"b"}}`)
	f.Add(`{"key":"\u0000","state":"cleared"}`)
	b, err := event.New(event.Deps{
		Logger:     slog.New(slog.DiscardHandler),
		Registerer: prometheus.NewRegistry(),
		Path:       filepath.Join(f.TempDir(), "events"),
		Send:       func(context.Context, ...*notifier.Alert) {},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := httptest.NewRecorder()
		b.ServePost(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
		if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}
