package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
)

// TestCommandReference holds docs/commands.md to what the program says of
// itself; -update rewrites it.
func TestCommandReference(t *testing.T) {
	const path = "../../docs/commands.md"
	want := commandReference()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not current; run make generate", path)
	}
}

func commandReference() string {
	app := kingpin.New("hedgewatch", "")
	addCommands(app)

	var b strings.Builder
	b.WriteString("# Commands\n\nGenerated from the program; `hedgewatch COMMAND --help` says the same.\n\n" +
		"Exit codes: 0 fine; 1 the answer is bad (findings, a failed check, a server that ended by itself); 2 wrong usage or bad\n" +
		"configuration. Errors go to standard error, all of a configuration at once, each with file, line and key.\n")
	for _, cmd := range app.Model().FlattenedCommands() {
		if cmd.Hidden || cmd.FullCommand == "help" {
			continue
		}
		fmt.Fprintf(&b, "\n## hedgewatch %s", cmd.FullCommand)
		for _, arg := range cmd.Args {
			fmt.Fprintf(&b, " %s…", strings.ToUpper(arg.Name))
		}
		fmt.Fprintf(&b, "\n\n%s\n", cmd.Help)
		header := "\n| flag | default | meaning |\n| --- | --- | --- |\n"
		for _, f := range cmd.Flags {
			if f.Hidden {
				continue
			}
			name := "`--" + f.Name + "`"
			if f.IsBoolFlag() && len(f.Default) > 0 && f.Default[0] == "true" {
				name = "`--[no-]" + f.Name + "`"
			}
			fmt.Fprintf(&b, "%s| %s | %s | %s |\n", header, name, strings.Join(f.Default, ", "), strings.ReplaceAll(f.Help, "|", `\|`))
			header = ""
		}
	}
	return b.String()
}
