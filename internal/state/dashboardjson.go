package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxDashboardBytes bounds the JSON of one dashboard.
const MaxDashboardBytes = 4 << 20

// document is a JSON object of which we look at the top level only. Values
// stay the text they were: no number loses a digit, no unknown field its place.
type document struct {
	members []member
}

type member struct {
	key   string
	value json.RawMessage
}

// parseDocument reads a JSON object. Errors name line and column.
func parseDocument(text []byte) (*document, error) {
	if len(text) > MaxDashboardBytes {
		return nil, refuse(TooLarge, "dashboard is larger than %d MiB", MaxDashboardBytes>>20)
	}
	if !utf8.Valid(text) {
		return nil, refuse(Invalid, "dashboard is not UTF-8 text")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, refuse(Invalid, "dashboard is not JSON: %v", JSONError(text, err))
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		return nil, refuse(Invalid, "dashboard is not a JSON object")
	}
	d := &document{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err // Impossible: the text was valid above.
		}
		m := member{key: key.(string)}
		if err := dec.Decode(&m.value); err != nil {
			return nil, err
		}
		if d.get(m.key) != nil {
			return nil, refuse(Invalid, "dashboard has the key %q twice", m.key)
		}
		d.members = append(d.members, m)
	}
	return d, nil
}

// JSONError adds to a syntax error where in text it is.
func JSONError(text []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	before := text[:min(int(syntax.Offset), len(text))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

func (d *document) index(key string) int {
	return slices.IndexFunc(d.members, func(m member) bool { return m.key == key })
}

// get returns the text of a value, nil if there is none.
func (d *document) get(key string) json.RawMessage {
	if i := d.index(key); i >= 0 {
		return d.members[i].value
	}
	return nil
}

// set replaces or adds a value.
func (d *document) set(key string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // Callers set strings, integers and nil.
	}
	if i := d.index(key); i >= 0 {
		d.members[i].value = text
		return
	}
	d.members = append(d.members, member{key, text})
}

func (d *document) remove(key string) {
	d.members = slices.DeleteFunc(d.members, func(m member) bool { return m.key == key })
}

func (d *document) text() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range d.members {
		if i > 0 {
			b.WriteByte(',')
		}
		key, _ := json.Marshal(m.key) // A string has no error.
		b.Write(key)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// decode reads a value of the given type; a missing one or null leaves the zero.
func decodeMember[T any](d *document, key, want string) (value T, err error) {
	raw := d.get(key)
	if raw == nil {
		return value, nil
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return value, refuse(Invalid, "dashboard: %q must be %s", key, want)
	}
	return value, nil
}

// describe reads what lists show of a dashboard, and refuses what could not be
// drawn.
func (d *document) describe() (Dashboard, error) {
	var out Dashboard
	var err error
	if d.get("spec") != nil && d.get("apiVersion") != nil {
		return out, refuse(Invalid, "dashboard is of Grafana's schema v2; export it as classic JSON")
	}
	if out.Title, err = decodeMember[string](d, "title", "text"); err != nil {
		return out, err
	}
	if strings.TrimSpace(out.Title) == "" {
		return out, refuse(Invalid, "dashboard has no title")
	}
	if len(out.Title) > maxTitle {
		return out, refuse(Invalid, "dashboard: the title is longer than %d bytes", maxTitle)
	}
	if out.Tags, err = decodeMember[[]string](d, "tags", "a list of texts"); err != nil {
		return out, err
	}
	if out.Tags == nil {
		out.Tags = []string{}
	}
	if len(out.Tags) > maxTags {
		return out, refuse(Invalid, "dashboard has more than %d tags", maxTags)
	}
	if _, err := decodeMember[[]map[string]json.RawMessage](d, "panels", "a list of objects"); err != nil {
		return out, err
	}
	_, err = decodeMember[map[string]json.RawMessage](d, "templating", "an object")
	return out, err
}
