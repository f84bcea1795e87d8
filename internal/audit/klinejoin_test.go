package audit

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Bars with holes, idle and short ones, doubles and wrong values, checked in parts that
// are joined, give the same result as one by one.
func TestPartsThatAreJoinedGiveTheSameResult(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	series := Series{Dataset: Klines, Symbol: "BTCUSDT", Interval: "1m"}
	check := func() *KlineCheck {
		c, err := NewKlineCheck(series)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	sound := bars(t, "0-59")
	idle, short := bars(t, "0-59i"), bars(t, "0-59s")
	joins, refused := 0, 0
	for range 3000 {
		var rows []Kline
		for i := range sound {
			k := sound[i]
			switch r.IntN(8) {
			case 0:
				continue
			case 1, 2:
				k = idle[i]
			case 3:
				k = short[i]
			case 4:
				k.High = k.Low
			case 5:
				rows = append(rows, k)
			}
			rows = append(rows, k)
		}
		if n := len(rows); r.IntN(4) == 0 {
			i := r.IntN(n - 1)
			rows[i], rows[i+1] = rows[i+1], rows[i]
		}
		whole, joined := check(), check()
		for i := range rows {
			whole.Add(&rows[i], false)
		}
		for rest := rows; len(rest) > 0; {
			n := min(r.IntN(20), len(rest))
			part := check()
			for i := range rest[:n] {
				part.Add(&rest[i], false)
			}
			if joins++; !joined.Join(part) {
				refused++
				for i := range rest[:n] {
					joined.Add(&rest[i], false)
				}
			}
			rest = rest[n:]
		}
		from, to := micro(start), micro(start+60*60e6)
		if diff := cmp.Diff(apart(whole.Result(from, to)), apart(joined.Result(from, to)), cmp.AllowUnexported(Result{}, calendar{}, gap{})); diff != "" {
			t.Fatalf("results differ (-whole +joined):\n%s", diff)
		}
	}
	if refused == 0 || refused > joins/5 {
		t.Errorf("%d of %d parts could not be joined; the test should see some, and few", refused, joins)
	}
}

// apart splits findings into those of one bar each: how many are put together depends
// on what lies between them.
func apart(r Result) Result {
	var single []Finding
	for _, f := range r.Findings {
		for at := f.From; at.Before(f.To); at = at.Add(time.Minute) {
			one := f
			one.From, one.To, one.Count = at, at.Add(time.Minute), 1
			one.Evidence = "" // Is that of the first bar.
			single = append(single, one)
		}
	}
	sortFindings(single)
	r.Findings = single
	return r
}
