package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

const (
	// digestBars is how many bars one aggregate judges: 30 days of minutes, some
	// 40 ms of work.
	digestBars = 43_200
	// pieceBars is how many are read if one of them may be wrong: a day of minutes.
	pieceBars = 1_440
	// dateBinVersion is the first server version that has date_bin.
	dateBinVersion = 140_000
)

var _ audit.Digester = (*Table)(nil)

// Extent implements [audit.Digester].
func (t *Table) Extent(ctx context.Context, s audit.Series, from, to time.Time) (e audit.Extent, ok bool, err error) {
	if _, ok := t.soundSQL(audit.Stretch{Step: time.Minute}); !ok {
		return e, false, nil
	}
	setters, err := t.klineSetters()
	if err != nil {
		return e, false, err
	}
	strays, err := strayRows(ctx, t, s, from, to, t.klineParser(setters), func(k *audit.Kline) *int64 { return &k.OpenTime })
	if err != nil {
		return e, false, err
	}
	for _, k := range strays {
		e.Strays = append(e.Strays, k.OpenTime)
	}
	e.Chunk, e.Piece = t.chunk.Load(), t.piece
	from, to = bounds(from, to)
	where, args := t.where(s)
	at := t.quoted(t.shape.time)
	sql := fmt.Sprintf("SELECT min(%[1]s), max(%[1]s) FROM %[2]s WHERE %[3]s AND %[1]s >= $%[4]d%[6]s AND %[1]s < $%[5]d%[6]s",
		at, quote(t.mapping.Table), where, len(args)+1, len(args)+2, t.cast())
	err = t.row(ctx, sql, append(args, t.stored(from), t.stored(to)), func(raw [][]byte) error {
		oid := t.columns[t.shape.time].oid
		if raw[0] == nil || raw[1] == nil {
			return nil
		}
		if e.First, _, err = decodeTime(oid, raw[0]); err != nil {
			return err
		}
		e.Last, _, err = decodeTime(oid, raw[1])
		return err
	})
	return e, true, err
}

// Digest implements [audit.Digester] with one aggregate over an index.
func (t *Table) Digest(ctx context.Context, s audit.Series, q audit.Stretch) (d audit.Digest, err error) {
	chunk := t.chunk.Load()
	sound, ok := t.soundSQL(q)
	if !ok {
		return d, fmt.Errorf("table %s: its columns cannot be judged by the server", t.mapping.Table)
	}
	at, closes, traded := t.quoted(t.shape.time), "NULL", "TRUE"
	if _, ok := t.columns["close_time"]; ok {
		closes = t.quoted("close_time")
	}
	if _, ok := t.columns["trades"]; ok {
		traded = t.quoted("trades") + " <> 0 IS NOT FALSE"
	}
	from, to := bounds(q.From, q.To)
	where, args := t.where(s)
	// A unique index would spare the count of distinct times, but not every table
	// has one, and it is a tenth of the work.
	sql := fmt.Sprintf(`SELECT count(*), count(*) FILTER (WHERE %[6]s), count(DISTINCT %[1]s), count(%[7]s), min(%[1]s), max(%[1]s), max(%[7]s),
			max(%[1]s) FILTER (WHERE %[8]s)
		FROM %[2]s WHERE %[3]s AND %[1]s >= $%[4]d%[9]s AND %[1]s < $%[5]d%[9]s`,
		at, quote(t.mapping.Table), where, len(args)+1, len(args)+2, sound, closes, traded, t.cast())
	err = t.row(ctx, sql, append(args, t.stored(from), t.stored(to)), func(raw [][]byte) error {
		var counts [4]int64
		for i := range counts {
			if counts[i], err = decodeInt(pgtype.Int8OID, raw[i]); err != nil {
				return err
			}
		}
		closed := counts[3]
		d.Rows, d.Sound = counts[0], counts[1] == counts[0] && counts[2] == counts[0] && (closed == 0 || closed == counts[0])
		if d.Rows == 0 || !d.Sound {
			return nil
		}
		oid := t.columns[t.shape.time].oid
		times := []struct {
			to  *int64
			oid uint32
			raw []byte
		}{{&d.First, oid, raw[4]}, {&d.Last, oid, raw[5]}, {&d.LastClose, t.columns["close_time"].oid, raw[6]}, {&d.LastTraded, oid, raw[7]}}
		for _, c := range times {
			if c.raw == nil {
				continue
			}
			if *c.to, _, err = decodeTime(c.oid, c.raw); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errSlow) && ctx.Err() == nil {
		// A server whose disks are slow may take long for a chunk, and not for a
		// piece of it. What is not called sound is looked at in pieces.
		t.chunk.CompareAndSwap(chunk, max(t.piece, chunk/4))
		return audit.Digest{Rows: 1}, nil
	}
	return d, err
}

// row calls do with the row of an aggregate.
func (t *Table) row(ctx context.Context, sql string, args []any, do func(raw [][]byte) error) error {
	return t.db.with(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		if rows.Next() {
			if err := do(rows.RawValues()); err != nil {
				return fmt.Errorf("table %s: %w", t.mapping.Table, err)
			}
		}
		return rows.Err()
	})
}

// bounds puts times into the time of the exchange.
func bounds(from, to time.Time) (time.Time, time.Time) {
	if from.Before(dawn) {
		from = dawn
	}
	if to.IsZero() || to.After(dusk) {
		to = dusk
	}
	return from, to
}

// decimalFields are the fields of a bar that are decimals.
var decimalFields = []string{"open", "high", "low", "close", "volume", "quote_volume", "taker_base", "taker_quote"}

// soundSQL is a condition that is TRUE only for bars in which [audit.KlineCheck]
// finds nothing. It may be FALSE or NULL for sound ones too: those are read. ok
// is false for columns of which nothing can be said in SQL for sure, as texts.
//
// For example, a price of NaN is no less than any other for PostgreSQL; it fails
// the bound of high.
func (t *Table) soundSQL(q audit.Stretch) (sql string, ok bool) {
	if t.origin.Dataset != audit.Klines {
		return "", false
	}
	if _, ok := t.columns["first_id"]; ok {
		return "", false // Each bar's follow those of the one before.
	}
	floats := 0
	var terms, decimals []string
	for _, field := range decimalFields {
		c, ok := t.columns[field]
		if !ok {
			continue
		}
		decimals = append(decimals, field)
		switch c.oid {
		case pgtype.NumericOID:
			if !shortScale(c.typ) {
				terms = append(terms, fmt.Sprintf("scale(%s) <= 12 IS NOT FALSE", t.quoted(field))) // What audit.Decimal can hold.
			}
		case pgtype.Int8OID, pgtype.Int4OID, pgtype.Int2OID:
		case pgtype.Float8OID:
			floats++
		default:
			return "", false
		}
	}
	if floats > 0 && floats < len(decimals) {
		return "", false // PostgreSQL would compare rounded values.
	}
	times, ok := t.soundTimes(q)
	if !ok {
		return "", false
	}
	most, traded := notAbove, "> 0"
	if floats > 0 {
		most, traded = floatNotAbove, ">= 1e-8"
	}
	name := func(field string) string { return t.quoted(field) }
	// What cannot be negative because something below it is not, is not asked.
	terms = append(times, append(terms,
		most(name("low"), name("open")), most(name("low"), name("close")), most(name("open"), name("high")), most(name("close"), name("high")),
		name("low")+" >= 0", name("high")+" < 1e20", name("volume")+" >= 0", name("volume")+" < 1e20")...)
	has := func(field string) bool { return slices.Contains(decimals, field) }
	for _, field := range []string{"quote_volume", "taker_base", "taker_quote"} {
		if has(field) {
			terms = append(terms, fmt.Sprintf("(%[1]s >= 0 AND %[1]s < 1e20) IS NOT FALSE", name(field)))
		}
	}
	if has("taker_base") {
		terms = append(terms, most(name("taker_base"), name("volume"))+" IS NOT FALSE")
	}
	if has("taker_quote") && has("quote_volume") {
		terms = append(terms, most(name("taker_quote"), name("quote_volume"))+" IS NOT FALSE")
	}
	if c, ok := t.columns["trades"]; ok {
		switch c.oid {
		case pgtype.Int8OID, pgtype.Int4OID, pgtype.Int2OID:
		default:
			return "", false
		}
		terms = append(terms, fmt.Sprintf("(%[1]s IS NULL OR %[1]s > 0 AND %[2]s %[3]s OR %[1]s = 0 AND %[2]s = 0 AND %[4]s = %[5]s)",
			name("trades"), name("volume"), traded, name("high"), name("low")))
	}
	return strings.Join(terms, " AND "), true
}

var numericScale = regexp.MustCompile(`^numeric\(\d+,(-?\d+)\)$`)

// shortScale reports whether a type keeps its values within the decimals that
// audit.Decimal has.
func shortScale(typ string) bool {
	m := numericScale.FindStringSubmatch(typ)
	if m == nil {
		return false
	}
	n, err := strconv.Atoi(m[1])
	return err == nil && n >= 0 && n <= 12
}

func notAbove(a, b string) string { return a + " <= " + b }

// floatNotAbove compares as decodeFloat reads: it rounds numbers of more than 12
// decimals to 8, which could turn two around that are closer than that. The
// text of a float is its shortest, as Go's.
func floatNotAbove(a, b string) string {
	const decimals = "scale(%s::text::numeric) <= 12"
	return fmt.Sprintf("(%[1]s = %[2]s OR %[1]s + 1e-8 <= %[2]s OR (%[1]s < %[2]s AND "+decimals+" AND "+decimals+"))", a, b, a, b)
}

// soundTimes are the conditions of a bar's times.
func (t *Table) soundTimes(q audit.Stretch) (terms []string, ok bool) {
	c := t.columns[t.shape.time]
	at := t.quoted(t.shape.time)
	step, lateAfter := q.Step.Microseconds(), (q.Step + q.LateAfter).Microseconds()
	if isClock(c.oid) {
		if c.oid == pgtype.DateOID || t.db.version.Load() < dateBinVersion {
			return nil, false
		}
		terms = append(terms, fmt.Sprintf("%[1]s = date_bin('%[2]d microseconds', %[1]s, '1970-01-01Z'::%[4]s + interval '%[3]d microseconds')",
			at, step, q.Offset.Microseconds(), c.typ))
	} else {
		unit := map[audit.Unit]int64{audit.Seconds: 1e6, audit.Milliseconds: 1e3, audit.Microseconds: 1}[t.unit]
		if unit == 0 || step%unit != 0 {
			return nil, false // Nanoseconds lose their last digits when they are read.
		}
		terms = append(terms, fmt.Sprintf("(%s::bigint - %d) %% %d = 0", at, q.Offset.Microseconds()/unit, step/unit))
		at, step, lateAfter = at+"::bigint", step/unit, lateAfter/unit
	}
	for _, field := range []string{"close_time", fieldCreated} {
		other, mapped := t.columns[field]
		if !mapped {
			continue
		}
		name := t.quoted(field)
		alike := isClock(other.oid) == isClock(c.oid)
		switch {
		case other.oid == pgtype.DateOID, !isClock(other.oid) && other.oid != pgtype.Int8OID && other.oid != pgtype.Int4OID:
			return nil, false
		case field == "close_time" && !alike:
			return nil, false
		case field == "close_time" && isClock(c.oid):
			terms = append(terms, fmt.Sprintf("(%[1]s >= %[2]s AND %[1]s < %[2]s + interval '%[3]d microseconds') IS NOT FALSE", name, at, step))
		case field == "close_time":
			terms = append(terms, fmt.Sprintf("(%[1]s >= %[2]s AND %[1]s < %[2]s + %[3]d) IS NOT FALSE", name, at, step))
		case isClock(other.oid):
			terms = append(terms, fmt.Sprintf("isfinite(%s) IS NOT FALSE", name))
		default: // In the unit of the open time, or it is read.
			terms = append(terms, fmt.Sprintf("(%[1]s >= %[2]v AND %[1]s < %[3]v) IS NOT FALSE", name, t.stored(dawn), t.stored(dusk)))
		}
		if field != fieldCreated || q.LateAfter <= 0 {
			continue
		}
		switch {
		case !alike && !isClock(other.oid):
			return nil, false
		case !alike:
			// A float may be off by a microsecond: what is close is read.
			perSecond := map[audit.Unit]int64{audit.Seconds: 1, audit.Milliseconds: 1e3, audit.Microseconds: 1e6}[t.unit]
			terms = append(terms, fmt.Sprintf("%s < to_timestamp((%s + %d)::float8 / %d) - interval '1 millisecond' IS NOT FALSE", name, at, lateAfter, perSecond))
		case isClock(c.oid):
			terms = append(terms, fmt.Sprintf("(%s <= %s + interval '%d microseconds') IS NOT FALSE", name, at, lateAfter))
		default:
			terms = append(terms, fmt.Sprintf("(%s <= %s + %d) IS NOT FALSE", name, at, lateAfter))
		}
	}
	return terms, true
}
