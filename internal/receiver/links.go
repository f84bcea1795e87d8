package receiver

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// Links lead from an alert to what to do about it; empty where there is nothing.
type Links struct{ Graph, Silence, Runbook string }

// Link is one of [Links] with its caption.
type Link struct{ Name, URL string }

// All returns the links that there are.
func (l Links) All() []Link {
	return slices.DeleteFunc([]Link{{"Graph", l.Graph}, {"Silence", l.Silence}, {"Runbook", l.Runbook}},
		func(l Link) bool { return l.URL == "" })
}

// maxURL is longer than any link that a person would follow, and shorter than
// what mail programs and Discord refuse.
const maxURL = 2000

// httpURL returns s if it is a web address, and nothing otherwise: annotations
// come from anywhere, and a link must not run a script.
func httpURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxURL || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}

// silenceURL leads to the form for a silence of everything with these labels, by
// the address that Alertmanager's page and tools around it use.
func silenceURL(external *url.URL, labels model.LabelSet) string {
	if external == nil || external.Host == "" || len(labels) == 0 {
		return ""
	}
	var matchers []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		matchers = append(matchers, string(name)+"="+strconv.Quote(string(labels[name])))
	}
	filter := url.QueryEscape("{" + strings.Join(matchers, ",") + "}")
	// The page decodes what follows the # as a path does, where + is a plus.
	return httpURL(strings.TrimRight(external.String(), "/") + "/#/silences/new?filter=" + strings.ReplaceAll(filter, "+", "%20"))
}

// threshold finds what the alert's expression compares with, as in
// `rate(errors[5m]) > 0.1`: `> 0.1`. Prometheus puts the expression into the
// generator's URL.
func threshold(generatorURL string) string {
	u, err := url.Parse(generatorURL)
	if err != nil || len(generatorURL) > maxURL {
		return ""
	}
	text := u.Query().Get("g0.expr")
	if text == "" {
		return ""
	}
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return ""
	}
	comparison, ok := unwrap(expr).(*parser.BinaryExpr)
	if !ok || !comparison.Op.IsComparisonOperator() {
		return ""
	}
	switch unwrap(comparison.RHS).(type) {
	case *parser.NumberLiteral, *parser.UnaryExpr:
		return comparison.Op.String() + " " + comparison.RHS.String()
	}
	return ""
}

func unwrap(e parser.Expr) parser.Expr {
	for {
		p, ok := e.(*parser.ParenExpr)
		if !ok {
			return e
		}
		e = p.Expr
	}
}
