package binance

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAnswersAreToldApart(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	tests := []struct {
		name   string
		status int
		retry  string
		body   string
		want   Verdict
	}{
		{"fine", 200, "", "{}", Verdict{Kind: Accepted}},
		{"bad symbol", 400, "", `{"code":-1121,"msg":"Invalid symbol."}`, Verdict{Kind: Refused, Code: -1121}},
		{"weight", 429, "12", `{"code":-1003,"msg":"Too much request weight used"}`, Verdict{Kind: Limited, Code: -1003, RetryAfter: 12 * time.Second}},
		{"orders", 429, "", `{"code":-1015,"msg":"Too many new orders"}`, Verdict{Kind: OrdersLimited, Code: -1015}},
		{"ban", 418, "120", `{"code":-1003,"msg":"Way too much request weight used"}`, Verdict{Kind: Banned, Code: -1003, RetryAfter: 2 * time.Minute}},
		{"ban of futures", 418, "", `{"code":-1003,"msg":"Way too many requests; IP banned until 1700000300000."}`, Verdict{Kind: Banned, Code: -1003, RetryAfter: 5 * time.Minute}},
		{"ban for centuries", 418, "9999999999", "", Verdict{Kind: Banned, RetryAfter: LongestBan}},
		{"ban of the past", 418, "-5", `banned until 1600000000000`, Verdict{Kind: Banned}},
		{"firewall", 403, "", "<html>403 Forbidden</html>", Verdict{Kind: Firewall}},
		{"region", 451, "", `{"code":0,"msg":"Service unavailable from a restricted location"}`, Verdict{Kind: Region}},
		{"overloaded", 503, "", `{"code":-1008,"msg":"Request throttled by system-level protection."}`, Verdict{Kind: Overloaded, Code: -1008, Free: true}},
		{"unavailable", 503, "", `{"code":0,"msg":"Service Unavailable"}`, Verdict{Kind: Unavailable, Free: true}},
		{"unknown", 503, "", `{"code":-1007,"msg":"Unknown error, please check your request or try again later."}`, Verdict{Kind: Unknown, Code: -1007}},
		{"bad gateway", 502, "", "", Verdict{Kind: Unknown}},
		{"timeout", 400, "", `{"code":-1007,"msg":"Timeout waiting for response from backend server."}`, Verdict{Kind: Unknown, Code: -1007}},
		{"clock", 400, "", `{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}`, Verdict{Kind: Clock, Code: -1021}},
		{"websocket", 418, "", `{"id":1,"status":418,"error":{"code":-1003,"msg":"banned","data":{"serverTime":1700000000000,"retryAfter":1700000060000}}}`, Verdict{Kind: Banned, Code: -1003, RetryAfter: time.Minute}},
		{"connections", 400, "", `{"code":-1034,"msg":"Too many concurrent connections"}`, Verdict{Kind: TooManyConnections, Code: -1034}},
		{"half a replacement", 409, "", `{"code":-2021,"msg":"Order cancel-replace partially failed."}`, Verdict{Kind: Refused, Code: -2021}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{}
			if test.retry != "" {
				h.Set("Retry-After", test.retry)
			}
			if diff := cmp.Diff(test.want, Judge(test.status, h, []byte(test.body), now)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestUsedIsReadFromHeaders(t *testing.T) {
	var got []Used
	for name, value := range map[string]string{
		"X-MBX-USED-WEIGHT": "5", "x-mbx-used-weight-1m": "17", "X-Mbx-Order-Count-10s": "3", "X-MBX-ORDER-COUNT-1D": "-1",
		"X-SAPI-USED-UID-WEIGHT-1M": "9", "X-MBX-USED-WEIGHT-0M": "4", "X-MBX-USED-WEIGHT-99999H": "4", "Date": "now",
	} {
		if u, ok := ReadUsed(name, value); ok {
			got = append(got, u)
		}
	}
	slices.SortFunc(got, func(a, b Used) int { return int(a.Count - b.Count) })
	want := []Used{{Orders, 10 * time.Second, 3, false}, {RequestWeight, time.Minute, 9, true}, {RequestWeight, time.Minute, 17, false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLimitsOfRecordedExchangeInfo(t *testing.T) {
	tests := []struct {
		file string
		want []Limit
	}{
		{"exchangeInfo-spot-2025-08.trimmed25symbols.json", []Limit{
			{RequestWeight, time.Minute, 6000},
			{Orders, 10 * time.Second, 100},
			{Orders, 24 * time.Hour, 200_000},
			{RawRequests, 5 * time.Minute, 61_000},
		}},
		{"exchangeInfo-usdm-2025-08.trimmed25symbols.json", []Limit{
			{RequestWeight, time.Minute, 2400},
			{Orders, time.Minute, 1200},
			{Orders, 10 * time.Second, 300},
		}},
	}
	for _, test := range tests {
		f, err := os.Open("testdata/" + test.file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadLimits(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.file, diff)
		}
	}
}

func TestBadExchangeInfoIsAnError(t *testing.T) {
	for _, body := range []string{
		"", "<html>", "[]", "{}", `{"rateLimits":[]}`, `{"rateLimits":7}`, `{"symbols":[`,
		`{"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":-1}]}`,
		`{"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"EON","intervalNum":1,"limit":1}]}`,
		`{"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"DAY","intervalNum":9223372036854775807,"limit":1}]}`,
	} {
		if limits, err := ReadLimits(strings.NewReader(body)); err == nil {
			t.Errorf("%s: got %v, want an error", body, limits)
		}
	}
}

func TestSignedRequestsExpire(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	tests := []struct {
		query, form string
		want        time.Time
		ok          bool
	}{
		{"timestamp=1700000000000&signature=x", "", at.Add(5 * time.Second), true},
		{"", "symbol=A&timestamp=1700000000000&recvWindow=250.5", at.Add(250500 * time.Microsecond), true},
		{"timestamp=1700000000000000&recvWindow=900000", "", at.Add(time.Minute), true},
		{"timestamp=1700000000000&recvWindow=-3", "", at.Add(5 * time.Second), true},
		{"timestamp=soon", "", time.Time{}, false},
		{"", "", time.Time{}, false},
	}
	for _, test := range tests {
		got, ok := ValidUntil(test.query, test.form)
		if ok != test.ok || !got.Equal(test.want) {
			t.Errorf("%q %q: got %v, %v, want %v, %v", test.query, test.form, got, ok, test.want, test.ok)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("X-Mbx-Used-Weight-1m", "17", "120", `{"code":-1003}`)
	f.Add("X-Sapi-Used-Ip-Weight-1m", "-1", "x", "banned until 99999999999999999999.")
	f.Fuzz(func(t *testing.T, name, value, retry, body string) {
		h := http.Header{"Retry-After": {retry}}
		if u, ok := ReadUsed(name, value); ok {
			if u.Count < 0 || u.Window <= 0 || u.Window > maxWindow {
				t.Errorf("%s: %s: got %+v", name, value, u)
			}
		}
		for _, status := range []int{200, 403, 418, 429, 503} {
			if v := Judge(status, h, []byte(body), time.UnixMilli(1_700_000_000_000)); v.RetryAfter < 0 || v.RetryAfter > LongestBan {
				t.Errorf("%d %q %q: got %+v", status, retry, body, v)
			}
		}
	})
}
