package exchangesim

// The book is a function of the time, in steps of 100 ms: levels at multiples of a
// grid around the price, each with a quantity that changes now and then. What
// changed between two steps is an update; updates on a snapshot give the next one.
const (
	bookStep = 100
	// bookLevels are on each side.
	bookLevels = 1000
	// bookIDs are the update numbers of a step.
	bookIDs = 10
)

// level is a price and what is offered there, 0 for nothing.
type level struct{ price, qty int64 }

// book is the state of a step.
type book struct {
	step int64
	grid int64
	best int64 // The best bid; the best ask is one grid above.
}

// bookAt is the book at a real time.
func (s *symbol) bookAt(at int64) book { return s.bookOf(s.tape.logical(at) / bookStep) }

func (s *symbol) bookOf(step int64) book {
	price := s.tape.priceAt(step * bookStep)
	grid := max(1, s.tape.base/50_000)
	return book{step: step, grid: grid, best: price - price%grid}
}

func (b book) lastID() int64 { return b.step * bookIDs }

// qty is what a price offers in a step.
func (s *symbol) levelQty(price, step int64) int64 {
	const period = 64
	phase := int64(s.tape.hash(price, 5) % period)
	return 1 + int64(s.tape.hash(price^((step+phase)/period)<<24, 6)%uint64(20*s.tape.size))
}

func (s *symbol) bids(b book, n int) []level {
	levels := make([]level, 0, n)
	for p := b.best; p > 0 && len(levels) < n; p -= b.grid {
		levels = append(levels, level{p, s.levelQty(p, b.step)})
	}
	return levels
}

func (s *symbol) asks(b book, n int) []level {
	levels := make([]level, n)
	for i := range levels {
		p := b.best + int64(i+1)*b.grid
		levels[i] = level{p, s.levelQty(p, b.step)}
	}
	return levels
}

// bookChanges are the levels that differ between two steps.
func (s *symbol) bookChanges(from, to book) (bids, asks []level) {
	return changes(s.bids(from, bookLevels), s.bids(to, bookLevels)), changes(s.asks(from, bookLevels), s.asks(to, bookLevels))
}

func changes(from, to []level) []level {
	was := make(map[int64]int64, len(from))
	for _, l := range from {
		was[l.price] = l.qty
	}
	var changed []level
	for _, l := range to {
		if was[l.price] != l.qty {
			changed = append(changed, l)
		}
		delete(was, l.price)
	}
	for _, l := range from {
		if _, gone := was[l.price]; gone {
			changed = append(changed, level{price: l.price})
		}
	}
	return changed
}

// levels writes levels as the exchange does.
func (s *symbol) levels(all []level) [][2]string {
	out := make([][2]string, len(all))
	for i, l := range all {
		out[i] = [2]string{s.price(l.price), s.qty(l.qty)}
	}
	return out
}
