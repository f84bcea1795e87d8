package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kingpin/v2"
)

func addVersion(app *kingpin.Application, commands map[string]command) {
	cmd := app.Command("version", "Print the version of this build and of the libraries it embeds.")
	commands[cmd.FullCommand()] = func(stdout, _ io.Writer) int {
		fmt.Fprintf(stdout, "hedgewatch %s", version)
		if revision != "" {
			fmt.Fprintf(stdout, " (%s)", revision)
		}
		fmt.Fprintf(stdout, ", %s, %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
		for _, module := range []string{"prometheus", "alertmanager", "node_exporter"} {
			fmt.Fprintf(stdout, "%s %s\n", module, moduleVersion("github.com/prometheus/"+module))
		}
		return exitFine
	}
}

// moduleVersion is the version of a linked module.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "unknown"
}
