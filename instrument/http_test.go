package instrument

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// measuredServer is a real server with a measured mux.
type measuredServer struct {
	*httptest.Server
	handlers sync.WaitGroup
}

// finish waits for the handlers; Close does not wait for those that hijacked.
func (s *measuredServer) finish() {
	s.Close()
	s.handlers.Wait()
}

func newServer(t *testing.T, cfg HTTPServerConfig, routes map[string]http.HandlerFunc) (*measuredServer, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	s, err := NewHTTPServer(reg, cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	measured, server := s.Handler(mux), new(measuredServer)
	server.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.handlers.Add(1)
		defer server.handlers.Done()
		measured.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = discardLog()
	server.Start()
	t.Cleanup(server.Close)
	return server, reg
}

func get(t *testing.T, url string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		return // Several of the handlers break the connection.
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

func TestHTTPServerCountsEachAnswerOnceByRouteAndOutcome(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		path    string
		want    string
	}{
		{"says nothing", func(http.ResponseWriter, *http.Request) {}, "/orders/7", `{code="2xx",method="GET",route="/orders/{id}"}`},
		{"body only", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") }, "/orders/7", `{code="2xx",method="GET",route="/orders/{id}"}`},
		{"status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "/orders/7", `{code="5xx",method="GET",route="/orders/{id}"}`},
		{"first status counts", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(103)
			w.WriteHeader(404)
			w.WriteHeader(200)
		}, "/orders/7", `{code="4xx",method="GET",route="/orders/{id}"}`},
		{"redirection", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "/orders/7", `{code="3xx",method="GET",route="/orders/{id}"}`},
		{"no such route", nil, "/nothing", `{code="4xx",method="GET",route="unmatched"}`},
		{"panic", func(http.ResponseWriter, *http.Request) { panic("bug") }, "/orders/7", `{code="5xx",method="GET",route="/orders/{id}"}`},
		{"panic after 200", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); panic(http.ErrAbortHandler) }, "/orders/7", `{code="5xx",method="GET",route="/orders/{id}"}`},
		{"hijack", hijack, "/orders/7", `{code="1xx",method="GET",route="/orders/{id}"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.handler == nil {
				test.handler = http.NotFound
			}
			server, reg := newServer(t, HTTPServerConfig{}, map[string]http.HandlerFunc{"GET /orders/{id}": test.handler})
			get(t, server.URL+test.path)
			server.finish()
			wantSeries(t, reg, "http_server_requests_total"+test.want, 1)
			if got := total(t, reg, "http_server_requests_total"); got != 1 {
				t.Errorf("got %v requests in all, want 1", got)
			}
			if got := total(t, reg, "http_server_request_duration_seconds"); got != 1 {
				t.Errorf("got %v observed durations, want 1", got)
			}
			if got := total(t, reg, "http_server_active_requests"); got != 0 {
				t.Errorf("got %v active requests after the last one, want 0", got)
			}
			wantPanics := 0.0
			if test.name == "panic" { // ErrAbortHandler is how a handler gives up on purpose.
				wantPanics = 1
			}
			if got := total(t, reg, "http_server_panics_total"); got != wantPanics {
				t.Errorf("got %v panics, want %v", got, wantPanics)
			}
		})
	}
}

func hijack(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	conn.Close()
}

func TestHTTPServerBlamesNoOneForClientThatLeft(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	server, reg := newServer(t, HTTPServerConfig{}, map[string]http.HandlerFunc{
		"GET /slow": func(w http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
			http.Error(w, "database: context canceled", http.StatusInternalServerError)
			close(left)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(r); !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want a canceled context", err)
	}
	<-left
	server.finish()
	wantSeries(t, reg, `http_server_requests_total{code="canceled",method="GET",route="/slow"}`, 1)
	wantSeries(t, reg, `http_server_requests_total{code="5xx",method="GET",route="/slow"}`, 0)
}

func TestHTTPServerCountersAreBornAtZero(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	s, err := NewHTTPServer(reg, HTTPServerConfig{Routes: []string{"POST /orders"}})
	if err != nil {
		t.Fatal(err)
	}
	s.Route("/given", http.NotFoundHandler())
	wantSeries(t, reg, `http_server_requests_total{code="5xx",method="POST",route="/orders"}`, 0)
	wantSeries(t, reg, `http_server_panics_total{method="POST",route="/orders"}`, 0)
	wantSeries(t, reg, `http_server_requests_total{code="5xx",method="GET",route="/given"}`, 0)
}

func TestHTTPServerBoundsItsLabels(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	s, err := NewHTTPServer(reg, HTTPServerConfig{MaxRoutes: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method = strings.Repeat("X", 1+i)
		r.Pattern = "/" + r.Method
		s.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	}
	// Three routes and "other", one method, and the outcomes of a server.
	if got, err := testutil.GatherAndCount(reg, "http_server_requests_total"); err != nil || got != 4*int(failed) {
		t.Errorf("got %d series (error %v), want %d", got, err, 4*int(failed))
	}
	wantSeries(t, reg, `http_server_requests_total{code="4xx",method="other",route="other"}`, 97)
}

// The writers that a handler sees offer what the server's own do, no less, so
// that streaming and WebSocket handlers work, and no more, so that they can ask.
func TestHTTPServerKeepsWhatTheWriterOffers(t *testing.T) {
	tests := []struct {
		name string
		w    http.ResponseWriter
		want string
	}{
		{"HTTP/1", http1Writer{}, "flush hijack readfrom"},
		{"HTTP/2", http2Writer{}, "flush"},
		{"bare", bareWriter{}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wrapped := newRecorder().wrap(test.w)
			var got []string
			if _, ok := wrapped.(http.Flusher); ok {
				got = append(got, "flush")
			}
			if _, ok := wrapped.(http.Hijacker); ok {
				got = append(got, "hijack")
			}
			if _, ok := wrapped.(io.ReaderFrom); ok {
				got = append(got, "readfrom")
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("got a writer that can %q, want %q", got, test.want)
			}
			if got := wrapped.(interface{ Unwrap() http.ResponseWriter }).Unwrap(); got != test.w {
				t.Errorf("Unwrap returned %v, want the writer underneath", got)
			}
		})
	}
}

type bareWriter struct{}

func (bareWriter) Header() http.Header         { return nil }
func (bareWriter) Write(b []byte) (int, error) { return len(b), nil }
func (bareWriter) WriteHeader(int)             {}

type http2Writer struct{ bareWriter }

func (http2Writer) Flush() {}

type http1Writer struct{ http2Writer }

func (http1Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, net.ErrClosed }
func (http1Writer) ReadFrom(io.Reader) (int64, error)            { return 0, nil }

func TestHTTPServerStreamsThroughTheRecorder(t *testing.T) {
	next := make(chan struct{})
	server, _ := newServer(t, HTTPServerConfig{}, map[string]http.HandlerFunc{
		"/events": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "one\n")
			w.(http.Flusher).Flush()
			<-next
			io.Copy(w, strings.NewReader("two\n"))
		},
	})
	resp, err := http.Get(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Scan()
	close(next)
	if lines.Text() != "one" || !lines.Scan() || lines.Text() != "two" {
		t.Errorf("got %q last, want the line flushed and then the other", lines.Text())
	}
}

func TestHTTPClientCountsAnswersErrorsAndGivenUp(t *testing.T) {
	status := make(chan int, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case code := <-status:
			w.WriteHeader(code)
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	reg := prometheus.NewPedanticRegistry()
	c, err := NewHTTPClient(reg, HTTPClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: c.Transport("ledger", new(http.Transport))}
	defer client.CloseIdleConnections()

	call := func(url string, timeout time.Duration, cause error) {
		ctx, cancel := context.WithCancel(t.Context())
		if cause == nil {
			ctx, cancel = context.WithTimeout(t.Context(), timeout)
		} else {
			cancel()
		}
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(r); err == nil {
			resp.Body.Close()
		}
	}
	for _, code := range []int{200, 404, 502} {
		status <- code
		call(server.URL, time.Minute, nil)
	}
	call(server.URL, 20*time.Millisecond, nil)       // Too slow.
	call(server.URL, 0, context.Canceled)            // We changed our mind.
	call("http://127.0.0.1:1/", 10*time.Second, nil) // Nobody there.
	wantSeries(t, reg, `http_client_requests_total{code="2xx",method="GET",peer="ledger"}`, 1)
	wantSeries(t, reg, `http_client_requests_total{code="4xx",method="GET",peer="ledger"}`, 1)
	wantSeries(t, reg, `http_client_requests_total{code="5xx",method="GET",peer="ledger"}`, 1)
	wantSeries(t, reg, `http_client_requests_total{code="error",method="GET",peer="ledger"}`, 2)
	wantSeries(t, reg, `http_client_requests_total{code="canceled",method="GET",peer="ledger"}`, 1)
	wantSeries(t, reg, `http_client_requests_total{code="5xx",method="POST",peer="ledger"}`, 0)
	wantSeries(t, reg, `http_client_active_requests{peer="ledger"}`, 0)
}

func TestPartRegisteredTwiceSaysWhatToDo(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	if _, err := NewHTTPClient(reg, HTTPClientConfig{}); err != nil {
		t.Fatal(err)
	}
	_, err := NewHTTPClient(reg, HTTPClientConfig{})
	if err == nil || !strings.Contains(err.Error(), "WrapRegistererWith") {
		t.Errorf("got error %v, want one that names prometheus.WrapRegistererWith", err)
	}
	if _, err := NewHTTPClient(nil, HTTPClientConfig{}); err == nil || !strings.Contains(err.Error(), "NewRegistry") {
		t.Errorf("got error %v for a nil Registerer, want one that names prometheus.NewRegistry", err)
	}
}

// A part that cannot register all of its metrics leaves none behind.
func TestFailedPartLeavesTheRegistryAsItWas(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_server_active_requests"}))
	if _, err := NewHTTPServer(reg, HTTPServerConfig{Routes: []string{"/"}}); err == nil {
		t.Fatal("got no error for a metric that exists")
	}
	if got, err := testutil.GatherAndCount(reg); err != nil || got != 1 {
		t.Errorf("got %d series (error %v), want the one that was there", got, err)
	}
}
