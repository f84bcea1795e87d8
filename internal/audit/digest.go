package audit

import (
	"context"
	"slices"
	"time"
)

// Digester is [Rows] that can judge bars where they are stored, without handing
// over each. It may only call bars sound that [KlineCheck] would find nothing in;
// the others are read.
type Digester interface {
	Rows
	// Extent says where the bars of s that open in [from, to) are; zero times are
	// no bounds. ok is false if they cannot be digested and all have to be read.
	Extent(ctx context.Context, s Series, from, to time.Time) (e Extent, ok bool, err error)
	// Digest judges a stretch of bars together.
	Digest(ctx context.Context, s Series, q Stretch) (Digest, error)
}

// Extent is where rows are. Times are in microseconds since the epoch.
type Extent struct {
	// First and Last are the earliest and latest open time; both are 0 if there
	// are no rows.
	First, Last int64
	// Strays are the times that is meant by rows in a wrong unit.
	Strays []int64
	// Chunk is how many bars to digest at once, Piece how many if something is
	// wrong among them; when it still is, the piece is read.
	Chunk, Piece int64
}

// Stretch is bars to be judged together: those that open in [From, To).
type Stretch struct {
	From, To time.Time
	// Each bar begins at a multiple of Step from Offset after the epoch.
	Step, Offset time.Duration
	// LateAfter is that of [KlineCheck].
	LateAfter time.Duration
}

// Digest is what is known of the bars of a stretch. Times are in microseconds
// since the epoch.
type Digest struct {
	Rows int64
	// Sound says that each row has an open time of its own, on the grid, and that
	// none has a flaw by itself or came late. What follows is known only then.
	Sound bool
	// First and Last are the earliest and latest open time.
	First, Last int64
	// LastClose is the close time of the last bar, 0 if no bar says.
	LastClose int64
	// LastTraded is the open time of the last bar that is not known to be without
	// a trade, 0 if there is none.
	LastTraded int64
}

// Read checks the bars of the series that open in [from, to). What rows can judge
// where it is stored is not read.
//
// For example, of a year of minutes with a hole, eleven chunks of a month are
// sound; the twelfth is digested again in days, and one day is read.
func (c *KlineCheck) Read(ctx context.Context, rows Rows, from, to time.Time) error {
	d, ok := rows.(Digester)
	if !ok || c.calendar.step == 0 || c.calendar.free {
		return rows.Klines(ctx, c.series, from, to, c.Add)
	}
	e, ok, err := d.Extent(ctx, c.series, from, to)
	if err != nil {
		return err
	}
	if !ok || e.First == 0 || c.calendar.count(e.First, e.Last) <= e.Piece {
		return rows.Klines(ctx, c.series, from, to, c.Add)
	}
	slices.Sort(e.Strays)
	first, last := e.First, e.Last
	if len(e.Strays) > 0 {
		first, last = min(first, e.Strays[0]), max(last, e.Strays[len(e.Strays)-1])
	}
	r := reading{check: c, rows: d, extent: e, from: from, to: to}
	end := c.calendar.next(c.slot(last))
	for low := c.slot(first); low < end; low += e.Chunk * c.calendar.step {
		if err := r.stretch(ctx, low, min(low+e.Chunk*c.calendar.step, end)); err != nil {
			return err
		}
	}
	return nil
}

// reading is one [KlineCheck.Read].
type reading struct {
	check    *KlineCheck
	rows     Digester
	extent   Extent
	from, to time.Time
}

// stretch checks the bars from low to high, which are on the grid.
func (r *reading) stretch(ctx context.Context, low, high int64) error {
	c := r.check
	from, to := micro(low), micro(high)
	if from.Before(r.from) {
		from = r.from
	}
	if !r.to.IsZero() && to.After(r.to) {
		to = r.to
	}
	i, _ := slices.BinarySearch(r.extent.Strays, low)
	if i == len(r.extent.Strays) || r.extent.Strays[i] >= high {
		g, err := r.rows.Digest(ctx, c.series, Stretch{
			From: from, To: to, LateAfter: c.LateAfter,
			Step: time.Duration(c.calendar.step) * time.Microsecond, Offset: time.Duration(c.calendar.offset) * time.Microsecond,
		})
		switch {
		case err != nil:
			return err
		case g.Rows == 0:
			return nil // The gap is seen by the next row.
		case g.Sound && g.First == low && g.Last == high-c.calendar.step && g.Rows == c.calendar.count(low, high):
			c.addSound(g)
			return nil
		}
	}
	piece := r.extent.Piece * c.calendar.step
	if high-low <= piece {
		return r.rows.Klines(ctx, c.series, from, to, c.Add)
	}
	for ; low < high; low += piece {
		if err := r.stretch(ctx, low, min(low+piece, high)); err != nil {
			return err
		}
	}
	return nil
}

// addSound does what [KlineCheck.Add] would for each bar of a stretch of which
// none is missing or has a finding.
func (c *KlineCheck) addSound(g Digest) {
	if c.rows == 0 {
		c.first = g.First
	} else if expected := c.calendar.next(c.last); expected < g.First {
		c.gap(expected, g.First)
	}
	c.rows += g.Rows
	c.last = g.Last
	switch {
	case g.LastTraded == g.Last:
		c.idleFrom = 0
	case g.LastTraded != 0:
		c.idleFrom = c.calendar.next(g.LastTraded)
	case c.idleFrom == 0:
		c.idleFrom = g.First
	}
	// Only its end matters to what follows: no later row is of the same bar.
	c.prev = Kline{OpenTime: g.Last, CloseTime: g.LastClose}
}
