package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

const (
	// pageRows is how many rows one query returns: some 30 ms of work, after which
	// the database has its rest.
	pageRows = 20_000
	// maxSeries bounds how many series one table may hold.
	maxSeries = 20_000
	// maxStrays bounds how many rows of one series may be outside all time.
	maxStrays = 10_000
	// unitSample is how many rows tell the unit of a time.
	unitSample = 101
)

// Table is a table that a mapping fits. It implements [audit.Rows].
type Table struct {
	db      *DB
	mapping Mapping
	shape   shape
	origin  audit.Series // Source, Dataset and Market of all series
	columns map[string]column
	fields  []string // as they are selected
	unit    audit.Unit
	// chunk and piece are those of [audit.Extent]. A chunk gets smaller if the
	// server cannot do it in time.
	chunk atomic.Int64
	piece int64
}

type column struct {
	name string
	oid  uint32
	typ  string // as SQL writes it
	// notNull: the table's definition says so.
	notNull bool
}

var _ audit.Rows = (*Table)(nil)

// Table looks at the catalog, and refuses a mapping that does not fit or that no
// index serves. Source and Market of origin become those of the series.
func (db *DB) Table(ctx context.Context, m Mapping, origin audit.Series) (*Table, error) {
	m, shape, err := m.resolve()
	if err != nil {
		return nil, err
	}
	origin.Dataset = m.Dataset
	t := &Table{db: db, mapping: m, shape: shape, origin: origin, piece: pieceBars}
	t.chunk.Store(digestBars)
	err = db.with(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if err := t.readColumns(ctx, conn); err != nil {
			return err
		}
		if err := t.findUnit(ctx, conn); err != nil {
			return err
		}
		return t.checkIndex(ctx, conn)
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Table) readColumns(ctx context.Context, conn *pgx.Conn) error {
	all, err := columnsOf(ctx, conn, t.mapping.Table)
	if err != nil {
		return err
	}
	t.columns = map[string]column{}
	var errs []error
	for _, field := range slices.Concat(t.shape.keys, t.shape.required, t.shape.optional) {
		name := t.mapping.Columns[field]
		if name == "" {
			continue
		}
		c, ok := all[name]
		if !ok {
			errs = append(errs, fmt.Errorf("table %s has no column %q for %s; it has %s", t.mapping.Table, name, field, strings.Join(slices.Sorted(maps.Keys(all)), ", ")))
			continue
		}
		t.columns[field] = c
		if !slices.Contains(t.shape.keys, field) {
			t.fields = append(t.fields, field)
		}
	}
	return errors.Join(errs...)
}

func columnsOf(ctx context.Context, conn *pgx.Conn, table string) (map[string]column, error) {
	rows, err := conn.Query(ctx, `SELECT attname, atttypid, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
		WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`, quote(table))
	if err != nil {
		return nil, err
	}
	columns := map[string]column{}
	var c column
	_, err = pgx.ForEachRow(rows, []any{&c.name, &c.oid, &c.typ, &c.notNull}, func() error {
		columns[c.name] = c
		return nil
	})
	if err == nil && len(columns) == 0 {
		err = fmt.Errorf("there is no table %s that this user can see; `hedgewatch audit --discover` lists those with exchange data", table)
	}
	return columns, err
}

// quote makes a name safe, with or without a schema.
func quote(table string) string { return pgx.Identifier(strings.Split(table, ".")).Sanitize() }

func (t *Table) quoted(field string) string { return pgx.Identifier{t.columns[field].name}.Sanitize() }

// findUnit tells the unit of times that are numbers from the rows themselves.
func (t *Table) findUnit(ctx context.Context, conn *pgx.Conn) error {
	c := t.columns[t.shape.time]
	switch {
	case c.oid == pgtype.Int8OID || c.oid == pgtype.Int4OID:
	case isClock(c.oid): // Of any precision: many frameworks make timestamp(0).
		return nil
	default:
		return fmt.Errorf("table %s: column %s is %s, which has no order of time; use a timestamp, or a bigint in s, ms or µs", t.mapping.Table, c.name, c.typ)
	}
	name := t.quoted(t.shape.time)
	rows, err := conn.Query(ctx, fmt.Sprintf("SELECT %s::bigint FROM %s WHERE %s IS NOT NULL LIMIT %d", name, quote(t.mapping.Table), name, unitSample))
	if err != nil {
		return err
	}
	count := map[audit.Unit]int{}
	var stored int64
	_, err = pgx.ForEachRow(rows, []any{&stored}, func() error {
		if _, unit, err := audit.Micros(stored); err == nil {
			count[unit]++
		}
		return nil
	})
	t.unit = audit.Milliseconds // The exchange's own, for an empty table.
	for unit, n := range count {
		if n > count[t.unit] {
			t.unit = unit
		}
	}
	return err
}

// Times of the exchange are inside; what is outside is in another unit.
var (
	dawn = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	dusk = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// stored is a time as the table has it.
func (t *Table) stored(at time.Time) any {
	switch t.unit {
	case audit.Seconds:
		return (at.UnixMicro() + 999_999) / 1e6 // Bounds go up, as a bound below a whole second does.
	case audit.Milliseconds:
		return (at.UnixMicro() + 999) / 1e3
	case audit.Microseconds:
		return at.UnixMicro()
	case audit.Nanoseconds:
		return at.UnixNano()
	}
	return at.UTC()
}

// cast is for a time in args: an integer column could not hold every bound.
func (t *Table) cast() string {
	if t.unit == "" {
		return ""
	}
	return "::bigint"
}

// where selects the rows of s; the placeholders begin at $1.
func (t *Table) where(s audit.Series) (sql string, args []any) {
	var terms []string
	for _, field := range t.shape.keys {
		c, ok := t.columns[field]
		if !ok {
			continue
		}
		args = append(args, keyOf(&s, field))
		// The cast is of the value, not of the column: an index stays usable.
		terms = append(terms, fmt.Sprintf("%s = $%d::text::%s", t.quoted(field), len(args), c.typ))
	}
	terms = append(terms, "TRUE")
	return strings.Join(terms, " AND "), args
}

func keyOf(s *audit.Series, field string) string {
	switch field {
	case fieldSymbol:
		return s.Symbol
	case fieldAccount:
		return s.Account
	}
	return string(s.Interval)
}

// pageSQL reads a page of a series, from the time that is last but one in args.
func (t *Table) pageSQL(s audit.Series) (sql string, args []any) {
	where, args := t.where(s)
	at := t.quoted(t.shape.time)
	order := at
	if _, ok := t.columns[fieldID]; ok {
		order += ", " + t.quoted(fieldID)
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s AND %s >= $%d%s AND %s < $%d%s ORDER BY %s LIMIT %d",
		t.selection(), quote(t.mapping.Table), where, at, len(args)+1, t.cast(), at, len(args)+2, t.cast(), order, pageRows), args
}

func (t *Table) selection() string {
	names := make([]string, len(t.fields))
	for i, field := range t.fields {
		names[i] = t.quoted(field)
	}
	return strings.Join(names, ", ")
}

// Series implements [audit.Rows]. It hops from key to key on the index, instead
// of reading all rows.
func (t *Table) Series(ctx context.Context) ([]audit.Series, error) {
	var keys, texts, next []string
	var fields []string
	for _, field := range t.shape.keys {
		if _, ok := t.columns[field]; ok {
			fields = append(fields, field)
			keys = append(keys, t.quoted(field))
			texts = append(texts, t.quoted(field)+"::text")
			next = append(next, "hop."+t.quoted(field))
		}
	}
	if len(keys) == 0 {
		return []audit.Series{t.series(nil, nil)}, nil
	}
	list, table := strings.Join(keys, ", "), quote(t.mapping.Table)
	sql := fmt.Sprintf(`WITH RECURSIVE hop AS (
		(SELECT %[1]s FROM %[2]s ORDER BY %[1]s LIMIT 1)
		UNION ALL
		SELECT n.* FROM hop, LATERAL (SELECT %[1]s FROM %[2]s WHERE (%[1]s) > (%[3]s) ORDER BY %[1]s LIMIT 1) n
	) SELECT %[4]s FROM hop LIMIT %[5]d`, list, table, strings.Join(next, ", "), strings.Join(texts, ", "), maxSeries+1)
	var all []audit.Series
	err := t.db.with(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if err := t.checkKeys(ctx, conn); err != nil {
			return err
		}
		rows, err := conn.Query(ctx, sql)
		if err != nil {
			return err
		}
		all = nil
		for rows.Next() {
			if raw := rows.RawValues(); !slices.ContainsFunc(raw, func(v []byte) bool { return v == nil }) {
				all = append(all, t.series(fields, raw))
			}
		}
		return rows.Err()
	})
	if len(all) > maxSeries {
		return nil, fmt.Errorf("table %s holds more than %d series; are the key columns right?", t.mapping.Table, maxSeries)
	}
	return all, err
}

func (t *Table) series(fields []string, values [][]byte) audit.Series {
	s := t.origin
	s.Symbol, s.Account, s.Interval = t.mapping.Symbol, t.mapping.Account, t.mapping.Interval
	for i, field := range fields {
		switch text := string(values[i]); field {
		case fieldSymbol:
			s.Symbol = text
		case fieldAccount:
			s.Account = text
		case fieldInterval:
			s.Interval = audit.Interval(text)
		}
	}
	return s
}
