package binance

import (
	"bufio"
	"bytes"
	_ "embed" // For the weight table.
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

//go:embed weights.csv
var weightsCSV []byte

// Table says what requests cost. It is data: weights.csv holds the one that we
// ship, and another one in the same form can be put over it.
type Table struct {
	version   string
	endpoints map[endpointKey]*Endpoint
	rows      int
}

type endpointKey struct {
	method, path string
}

// Endpoint is a method and a path that the table has.
type Endpoint struct {
	Market Market
	// Method is WS for a method of the WebSocket API.
	Method, Path string
	// Public data needs no key and is the same for everybody.
	Public bool
	// Funding is true where requests share 500 in 5 minutes instead of a weight.
	Funding bool
	// PerAccount is true for an endpoint of /sapi whose limit is an account's, by
	// whatever address it asks.
	PerAccount bool

	rules []rule
}

// Cost is what one request costs.
type Cost struct {
	// Endpoint is nil if the table does not have it.
	Endpoint *Endpoint
	// Row names the row of the table, from 1; 0 if there is none.
	Row int
	// Weight is the worst case and what a refusal costs, Success what an accepted
	// request costs.
	Weight, Success int64
	// Orders count against the account: in the shortest window, and in the others.
	Orders, OrdersLong int64
	// When is the condition of the row.
	When string
	// PerSymbol is true where the weight depends on how many symbols are asked for.
	PerSymbol bool
}

// DefaultTable is the table that we ship.
func DefaultTable() (*Table, error) { return ParseTable(bytes.NewReader(weightsCSV)) }

const (
	// maxTableBytes bounds a table from outside.
	maxTableBytes = 1 << 20
	columns       = 9
)

// ParseTable reads a table in the form of weights.csv. It reports all that is
// wrong with it, each with its line.
func ParseTable(r io.Reader) (*Table, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxTableBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read weight table: %w", err)
	}
	if len(text) > maxTableBytes {
		return nil, fmt.Errorf("weight table is longer than %d bytes", maxTableBytes)
	}
	t := &Table{endpoints: make(map[endpointKey]*Endpoint)}
	first, _, _ := bufio.NewReader(bytes.NewReader(text)).ReadLine()
	version, ok := strings.CutPrefix(string(first), "# version: ")
	if !ok {
		return nil, errors.New(`weight table: the first line must be "# version: " and a date`)
	}
	t.version = version
	in := csv.NewReader(bytes.NewReader(text))
	in.Comment = '#'
	in.FieldsPerRecord = columns
	var errs []error
	for header := true; ; header = false {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("weight table: %w", err))
			break
		}
		if header {
			continue
		}
		if err := t.add(record); err != nil {
			line, _ := in.FieldPos(0)
			errs = append(errs, fmt.Errorf("weight table, line %d: %w", line, err))
		}
	}
	for _, e := range t.endpoints {
		if len(e.rules[len(e.rules)-1].conditions) > 0 {
			errs = append(errs, fmt.Errorf("weight table: %s %s: the last row must have no condition, so that every request has a price", e.Method, e.Path))
		}
	}
	if len(errs) == 0 && t.rows == 0 {
		errs = append(errs, errors.New("weight table has no rows"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Table) add(record []string) error {
	market, method, path := Market(record[0]), record[1], record[2]
	if !isMarket(market) {
		return fmt.Errorf("market %q: use spot, usdm, coinm or sapi", record[0])
	}
	if of, ok := MarketOf(path); method != "WS" && (!ok || of != market) {
		return fmt.Errorf("path %q does not belong to market %s", path, market)
	}
	r, err := parseRule(ruleText{when: record[3], weight: record[4], success: record[5], orders: record[6]})
	if err != nil {
		return err
	}
	t.rows++
	r.row = t.rows
	key := endpointKey{method, path}
	e := t.endpoints[key]
	if e == nil {
		e = &Endpoint{Market: market, Method: strings.Clone(method), Path: strings.Clone(path)}
		t.endpoints[key] = e
	}
	e.rules = append(e.rules, r)
	for _, flag := range strings.Fields(record[7]) {
		switch flag {
		case "public":
			e.Public = true
		case "funding":
			e.Funding = true
		case "uid":
			if market != SAPI {
				return errors.New("flag uid: only endpoints of sapi have limits by account")
			}
			e.PerAccount = true
		default:
			return fmt.Errorf("flag %q: use public, funding or uid", flag)
		}
	}
	return nil
}

func isMarket(m Market) bool {
	for _, known := range Markets() {
		if m == known {
			return true
		}
	}
	return false
}

// Over returns t with the endpoints of other in the place of its own.
func (t *Table) Over(other *Table) *Table {
	merged := &Table{version: t.version + "+" + other.version, endpoints: make(map[endpointKey]*Endpoint), rows: t.rows + other.rows}
	for key, e := range t.endpoints {
		merged.endpoints[key] = e
	}
	for key, e := range other.endpoints {
		moved := *e
		moved.rules = make([]rule, len(e.rules))
		for i, r := range e.rules {
			r.row += t.rows
			moved.rules[i] = r
		}
		merged.endpoints[key] = &moved
	}
	return merged
}

// Version is the date of the table.
func (t *Table) Version() string { return t.version }

// Rows is how many rows there are; Cost.Row is at most that.
func (t *Table) Rows() int { return t.rows }

// Unlisted is what a request costs that the table does not have: more than most,
// so that an unknown one cannot break the limit, and little enough to be sent.
const Unlisted = 50

// Cost prices a request by its parameters, those of a form too. The method is WS for
// one of the WebSocket API, whose path is its method.
func (t *Table) Cost(method, path, query string) Cost {
	e := t.endpoints[endpointKey{method, path}]
	if e == nil {
		return Cost{Weight: Unlisted, Success: Unlisted}
	}
	for i := range e.rules {
		r := &e.rules[i]
		if r.holds(query) {
			return r.cost(e, query)
		}
	}
	return Cost{Endpoint: e, Weight: Unlisted, Success: Unlisted}
}
