package instrument

import (
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// While the governor is down, nobody knows what all services of this address use
// together. Each keeps to a share of the limit by the worst-case weight of its
// requests, and all stop where the exchange says that the address nears its limit.

// brake is the part of the limit at which readings stop, whoever used it.
const brake = 0.8

// unlistedWeight is charged for a path that the table does not have.
const unlistedWeight = 50

// documentedLimit is the weight of a minute; API docs: spot 2026-07, USDⓈ-M 2026-05,
// COIN-M taken as USDⓈ-M, /sapi is per endpoint.
func documentedLimit(m Market) int64 {
	switch m {
	case Spot:
		return 6000
	case SAPI:
		return 12000
	}
	return 2400
}

//go:embed binance_weights.txt
var weightTable string

// parseWeights reads lines of `market method path weight` into method and path to
// weight.
func parseWeights(table string) (map[string]int64, error) {
	weights := make(map[string]int64)
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 4 {
			return nil, fmt.Errorf("weight table: %q has %d fields, want market, method, path and weight", line, len(f))
		}
		weight, err := strconv.ParseInt(f[3], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("weight table: %q: %w", line, err)
		}
		weights[f[1]+" "+f[2]] = weight
	}
	return weights, nil
}

// budget is a service's share of one market's minute.
type budget struct {
	share float64
	limit atomic.Int64 // Weight that the exchange allows the address in a minute.

	mu     sync.Mutex
	minute int64
	spent  int64
}

// take spends weight unless the share or the brake forbids it. Urgent requests are
// counted and never refused.
func (b *budget) take(weight, addressUsed int64, urgent bool, now time.Time) bool {
	limit := float64(b.limit.Load())
	b.mu.Lock()
	defer b.mu.Unlock()
	if minute := now.Unix() / 60; minute != b.minute {
		b.minute, b.spent = minute, 0
	}
	if !urgent && (float64(b.spent+weight) > b.share*limit || float64(addressUsed) >= brake*limit) {
		return false
	}
	b.spent += weight
	return true
}

// refusal says why a request must not go direct now, and for how long.
func (m *binanceMarket) refusal(weight int64, urgent bool, now time.Time) (status int, wait time.Duration) {
	if wait := m.banned.left(now); wait > 0 {
		return http.StatusTeapot, wait
	}
	if wait := m.backoff.left(now); wait > 0 && !urgent {
		return http.StatusTooManyRequests, wait
	}
	if !m.budget.take(weight, m.weight.current("1m", now), urgent, now) {
		return http.StatusTooManyRequests, now.Truncate(time.Minute).Add(time.Minute).Sub(now)
	}
	return 0, 0
}

// refuse answers as the exchange would, so that clients do what they do then.
func refuse(r *http.Request, status int, wait time.Duration) *http.Response {
	if r.Body != nil {
		r.Body.Close()
	}
	seconds := strconv.Itoa(int((wait + time.Second - 1) / time.Second))
	body := `{"code":-1003,"msg":"Not sent: the governor is down and this service keeps to its share of the limit. Retry in ` + seconds + ` s."}`
	if status == http.StatusTeapot {
		body = `{"code":-1003,"msg":"Not sent: the exchange has banned this address. Retry in ` + seconds + ` s."}`
	}
	return &http.Response{
		Status:     strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type": {"application/json"},
			"Retry-After":  {seconds},
			outcomeHeader:  {"refused"},
		},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       r,
	}
}
