package exchangesim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// start is an ordinary time in the middle of a window.
func start() time.Time { return time.Date(2026, 10, 7, 8, 34, 20, 0, time.UTC) }

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// sim is an exchange with a clock of its own, asked without a network.
type sim struct {
	*exchangesim.Exchange
	clock *clock
	t     *testing.T
}

func newSim(t *testing.T, change ...func(*exchangesim.Config)) *sim {
	t.Helper()
	c := &clock{now: start()}
	cfg := exchangesim.Config{Seed: 1, Now: c.Now, Since: start().Add(-3 * 24 * time.Hour)}
	for _, f := range change {
		f(&cfg)
	}
	s := &sim{Exchange: exchangesim.New(cfg), clock: c, t: t}
	t.Cleanup(s.Close)
	return s
}

func (s *sim) do(method, target string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// get reads a successful answer.
func get[T any](s *sim, target string) (v T) {
	s.t.Helper()
	w := s.do(http.MethodGet, target)
	decode(s.t, w, &v)
	return v
}

func decode(t *testing.T, w *httptest.ResponseRecorder, v any) {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("got %d %s, want 200", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
		t.Fatalf("got %s: %v", w.Body, err)
	}
}

// signed sends a request of the first account.
func (s *sim) signed(method, path string, params ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	q := url.Values{}
	q.Set("timestamp", fmt.Sprint(s.Now().UnixMilli()))
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	a := s.Accounts()[0]
	return s.do(method, path+"?"+q.Encode()+"&signature="+exchangesim.Sign(a.Secret, q.Encode()), "X-MBX-APIKEY", a.Key)
}

// refused checks the status and the code of an error.
func refused(t *testing.T, w *httptest.ResponseRecorder, status, code int) {
	t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), fmt.Sprintf(`"code":%d,`, code)) {
		t.Errorf("got %d %s, want %d with code %d", w.Code, w.Body, status, code)
	}
}

func reader(text string) *strings.Reader { return strings.NewReader(text) }

func (s *sim) post(target, body string) int {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, reader(body)))
	return w.Code
}
