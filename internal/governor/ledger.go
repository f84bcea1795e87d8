package governor

import (
	"cmp"
	"slices"
	"time"
)

const (
	// ledgerWindows is how many minutes of traffic are remembered.
	ledgerWindows = 60
	// maxCallers bounds the pairs of client and endpoint of a minute.
	maxCallers = 500
)

// ledger remembers who used how much, by minutes of the exchange's clock. It holds
// names and paths, never a query: that is where keys and signatures are. The gate's
// lock guards it.
type ledger struct {
	minutes [ledgerWindows]ledgerMinute
	cur     int64 // The newest minute.
}

type ledgerMinute struct {
	minute int64
	// asked is what clients wanted, spent what was sent.
	asked, spent [classes]int64
	callers      map[caller]callerUse
}

type caller struct {
	client, endpoint string
}

type callerUse struct {
	weight, requests int64
}

// at returns the minute of a time, nil if it is too old to be remembered.
func (l *ledger) at(at time.Time) *ledgerMinute {
	minute := at.Unix() / 60
	m := &l.minutes[minute%ledgerWindows]
	if m.minute > minute {
		return nil
	}
	if m.minute != minute || m.callers == nil {
		*m = ledgerMinute{minute: minute, callers: make(map[caller]callerUse)}
		l.cur = max(l.cur, minute)
	}
	return m
}

func (l *ledger) ask(at time.Time, a ask) {
	if m := l.at(at); m != nil {
		m.asked[a.class] += a.weight
	}
}

func (l *ledger) spend(at time.Time, c class, who caller, weight int64) {
	m := l.at(at)
	if m == nil {
		return
	}
	m.spent[c] += weight
	if _, ok := m.callers[who]; !ok && len(m.callers) >= maxCallers {
		who = caller{client: otherLabel, endpoint: otherLabel}
	}
	use := m.callers[who]
	use.weight += weight
	use.requests++
	m.callers[who] = use
}

// Caller is what a client used of one endpoint.
type Caller struct {
	Client   string `json:"client"`
	Endpoint string `json:"endpoint"`
	Weight   int64  `json:"weight"`
	Requests int64  `json:"requests"`
}

// heavy are the callers with the most weight in this minute and the last one.
func (l *ledger) heavy(at time.Time, most int) []Caller {
	sum := make(map[caller]callerUse)
	minute := at.Unix() / 60
	for _, m := range l.minutes {
		if m.minute < minute-1 {
			continue
		}
		for who, use := range m.callers {
			total := sum[who]
			total.weight += use.weight
			total.requests += use.requests
			sum[who] = total
		}
	}
	heavy := make([]Caller, 0, len(sum))
	for who, use := range sum {
		heavy = append(heavy, Caller{who.client, who.endpoint, use.weight, use.requests})
	}
	slices.SortFunc(heavy, func(a, b Caller) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Client, b.Client), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return heavy[:min(len(heavy), most)]
}
