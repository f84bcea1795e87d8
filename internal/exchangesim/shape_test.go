package exchangesim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// recorded is an answer of the exchange.
type recorded struct {
	Path, Query string
	Answer      any
}

// asked is the recorded question with a symbol that is there, and without its times.
func (r recorded) asked() string {
	q := regexp.MustCompile(`&?(startTime|endTime|fromId)=\d+`).ReplaceAllString(r.Query, "")
	q = regexp.MustCompile(`(symbol|pair)=\w+`).ReplaceAllStringFunc(q, func(s string) string {
		if strings.HasPrefix(r.Path, "/dapi") {
			return "symbol=BTCUSD_PERP"
		}
		return "symbol=BTCUSDT"
	})
	return r.Path + "?" + strings.TrimPrefix(q, "&")
}

// later are keys that the exchange has added since the recordings, and the older
// form of an answer.
func later() map[string][]string {
	return map[string][]string{
		"/api/v3/avgPrice":      {"closeTime"},
		"/fapi/v1/fundingRate":  {"markPrice"},
		"/fapi/v1/premiumIndex": {"estimatedSettlePrice"},
	}
}

func TestAnswersHaveTheShapeOfRecordedOnes(t *testing.T) {
	text, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	s := newSim(t)
	compared := 0
	for _, r := range all {
		w := s.do(http.MethodGet, r.asked())
		if w.Code == http.StatusNotFound {
			continue // Not simulated.
		}
		t.Run(r.asked(), func(t *testing.T) {
			if object, ok := r.Answer.(map[string]any); ok && object["code"] != nil {
				return // The errors have tests of their own.
			}
			var got any
			decode(t, w, &got)
			for _, problem := range compareShape("", got, r.Answer, later()[r.Path]) {
				t.Error(problem)
			}
		})
		compared++
	}
	if compared < 25 {
		t.Errorf("compared %d answers, want at least 25", compared)
	}
}

var isDecimal = regexp.MustCompile(`^-?\d+(\.\d+)?$`).MatchString

// optional are keys of single symbols or filters, which not all of them have.
var optional = []string{"filters", "assets", "rateLimits", "permissionSets", "onboardDate", "pair"}

func compareShape(at string, got, want any, more []string) (problems []string) {
	add := func(format string, args ...any) { problems = append(problems, at+": "+fmt.Sprintf(format, args...)) }
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			add("got %v, want an object", got)
			return problems
		}
		for key := range want {
			if _, ok := object[key]; !ok {
				add("no key %q", key)
			}
		}
		for key, value := range object {
			recorded, ok := want[key]
			switch {
			case !ok && !slices.Contains(more, key):
				add("key %q is not the exchange's", key)
			case ok && !slices.Contains(optional, key):
				problems = append(problems, compareShape(at+"/"+key, value, recorded, more)...)
			}
		}
	case []any:
		list, ok := got.([]any)
		if !ok {
			add("got %v, want a list", got)
			return problems
		}
		if len(want) == 0 || len(list) == 0 {
			return problems
		}
		if _, row := want[0].([]any); !row && len(want) == len(list) && isRow(want) {
			for i := range want {
				problems = append(problems, compareShape(fmt.Sprint(at, "/", i), list[i], want[i], more)...)
			}
			return problems
		}
		problems = append(problems, compareShape(at+"/0", list[0], want[0], more)...)
	case string:
		text, ok := got.(string)
		if !ok || want != "" && isDecimal(text) != isDecimal(want) {
			add("got %v, want something like %q", got, want)
		}
	default:
		if fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
			add("got %v, want something like %v", got, want)
		}
	}
	return problems
}

// isRow is true for a list of different things, like a bar.
func isRow(list []any) bool {
	const bar = 2
	if len(list) < bar {
		return false
	}
	_, first := list[0].(map[string]any)
	return !first
}
