package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestMain lets the test's own binary be the exporter, as the program's is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == exporterCommand {
		main()
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { os.Exit(code) }))
}

func TestWrongUsageIsTold(t *testing.T) {
	for _, test := range []struct {
		name, args, want string
	}{
		{"unknown flag", "-fast", "not defined: -fast"},
		{"bad expression", "-run=(", "-run: error parsing regexp"},
		{"no such row", "-run=nothing", "no row has such a name"},
		{"argument", "load", `unexpected argument "load"; choose rows with -run`},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := runRows(t.Context(), strings.Fields(test.args), io.Discard)
			if !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a usage error with %q", err, test.want)
			}
		})
	}
}

func TestMissingBinaryNamesTheTargetThatMakesIt(t *testing.T) {
	err := runRows(t.Context(), []string{"-hedgewatch=" + t.TempDir() + "/none"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "make build peers") {
		t.Errorf("got %v, want an error that names make build peers", err)
	}
}
