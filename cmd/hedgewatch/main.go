// Command hedgewatch is centralized monitoring for a trading platform in one
// program. Each subcommand has a file of its own; what the program consists of
// is in package app.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// version and revision are set when a release is linked; see the Makefile.
var (
	version  = "v0.0.0-dev"
	revision = ""
)

// Exit codes.
const (
	exitFine  = 0
	exitBad   = 1 // The answer is bad: findings, a failed check.
	exitUsage = 2 // Wrong usage or bad configuration.
)

func main() {
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs one subcommand and returns the exit code.
type command func(stdout, stderr io.Writer) int

// addCommands adds every subcommand to app, and returns them by name.
func addCommands(app *kingpin.Application) map[string]command {
	commands := map[string]command{}
	addRun(app, commands)
	addCheck(app, commands)
	addAudit(app, commands)
	addBacktest(app, commands)
	addReport(app, commands)
	addTestReceiver(app, commands)
	addDemo(app, commands)
	addVersion(app, commands)
	return commands
}

// execute runs the command line args and returns the exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	app := kingpin.New("hedgewatch", "Centralized monitoring for trading platforms: Prometheus, Alertmanager and host metrics in one program.")
	app.HelpFlag.Short('h')
	app.UsageWriter(stdout)
	app.ErrorWriter(stderr)
	exit := -1
	app.Terminate(func(code int) { exit = code })

	commands := addCommands(app)
	if len(args) == 0 {
		app.UsageWriter(stderr)
		app.Usage(nil)
		return exitUsage
	}
	name, err := app.Parse(args)
	switch {
	case exit >= 0: // --help has been answered.
		return exit
	case err != nil:
		fmt.Fprintf(stderr, "hedgewatch: %v; try hedgewatch --help\n", err)
		return exitUsage
	}
	return commands[name](stdout, stderr)
}

// printErrors prints one line for each of the errors joined in err.
func printErrors(stderr io.Writer, err error) {
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintln(stderr, line)
	}
}

// isMissing reports whether err says that a file does not exist.
func isMissing(err error) bool { return errors.Is(err, os.ErrNotExist) }
