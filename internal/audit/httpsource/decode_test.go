package httpsource

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// Whatever a value is, it is taken exactly or refused.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{`1`, `"1.5"`, `null`, `-0.1`, `1e3`, `"\u0031"`, `[]`, `true`, `1679616000000`, `"2023-03-24T00:00:00Z"`, `1e400`, `"` + "é" + `"`} {
		f.Add([]byte(seed))
	}
	klines, _ := shapeOf(audit.Klines)
	fills, _ := shapeOf(audit.UserTrades)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return
		}
		var value json.RawMessage
		if err := json.Unmarshal(raw, &value); err != nil {
			return
		}
		for _, name := range slices.Concat(klines.required, klines.optional) {
			var k audit.Kline
			unit, err := setKline(&k, name, value)
			if name == "open_time" && err == nil && k.OpenTime == 0 {
				t.Errorf("%s: open time 0 in %q", raw, unit)
			}
			if name == "volume" && err == nil {
				text, _ := scalar(value)
				if again, err := audit.ParseDecimal(text); err != nil || again != k.Volume {
					t.Errorf("%s: got %s", raw, k.Volume)
				}
			}
		}
		for _, name := range slices.Concat(fills.required, fills.optional) {
			var e audit.Entry
			if err := setEntry(&e, audit.AmountsOf(audit.UserTrades), name, value, true); name == "price" && err == nil && e.Known != 1 {
				t.Errorf("%s: taken for a price and not known", raw)
			}
		}
	})
}
