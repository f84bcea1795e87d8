package grafana

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// columns is the width of the grid that panels stand on.
const columns = 24

// minSchemaVersion is the oldest format that is understood: since it, panels
// have a gridPos instead of standing in rows (Grafana 5, 2018).
const minSchemaVersion = 16

// builtin are the variables that exist without being declared; Grafana's
// documentation, "Global variables", 2026-11.
var builtin = map[string]string{
	"__interval":      "1m",
	"__interval_ms":   "60000",
	"__rate_interval": "5m",
	"__range":         "1h",
	"__range_s":       "3600",
	"__range_ms":      "3600000",
	"__from":          "1",
	"__to":            "2",
	"__dashboard":     "x",
	"__org":           "1",
	"__user":          "x",
	"__timezone":      "UTC",
}

// reference matches $name, ${name}, ${name:format} and [[name]].
var reference = regexp.MustCompile(`\$(\w+)|\$\{(\w+)(?:\.[^}:]+)?(?::[^}]+)?\}|\[\[(\w+)(?::[^\]]+)?\]\]`)

// Check returns all that would keep a dashboard from working as it looks, in
// the order of its panels.
func Check(text []byte, p parser.Parser) []error {
	d, err := Parse(text)
	if err != nil {
		return []error{err}
	}
	c := checker{dashboard: d, parser: p, declared: map[string]bool{}}
	c.head()
	c.variables()
	c.layout()
	for _, e := range d.Expressions() {
		c.expression(e)
	}
	return c.problems
}

type checker struct {
	dashboard *Dashboard
	parser    parser.Parser
	declared  map[string]bool
	problems  []error
}

func (c *checker) complain(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

func (c *checker) head() {
	d := c.dashboard
	if d.Title == "" {
		c.complain("title is missing")
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`).MatchString(d.UID) {
		c.complain("uid %q: links need one, of up to 40 letters, digits, _ and -", d.UID)
	}
	if len(d.Rows) > 0 || d.SchemaVersion < minSchemaVersion {
		c.complain("schemaVersion %d is of before 2018; open the dashboard in a newer Grafana and save it", d.SchemaVersion)
	}
}

func (c *checker) variables() {
	for _, v := range c.dashboard.Templating.List {
		if c.declared[v.Name] {
			c.complain("variable %s is declared twice", v.Name)
		}
		c.declared[v.Name] = true
	}
	for _, v := range c.dashboard.Templating.List {
		if v.Type == "query" && v.text() == "" {
			c.complain("variable %s has no query", v.Name)
		}
		c.references("variable "+v.Name, v.text())
	}
}

// references complains of variables in text that nobody declares.
func (c *checker) references(where, text string) {
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		name := m[1] + m[2] + m[3]
		if _, ok := builtin[name]; !ok && !c.declared[name] && !strings.HasPrefix(name, "DS_") && !digits(name) {
			c.complain("%s: variable $%s is not declared", where, name)
		}
	}
}

// digits tells the $1 of a label_replace from a variable.
func digits(name string) bool { return strings.Trim(name, "0123456789") == "" }

func (c *checker) layout() {
	seen := map[int]string{}
	for _, p := range c.dashboard.All() {
		if other, ok := seen[p.ID]; ok && p.ID != 0 {
			c.complain("%s: its id is that of %s", p.where(), other)
		}
		seen[p.ID] = p.where()
		if p.Repeat != "" && !c.declared[p.Repeat] {
			c.complain("%s: repeats by variable %s, which is not declared", p.where(), p.Repeat)
		}
		if p.Type == "" && p.Library == nil {
			c.complain("%s: type is missing", p.where())
		}
		if g := p.GridPos; g != nil && (g.X < 0 || g.Y < 0 || g.W < 1 || g.H < 1 || g.X+g.W > columns) {
			c.complain("%s: gridPos %d×%d at column %d leaves the grid of %d columns", p.where(), g.W, g.H, g.X, columns)
		}
	}
	c.overlaps(c.dashboard.Panels)
	for _, row := range c.dashboard.Panels {
		c.overlaps(row.Panels)
	}
}

func (c *checker) overlaps(panels []Panel) {
	for i, p := range panels {
		for _, q := range panels[:i] {
			if a, b := p.GridPos, q.GridPos; a != nil && b != nil && a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				c.complain("%s: lies over %s", p.where(), q.where())
			}
		}
	}
}

func (c *checker) expression(e Expression) {
	c.references(e.Where, e.Text)
	if _, err := c.parser.ParseExpr(Sample(e.Text)); err != nil {
		c.complain("%s: %w", e.Where, err)
	}
}

// durations are the places in which PromQL wants a duration: a range, a subquery
// or an offset.
var durations = regexp.MustCompile(`(\[|:|offset\s+)\s*(\$\w+|\$\{[^}]+\}|\[\[\w+\]\])`)

// Sample puts a value of a fitting kind in the place of each variable of an
// expression, so that it can be parsed.
func Sample(expr string) string {
	expr = durations.ReplaceAllString(expr, "${1}5m")
	return reference.ReplaceAllStringFunc(expr, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		name := m[1] + m[2] + m[3]
		if value, ok := builtin[name]; ok {
			return value
		}
		if digits(name) {
			return ref
		}
		return "1"
	})
}

// Metrics returns the names of the metrics that an expression selects.
func Metrics(p parser.Parser, expr string) ([]string, error) {
	parsed, err := p.ParseExpr(Sample(expr))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, matchers := range parser.ExtractSelectors(parsed) {
		for _, m := range matchers {
			if m.Name == "__name__" {
				names = append(names, strings.Split(m.Value, "|")...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
