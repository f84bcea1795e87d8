package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What is asked of the governor: so many requests each second, by so many clients.
const (
	governorRate    = 2000
	governorClients = 50
	stormClients    = 5000
)

// measureGovernor sends the same requests to an exchange straight, through the
// governor, through nginx if it is installed, and through Go's own ReverseProxy.
func measureGovernor(ctx context.Context, b *bench) ([]result, error) {
	exchange := httptest.NewServer(http.HandlerFunc(answerAsExchange))
	defer exchange.Close()
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("governor: {listen: %q}\nbinance: {markets: {spot: {url: %q}}}\n", address, exchange.URL)
	ours, err := b.ours().startReady(ctx, filepath.Join(b.dir, "hedgewatch"), config)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	proxy := httptest.NewServer(plainProxy(exchange.URL))
	defer proxy.Close()
	ways := []way{{"direct", exchange.URL, nil}, {"governor", "http://" + address, ours.child}, {"ReverseProxy", proxy.URL, nil}}
	nginx, url, err := b.startNginx(ctx, exchange.Listener.Addr().String())
	switch {
	case errors.Is(err, exec.ErrNotFound):
		b.say("  measured without nginx: %v", err)
	case err != nil:
		return nil, err
	default:
		defer nginx.stop()
		ways = append(ways, way{"nginx", url, nginx})
	}

	p50, p99, cpu := make(map[string]sample), make(map[string]sample), make(map[string]sample)
	var allocated sample
	for range either(b, 1, 3) {
		var direct sample
		for _, way := range ways {
			var took sample
			before, err := ours.allocated(ctx)
			if err != nil {
				return nil, err
			}
			used, err := way.cpu(func() (err error) {
				took, err = fire(ctx, way.url, either(b, 3*time.Second, 10*time.Second))
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", way.name, err)
			}
			if way.child == ours.child {
				after, err := ours.allocated(ctx)
				if err != nil {
					return nil, err
				}
				allocated = append(allocated, (after-before)/(float64(len(took))/(1-warmUp)))
			}
			if way.child != nil {
				// All that was asked, what warmed up too.
				cpu[way.name] = append(cpu[way.name], used.Seconds()/(float64(len(took))/(1-warmUp)))
			}
			if way.name == "direct" {
				direct = took
			}
			p50[way.name] = append(p50[way.name], max(0, took.median()-direct.median()))
			p99[way.name] = append(p99[way.name], max(0, took.percentile(99)-direct.percentile(99)))
		}
	}
	storm, err := governorStorm(ctx, b, ours, address)
	if err != nil {
		return nil, err
	}
	about := fmt.Sprintf("latency added by the governor at %d requests/s", governorRate)
	fine := unit{"ms", 1e-3, 3}
	tiny := unit{"µs", 1e-6, 1}
	return append([]result{
		{what: about + ", p50", unit: fine, ours: p50["governor"], peer: p50["nginx"], most: 0.15e-3},
		{what: about + ", p99", unit: fine, ours: p99["governor"], peer: p99["nginx"], most: 1e-3},
		{what: "… p50 beside nginx", unit: fine, ours: p50["governor"], peer: p50["nginx"], mostRatio: 1.5},
		{what: "… p50 beside Go's ReverseProxy", unit: fine, ours: p50["governor"], peer: p50["ReverseProxy"]},
		{what: "… p99 beside Go's ReverseProxy", unit: fine, ours: p99["governor"], peer: p99["ReverseProxy"]},
		{what: "CPU for each of these requests, beside nginx", unit: tiny, ours: cpu["governor"], peer: cpu["nginx"]},
		{what: "heap that each of these requests took, with all else that the process did", unit: unit{"kB", 1e3, 1}, ours: allocated},
	}, storm...), nil
}

// warmUp is the part of a run that is not measured.
const warmUp = 0.2

// way is one way to the exchange, by a process of its own or none.
type way struct {
	name, url string
	child     *child
}

// cpu is what the way's process uses up while do runs.
func (w way) cpu(do func() error) (time.Duration, error) {
	if w.child == nil {
		return 0, do()
	}
	before, err := w.child.usage()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := w.child.usage()
	return after.cpu - before.cpu, err
}

// allocated is all the heap that the process ever took, in bytes.
func (s *server) allocated(ctx context.Context) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	const most = 64 << 20
	lines := bufio.NewScanner(io.LimitReader(resp.Body, most))
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "go_memstats_alloc_bytes_total "); ok {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, fmt.Errorf("GET %s/metrics: go_memstats_alloc_bytes_total is missing", s.url)
}

// answerAsExchange allows more than can be asked for.
func answerAsExchange(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-MBX-USED-WEIGHT-1M", "1")
	switch {
	case strings.HasSuffix(r.URL.Path, "/time"):
		fmt.Fprintf(w, `{"serverTime":%d}`, time.Now().UnixMilli())
	case strings.HasSuffix(r.URL.Path, "/exchangeInfo"):
		io.WriteString(w, `{"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":100000000},`+
			`{"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":100000000}]}`)
	default:
		io.WriteString(w, `{"symbol":"BTCUSDT","orderId":28,"status":"NEW","price":"0.1","origQty":"1.0"}`)
	}
}

func plainProxy(to string) http.Handler {
	base, err := url.Parse(to)
	if err != nil {
		panic(err) // httptest wrote it.
	}
	p := httputil.NewSingleHostReverseProxy(base)
	p.Transport = &http.Transport{MaxIdleConnsPerHost: 2 * governorClients}
	return p
}

// startNginx starts one process with connections that stay open.
func (b *bench) startNginx(ctx context.Context, upstream string) (c *child, url string, err error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return nil, "", err
	}
	listen, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	dir := filepath.Join(b.dir, "nginx")
	file, err := writeConfig(dir, "nginx", fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi; upstream exchange { server %[2]s; keepalive 256; }
server { listen %[3]s; keepalive_requests 1000000; location / { proxy_pass http://exchange; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
`, dir, upstream, listen))
	if err != nil {
		return nil, "", err
	}
	c, err = startChild("nginx", dir, []string{program, "-p", dir, "-c", file})
	if err != nil {
		return nil, "", err
	}
	if _, err := c.awaitOK(ctx, "http://"+listen+"/api/v3/time"); err != nil {
		c.stop()
		return nil, "", err
	}
	return c, "http://" + listen, nil
}

// fire asks at a fixed rate and returns how long each answer took.
func fire(ctx context.Context, base string, window time.Duration) (sample, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: governorClients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	var mu sync.Mutex
	var all sample
	var failed error
	start := time.Now().Add(100 * time.Millisecond)
	warm := start.Add(time.Duration(warmUp * float64(window)))
	every := time.Second * governorClients / governorRate
	var clients sync.WaitGroup
	for i := range governorClients {
		clients.Go(func() {
			var took sample
			due := start.Add(every * time.Duration(i) / governorClients)
			for n := 0; due.Before(start.Add(window)) && ctx.Err() == nil; n, due = n+1, due.Add(every) {
				time.Sleep(time.Until(due))
				asked := time.Now()
				err := request(ctx, client, fmt.Sprintf("%s/api/v3/order?n=%d&signature=%d", base, n, i))
				if err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
					return
				}
				if asked.After(warm) {
					took = append(took, time.Since(asked).Seconds())
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	clients.Wait()
	if failed == nil && len(all) == 0 {
		failed = errors.New("no request was answered")
	}
	return all, errors.Join(failed, ctx.Err())
}

// governorStorm opens many connections at once, each with one request.
func governorStorm(ctx context.Context, b *bench, ours *server, address string) ([]result, error) {
	before, err := ours.usage()
	if err != nil {
		return nil, err
	}
	n := either(b, stormClients/5, stormClients)
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	dialer := net.Dialer{Timeout: 10 * time.Second}
	started := time.Now()
	for range n {
		c, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		conns = append(conns, c)
		if _, err := io.WriteString(c, "GET /api/v3/order?signature=x HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return nil, err
		}
	}
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		var first [12]byte
		if _, err := io.ReadFull(c, first[:]); err != nil {
			return nil, fmt.Errorf("connection storm: %w", err)
		}
	}
	took := time.Since(started)
	after, err := ours.usage()
	if err != nil {
		return nil, err
	}
	return []result{
		{what: fmt.Sprintf("%d clients at once, all answered", n), unit: seconds(), ours: sample{took.Seconds()}},
		{what: "… memory for each connection", unit: unit{"kB", 1e3, 1}, ours: sample{(after.rss - before.rss) / float64(n)}},
	}, nil
}

// request reads the whole answer, so that its connection is used again.
func request(ctx context.Context, client *http.Client, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
