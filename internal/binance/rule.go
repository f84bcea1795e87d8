package binance

import (
	"fmt"
	"strconv"
	"strings"
)

// rule is a row of the table: under which conditions it holds and what it costs.
type rule struct {
	row        int
	when       string
	conditions []condition
	// weight is multiplied by the number of symbols where perSymbol is the most
	// that it may come to, and counts as it is where perSymbol is 0.
	weight, perSymbol  int64
	success            int64
	orders, ordersLong int64
}

// condition is one word of `when`:
//
//	symbol  !symbol  limit<=100  symbols<=20  computeCommissionRates=true
//
// "<=" counts the entries of symbols and compares the number of anything else.
type condition struct {
	param string
	op    byte // 'h'as, '!' has not, '<' at most, '=' equals.
	most  int64
	value string
}

type ruleText struct{ when, weight, success, orders string }

func parseRule(t ruleText) (r rule, err error) {
	r.when = strings.Clone(t.when)
	for _, word := range strings.Fields(t.when) {
		c, err := parseCondition(word)
		if err != nil {
			return rule{}, err
		}
		r.conditions = append(r.conditions, c)
	}
	weight := t.weight
	if n, most, ok := strings.Cut(weight, "*symbols<="); ok {
		weight = n
		if r.perSymbol, err = parseWeight(most); err != nil || r.perSymbol == 0 {
			return rule{}, fmt.Errorf("weight %q: write it like 4*symbols<=200", t.weight)
		}
	}
	if r.weight, err = parseWeight(weight); err != nil {
		return rule{}, fmt.Errorf("weight %q: write a number, or 4*symbols<=200", t.weight)
	}
	r.success = r.weight
	if t.success != "" {
		if r.success, err = parseWeight(t.success); err != nil {
			return rule{}, fmt.Errorf("success %q is not a weight", t.success)
		}
	}
	if t.orders == "" {
		return r, nil
	}
	short, long, both := strings.Cut(t.orders, "/")
	if !both {
		long = short
	}
	var errLong error
	r.orders, err = parseWeight(short)
	r.ordersLong, errLong = parseWeight(long)
	if err != nil || errLong != nil {
		return rule{}, fmt.Errorf("orders %q: write a number, or 5/1 where the windows differ", t.orders)
	}
	return r, nil
}

func parseWeight(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err == nil && n < 0 {
		err = strconv.ErrRange
	}
	return n, err
}

func parseCondition(word string) (condition, error) {
	if param, ok := strings.CutPrefix(word, "!"); ok {
		return condition{param: param, op: '!'}, nil
	}
	if param, most, ok := strings.Cut(word, "<="); ok {
		n, err := parseWeight(most)
		if err != nil {
			return condition{}, fmt.Errorf("condition %q: %q is not a number", word, most)
		}
		return condition{param: param, op: '<', most: n}, nil
	}
	if param, value, ok := strings.Cut(word, "="); ok {
		return condition{param: param, op: '=', value: value}, nil
	}
	return condition{param: word, op: 'h'}, nil
}

func (r *rule) holds(query string) bool {
	for _, c := range r.conditions {
		if !c.holds(query) {
			return false
		}
	}
	return true
}

func (c condition) holds(query string) bool {
	value := Param(query, c.param)
	switch c.op {
	case '!':
		return value == ""
	case '=':
		return strings.EqualFold(value, c.value)
	case '<':
		if value == "" {
			return false
		}
		if c.param == "symbols" {
			return countSymbols(value) <= c.most
		}
		n, err := strconv.ParseInt(value, 10, 64)
		return err == nil && 1 <= n && n <= c.most
	}
	return value != ""
}

func (r *rule) cost(e *Endpoint, query string) Cost {
	c := Cost{
		Endpoint: e, Row: r.row, When: r.when,
		Weight: r.weight, Success: r.success,
		Orders: r.orders, OrdersLong: r.ordersLong,
	}
	if r.perSymbol > 0 {
		n := int64(1)
		if symbols := Param(query, "symbols"); symbols != "" {
			n = countSymbols(symbols)
		}
		c.Weight = min(r.weight*n, r.perSymbol)
		c.Success = c.Weight
		c.PerSymbol = true
	}
	return c
}

// countSymbols counts the entries of ["BTCUSDT","ETHUSDT"], escaped or not.
func countSymbols(list string) int64 {
	return int64(1 + strings.Count(list, ",") + strings.Count(list, "%2C") + strings.Count(list, "%2c"))
}

// Param is the value of a parameter in a query or a form as it stands there, empty
// if it is missing. Names are compared as they stand, as the exchange does.
func Param(query, name string) string {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if key, value, _ := strings.Cut(pair, "="); key == name {
			return value
		}
	}
	return ""
}
