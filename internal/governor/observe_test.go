package governor

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReportsCountLikeOurOwnAnswers(t *testing.T) {
	p := newProxy(t, answers(func(http.ResponseWriter, *http.Request) {}))
	awayFromBoundary()
	tests := []struct {
		name, body string
		want       int
	}{
		{"weight and orders", `[{"market":"spot","account":"main","client":"legacy","status":200,"headers":{"X-MBX-USED-WEIGHT-1M":"1432","X-MBX-ORDER-COUNT-10S":"7"}}]`, 204},
		{"nothing", `[]`, 204},
		{"ban", `[{"market":"usdm","status":418,"headers":{"Retry-After":"90"}}]`, 204},
		{"no list", `{}`, 400},
		{"unknown market", `[{"market":"moon","status":200}]`, 400},
		{"unknown key", `[{"market":"spot","apiKey":"x"}]`, 400},
		{"no such egress", `[{"market":"spot","egress":"b"}]`, 400},
		{"too long", "[" + strings.Repeat(" ", maxReportBytes) + "]", 400},
		{"too many", "[" + strings.Repeat(`{"market":"spot"},`, maxReportAnswer) + `{"market":"spot"}]`, 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			p.ObservedHandler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(test.body)))
			if w.Code != test.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, test.want)
			}
		})
	}
	spot := p.Status().Markets[0]
	if spot.Egress[0].Used < 1432 {
		t.Errorf("got %d used, want 1432", spot.Egress[0].Used)
	}
	if len(spot.Orders) == 0 || spot.Orders[0].Account != "main" {
		t.Errorf("got orders %+v", spot.Orders)
	}
	resp, _ := p.do(t, http.MethodPost, "/fapi/v1/order?signature=x", "")
	expect(t, resp, http.StatusTeapot, outcomeBanned)
}
