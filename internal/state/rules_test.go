package state_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// TestRulesOutliveTheDatabase: they are files, and are taken over from there.
func TestRulesOutliveTheDatabase(t *testing.T) {
	dir := t.TempDir()
	const text = "groups:\n  - name: lag\n    rules: []\n"
	s, stop := open(t, state.Config{Dir: dir}, state.Deps{})
	_, err := s.SaveRuleGroup(t.Context(), state.RuleGroupSave{Name: "lag", YAML: text, Who: "ann"})
	must(t, err)
	stop()

	// A file that was changed or lost behind our back is as the table says.
	file := filepath.Join(dir, "rules", "lag.yml")
	must(t, os.Remove(file))
	_, stop = open(t, state.Config{Dir: dir}, state.Deps{})
	stop()
	if got, err := os.ReadFile(file); err != nil || string(got) != text {
		t.Errorf("got %q %v, want the file again", got, err)
	}

	must(t, os.WriteFile(filepath.Join(dir, "state.db"), []byte("not a database"), 0o600))
	s, _ = open(t, state.Config{Dir: dir}, state.Deps{})
	g, err := s.RuleGroup(t.Context(), "lag", 0)
	must(t, err)
	if s.SetAside() == "" || g.YAML != text || g.Message != "Found on disk." {
		t.Errorf("set aside %q: got %+v, want the group of the file", s.SetAside(), g)
	}
}
