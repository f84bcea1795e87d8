package governor

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// proxy is a governor on a real address in front of a real server.
type proxy struct {
	*Governor
	url    string
	reg    *prometheus.Registry
	log    *lockedBuffer
	client *http.Client
	stop   func()
	events chan BanEvent
}

// newProxy serves upstream as spot and as USDⓈ-M.
func newProxy(t testing.TB, upstream http.Handler, change ...func(*Config)) *proxy {
	t.Helper()
	server := httptest.NewServer(upstream)
	t.Cleanup(server.Close)
	return newProxyAt(t, server.URL, t.TempDir(), change...)
}

func newProxyAt(t testing.TB, upstream, dir string, change ...func(*Config)) *proxy {
	t.Helper()
	cfg := testConfig()
	for _, m := range []binance.Market{binance.Spot, binance.USDM, binance.COINM} {
		if cfg.Exchange.Markets == nil {
			cfg.Exchange.Markets = make(map[binance.Market]Endpoints)
		}
		cfg.Exchange.Markets[m] = Endpoints{URL: upstream, WebSocketURL: upstream}
	}
	for _, c := range change {
		c(&cfg)
	}
	p := &proxy{reg: prometheus.NewRegistry(), log: new(lockedBuffer), events: make(chan BanEvent, 10)}
	var err error
	p.Governor, err = New(cfg, Deps{
		Logger: slog.New(slog.NewTextHandler(p.log, nil)), Registerer: p.reg, Dir: dir,
		Ban: func(_ context.Context, e BanEvent) { p.events <- e },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Listen(); err != nil {
		t.Fatal(err)
	}
	p.url = "http://" + p.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	transport := &http.Transport{DisableCompression: true}
	p.client = &http.Client{Transport: transport}
	p.stop = sync.OnceFunc(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

// lockedBuffer can be read while somebody writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// do sends a request and returns the answer with its body.
func (p *proxy) do(t *testing.T, method, target, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp, readAll(resp)
}

// expect checks the status and whose answer it is.
func expect(t *testing.T, resp *http.Response, status int, outcome string) {
	t.Helper()
	if resp.StatusCode != status || resp.Header.Get(outcomeHeader) != outcome {
		t.Errorf("got %d with outcome %q, want %d with %q", resp.StatusCode, resp.Header.Get(outcomeHeader), status, outcome)
	}
}

// answers answers our own readings, and leaves the rest to next.
func answers(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/time"):
			fmt.Fprintf(w, `{"serverTime":%d}`, time.Now().UnixMilli())
		case strings.HasSuffix(r.URL.Path, "/exchangeInfo") && r.URL.RawQuery == "":
			fmt.Fprint(w, `{"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":5000}]}`)
		default:
			next(w, r)
		}
	})
}

// metric is the sum of a metric's series.
func (p *proxy) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := p.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

func (p *proxy) exposed(t *testing.T) string {
	t.Helper()
	families, err := p.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(p.reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("metric %s: %s", problem.Metric, problem.Text)
	}
	var b strings.Builder
	for _, f := range families {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}
