package governor

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkProxy asks an exchange straight, through the governor, and through the
// other ways, each in a process of its own: one request after the other, and as a
// platform does. cpu-µs is what the process in between used up for a request, which
// means something on a busy machine too.
func BenchmarkProxy(b *testing.B) {
	exchange := httptest.NewServer(answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-MBX-USED-WEIGHT-1M", "1")
		_, _ = io.WriteString(w, `{"orderId":28}`)
	}))
	defer exchange.Close()
	for _, way := range []struct {
		name  string
		start func(*testing.B, string) (url string, pid int)
	}{
		{"direct", func(*testing.B, string) (string, int) { return exchange.URL, 0 }},
		{"governor", func(b *testing.B, to string) (string, int) { return startProxy(b, childEnv, to) }},
		{"ReverseProxy", func(b *testing.B, to string) (string, int) { return startProxy(b, plainEnv, to) }},
		{"nginx", startNginx},
	} {
		b.Run(way.name, func(b *testing.B) {
			base, pid := way.start(b, exchange.URL)
			b.Run("one", func(b *testing.B) {
				pace(b, base, pid, 1, 0)
			})
			b.Run("2000/s", func(b *testing.B) {
				const clients, rate = 50, 2000
				pace(b, base, pid, clients, time.Second*clients/rate)
			})
		})
	}
}

// pace lets each client ask once in every, or as soon as it has its answer.
func pace(b *testing.B, base string, pid, clients int, every time.Duration) {
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	took := make([]time.Duration, b.N)
	before, start := cpuOf(b, pid), time.Now()
	b.ResetTimer()
	var asking sync.WaitGroup
	for c := range clients {
		asking.Go(func() {
			for i := c; i < b.N; i += clients {
				time.Sleep(time.Until(start.Add(every * time.Duration(i) / time.Duration(clients))))
				asked := time.Now()
				resp, err := client.Post(base+"/api/v3/order?signature=x", "", nil)
				if err != nil {
					b.Error(err)
					return
				}
				readAll(resp)
				took[i] = time.Since(asked)
			}
		})
	}
	asking.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[b.N/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(took[b.N*99/100].Nanoseconds())/1e3, "p99-µs")
	if pid != 0 {
		b.ReportMetric(float64((cpuOf(b, pid)-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs")
	}
}

// cpuOf is the time that the threads of a process ran; see schedstats in the
// kernel's documents.
func cpuOf(b *testing.B, pid int) (sum time.Duration) {
	if pid == 0 {
		return 0
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		b.Skip("needs Linux")
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // It has ended.
		}
		ran, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// plainEnv makes this test binary a proxy of the standard library.
const plainEnv = "GOVERNOR_TEST_PLAIN"

func servePlain(t *testing.T, exchange string) {
	base, err := url.Parse(exchange)
	if err != nil {
		t.Fatal(err)
	}
	l, err := inherited(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(base)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 100}
	t.Fatal(http.Serve(l, proxy))
}

// startProxy makes a child of this test binary, on an address that it inherits.
func startProxy(b *testing.B, kind, exchange string) (base string, pid int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		b.Fatal(err)
	}
	defer socket.Close()
	cmd := childCommand(kind, exchange, socket)
	startCommand(b, cmd)
	return "http://" + l.Addr().String(), cmd.Process.Pid
}

// startNginx starts one worker, which is the process that is measured, with
// connections that stay open.
func startNginx(b *testing.B, exchange string) (base string, pid int) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		b.Skip(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir := b.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, `daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi; upstream exchange { server %[2]s; keepalive 256; }
server { listen %[3]s; keepalive_requests 10000000; location / { proxy_pass http://exchange; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
`, dir, strings.TrimPrefix(exchange, "http://"), address), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(program, "-p", dir, "-c", file)
	startCommand(b, cmd)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return "http://" + address, cmd.Process.Pid
		} else if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
}

// startCommand runs a command until the benchmark ends.
func startCommand(b *testing.B, cmd *exec.Cmd) {
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill() // It may have ended by itself.
		_ = cmd.Wait()
	})
}
