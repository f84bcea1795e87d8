// Package grafana reads Grafana's classic dashboard JSON, the format in which
// dashboards are kept here, as far as a program has to understand it: which
// queries a dashboard asks, and what would go wrong with it.
//
// It draws nothing; that is the work of ui/, and of Grafana. Start with [Parse]
// or [Check].
package grafana

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Dashboard is the part of a dashboard that is understood here.
type Dashboard struct {
	UID           string   `json:"uid"`
	Title         string   `json:"title"`
	Tags          []string `json:"tags"`
	SchemaVersion int      `json:"schemaVersion"`
	Panels        []Panel  `json:"panels"`
	Templating    struct {
		List []Variable `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []Annotation `json:"list"`
	} `json:"annotations"`
	// Rows is how dashboards of before 2018 held their panels.
	Rows []json.RawMessage `json:"rows"`
}

// Panel is one panel. A collapsed row has its panels inside.
type Panel struct {
	ID         int             `json:"id"`
	Type       string          `json:"type"`
	Title      string          `json:"title"`
	Repeat     string          `json:"repeat"`
	GridPos    *GridPos        `json:"gridPos"`
	Datasource json.RawMessage `json:"datasource"`
	Targets    []Target        `json:"targets"`
	Panels     []Panel         `json:"panels"`
	Library    json.RawMessage `json:"libraryPanel"`
}

// GridPos is a place on a grid of 24 columns.
type GridPos struct{ X, Y, W, H int }

// Target is one query of a panel.
type Target struct {
	RefID      string          `json:"refId"`
	Expr       string          `json:"expr"`
	Datasource json.RawMessage `json:"datasource"`
}

// Variable is a variable of the dashboard; what Query holds depends on Type.
type Variable struct {
	Name  string          `json:"name"`
	Type  string          `json:"type"`
	Query json.RawMessage `json:"query"`
}

// Annotation is a source of marks on graphs.
type Annotation struct {
	Name string `json:"name"`
	Expr string `json:"expr"`
}

// Expression is a PromQL expression of a dashboard, variables still in it.
type Expression struct {
	// Where says where it stands: `panel 3 "Used weight", query A`.
	Where string
	Text  string
}

// Parse reads a dashboard. Its error says in which line the JSON breaks off, or
// what the text is instead of a dashboard.
func Parse(text []byte) (*Dashboard, error) {
	var d Dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, explain(text, err)
	}
	if d.Title == "" && d.Panels == nil && d.Rows == nil {
		// What Grafana's API answers, and takes.
		var wrapped struct{ Dashboard *json.RawMessage }
		if err := json.Unmarshal(text, &wrapped); err == nil && wrapped.Dashboard != nil {
			return nil, errors.New(`the dashboard is inside "dashboard"; keep only what stands there`)
		}
		return nil, errors.New("not a dashboard: it has neither title nor panels")
	}
	return &d, nil
}

func explain(text []byte, err error) error {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: %w", position(text, syntax.Offset), err)
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("%s: %s is a JSON %s, which it must not be", position(text, wrong.Offset), wrong.Field, wrong.Value)
	case errors.As(err, &wrong):
		return fmt.Errorf("a dashboard is a JSON object, this is a JSON %s", wrong.Value)
	}
	return err
}

func position(text []byte, offset int64) string {
	before := text[:min(max(offset-1, 0), int64(len(text)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("line %d, column %d", line, column)
}

// All returns every panel, those in collapsed rows included.
func (d *Dashboard) All() []Panel {
	var all []Panel
	for _, p := range d.Panels {
		all = append(all, p)
		all = append(all, p.Panels...)
	}
	return all
}

// Expressions returns the PromQL expressions of panels and annotations.
func (d *Dashboard) Expressions() []Expression {
	var all []Expression
	for _, p := range d.All() {
		for _, t := range p.Targets {
			if t.Expr != "" {
				all = append(all, Expression{fmt.Sprintf("%s, query %s", p.where(), t.RefID), t.Expr})
			}
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			all = append(all, Expression{fmt.Sprintf("annotation %q", a.Name), a.Expr})
		}
	}
	return all
}

func (p Panel) where() string { return fmt.Sprintf("panel %d %q", p.ID, p.Title) }

// text returns the query text of a query variable, which is a string or an
// object that holds one.
func (v Variable) text() string {
	var text string
	if json.Unmarshal(v.Query, &text) == nil {
		return text
	}
	var object struct{ Query string }
	_ = json.Unmarshal(v.Query, &object) // Another shape has no text for us.
	return strings.TrimSpace(object.Query)
}
