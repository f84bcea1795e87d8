package instrument

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whatever an answer's headers and body are, nothing breaks, nothing is believed
// that cannot be, and the body stays as it was.
func FuzzBinanceAnswer(f *testing.F) {
	f.Add(200, "X-Mbx-Used-Weight-1m", "42", "Tue, 10 Nov 2026 10:00:00 GMT", "", "[]")
	f.Add(418, "X-Mbx-Used-Weight-1M", "-1", "yesterday", "99999999999999999999", "IP banned until 1794304800000.")
	f.Add(429, "X-Mbx-Order-Count-10s", "9223372036854775807", "Fri, 31 Dec 9999 23:59:59 GMT", "-5", `{"code":-1015}`)
	f.Add(403, "X-Mbx-Order-Count-99999d", "1e9", "", "0x10", "IP banned until 99999999999999999999")
	f.Add(429, "X-Mbx-Used-Weight-30d", "9999999999", "", "9999999999", "")
	f.Fuzz(func(t *testing.T, status int, name, value, date, retryAfter, body string) {
		begin := seconds(time.Now())
		b, reg := newBinance(t, BinanceConfig{Next: canned{&http.Response{
			StatusCode: status,
			Header:     http.Header{name: {value}, "Date": {date}, "Retry-After": {retryAfter}},
			Body:       io.NopCloser(strings.NewReader(body)),
		}}})
		r, err := http.NewRequest(http.MethodGet, "http://127.0.0.1/api/v3/time", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.Transport("alpha").RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); err != nil || string(got) != body {
			t.Errorf("got body %q (error %v), want %q", got, err, body)
		}
		latest := seconds(time.Now().Add(longestBan))
		for series, value := range exposed(t, reg) {
			if value < 0 || strings.Contains(series, "until") && value > 0 && (value < begin || value > latest) {
				t.Errorf("got %s %v, want no count below 0 and no ban in the past or beyond the longest", series, value)
			}
		}
		if got := total(t, reg, "hedgewatch_binance_responses_total"); got != 1 {
			t.Errorf("got %v answers, want 1", got)
		}
	})
}
