package config

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// reference matches the two forms that stand for a secret: ${env:NAME} and
// ${file:/path}. Prometheus' own $1, ${1} and ${VAR} do not match.
var reference = regexp.MustCompile(`\$\{(env|file):([^}]*)\}`)

// quotedText is where messages put the value that they complain about.
var quotedText = regexp.MustCompile("\"[^\"]*\"|`[^`]*`")

// maxSecretBytes bounds what a ${file:…} may hold.
const maxSecretBytes = 1 << 20

// secrets resolves references and remembers their values, to keep them out of
// everything that is shown.
type secrets struct {
	lookupEnv func(string) (string, bool)
	values    map[string]string // reference → value
	scalars   []written
}

// written is a scalar that held references, before and after.
type written struct{ key, source, expanded string }

// expand replaces the references in all values below root. Relative paths
// begin at dir.
func (s *secrets) expand(root *node, dir string) Errors {
	var errs Errors
	root.walk(func(n *node) {
		if n.kind != scalarKind || !reference.MatchString(n.scalar.text) {
			return
		}
		source := n.scalar.text
		expanded := reference.ReplaceAllStringFunc(source, func(ref string) string {
			value, err := s.resolve(ref, dir)
			if err != nil {
				errs = append(errs, Error{File: root.file, Line: n.line, Key: n.path(), Err: err})
				n.hide()
			}
			return value
		})
		n.written = source
		// A plain number or boolean stays one, so that `sample_limit: ${env:LIMIT}` works.
		n.scalar = scalar{text: expanded, plain: n.scalar.plain && isNumberOrBool(expanded), tag: n.scalar.tag}
		s.scalars = append(s.scalars, written{n.name(), source, expanded})
		if strings.HasPrefix(n.path(), "global.external_labels.") {
			// Prometheus expands $VAR in these; a $ of the secret is no such thing.
			n.scalar.text = strings.ReplaceAll(expanded, "$", "$$")
		}
	})
	return errs
}

// name is the key of n or, in a list, that of the list.
func (n *node) name() string {
	for n.parent != nil && n.parent.kind == sequenceKind {
		n = n.parent
	}
	return n.key.text
}

func isNumberOrBool(s string) bool {
	tag := (&yaml.Node{Kind: yaml.ScalarNode, Value: s}).ShortTag()
	return tag == "!!int" || tag == "!!float" || tag == "!!bool"
}

func (s *secrets) resolve(ref, dir string) (string, error) {
	if value, ok := s.values[ref]; ok {
		return value, nil
	}
	m := reference.FindStringSubmatch(ref)
	var value string
	if m[1] == "env" {
		var ok bool
		if value, ok = s.lookupEnv(m[2]); !ok {
			return "", fmt.Errorf("environment variable %q is not set; set it, or use ${file:/path}", m[2])
		}
	} else {
		var err error
		if value, err = readSecret(m[2], dir); err != nil {
			return "", err
		}
	}
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("%s is not UTF-8 text", ref)
	}
	s.values[ref] = value
	return value, nil
}

func readSecret(path, dir string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w; create the file, or correct the path", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("read secret: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w; let the user that hedgewatch runs as read it", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if len(text) > maxSecretBytes {
		return "", fmt.Errorf("read secret: %s is larger than %d bytes", path, maxSecretBytes)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

// clean removes secrets from a library's message about n. What it cannot
// remove for certain, such as a shortened value, it withholds altogether.
func (s *secrets) clean(n *node, message string) string {
	message = s.hide(message, 4)
	if n.written == "" {
		if s.quotes(message, 12) {
			return "not accepted; the reason is not shown because it quotes a secret"
		}
		return message
	}
	message = quotedText.ReplaceAllStringFunc(s.hide(message, 1), func(quoted string) string {
		if s.quotes(quoted, 2) {
			return `"…"`
		}
		return quoted
	})
	if s.quotes(message, 3) {
		return fmt.Sprintf("the value of %s is not accepted here", n.written)
	}
	return message
}

// hide replaces secrets of at least minLen bytes in text by their references.
func (s *secrets) hide(text string, minLen int) string {
	for _, ref := range s.byLength() {
		value := s.values[ref]
		if len(value) < minLen {
			continue
		}
		for _, form := range forms(value) {
			text = strings.ReplaceAll(text, form, ref)
		}
	}
	return text
}

// byLength returns the references, those with the longest values first, since
// one secret may contain another.
func (s *secrets) byLength() []string {
	refs := make([]string, 0, len(s.values))
	for ref := range s.values {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b string) int {
		if d := len(s.values[b]) - len(s.values[a]); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return refs
}

// forms are the ways in which a value may appear in a message or a URL.
func forms(value string) []string {
	quoted := fmt.Sprintf("%q", value)
	all := []string{
		value,
		quoted[1 : len(quoted)-1],
		url.QueryEscape(value),
		url.PathEscape(value),
		(&url.URL{Path: value}).EscapedPath(),
		url.UserPassword("", value).String()[1:],
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// quotes reports whether any n bytes in a row of a secret are in the text,
// other than in a reference.
func (s *secrets) quotes(text string, n int) bool {
	text = strings.ToLower(reference.ReplaceAllString(text, ""))
	for _, value := range s.values {
		value = strings.ToLower(value)
		for i := 0; i+n <= len(value); i++ {
			if strings.Contains(text, value[i:i+n]) {
				return true
			}
		}
	}
	return false
}

// mask replaces the secrets in a YAML text by their references: where a value
// stands under a key to which the file gave it, where it is all of a value (as
// in a receiver that inherits it), and anywhere if no one writes it by chance.
func (s *secrets) mask(text string) (string, error) {
	if len(s.scalars) == 0 {
		return text, nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return "", fmt.Errorf("mask secrets: %w", err)
	}
	s.maskNode(&doc, "")
	var b strings.Builder
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return "", fmt.Errorf("mask secrets: %w", err)
	}
	return b.String(), nil
}

func (s *secrets) maskNode(y *yaml.Node, key string) {
	for i, c := range y.Content {
		switch {
		case y.Kind == yaml.MappingNode && i%2 == 0:
			key = c.Value
		default:
			s.maskNode(c, key)
		}
	}
	if y.Kind != yaml.ScalarNode {
		return
	}
	minLen := 12
	for _, w := range s.scalars {
		same := w.key == key
		if same {
			minLen = 4
		}
		if (same || len(w.expanded) >= 6) && slices.Contains(forms(w.expanded), y.Value) {
			y.SetString(w.source)
			return
		}
	}
	if value := s.hide(y.Value, minLen); value != y.Value {
		y.SetString(value)
	}
}
