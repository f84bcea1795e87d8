package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/discovery"
)

var (
	unknownField  = regexp.MustCompile(`^field .* not found in (?:type|struct) `)
	cannotDecode  = regexp.MustCompile("(?s)^cannot (?:unmarshal|decode) !!(\\w+)(?: `(.*)`)? (?:into|as a) (.+)$")
	typeNamePlain = regexp.MustCompile(`^[*]*(u?int|float)\d*$`)
)

// explain rewrites a library's message about n in the words of the file.
func (d *diagnosis) explain(n *node, message string) string {
	if unknownField.MatchString(message) {
		return d.unknownKey(n)
	}
	m := cannotDecode.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	tag, value, typ := m[1], m[2], m[3]
	switch {
	case n.written != "":
		tag, value = "str", n.written
	case n.kind == scalarKind:
		value = n.scalar.text // The library shortens it.
	}
	return fmt.Sprintf("got %s, want %s", gotten(tag, value), wanted(typ))
}

// advice says what to do about a library's message, where that is known.
func advice(message string) string {
	const duration = "; write a number with a unit, such as 15s, 5m or 1h30m"
	for _, a := range [][2]string{
		{"not a valid duration string", duration},
		{"unknown unit", duration},
		{"missing unit", duration},
		{"scrape timeout greater than scrape interval", "; make scrape_timeout at most scrape_interval"},
		{"found multiple scrape configs with job name", "; give each job a name of its own"},
		{"job_name is empty", "; add `job_name: name`"},
		{"is not a valid hostname", "; give host:port only, scheme and path go into `scheme` and `metrics_path`"},
		{"error parsing regexp", "; see https://github.com/google/re2/wiki/Syntax"},
		{"undefined receiver", "; add it under `receivers`, or correct the name"},
		{"undefined time interval", "; add it under `time_intervals`, or correct the name"},
		{"no route provided", "; add `route: {receiver: name}`"},
		{"no routes provided", "; add `route: {receiver: name}`"},
	} {
		if strings.Contains(message, a[0]) {
			return a[1]
		}
	}
	return ""
}

func gotten(tag, value string) string {
	switch tag {
	case "map":
		return "a mapping"
	case "seq":
		return "a list"
	case "null":
		return "nothing"
	case "str":
		return fmt.Sprintf("%q", value)
	default:
		return value
	}
}

// wanted says in words what a Go type holds.
func wanted(typ string) string {
	switch {
	case strings.HasPrefix(typ, "[]") || strings.HasPrefix(typ, "!!seq"):
		return "a list"
	case typ == "bool":
		return "true or false"
	case typ == "string":
		return "a text"
	case strings.Contains(typ, "Duration"):
		return "a duration, such as 15s"
	case typeNamePlain.MatchString(typ):
		return "a number"
	default:
		return "a mapping"
	}
}

func (d *diagnosis) unknownKey(n *node) string {
	key := n.key.text
	known := d.keys(n.parent)
	if name, ok := strings.CutSuffix(key, "_sd_configs"); ok && slices.Contains(known, "static_configs") {
		sds := discovery.RegisteredConfigNames()
		if near := nearest(name, sds); near != "" {
			return fmt.Sprintf("unknown service discovery; did you mean %q?", near+"_sd_configs")
		}
		return fmt.Sprintf("service discovery %q is not built into hedgewatch (there are: %s); let a small program write its targets for file_sd_configs or serve them for http_sd_configs",
			name, strings.Join(sds, ", "))
	}
	if near := nearest(key, known); near != "" {
		return fmt.Sprintf("unknown key; did you mean %q?", near)
	}
	if d.root.parent == nil && slices.Contains(keysOf(d.typ), key) {
		return "unknown key here; it belongs to the top level of the file"
	}
	if len(known) > 0 && len(known) <= 12 {
		return "unknown key; there are " + strings.Join(known, ", ")
	}
	return "unknown key; remove it, or see docs/configuration.md"
}

// keys returns the keys that the mapping n may have.
func (d *diagnosis) keys(n *node) []string {
	typ := d.typ
	var path []*node
	for p := n; p != d.root && p.parent != nil; p = p.parent {
		path = append(path, p)
	}
	for _, p := range slices.Backward(path) {
		if typ = below(typ, p); typ == nil {
			return nil
		}
	}
	known := keysOf(typ)
	if n.parent == nil && d.typ == prometheusType() {
		for _, s := range sections() {
			known = append(known, s.key)
		}
	}
	return known
}

// below returns the type of the child n of a value of type typ.
func below(typ reflect.Type, n *node) reflect.Type {
	switch typ.Kind() {
	case reflect.Slice, reflect.Map, reflect.Array:
		return deref(typ.Elem())
	case reflect.Struct:
		for _, f := range fields(typ) {
			if f.key == n.key.text {
				return deref(f.typ)
			}
		}
	}
	return nil
}

func deref(typ reflect.Type) reflect.Type {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	return typ
}

// field is a key that a struct takes.
type field struct {
	key string
	typ reflect.Type
}

// fields lists the keys of a struct, those of inlined structs included.
func fields(typ reflect.Type) []field {
	var all []field
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case f.Type == reflect.TypeFor[discovery.Configs]():
			all = append(all, field{"static_configs", reflect.TypeFor[[]struct {
				Targets []string          `yaml:"targets"`
				Labels  map[string]string `yaml:"labels"`
			}]()})
			for _, sd := range discovery.RegisteredConfigNames() {
				all = append(all, field{sd + "_sd_configs", reflect.TypeFor[any]()})
			}
		case strings.Contains(options, "inline") && deref(f.Type).Kind() == reflect.Struct:
			all = append(all, fields(deref(f.Type))...)
		case f.IsExported() && name != "" && name != "-":
			all = append(all, field{name, f.Type})
		}
	}
	return all
}

func keysOf(typ reflect.Type) []string {
	if typ == nil || typ.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for _, f := range fields(typ) {
		keys = append(keys, f.key)
	}
	return keys
}

// nearest returns the known word that is a slip away from the given one, or "".
func nearest(word string, known []string) string {
	best, most := "", (len(word)+2)/3+1
	for _, k := range known {
		if d := edits(word, k); d < most {
			best, most = k, d
		}
	}
	for _, k := range known {
		if best == "" && len(word) > 2 && strings.HasPrefix(k, word) {
			best = k
		}
	}
	return best
}

// edits counts the insertions, deletions and replacements from a to b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
