package governor

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// childEnv makes this test binary a governor whose exchange it names.
const childEnv = "GOVERNOR_TEST_EXCHANGE"

func TestChild(t *testing.T) {
	if exchange := os.Getenv(plainEnv); exchange != "" {
		servePlain(t, exchange)
	}
	exchange := os.Getenv(childEnv)
	if exchange == "" {
		t.Skip("only as a child of other tests")
	}
	cfg := testConfig()
	cfg.Exchange.Markets = map[binance.Market]Endpoints{binance.Spot: {URL: exchange}}
	g, err := New(cfg, Deps{Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// childCommand starts this test binary as a proxy that inherits its socket.
func childCommand(kind, exchange string, socket *os.File) *exec.Cmd {
	// systemd tells the process its own number; so does the shell.
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run='^TestChild$' -test.timeout=10m`, os.Args[0])
	cmd.Env = append(os.Environ(), kind+"="+exchange, "LISTEN_FDS=1", "LISTEN_FDNAMES=governor")
	cmd.ExtraFiles = []*os.File{socket}
	return cmd
}

// The process that serves is killed and started again while requests go on, with a
// socket that somebody else holds, as systemd does.
func TestRestartRefusesNoConnection(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	exchange := httptest.NewServer(answers(func(http.ResponseWriter, *http.Request) {}))
	defer exchange.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	run := func() *exec.Cmd {
		cmd := childCommand(childEnv, exchange.URL, socket)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	child := run()
	var served atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		for {
			select {
			case <-stop:
				return
			default:
			}
			// A process that is killed cuts what it has accepted; what must not
			// happen is that nobody accepts.
			resp, err := client.Get("http://" + l.Addr().String() + "/api/v3/time")
			if err != nil {
				if strings.Contains(err.Error(), "refused") {
					t.Error(err)
				}
				continue
			}
			readAll(resp)
			served.Add(1)
		}
	}()
	await := func(n int64) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); served.Load() < n; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d requests were served, want %d", served.Load(), n)
			}
		}
	}
	await(20)
	for range 2 {
		_ = child.Process.Kill()
		_ = child.Wait()
		before := served.Load()
		child = run()
		await(before + 20)
	}
	close(stop)
	<-stopped
	_ = child.Process.Kill()
	_ = child.Wait()
}

func TestConfigErrorsNameTheKey(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"address", func(c *Config) { c.Listen = "9091" }, "governor.listen"},
		{"open to all", func(c *Config) { c.Listen = "0.0.0.0:9091" }, "add clients with tokens"},
		{"short token", func(c *Config) { c.Clients = []Client{{Name: "a", Token: "secret"}} }, "governor.clients[0].token"},
		{"half a certificate", func(c *Config) { c.TLS.CertFile = "x" }, "go together"},
		{"reserve", func(c *Config) { c.Reserve.Order = 120 }, "governor.reserve.order: 120"},
		{"all reserved", func(c *Config) { c.Reserve = Reserve{40, 40, 40} }, "too little for the rest"},
		{"two ways in one", func(c *Config) { c.Egress = []Egress{{Name: "a", LocalAddress: "10.0.0.1", Proxy: "http://p:1"}} }, "governor.egress[0]"},
		{"proxy", func(c *Config) { c.Egress = []Egress{{Name: "a", Proxy: "hunter2"}} }, "governor.egress[0].proxy"},
		{"cache", func(c *Config) { c.Cache["/x"] = 1 }, `governor.cache: "/x"`},
		{"body", func(c *Config) { c.MaxBodyBytes = 1 }, "governor.max_body_bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := testConfig()
			test.change(&cfg)
			err := cfg.Validate()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
			if s := fmt.Sprintf("%v %+v %#v %v", cfg, cfg, cfg, err); strings.Contains(s, "hunter2") || strings.Contains(s, "secret\"") {
				t.Errorf("a secret is shown: %s", s)
			}
		})
	}
}
