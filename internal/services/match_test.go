package services

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// FuzzRuleWords holds the shortcut against the patterns: no line that a pattern
// matches may be left out for lack of a word.
func FuzzRuleWords(f *testing.F) {
	for _, name := range []string{"testdata/corpus.json", "testdata/heldout.json"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var cases []struct{ Log, Message string }
		if err := json.Unmarshal(text, &cases); err != nil {
			f.Fatal(err)
		}
		for _, c := range cases {
			f.Add(c.Log + "\n" + c.Message)
		}
	}
	rules := [][]logRule{exhausted, said, hinted, suggested}
	for _, list := range rules {
		for _, r := range list {
			if shortest(r.words) < 2 {
				f.Errorf("%s: the pattern of %q needs words, got %q", r.cause, r.finding, r.words)
			}
		}
	}
	f.Fuzz(func(t *testing.T, log string) {
		for text := range strings.SplitSeq(log, "\n") {
			if strings.ContainsRune(text, 'ſ') {
				continue // Which (?i) takes for an s, and nobody writes.
			}
			l := newLine([]byte(text))
			for _, list := range rules {
				for _, r := range list {
					if got, want := r.matches(l), r.pattern.MatchString(l.head); got != want {
						t.Errorf("%q on %q: got %v, want %v", r.finding, l.head, got, want)
					}
				}
			}
		}
	})
}
