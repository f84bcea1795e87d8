// Command bench measures hedgewatch side by side with the programs that it
// stands in for: Prometheus, Alertmanager, node_exporter, and Grafana where it is
// installed.
//
// It runs the real binaries, as they are installed, on free ports of the loopback
// interface and with data in a temporary directory, and prints one Markdown table:
// each figure against its target. It knows nothing of the code that it measures;
// for benchmarks of single functions see the packages themselves.
//
// Start with rows: a row is one function, which returns its results.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := runRows
	args := os.Args[1:]
	if len(args) > 0 {
		switch args[0] {
		case exporterCommand:
			run, args = runExporter, args[1:]
		case runCommand:
			run = runUntilKilled
		}
	}
	err := run(ctx, args, os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// usageError is a wrong command line.
type usageError struct{ error }

// bench is what every row needs.
type bench struct {
	// quick asks for a short form: fewer repetitions, shorter windows, less data.
	quick bool
	// hedgewatch is the binary under test, peers the directory of the others.
	hedgewatch, peers string
	// rules is the directory of the shipped rules, for Prometheus to run too.
	rules string
	// page is the directory of the web page, whose tests drive a browser.
	page string
	// dir is the row's own directory; it is removed after the row.
	dir string
	// progress is where a person can see what happens.
	progress io.Writer
}

// either returns the short form or the full one.
func either[T any](b *bench, quick, full T) T {
	if b.quick {
		return quick
	}
	return full
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, format+"\n", args...)
}

// runRows measures the chosen rows and writes the table to stdout and into the
// output directory.
func runRows(ctx context.Context, args []string, stdout io.Writer) error {
	b := &bench{progress: os.Stderr}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("run", "", "regular expression of the names of rows to measure; empty is all")
	out := flags.String("out", filepath.Join("bench", "out"), "directory for the table")
	flags.BoolVar(&b.quick, "quick", false, "the short form: under 2 minutes, with less to rely on")
	flags.StringVar(&b.hedgewatch, "hedgewatch", filepath.Join("bin", "hedgewatch"), "the binary under test")
	flags.StringVar(&b.peers, "peers", filepath.Join(".cache", "bin"), "directory with prometheus, alertmanager, node_exporter and promtool")
	flags.StringVar(&b.rules, "rules", filepath.Join("mixin", "rules"), "directory of the shipped rules")
	flags.StringVar(&b.page, "page", "ui", "directory of the web page")
	if err := flags.Parse(args); err != nil {
		return usageError{err}
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return usageError{fmt.Errorf("-run: %w", err)}
	}
	if flags.NArg() > 0 {
		return usageError{fmt.Errorf("unexpected argument %q; choose rows with -run", flags.Arg(0))}
	}
	chosen := slices.DeleteFunc(rows(), func(r row) bool { return !pattern.MatchString(r.name) })
	if len(chosen) == 0 {
		return usageError{fmt.Errorf("-run=%s: no row has such a name", *only)}
	}
	if err := b.resolve(); err != nil {
		return err
	}
	// Described first: the load of the machine is that before we add to it.
	about := b.describe(ctx, time.Now())
	table, failed := b.measure(ctx, chosen)
	text := about + "\n" + table
	fmt.Fprint(stdout, text)
	if err := save(*out, text); err != nil {
		return err
	}
	return failed
}

// resolve makes the paths absolute, because children run elsewhere, and checks
// that what no row can do without is there.
func (b *bench) resolve() (err error) {
	for _, path := range []*string{&b.hedgewatch, &b.peers, &b.rules} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	for _, binary := range []string{b.hedgewatch, b.peer("prometheus")} {
		if _, err := os.Stat(binary); err != nil {
			return fmt.Errorf("%w; run `make build peers` first", err)
		}
	}
	return nil
}

// measure runs the rows one after the other. A row that fails leaves a line in
// the table, and does not keep the others from being measured.
func (b *bench) measure(ctx context.Context, chosen []row) (table string, failed error) {
	root, err := os.MkdirTemp("", "hedgewatch-bench-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(root)
	var results []result
	for _, r := range chosen {
		if ctx.Err() != nil {
			break
		}
		started := time.Now()
		b.say("%s: %s", r.name, r.about)
		b.dir = filepath.Join(root, r.name)
		err := os.Mkdir(b.dir, 0o755)
		var measured []result
		if err == nil {
			measured, err = r.measure(ctx, b)
		}
		if err != nil {
			err = fmt.Errorf("row %s: %w", r.name, err)
			measured = append(measured, result{what: r.name + ": not measured"})
			failed = errors.Join(failed, err)
		}
		results = append(results, measured...)
		if err := os.RemoveAll(b.dir); err != nil {
			failed = errors.Join(failed, err)
		}
		b.say("%s: done in %s", r.name, time.Since(started).Round(time.Second))
	}
	return markdown(results), errors.Join(failed, ctx.Err())
}

// save keeps the newest table beside those of earlier runs.
func save(dir, text string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := time.Now().UTC().Format("20060102T150405Z") + ".md"
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
}
