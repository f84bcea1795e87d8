package services

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// logRule is a cause that a line of the log shows.
type logRule struct {
	cause   Cause
	finding string
	pattern *regexp.Regexp
	// words are such that a line that matches has at least one of them, in any
	// case; none if the pattern does not say. A line of a log has hardly ever one,
	// and to look for them costs a hundredth of the pattern.
	words []string
}

func rule(c Cause, finding, pattern string) logRule {
	return logRule{c, finding, regexp.MustCompile(pattern), wordsOf(pattern)}
}

// matches reports whether l shows the cause.
func (r logRule) matches(l line) bool {
	if r.words != nil && !slices.ContainsFunc(r.words, func(w string) bool { return strings.Contains(l.lower, w) }) {
		return false
	}
	return r.pattern.MatchString(l.head)
}

// line is a line of a log.
type line struct {
	text        string // Printable; secrets are still in it.
	head, lower string // What rules see of it.
	frame       bool   // It is of a stack trace, whose names say nothing of what went wrong.
}

func newLine(raw []byte) line {
	text := printable(string(raw))
	head := text[:min(len(text), maxLineBytes)]
	return line{text, head, strings.ToLower(head), frame.MatchString(head)}
}

// frame matches what Java, JavaScript, .NET, Python and PHP write of each call.
var frame = regexp.MustCompile(`^(?:at [\w.$<>/` + "`" + `]+\(.*\)|\.\.\. \d+ more$|File ".*", line \d+|#\d+ .*\(\d+\): )`)

// wordsOf finds the words of a pattern: of parts that follow each other those of
// the part with the longest, of parts that stand for each other all.
//
//	(?:cannot|can't) .{0,9}(?:connect|ping)  →  cannot, can't
func wordsOf(pattern string) []string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	return words(tree)
}

func words(re *syntax.Regexp) (best []string) {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{strings.ToLower(string(re.Rune))}
	case syntax.OpCapture, syntax.OpPlus:
		return words(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return words(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, part := range re.Sub {
			if all := words(part); shortest(all) > shortest(best) {
				best = all
			}
		}
	case syntax.OpAlternate:
		for _, part := range re.Sub {
			all := words(part)
			if all == nil {
				return nil
			}
			best = append(best, all...)
		}
	}
	return best
}

func shortest(words []string) int {
	if len(words) == 0 {
		return 0
	}
	return len(slices.MinFunc(words, func(a, b string) int { return len(a) - len(b) }))
}
