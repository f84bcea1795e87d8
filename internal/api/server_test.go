package api_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/api"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestPaths asks for every path once, with and without a prefix.
func TestPaths(t *testing.T) {
	for _, prefix := range []string{"", "/watch"} {
		s := newSystem(t)
		s.cfg.RoutePrefix = prefix
		h := s.handler(t)
		for _, tc := range []struct {
			method, path string
			status       int
			want         string
		}{
			{"GET", "/", 200, "the web UI"},
			{"GET", "/alerts/42", 200, "the web UI"},
			{"GET", "/-/healthy", 200, "hedgewatch is Healthy."},
			{"HEAD", "/-/healthy", 200, ""},
			{"GET", "/-/ready", 200, "hedgewatch is Ready."},
			{"GET", "/-/reload", 405, "Only POST or PUT"},
			{"POST", "/-/reload", 200, ""},
			{"PUT", "/-/quit", 200, "Goodbye"},
			{"POST", "/-/quit", 200, "already in progress"},
			{"GET", "/metrics", 200, "prometheus_ready 1"},
			{"GET", "/federate?match[]=fills_total", 200, `fills_total{instance="e:1",job="engine",site="lab"} 190`},
			{"GET", "/api/v1/query?query=1", 200, "scalar"},
			{"GET", "/metrics", 200, `prometheus_http_requests_total{code="200",handler="/api/v1/query"} 1`},
			{"GET", "/metrics", 200, `prometheus_http_requests_total{code="200",handler="/api/v1/labels"} 0`},
			{"GET", "/api/v1/write", 405, ""},
			{"GET", "/api/v1/features", 200, `"remote_write_receiver":true`},
			{"GET", "/api/v1/notifications", 200, `"data":[]`},
			{"GET", "/api/v1/openapi.yaml", 200, "/query_range:"},
			{"GET", "/api/v1/nothing", 404, ""},
			{"GET", "/api/v2/alerts", 200, "alertmanager /api/v2/alerts"},
			{"GET", "/alertmanager/api/v2/silences", 200, "alertmanager /api/v2/silences"},
			{"GET", "/alertmanager/-/healthy", 200, "Healthy"},
			{"GET", "/alertmanager/-/ready", 200, "Ready"},
			{"GET", "/api/hw/v1/status", 200, `"version":"0.1.0"`},
			{"GET", "/api/hw/v1/nothing", 404, `"errorType":"not_found"`},
			{"GET", "/api/v9/query", 404, "no such endpoint: /api/v9/query"},
			{"GET", "/debug/pprof/cmdline", 200, "api.test"},
			{"GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		} {
			t.Run(prefix+" "+tc.method+" "+tc.path, func(t *testing.T) {
				w := ask(h, tc.method, prefix+tc.path)
				if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) {
					t.Errorf("got %d %.300s, want %d and %q", w.Code, w.Body, tc.status, tc.want)
				}
				if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
					t.Errorf("got X-Content-Type-Options %q, want nosniff", got)
				}
			})
		}
		if s.reloads != 1 || s.quits != 1 {
			t.Errorf("got %d reloads and %d quits, want 1 and 1", s.reloads, s.quits)
		}
		if prefix != "" {
			if w := ask(h, "GET", "/"); w.Code != 302 || w.Header().Get("Location") != prefix+"/" {
				t.Errorf("got %d to %q, want 302 to the prefix", w.Code, w.Header().Get("Location"))
			}
		}
	}
}

func TestReadiness(t *testing.T) {
	s := newSystem(t)
	s.waiting = errors.New("replaying the write-ahead log: segment 3 of 7")
	h := s.handler(t)
	for _, path := range []string{"/-/ready", "/api/v1/query?query=1", "/api/v1/status/config", "/federate", "/alertmanager/-/ready"} {
		w := ask(h, "GET", path)
		if w.Code != 503 || !strings.Contains(w.Body.String(), "segment 3 of 7") || w.Header().Get("X-Prometheus-Stopping") != "false" {
			t.Errorf("%s: got %d %s, want 503 and what we wait for", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/-/healthy", "/metrics", "/", "/api/v1/status/walreplay"} {
		if w := ask(h, "GET", path); w.Code != 200 {
			t.Errorf("%s: got %d %s, want 200 while starting", path, w.Code, w.Body)
		}
	}
	if w := ask(h, "GET", "/api/hw/v1/status"); !strings.Contains(w.Body.String(), `"waitingFor":"replaying`) {
		t.Errorf("status: got %s, want what we wait for", w.Body)
	}
	s.waiting = nil
	if w := ask(h, "GET", "/-/ready"); w.Code != 200 {
		t.Errorf("when ready: got %d, want 200", w.Code)
	}
}

func TestLifecycle(t *testing.T) {
	s := newSystem(t)
	s.reload = errors.New("rules.yml:3: unexpected end of input")
	if w := ask(s.handler(t), "POST", "/-/reload"); w.Code != 500 || !strings.Contains(w.Body.String(), "failed to reload config: rules.yml:3") {
		t.Errorf("bad file: got %d %s, want 500 and the reason", w.Code, w.Body)
	}
	s.cfg.EnableLifecycle = false
	h := s.handler(t)
	for _, path := range []string{"/-/reload", "/-/quit"} {
		if w := ask(h, "POST", path); w.Code != 403 || !strings.Contains(w.Body.String(), "--web.enable-lifecycle") {
			t.Errorf("%s: got %d %s, want 403 and the flag", path, w.Code, w.Body)
		}
	}
	if s.reloads != 1 || s.quits != 0 {
		t.Errorf("got %d reloads and %d quits, want 1 and 0", s.reloads, s.quits)
	}
}

func TestNewReportsAllFaultsAtOnce(t *testing.T) {
	_, err := api.New(api.Config{ListenAddresses: []string{"nowhere"}, CORSOrigin: "(", OTLPDeltaToCumulative: true, OTLPNativeDelta: true}, api.Deps{})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{`"nowhere"`, `"("`, "OTLP delta", "State is missing", "Storage is missing", "UI is missing"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want something about %q", err, want)
		}
	}
}

func TestPortInUseNamesTheHolder(t *testing.T) {
	holder, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer holder.Close()
	s := newSystem(t)
	s.cfg.ListenAddresses = []string{"127.0.0.1:0", holder.Addr().String()}
	server, err := s.server()
	must(t, err)
	err = server.Listen()
	if err == nil {
		t.Fatal("got no error")
	}
	wants := []string{holder.Addr().String(), "--web.listen-address"}
	if _, err := os.Stat("/proc/net/tcp"); err == nil {
		wants = append(wants, fmt.Sprintf("process %d", os.Getpid()))
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want something with %q", err, want)
		}
	}
	if server.Addr() != nil {
		t.Errorf("got %v still bound after the error", server.Addr())
	}
}

// TestStopLetsAnswersFinish and the next test are the two sides of a stop.
func TestStopLetsAnswersFinish(t *testing.T) {
	s := newSystem(t)
	entered, release := make(chan struct{}), make(chan struct{})
	s.deps.UI = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		io.WriteString(w, "finished")
	})
	base, stop := s.start(t)
	got := make(chan string, 1)
	go func() {
		resp, err := http.Get(base + "/")
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		got <- string(body)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	eventually(t, "the listener to close", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(release)
	if body := <-got; body != "finished" {
		t.Errorf("got %q, want the whole answer", body)
	}
	must(t, <-stopped)
}

func TestSlowClientDoesNotHoldTheStop(t *testing.T) {
	s := newSystem(t)
	// The body ends with ReadTimeout, in five minutes.
	s.cfg.DrainTimeout = 50 * time.Millisecond
	left := make(chan struct{})
	s.deps.UI = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(left)
	})
	base, stop := s.start(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	must(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nslow")
	eventually(t, "the request", func() bool {
		return strings.Contains(do(t, "GET", base+"/metrics", "").body, "hedgewatch_http_connections 2")
	})
	start := time.Now()
	must(t, stop()) // It says so if a handler outlives it.
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("the stop took %v, want about %v and what a busy machine adds", took, s.cfg.DrainTimeout)
	}
	<-left // Not before the handler is through: the store may close now.
}

func TestEventStreamEndsWithTheServer(t *testing.T) {
	s := newSystem(t)
	s.cfg.DrainTimeout = time.Minute
	base, stop := s.start(t)
	resp, err := http.Get(base + "/api/v1/notifications/live")
	must(t, err)
	defer resp.Body.Close()
	start := time.Now()
	must(t, stop())
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("the stop took %v, want no wait for the stream", took)
	}
	_, err = bufio.NewReader(resp.Body).ReadString('\n')
	if err != io.EOF {
		t.Errorf("got %v, want the end of the stream", err)
	}
}

func TestConnectionLimit(t *testing.T) {
	s := newSystem(t)
	s.cfg.MaxConnections = 1
	base, _ := s.start(t)
	first, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	must(t, err)
	fmt.Fprint(first, "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
	_, err = http.ReadResponse(bufio.NewReader(first), nil)
	must(t, err)

	second, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	must(t, err)
	defer second.Close()
	fmt.Fprint(second, "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
	must(t, second.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	if _, err := second.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want the second connection to wait", err)
	}
	first.Close()
	must(t, second.SetReadDeadline(time.Now().Add(10*time.Second)))
	resp, err := http.ReadResponse(bufio.NewReader(second), nil)
	must(t, err)
	if resp.StatusCode != 200 {
		t.Errorf("got %d, want the second connection served", resp.StatusCode)
	}
}

// TestRoutes adds another part's endpoints, and pins the API description.
func TestRoutes(t *testing.T) {
	type service struct {
		Name     string            `json:"name"`
		Restarts int               `json:"restarts"`
		Since    time.Time         `json:"since,omitzero"`
		Labels   map[string]string `json:"labels,omitempty"`
		Ratio    *float64          `json:"ratio,omitempty"`
		hidden   bool
	}
	s := newSystem(t)
	s.waiting = errors.New("the store")
	s.deps.Routes = []api.Route{
		{
			Method: "GET", Path: "/services/{name}", Summary: "One service.", Response: service{hidden: true},
			Query:   []api.Param{{Name: "since", Description: "Only what is newer."}},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.PathValue("name")) }),
		},
		{
			Method: "POST", Path: "/services", Summary: "Adds a service.", Request: service{}, Response: []service{}, BeforeReady: true,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(w, r.Body); err != nil {
					http.Error(w, err.Error(), http.StatusBadRequest)
				}
			}),
		},
	}
	h := s.handler(t)
	if w := ask(h, "GET", "/api/hw/v1/services/engine"); w.Code != 503 {
		t.Errorf("before ready: got %d, want 503", w.Code)
	}
	if w := ask(h, "POST", "/api/hw/v1/services"); w.Code != 200 {
		t.Errorf("BeforeReady: got %d, want 200", w.Code)
	}
	s.waiting = nil
	if w := ask(h, "GET", "/api/hw/v1/services/engine"); w.Body.String() != "engine" {
		t.Errorf("got %s, want engine", w.Body)
	}
	if w := ask(h, "DELETE", "/api/hw/v1/services/engine"); w.Code == 200 {
		t.Errorf("another method: got %d", w.Code)
	}

	var parsed any
	must(t, json.Unmarshal(ask(h, "GET", "/api/hw/v1/openapi.json").Body.Bytes(), &parsed))
	got, err := json.MarshalIndent(parsed, "", "  ")
	must(t, err)
	golden(t, "openapi.json", append(got, '\n'))

	for _, bad := range []struct {
		route api.Route
		want  string
	}{
		{api.Route{Method: "GET", Path: "/services/{other}", Summary: "x", Handler: h}, "handed in twice"},
		{api.Route{Method: "GET", Path: "services", Summary: "x", Handler: h}, "slash"},
		{api.Route{Method: "GET", Path: "/x", Handler: h}, "summary"},
	} {
		s.deps.Routes = append(s.deps.Routes[:2:2], bad.route)
		if _, err := s.server(); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("got %v, want an error with %q", err, bad.want)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs; run with -update and review (-want +got):\n%s", path, diff)
	}
}

// TestVersionIsTheEmbeddedOne keeps the constant in step with go.mod.
func TestVersionIsTheEmbeddedOne(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	must(t, err)
	base := ask(newSystem(t).handler(t), "GET", "/api/v1/status/buildinfo").Body.String()
	var minor, patch int
	for line := range strings.Lines(string(mod)) {
		if _, version, ok := strings.Cut(line, "github.com/prometheus/prometheus v0."); ok {
			_, err := fmt.Sscanf(version, "%d.%d", &minor, &patch)
			must(t, err)
		}
	}
	if want := fmt.Sprintf(`"version":"3.%d.%d"`, minor-300, patch); !strings.Contains(base, want) {
		t.Errorf("got %s, want %s as in go.mod", base, want)
	}
}
