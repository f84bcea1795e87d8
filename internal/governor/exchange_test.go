package governor

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// network carries requests to a simulated exchange, in the place of the real one,
// with the time that the ways take.
type network struct {
	*exchangesim.Exchange
	handler http.Handler
	// latency is the most that one way takes.
	latency time.Duration

	mu     sync.Mutex
	random *rand.Rand
	// left is when a request of an urgent class left the governor, by its query.
	left map[string]time.Time
}

func newNetwork(cfg exchangesim.Config) *network {
	e := exchangesim.New(cfg)
	return &network{
		Exchange: e, handler: e.Handler(), latency: 40 * time.Millisecond,
		random: rand.New(rand.NewPCG(1, 2)), left: make(map[string]time.Time),
	}
}

func (n *network) way() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Millisecond + time.Duration(n.random.Int64N(int64(n.latency)))
}

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		n.mu.Lock()
		n.left[r.URL.RawQuery] = time.Now()
		n.mu.Unlock()
	}
	time.Sleep(n.way())
	resp := n.ask(r.Method, r.URL.Opaque+"?"+r.URL.RawQuery, r.Header)
	time.Sleep(n.way())
	return resp, r.Context().Err()
}

// ask asks the exchange without a way, from the address of all.
func (n *network) ask(method, target string, header http.Header) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	n.handler.ServeHTTP(w, r)
	resp := w.Result()
	resp.ContentLength = int64(w.Body.Len())
	return resp
}

// signed is a request of an account.
func (n *network) signed(t *testing.T, account int, method, path, params string) *http.Request {
	t.Helper()
	a := n.Accounts()[account]
	query := strings.TrimPrefix(fmt.Sprintf("%s&timestamp=%d", params, n.Now().UnixMilli()), "&")
	r, err := http.NewRequestWithContext(t.Context(), method, "http://exchange"+path+"?"+query+"&signature="+exchangesim.Sign(a.Secret, query), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(keyHeader, a.Key)
	return r
}

func readAll(r *http.Response) string {
	var b bytes.Buffer
	_, _ = io.Copy(&b, r.Body) // What was read is what matters.
	r.Body.Close()
	return b.String()
}
