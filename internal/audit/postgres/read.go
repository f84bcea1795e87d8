package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// Klines implements [audit.Rows]. Rows whose time is in another unit than the
// table's are given in their true place.
func (t *Table) Klines(ctx context.Context, s audit.Series, from, to time.Time, each func(k *audit.Kline, wrongUnit bool)) error {
	setters, err := t.klineSetters()
	if err != nil {
		return err
	}
	parse := t.klineParser(setters)
	strays, err := strayRows(ctx, t, s, from, to, parse, func(k *audit.Kline) *int64 { return &k.OpenTime })
	if err != nil {
		return err
	}
	var k audit.Kline // One for all rows: it is valid during the call only.
	err = t.pages(ctx, s, from, to, func(raw [][]byte, at int64) {
		k = parse(raw)
		for len(strays) > 0 && strays[0].OpenTime <= at {
			each(&strays[0], true)
			strays = strays[1:]
		}
		each(&k, false)
	})
	for i := range strays {
		if err == nil {
			each(&strays[i], true)
		}
	}
	return err
}

func (t *Table) klineParser(setters []setter[audit.Kline]) func(raw [][]byte) audit.Kline {
	return func(raw [][]byte) (k audit.Kline) {
		for i, set := range setters {
			if err := set(&k, raw[i]); err != nil && k.Broken == "" {
				k.Broken = t.columns[t.fields[i]].name + " " + err.Error()
			}
		}
		return k
	}
}

// Entries implements [audit.Rows].
func (t *Table) Entries(ctx context.Context, s audit.Series, from, to time.Time, each func(e *audit.Entry)) error {
	setters, err := t.entrySetters()
	if err != nil {
		return err
	}
	_, ranged := t.columns["last_id"]
	parse := func(raw [][]byte) (e audit.Entry) {
		e.HasRange = ranged
		for i, set := range setters {
			if err := set(&e, raw[i]); err != nil && e.Broken == "" {
				e.Broken = t.columns[t.fields[i]].name + " " + err.Error()
			}
		}
		return e
	}
	strays, err := strayRows(ctx, t, s, from, to, parse, func(e *audit.Entry) *int64 { return &e.Time })
	if err != nil {
		return err
	}
	var e audit.Entry
	err = t.pages(ctx, s, from, to, func(raw [][]byte, at int64) {
		e = parse(raw)
		for len(strays) > 0 && strays[0].Time <= at {
			each(&strays[0])
			strays = strays[1:]
		}
		each(&e)
	})
	for i := range strays {
		if err == nil {
			each(&strays[i])
		}
	}
	return err
}

// pages calls each for the rows of a range, and gives the connection back between
// pages. The next page begins with the time that the last one ended with, and
// leaves out as many rows as were seen of it: rows may share a time.
func (t *Table) pages(ctx context.Context, s audit.Series, from, to time.Time, each func(raw [][]byte, at int64)) error {
	sql, args := t.pageSQL(s)
	from, to = bounds(from, to)
	timeAt := slices.Index(t.fields, t.shape.time)
	oid := t.columns[t.shape.time].oid
	seen := 0 // rows of the time from
	for {
		n, last, lastCount := 0, from.UnixMicro(), 0
		sofar := seen
		err := t.db.with(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			rows, err := conn.Query(ctx, fmt.Sprintf("%s OFFSET %d", sql, sofar), append(slices.Clone(args), t.stored(from), t.stored(to))...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				raw := rows.RawValues()
				at, _, err := decodeTime(oid, raw[timeAt])
				if err != nil {
					return fmt.Errorf("column %s %w", t.columns[t.shape.time].name, err)
				}
				n++
				if at != last {
					last, lastCount = at, 0
				}
				lastCount++
				each(raw, at)
			}
			return rows.Err()
		})
		if err != nil || n < pageRows {
			return err
		}
		if last == from.UnixMicro() {
			lastCount += sofar
		}
		from, seen = time.UnixMicro(last).UTC(), lastCount
	}
}

// strayRows returns the rows whose time is in no century of the exchange's, by
// the time that they must mean, if that is in the range.
func strayRows[T any](ctx context.Context, t *Table, s audit.Series, from, to time.Time, parse func([][]byte) T, timeOf func(*T) *int64) ([]T, error) {
	where, args := t.where(s)
	at := t.quoted(t.shape.time)
	low, high := len(args)+1, len(args)+2
	half := fmt.Sprintf("(SELECT %s FROM %s WHERE %s AND %s", t.selection(), quote(t.mapping.Table), where, at)
	sql := fmt.Sprintf("%s < $%d%s LIMIT %d) UNION ALL %s >= $%d%s LIMIT %d)", half, low, t.cast(), maxStrays, half, high, t.cast(), maxStrays)
	if !t.columns[t.shape.time].notNull {
		sql = fmt.Sprintf("%s UNION ALL %s IS NULL LIMIT 1)", sql, half)
	}
	timeAt := slices.Index(t.fields, t.shape.time)
	oid := t.columns[t.shape.time].oid
	var strays []T
	err := t.db.with(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, sql, append(args, t.stored(dawn), t.stored(dusk))...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			raw := rows.RawValues()
			if raw[timeAt] == nil {
				return fmt.Errorf("table %s, %s: column %s is NULL in some rows, nobody knows which are missing; give them a time, or make the column NOT NULL",
					t.mapping.Table, s, t.columns[t.shape.time].name)
			}
			us, err := strayTime(oid, raw[timeAt])
			if err != nil {
				return fmt.Errorf("table %s, %s: column %s: %w", t.mapping.Table, s, t.columns[t.shape.time].name, err)
			}
			if us < from.UnixMicro() || !to.IsZero() && us >= to.UnixMicro() {
				continue
			}
			row := parse(raw)
			*timeOf(&row) = us
			strays = append(strays, row)
		}
		return rows.Err()
	})
	slices.SortStableFunc(strays, func(a, b T) int { return cmp.Compare(*timeOf(&a), *timeOf(&b)) })
	return strays, err
}

// strayTime finds what a time means that is in another unit. A clock that was set
// with milliseconds for seconds is in the year 50000 or later.
func strayTime(oid uint32, raw []byte) (int64, error) {
	us, _, err := decodeTime(oid, raw)
	if err != nil || !isClock(oid) {
		return us, err
	}
	if at, _, err := audit.Micros(us / 1e6); err == nil {
		return at, nil
	}
	at, _, err := audit.Micros(us)
	return at, err
}

type setter[T any] func(row *T, raw []byte) error

func (t *Table) klineSetters() ([]setter[audit.Kline], error) {
	decimals := map[string]struct {
		at  func(k *audit.Kline) *audit.Decimal
		has audit.Columns
	}{
		"open":         {func(k *audit.Kline) *audit.Decimal { return &k.Open }, 0},
		"high":         {func(k *audit.Kline) *audit.Decimal { return &k.High }, 0},
		"low":          {func(k *audit.Kline) *audit.Decimal { return &k.Low }, 0},
		"close":        {func(k *audit.Kline) *audit.Decimal { return &k.Close }, 0},
		"volume":       {func(k *audit.Kline) *audit.Decimal { return &k.Volume }, 0},
		"quote_volume": {func(k *audit.Kline) *audit.Decimal { return &k.QuoteVolume }, audit.HasQuoteVolume},
		"taker_base":   {func(k *audit.Kline) *audit.Decimal { return &k.TakerBase }, audit.HasTakerBase},
		"taker_quote":  {func(k *audit.Kline) *audit.Decimal { return &k.TakerQuote }, audit.HasTakerQuote},
	}
	var setters []setter[audit.Kline]
	for _, field := range t.fields {
		oid := t.columns[field].oid
		var set setter[audit.Kline]
		switch d, ok := decimals[field]; {
		case ok:
			set = func(k *audit.Kline, raw []byte) (err error) {
				if raw == nil {
					return optional(d.has != 0)
				}
				k.Has |= d.has
				*d.at(k), err = decodeDecimal(oid, raw)
				return err
			}
		case field == "trades":
			set = func(k *audit.Kline, raw []byte) (err error) {
				if raw == nil {
					return nil
				}
				k.Has |= audit.HasTrades
				k.Trades, err = decodeInt(oid, raw)
				return err
			}
		case field == "first_id" || field == "last_id":
			at := func(k *audit.Kline) *int64 { return &k.FirstID }
			if field == "last_id" {
				at = func(k *audit.Kline) *int64 { return &k.LastID }
			}
			set = func(k *audit.Kline, raw []byte) (err error) {
				k.Has |= audit.HasTradeIDs
				if *at(k) = -1; raw != nil {
					*at(k), err = decodeInt(oid, raw)
				}
				return err
			}
		default:
			at := map[string]func(k *audit.Kline) *int64{
				"open_time":  func(k *audit.Kline) *int64 { return &k.OpenTime },
				"close_time": func(k *audit.Kline) *int64 { return &k.CloseTime },
				fieldCreated: func(k *audit.Kline) *int64 { return &k.CreatedAt },
			}[field]
			set = timeSetter(oid, field != "open_time", at)
		}
		setters = append(setters, set)
	}
	return setters, t.readable()
}

func (t *Table) entrySetters() ([]setter[audit.Entry], error) {
	amounts := audit.AmountsOf(t.origin.Dataset)
	var setters []setter[audit.Entry]
	for _, field := range t.fields {
		oid := t.columns[field].oid
		var set setter[audit.Entry]
		switch i := slices.Index(amounts, field); {
		case i >= 0:
			required := slices.Contains(t.shape.required, field)
			set = func(e *audit.Entry, raw []byte) (err error) {
				if raw == nil {
					return optional(!required)
				}
				e.Known |= 1 << i
				e.Amounts[i], err = decodeDecimal(oid, raw)
				return err
			}
		case field == fieldType:
			set = func(e *audit.Entry, raw []byte) error {
				e.Type = string(raw)
				return nil
			}
		case field == "asset" || field == "commission_asset":
			set = func(e *audit.Entry, raw []byte) error {
				e.Asset = string(raw)
				return nil
			}
		case field == fieldID || field == "first_id" || field == "last_id":
			at := map[string]func(e *audit.Entry) *int64{
				fieldID:    func(e *audit.Entry) *int64 { return &e.ID },
				"first_id": func(e *audit.Entry) *int64 { return &e.FirstID },
				"last_id":  func(e *audit.Entry) *int64 { return &e.LastID },
			}[field]
			set = func(e *audit.Entry, raw []byte) (err error) {
				if raw == nil {
					return errNull
				}
				*at(e), err = decodeInt(oid, raw)
				return err
			}
		default:
			at := func(e *audit.Entry) *int64 { return &e.Time }
			if field == fieldCreated {
				at = func(e *audit.Entry) *int64 { return &e.CreatedAt }
			}
			set = timeSetter(oid, field == fieldCreated, at)
		}
		setters = append(setters, set)
	}
	return setters, t.readable()
}

func optional(yes bool) error {
	if yes {
		return nil
	}
	return errNull
}

func timeSetter[T any](oid uint32, mayBeNull bool, at func(*T) *int64) setter[T] {
	return func(row *T, raw []byte) (err error) {
		if raw == nil {
			return optional(mayBeNull)
		}
		*at(row), _, err = decodeTime(oid, raw)
		return err
	}
}

var errUnreadable = errors.New("cannot be read; use numeric, double precision, an integer or text for numbers, a timestamp or bigint for times")

// readable refuses types that no row of which could be read.
func (t *Table) readable() error {
	for _, field := range t.fields {
		c := t.columns[field]
		switch c.oid {
		case pgtype.NumericOID, pgtype.Float8OID, pgtype.Float4OID, pgtype.Int8OID, pgtype.Int4OID, pgtype.Int2OID,
			pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.TimestamptzOID, pgtype.TimestampOID, pgtype.DateOID:
		default:
			if field != fieldType && field != "asset" && field != "commission_asset" {
				return fmt.Errorf("table %s: column %s of type %s %w", t.mapping.Table, c.name, c.typ, errUnreadable)
			}
		}
	}
	return nil
}
