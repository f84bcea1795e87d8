package audit

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEntriesAreCheckedByWhatTheirMarketPromises(t *testing.T) {
	at := start
	entry := func(id, first, last int64) Entry {
		return Entry{ID: id, Time: at + id*1e6, FirstID: first, LastID: last, HasRange: true, Known: 3, Amounts: [maxAmounts]Decimal{number(t, "10"), number(t, "1")}}
	}
	taken := entry(3, -1, -1)
	taken.Amounts = [maxAmounts]Decimal{}
	late := entry(2, 3, 4)
	late.CreatedAt = late.Time + 90e6
	for _, tt := range []struct {
		name, dataset, market string
		entries               []Entry
		want                  []string
	}{
		{"sound", AggTrades, "spot", []Entry{entry(1, 1, 2), entry(2, 3, 4), entry(3, 5, 5)}, nil},
		{"aggregate lost", AggTrades, "usdm", []Entry{entry(1, 1, 2), entry(4, 8, 9)}, []string{"missing 2 []"}},
		{"hole between ranges", AggTrades, "spot", []Entry{entry(1, 1, 2), entry(2, 4, 4)}, []string{"mismatch 1 [first_id]"}},
		{"hole that futures have", AggTrades, "usdm", []Entry{entry(1, 1, 2), entry(2, 4, 4)}, nil},
		{"taken back by the exchange", AggTrades, "spot", []Entry{entry(1, 1, 2), entry(2, 3, 4), taken, entry(4, 5, 6)}, nil},
		{"twice", AggTrades, "spot", []Entry{entry(1, 1, 2), entry(2, 3, 4), entry(2, 3, 4)}, []string{"duplicate 1 []"}},
		{"late", UserTrades, "usdm", []Entry{entry(1, 1, 2), late}, []string{"late 1 []"}},
		{"ids of an account", UserTrades, "usdm", []Entry{entry(1, 1, 1), entry(9, 2, 2)}, nil},
		{"trades of futures", Trades, "usdm", []Entry{entry(1, 1, 1), entry(9, 2, 2)}, nil},
		{"trades of spot", Trades, "spot", []Entry{entry(1, 1, 1), entry(9, 2, 2)}, []string{"missing 7 []"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check := NewEntryCheck(Series{Dataset: tt.dataset, Market: tt.market})
			check.LateAfter = time.Minute
			for _, e := range tt.entries {
				check.Add(&e)
			}
			var got []string
			for _, f := range check.Result(time.Time{}, time.Time{}).Findings {
				got = append(got, fmt.Sprintf("%s %d %v", f.Kind, f.Count, f.Fields))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecimalFromGroups(t *testing.T) {
	for _, tt := range []struct {
		groups []byte
		weight int
		want   string
	}{
		{nil, 0, "0"},
		{[]byte{0x1c, 0xb1, 0x09, 0xc4}, 0, "7345.25"},
		{[]byte{0, 1}, -2, "0.00000001"},
		{[]byte{0, 6}, 3, "6000000000000"},
	} {
		d, err := DecimalFromGroups(true, tt.groups, tt.weight)
		want := number(t, tt.want).neg()
		if err != nil || d != want {
			t.Errorf("DecimalFromGroups(%x, %d) = %s, %v; want %s", tt.groups, tt.weight, d, err, want)
		}
	}
	for _, bad := range []int{-4, 9, 32767} {
		if d, err := DecimalFromGroups(false, []byte{0, 1}, bad); err == nil {
			t.Errorf("weight %d is %s, without an error", bad, d)
		}
	}
}
