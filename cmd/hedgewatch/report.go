package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hedgewatch/hedgewatch/internal/history"
	"github.com/hedgewatch/hedgewatch/internal/history/capacity"
	"github.com/hedgewatch/hedgewatch/internal/store"
)

func addReport(app *kingpin.Application, commands map[string]command) {
	report := app.Command("report", "Say what stored series come to.")
	addReportAnomalies(report, commands)
	addReportCapacity(report, commands)
}

// capacityFlags are those of `hedgewatch report capacity`.
type capacityFlags struct {
	server              server
	storage, to, format string
	span                model.Duration
	request             capacity.Request
}

func addReportCapacity(report *kingpin.CmdClause, commands map[string]command) {
	var f capacityFlags
	cmd := report.Command("capacity", "What sizes the use of the last days asks for: peaks, headroom, what is at risk, what could be given back.")
	f.server.flags(cmd)
	cmd.Flag("storage.path", "Read this directory of a hedgewatch that does not run, instead of asking one.").StringVar(&f.storage)
	cmd.Flag("range", "How far to look back, 1h to 92d.").Default(model.Duration(capacity.DefaultRange).String()).SetValue(&f.span)
	cmd.Flag("to", "End: a time such as 2026-05-01T12:00:00Z, or how long ago.").Default("0s").StringVar(&f.to)
	cmd.Flag("margin", "Share of a peak that is to be left above it.").Default(fmt.Sprint(capacity.DefaultMargin)).Float64Var(&f.request.Margin)
	cmd.Flag("kind", "Only this kind: host, workload, container, unit, process, exchange or database.").StringVar(&f.request.Kind)
	cmd.Flag("format", "text or json.").Default("text").EnumVar(&f.format, "text", "json")
	commands[cmd.FullCommand()] = func(stdout, stderr io.Writer) int {
		code, err := f.run(stdout, time.Now())
		if err != nil {
			fmt.Fprintf(stderr, "hedgewatch: report capacity: %v\n", err)
		}
		return code
	}
}

func (f capacityFlags) run(stdout io.Writer, now time.Time) (code int, err error) {
	f.request.Range = time.Duration(f.span)
	if f.to != "0s" {
		if f.request.To, err = timeOrAgo(f.to, now); err != nil {
			return exitUsage, fmt.Errorf("--to: %w", err)
		}
	}
	var answer []byte
	if f.storage != "" {
		answer, code, err = answerFromFiles(f.storage, func(ctx context.Context, h *history.History) (any, error) {
			return capacity.New(h).Report(ctx, f.request)
		})
	} else {
		answer, code, err = f.server.ask(http.MethodGet, "/capacity", f.request.Query(), nil)
	}
	if err != nil {
		return code, err
	}
	if f.format == "json" {
		_, err = stdout.Write(answer)
		return exitFine, err
	}
	var r capacity.Report
	if err := json.Unmarshal(answer, &r); err != nil {
		return exitBad, fmt.Errorf("the answer is not understood: %w", err)
	}
	printCapacity(stdout, r)
	return exitFine, nil
}

// answerFromFiles asks the files of a process that does not run, as a server
// would, and returns its answer or the exit code that an error asks for.
func answerFromFiles(storage string, ask func(context.Context, *history.History) (any, error)) (answer []byte, code int, err error) {
	files, err := store.OpenFiles(filepath.Join(storage, "tsdb"), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, exitUsage, err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 50_000_000, Timeout: answerTimeout, Parser: p})
	defer engine.Close()
	h, err := history.New(history.Deps{Engine: engine, Storage: files, Parser: p})
	if err != nil {
		return nil, exitBad, err
	}
	report, err := ask(context.Background(), h)
	if err != nil {
		return nil, exitUsage, err
	}
	answer, err = json.Marshal(report)
	return append(answer, '\n'), exitFine, err
}

func printCapacity(w io.Writer, r capacity.Report) {
	fmt.Fprintf(w, "%s until %s, margin %.0f %%\n", capacity.Length(r.To.Sub(r.From).Round(time.Hour)), capacity.Instant(r.To), r.Margin*100)
	if len(r.Items) == 0 {
		fmt.Fprintln(w, "nothing is stored that has a size; docs/capacity.md lists what is looked at")
		return
	}
	if r.StoredFrom.Sub(r.From) > time.Hour {
		fmt.Fprintf(w, "the first value that is known is of %s\n", capacity.Instant(r.StoredFrom))
	}
	var sums []string
	for _, s := range r.GiveBack {
		sums = append(sums, fmt.Sprintf("%s of %s %s", capacity.Text(s.Value, s.Unit), s.Kind, s.Resource))
	}
	if len(sums) > 0 {
		fmt.Fprintf(w, "could be given back: %s\n", strings.Join(sums, ", "))
	}
	fmt.Fprintln(w)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "VERDICT\tWHAT\tUSUAL\t99 %\tPEAK\tLIMIT\tLEFT")
	for _, i := range r.Items {
		limit, left := "-", "-"
		if i.Limit != nil {
			limit = capacity.Text(*i.Limit, i.Unit)
		}
		if i.Headroom != nil {
			left = fmt.Sprintf("%.0f %%", max(0, *i.Headroom)*100)
		}
		fmt.Fprintf(tab, "%s\t%s %s %s\t%s\t%s\t%s\t%s\t%s\n", i.Verdict, i.Kind, i.Name, i.Resource,
			capacity.Text(i.Usual, i.Unit), capacity.Text(i.P99, i.Unit), capacity.Text(i.Peak.Value, i.Unit), limit, left)
	}
	// Standard output; if it is gone there is nobody to tell.
	_ = tab.Flush()
	if r.Omitted > 0 {
		fmt.Fprintf(w, "and %d more\n", r.Omitted)
	}
	for _, i := range r.Items {
		if i.Verdict == capacity.Fits || i.Verdict == capacity.Gone {
			continue
		}
		fmt.Fprintf(w, "\n%s %s %s: %s\n  %s\n", i.Kind, i.Name, i.Resource, i.Verdict, i.Reason)
		if len(i.Busy) > 0 {
			fmt.Fprintf(w, "  Peaks come %s UTC.\n", strings.Join(i.Busy, "; "))
		}
		if i.Advice != "" {
			fmt.Fprintf(w, "  → %s\n", i.Advice)
		}
	}
}
