package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/journal"
)

const (
	// maxOpen bounds the findings that are open in one dataset, and maxClosed
	// those that are remembered after it.
	maxOpen   = 10_000
	maxClosed = 1_000
)

// Record is a finding and what became of it.
type Record struct {
	ID string `json:"id"`
	Finding
	OpenedAt time.Time `json:"openedAt"`
	ClosedAt time.Time `json:"closedAt,omitzero"` // Zero while it is open.
	// CheckedAt is when it was last looked for.
	CheckedAt time.Time `json:"checkedAt"`
	// Confirmed says that the exchange was asked.
	Confirmed bool `json:"confirmed"`
	// Plan are the requests that would fetch what is missing.
	Plan *Plan `json:"plan,omitempty"`
	// Handover is how the plan was handed to who repairs, nil if it was not.
	Handover *Handover `json:"handover,omitempty"`
}

func (r *Record) open() bool { return r.ClosedAt.IsZero() }

// ours says that the platform should do something about it.
func (r *Record) ours() bool { return r.open() && r.Cause != Exchange }

// rechecked says that it is looked for again by itself. What the exchange refused
// to show is asked for again with the next comparison.
func (r *Record) rechecked() bool { return r.ours() && !(r.Kind == Unchecked && r.Confirmed) }

func idOf(f *Finding) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%+v|%v|%s|%s|%d", f.Series, f.Symbols, f.Kind, f.Fields, f.From.UnixMicro())
	switch {
	case f.LastID != 0:
		fmt.Fprintf(h, "|%d", f.FirstID)
	case f.Series.Dataset != Klines && f.Kind != WrongSum: // Two rows may share a time.
		h.Write([]byte(f.Evidence))
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// book holds the findings of one dataset. Its owner locks it.
type book struct {
	prefix  string // of keys in the journal
	records map[string]*Record
	dropped int64
	changes []journal.Change // that are not on disk yet
}

func (b *book) save(r *Record) {
	change, err := journal.Set(b.prefix+r.ID, r)
	if err == nil { // A record encodes always.
		b.changes = append(b.changes, change)
	}
}

func (b *book) load(value json.RawMessage) error {
	r := &Record{}
	if err := json.Unmarshal(value, r); err != nil {
		return err
	}
	b.records[r.ID] = r
	return nil
}

// add opens findings, or makes longer the ones that they go on from. It returns
// those that are new or longer.
func (b *book) add(now time.Time, findings []Finding) []*Record {
	var news []*Record
	for _, f := range findings {
		if r := b.records[idOf(&f)]; r != nil && r.open() {
			r.CheckedAt = now
			continue
		}
		if r := b.before(&f); r != nil {
			r.To, r.LastID, r.Count, r.CheckedAt, r.Confirmed = f.To, f.LastID, r.Count+f.Count, now, false
			b.save(r)
			news = append(news, r)
			continue
		}
		if b.count() >= maxOpen {
			b.dropped++
			continue
		}
		r := &Record{ID: idOf(&f), Finding: f, OpenedAt: now, CheckedAt: now}
		b.records[r.ID] = r
		b.save(r)
		news = append(news, r)
	}
	return news
}

// before returns an open finding that f goes on from.
func (b *book) before(f *Finding) *Record {
	if f.Series.Dataset != Klines && f.LastID == 0 {
		return nil
	}
	for _, r := range b.records {
		if r.open() && r.Kind == f.Kind && r.Cause == f.Cause && r.Series == f.Series && r.goesOn(f) &&
			slices.Equal(r.Symbols, f.Symbols) && slices.Equal(r.Fields, f.Fields) {
			return r
		}
	}
	return nil
}

// goesOn says that f begins where r ends: by its time or, where rows have ids that
// leave none out, by those.
func (r *Record) goesOn(f *Finding) bool {
	if f.LastID != 0 {
		return r.LastID != 0 && r.LastID+1 == f.FirstID
	}
	return r.To.Equal(f.From)
}

// holdsIDs says whether all ids of a finding are known to be missing.
func (b *book) holdsIDs(f *Finding) bool {
	var list []idRun
	for _, r := range b.records {
		if r.open() && r.Kind == Missing && r.LastID != 0 && r.Series == f.Series {
			list = append(list, idRun{first: r.FirstID, last: r.LastID})
		}
	}
	return len(lacking(list, f.FirstID, f.LastID)) == 0
}

func (b *book) count() (n int) {
	for _, r := range b.records {
		if r.open() {
			n++
		}
	}
	return n
}

func (b *book) close(now time.Time, r *Record) {
	r.ClosedAt, r.CheckedAt = now, now
	b.save(r)
	if len(b.records)-b.count() <= maxClosed {
		return
	}
	var oldest *Record
	for _, r := range b.records {
		if !r.open() && (oldest == nil || r.ClosedAt.Before(oldest.ClosedAt)) {
			oldest = r
		}
	}
	delete(b.records, oldest.ID)
	b.changes = append(b.changes, journal.Change{Key: b.prefix + oldest.ID})
}

// due returns open findings to look at again, those first that have waited
// longest.
func (b *book) due(now time.Time, most int) []*Record {
	var list []*Record
	for _, r := range b.records {
		if r.rechecked() && now.Sub(r.CheckedAt) >= r.recheckAfter(now) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *Record) int { return a.CheckedAt.Compare(b.CheckedAt) })
	return list[:min(most, len(list))]
}

// recheckAfter looks often at what is new or being mended, and seldom at what
// nobody repairs.
func (r *Record) recheckAfter(now time.Time) time.Duration {
	since := r.OpenedAt
	if r.Handover != nil && r.Handover.TakenAt.After(since) {
		since = r.Handover.TakenAt
	}
	least := 5 * time.Second
	switch {
	case r.Kind == WrongSum:
		least = 5 * time.Minute // It takes a day's rows.
	case r.LastID != 0 && r.To.Sub(r.From) > time.Hour:
		least = 5 * time.Minute // It takes an hour's rows.
	case r.Confirmed && r.Series.Account != "":
		least = 30 * time.Second // A page of incomes weighs 30.
	}
	return min(max(now.Sub(since)/10, least), time.Hour)
}

func sortRecords(list []Record) {
	slices.SortFunc(list, func(a, b Record) int {
		if a.open() != b.open() {
			if a.open() {
				return -1
			}
			return 1
		}
		return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), a.From.Compare(b.From), cmp.Compare(a.ID, b.ID))
	})
}
