package main

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

func TestQueriesAreTenThatParse(t *testing.T) {
	p := parser.NewParser(parser.Options{})
	for _, q := range queries() {
		if _, err := p.ParseExpr(q.expr); err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
	if got := len(queries()); got != 10 {
		t.Errorf("got %d queries, want 10", got)
	}
}

func TestAnswersAreComparedInAnyOrder(t *testing.T) {
	series := func(body string) []json.RawMessage {
		t.Helper()
		s, err := seriesOf([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := series(`{"status":"success","data":{"resultType":"vector","result":[{"a":1},{"b":2}]}}`)
	same := series(`{"status":"success","data":{"result":[{"b":2},{"a":1}],"resultType":"vector"}}`)
	other := series(`{"status":"success","data":{"resultType":"vector","result":[{"a":1},{"b":3}]}}`)
	if !slices.EqualFunc(one, same, slices.Equal[json.RawMessage]) {
		t.Errorf("%s and %s are said to differ", one, same)
	}
	if slices.EqualFunc(one, other, slices.Equal[json.RawMessage]) {
		t.Errorf("%s and %s are said to be the same", one, other)
	}
	if _, err := seriesOf([]byte("<html>")); err == nil {
		t.Error("got no error for an answer that is not JSON")
	}
}
