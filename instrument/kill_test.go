package instrument

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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Of the process that stands for the governor: where it listens and its exchange.
const (
	listenEnv   = "INSTRUMENT_TEST_LISTEN"
	exchangeEnv = "INSTRUMENT_TEST_EXCHANGE"
)

// viaHeader marks what passed that process.
const viaHeader = "X-Via"

func TestGovernorProcess(t *testing.T) {
	address := os.Getenv(listenEnv)
	if address == "" {
		t.Skip("only as a child of another test")
	}
	base, err := url.Parse(os.Getenv(exchangeEnv))
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(base)
		r.Out.Header.Set(viaHeader, "governor")
	}}
	t.Fatal(http.ListenAndServe(address, proxy))
}

func startGovernorProcess(t *testing.T, address, exchange string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestGovernorProcess$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), listenEnv+"="+address, exchangeEnv+"="+exchange)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // It may have been killed.
		_ = cmd.Wait()
	})
	await(t, "the process listens", func() bool {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
	return cmd
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// witness is an exchange that counts each order, and what came which way.
type witness struct {
	mu                    sync.Mutex
	orders                map[string]int
	via, direct, readings int // Readings that came direct.
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	straight := r.Header.Get(viaHeader) == ""
	if straight {
		w.direct++
	} else {
		w.via++
	}
	if r.Method == http.MethodPost {
		w.orders[r.URL.Query().Get("n")]++
	} else if straight {
		w.readings++
	}
	_, _ = io.WriteString(rw, "{}") // The client may be gone.
}

func (w *witness) came() (via, direct int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.via, w.direct
}

// The governor is killed while services trade. No order is sent twice, none is lost
// without an error, and readings go on with the share that is safe.
func TestKilledGovernorLosesNoOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	w := &witness{orders: make(map[string]int)}
	e := httptest.NewServer(w)
	t.Cleanup(e.Close)
	address := strings.TrimPrefix(downURL(t), "http://")
	process := startGovernorProcess(t, address, e.URL)
	const share = 0.01 // Of 6000: 60 in a minute.
	b, reg := newBinance(t, BinanceConfig{Client: "router", Governor: "http://" + address, Exchange: exchangeAt(e.URL), Next: new(http.Transport), DirectShare: share})
	c := client(t, b.Transport("alpha"))

	const workers = 4
	var asking sync.WaitGroup
	var failed atomic.Int64
	var mu sync.Mutex
	accepted := make(map[string]bool)
	stop := make(chan struct{})
	started := time.Now()
	for i := range workers {
		asking.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(2 * time.Millisecond):
				}
				id := fmt.Sprintf("%d-%d", i, n)
				resp, err := c.Post(e.URL+"/api/v3/order?signature=x&n="+id, "", nil)
				if err != nil {
					failed.Add(1) // Its fate is unknown, and the service hears so.
				} else {
					resp.Body.Close()
					mu.Lock()
					accepted[id] = resp.StatusCode == http.StatusOK
					mu.Unlock()
				}
				resp, err = c.Get(e.URL + "/api/v3/time")
				if err != nil {
					t.Errorf("a reading failed: %v", err)
					continue
				}
				resp.Body.Close()
			}
		})
	}
	for range 2 {
		before, _ := w.came()
		await(t, "requests come by the governor", func() bool { via, _ := w.came(); return via >= before+100 })
		_ = process.Process.Kill()
		_ = process.Wait()
		_, before = w.came()
		await(t, "requests come direct", func() bool { _, direct := w.came(); return direct >= before+100 })
		wantSeries(t, reg, "hedgewatch_binance_governor_up", 0)
		process = startGovernorProcess(t, address, e.URL)
	}
	before, _ := w.came()
	await(t, "requests come by the governor again", func() bool { via, _ := w.came(); return via >= before+100 })
	close(stop)
	asking.Wait()
	wantSeries(t, reg, "hedgewatch_binance_governor_up", 1)

	for id, ok := range accepted {
		if !ok {
			t.Errorf("order %s was refused", id)
		}
		if n := w.orders[id]; n != 1 {
			t.Errorf("order %s reached the exchange %d times, want once", id, n)
		}
	}
	for id, n := range w.orders {
		if n > 1 {
			t.Errorf("order %s was sent %d times", id, n)
		}
	}
	// Each worker has one order under way when the process dies.
	if n := failed.Load(); n > 2*workers {
		t.Errorf("got %d orders of unknown fate, want at most %d", n, 2*workers)
	}
	minutes := int(time.Since(started)/time.Minute) + 2 // Windows that it touched.
	if most := minutes * 60; w.readings > most {
		t.Errorf("got %d readings sent direct, want at most %d", w.readings, most)
	}
	t.Logf("%d orders, %d of unknown fate; %d readings direct", len(w.orders), failed.Load(), w.readings)
}
