package api_test

import (
	"bufio"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/state"
)

// lasting answers with one line, and then waits for its end.
func lasting() api.Route {
	return api.Route{
		Method: http.MethodGet, Path: "/lasting", Summary: "Lasts.", BeforeReady: true, Endless: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "hello")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}),
	}
}

// opened starts to read; ended is closed when the server has ended the answer.
func opened(t *testing.T, base, authorization string) (ended chan struct{}) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/hw/v1/lasting", nil)
	must(t, err)
	r.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() || lines.Text() != "hello" {
		t.Fatalf("got %d %q, want a line at once", resp.StatusCode, lines.Text())
	}
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
		}
	}()
	return ended
}

// Who loses the right to an endless answer loses the answer; the others keep it
// until the server stops.
func TestEndlessAnswerEndsWithTheRightToIt(t *testing.T) {
	s := newSystem(t)
	s.deps.Routes = append(s.deps.Routes, lasting())
	headers := callers(t, s)
	_, revoked, err := s.deps.State.CreateToken(t.Context(), state.Token{Name: "short", Role: state.Viewer})
	must(t, err)
	base, stop := s.start(t)
	if got := do(t, http.MethodGet, base+"/api/hw/v1/lasting", ""); got.status != http.StatusUnauthorized {
		t.Errorf("got %d without a login, want 401", got.status)
	}
	stays, goes := opened(t, base, headers[state.Viewer]), opened(t, base, "Bearer "+revoked)
	must(t, s.deps.State.DeleteToken(t.Context(), "short"))
	within(t, goes, "the end of the answer for a token that is gone")
	select {
	case <-stays:
		t.Error("the answer for a token that holds has ended too")
	default:
	}
	must(t, stop())
	within(t, stays, "the end of the answer with the server")
}

// within waits much longer than it takes.
func within(t *testing.T, c chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatalf("waited a minute for %s", what)
	}
}
