package main

import (
	"bytes"
	"encoding/json"
)

// object is a JSON object; its keys are written in alphabetical order.
type object map[string]any

// schemaVersion is that of Grafana 11's classic format, which later ones read.
const schemaVersion = 39

// dashboard is what tells one dashboard from another.
type dashboard struct {
	uid, title string
	// question is what the reader comes with; it becomes the description.
	question string
	from     string // default range; "now-1h" if empty
	vars     []object
	rows     []row
}

// row is a strip of panels, which share 24 columns and one height.
type row struct {
	title  string // of a foldable row above the panels; none if empty
	height int
	panels []panel
}

// panel is a panel without its place.
type panel struct {
	width int // of 24 columns; zero shares what the others leave
	json  object
}

var prometheus = object{"type": "prometheus", "uid": "${datasource}"}

func (d dashboard) json() ([]byte, error) {
	from := d.from
	if from == "" {
		from = "now-1h"
	}
	vars := append([]object{{
		"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
		"refresh": 1, "hide": 0, "includeAll": false, "multi": false, "regex": "", "options": []any{}, "current": object{},
	}}, d.vars...)
	text, err := json.Marshal(object{
		"uid": d.uid, "title": d.title, "description": d.question, "tags": []string{"hedgewatch"},
		"schemaVersion": schemaVersion, "version": 1, "editable": true, "graphTooltip": 1, "fiscalYearStartMonth": 0, "id": nil,
		"refresh": "10s", "timezone": "browser", "time": object{"from": from, "to": "now"},
		"timepicker": object{}, "weekStart": "", "liveNow": false,
		"templating":  object{"list": vars},
		"annotations": object{"list": annotations()},
		"links": []object{{
			"type": "dashboards", "tags": []string{"hedgewatch"}, "title": "hedgewatch", "asDropdown": true, "includeVars": false,
			"keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": "", "url": "",
		}},
		"panels": d.panels(),
	})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// annotations marks on every graph when alerts fired and when services changed.
func annotations() []object {
	mark := func(name, color, expr, title, text string) object {
		return object{
			"name": name, "enable": true, "hide": false, "iconColor": color, "datasource": prometheus,
			"expr": expr, "step": "15s", "titleFormat": title, "textFormat": text, "useValueForTime": false,
		}
	}
	return []object{
		mark("Alerts", "red", `ALERTS{alertstate="firing", severity=~"critical|warning"}`, "{{alertname}}", "{{severity}} {{instance}} {{symbol}}"),
		mark("Deployments", "blue", `changes(max by (service, version) (hedgewatch_service_build_info)[1m:15s]) > 0 or `+
			`(max by (service, version) (hedgewatch_service_build_info) unless max by (service, version) (hedgewatch_service_build_info offset 1m))`,
			"{{service}}", "version {{version}}"),
	}
}

// panels gives every panel its place and number.
func (d dashboard) panels() []object {
	var placed []object
	y := 0
	place := func(p object, x, w, h int) {
		p["id"] = len(placed) + 1
		p["gridPos"] = object{"x": x, "y": y, "w": w, "h": h}
		placed = append(placed, p)
	}
	for _, r := range d.rows {
		if r.title != "" {
			place(object{"type": "row", "title": r.title, "collapsed": false, "panels": []any{}}, 0, 24, 1)
			y++
		}
		rest, shares := 24, 0
		for _, p := range r.panels {
			rest -= p.width
			if p.width == 0 {
				shares++
			}
		}
		x := 0
		for _, p := range r.panels {
			w := p.width
			if w == 0 {
				w = rest / shares
				rest -= w
				shares--
			}
			place(p.json, x, w, r.height)
			x += w
		}
		y += r.height
	}
	return placed
}

// query is one expression with the legend of its series.
type query struct{ expr, legend string }

func targets(queries []query, instant bool) []object {
	out := make([]object, len(queries))
	for i, q := range queries {
		out[i] = object{
			"refId": string(rune('A' + i)), "datasource": prometheus, "expr": q.expr, "legendFormat": q.legend,
			"range": !instant, "instant": instant, "editorMode": "code",
		}
		if instant {
			out[i]["format"] = "time_series"
		}
	}
	return out
}

// option changes a panel.
type option func(object)

func newPanel(kind, title, unit string, queries []query, instant bool, opts ...option) panel {
	p := object{
		"type": kind, "title": title, "datasource": prometheus, "targets": targets(queries, instant), "transparent": false,
		"fieldConfig": object{
			"defaults": object{
				"unit": unit, "color": object{"mode": "palette-classic"}, "mappings": []any{},
				"thresholds": object{"mode": "absolute", "steps": []object{{"color": "text", "value": nil}}},
			},
			"overrides": []object{},
		},
		"options": object{},
	}
	for _, o := range opts {
		o(p)
	}
	return panel{json: p}
}

// graph draws series over time.
func graph(title, unit string, queries []query, opts ...option) panel {
	return newPanel("timeseries", title, unit, queries, false, append([]option{func(p object) {
		defaults(p)["custom"] = object{
			"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": false, "axisSoftMin": 0,
			"stacking": object{"mode": "none", "group": "A"}, "thresholdsStyle": object{"mode": "off"},
		}
		p["options"] = object{
			"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
			"tooltip": object{"mode": "multi", "sort": "desc"},
		}
	}}, opts...)...)
}

// stat shows the present value in large type, with its colour as background.
func stat(title, unit string, q query, opts ...option) panel {
	return newPanel("stat", title, unit, []query{q}, false, append([]option{func(p object) {
		defaults(p)["color"] = object{"mode": "thresholds"}
		p["options"] = object{
			"colorMode": "background_solid", "graphMode": "area", "justifyMode": "auto", "orientation": "auto", "textMode": "auto",
			"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}, "wideLayout": true,
		}
	}}, opts...)...)
}

// bars compares the present values of several series.
func bars(title, unit string, q query, opts ...option) panel {
	return newPanel("bargauge", title, unit, []query{q}, true, append([]option{func(p object) {
		defaults(p)["color"] = object{"mode": "thresholds"}
		p["options"] = object{
			"displayMode": "basic", "orientation": "horizontal", "valueMode": "color", "showUnfilled": true, "minVizHeight": 16, "minVizWidth": 8,
			"namePlacement": "auto", "sizing": "auto", "reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		}
	}}, opts...)...)
}

// states shows what each series was at which time.
func states(title string, q query, opts ...option) panel {
	return newPanel("state-timeline", title, "none", []query{q}, false, append([]option{func(p object) {
		defaults(p)["color"] = object{"mode": "thresholds"}
		defaults(p)["custom"] = object{"fillOpacity": 80, "lineWidth": 0}
		p["options"] = object{
			"mergeValues": true, "showValue": "never", "alignValue": "left", "rowHeight": 0.85,
			"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": false},
			"tooltip": object{"mode": "single", "sort": "none"},
		}
	}}, opts...)...)
}

// table lists the present values of series, one row each; columns gives the
// order and names of the labels to show, value the name of the value's column.
func table(title, unit string, q query, value string, columns [][2]string, opts ...option) panel {
	p := newPanel("table", title, unit, []query{q}, true, append([]option{func(p object) {
		p["options"] = object{"showHeader": true, "cellHeight": "sm", "footer": object{"show": false}}
	}}, opts...)...)
	p.json["targets"].([]object)[0]["format"] = "table"
	index, names, keep := object{}, object{}, []string{}
	for i, c := range columns {
		index[c[0]], names[c[0]] = i, c[1]
		keep = append(keep, c[0])
	}
	index["Value"], names["Value"] = len(columns), value
	keep = append(keep, "Value")
	p.json["transformations"] = []object{
		{"id": "filterFieldsByName", "options": object{"include": object{"names": keep}}},
		{"id": "organize", "options": object{"indexByName": index, "renameByName": names, "excludeByName": object{}}},
	}
	return p
}

func (p panel) wide(columns int) panel {
	p.width = columns
	return p
}

func defaults(p object) object { return p["fieldConfig"].(object)["defaults"].(object) }

// about adds what the panel's title leaves open.
func about(description string) option {
	return func(p object) { p["description"] = description }
}

// step is where a colour begins.
type step struct {
	from  float64
	color string
}

// thresholds colours values, and draws the limits on graphs.
func thresholds(base string, steps ...step) option {
	return func(p object) {
		list := []object{{"color": base, "value": nil}}
		for _, s := range steps {
			list = append(list, object{"color": s.color, "value": s.from})
		}
		defaults(p)["thresholds"] = object{"mode": "absolute", "steps": list}
		if custom, ok := defaults(p)["custom"].(object); ok && p["type"] == "timeseries" {
			custom["thresholdsStyle"] = object{"mode": "dashed"}
		}
	}
}

// between fixes the axis.
func between(low, high float64) option {
	return func(p object) { defaults(p)["min"], defaults(p)["max"] = low, high }
}

// stacked puts series on top of each other.
func stacked(p object) {
	defaults(p)["custom"].(object)["stacking"] = object{"mode": "normal", "group": "A"}
	defaults(p)["custom"].(object)["fillOpacity"] = 30
}

// ranked lists the series beside the graph with their last and highest value.
func ranked(p object) {
	p["options"].(object)["legend"] = object{
		"displayMode": "table", "placement": "right", "showLegend": true, "calcs": []string{"lastNotNull", "max"}, "sortBy": "Max", "sortDesc": true,
	}
}

// named gives values names and colours: {"0": {"fine", "green"}}.
func named(values map[string][2]string) option {
	return func(p object) {
		options := object{}
		for value, m := range values {
			options[value] = object{"text": m[0], "color": m[1], "index": 0}
		}
		defaults(p)["mappings"] = append(defaults(p)["mappings"].([]any), object{"type": "value", "options": options})
	}
}

// absent says what no data means; an empty panel would leave it open.
func absent(text string) option {
	return func(p object) { defaults(p)["noValue"] = text }
}

// opens makes a click lead to another dashboard.
func opens(title, uid string) option {
	return func(p object) {
		p["links"] = []object{{"title": title, "url": "/d/" + uid + "?${__url_time_range}", "targetBlank": false}}
	}
}

// flat leaves out the small graph behind a stat.
func flat(p object) { p["options"].(object)["graphMode"] = "none" }

// variable is a choice of label values, all of them by default.
func variable(name, label, query string) object {
	return object{
		"name": name, "label": label, "type": "query", "datasource": prometheus, "query": object{"query": query, "refId": name}, "definition": query,
		"refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".*", "hide": 0, "regex": "", "options": []any{},
		"current": object{"text": []string{"All"}, "value": []string{"$__all"}},
	}
}
