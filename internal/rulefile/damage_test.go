package rulefile_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/rulefile"
)

// TestEditOfDamagedFiles: a file with a few wrong bytes is refused, or edited
// exactly as its diff says.
func TestEditOfDamagedFiles(t *testing.T) {
	const alphabet = " \n\t#:'\"{}[],-|>&*!a\r"
	random := rand.New(rand.NewPCG(1, 2))
	e, dir := newEditor(t, map[string]string{"a.yml": ""})
	place := rulefile.Place{File: filepath.Join(dir, "a.yml"), Group: "klines", Alert: "KlineLag"}
	accepted := 0
	for range 600 {
		text := []byte(plainFile)
		for range 1 + random.IntN(6) {
			i, letter := random.IntN(len(text)), alphabet[random.IntN(len(alphabet))]
			switch random.IntN(3) {
			case 0:
				text[i] = letter
			case 1:
				text = append(text[:i], append([]byte{letter}, text[i:]...)...)
			case 2:
				text = append(text[:i], text[i+1:]...)
			}
		}
		if err := os.WriteFile(place.File, text, 0o640); err != nil {
			t.Fatal(err)
		}
		view, err := e.Rule(place)
		if err != nil {
			continue
		}
		to := view.Rule
		to.Expr, to.Labels = "up == 1", map[string]string{"team": "x, y", "new": "l\nm"}
		change, err := e.Diff(rulefile.Edit{Place: place, Hash: view.Hash, To: &to})
		if err != nil {
			continue
		}
		accepted++
		if err := os.WriteFile(place.File, []byte(patched(t, string(text), change.Diff)), 0o640); err != nil {
			t.Fatal(err)
		}
		after, err := e.Rule(place)
		if err != nil || after.Rule.Expr != to.Expr || after.Rule.Labels["new"] != "l\nm" || after.Rule.For != to.For {
			t.Errorf("got %+v, %v for the file\n%s", after.Rule, err, text)
		}
	}
	if accepted < 20 {
		t.Errorf("got %d files that could be edited, want at least 20 for this to say anything", accepted)
	}
}
