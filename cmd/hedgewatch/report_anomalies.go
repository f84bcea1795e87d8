package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/history"
	"github.com/hedgewatch/hedgewatch/internal/history/anomaly"
	"github.com/hedgewatch/hedgewatch/internal/history/capacity"
)

// anomalyFlags are those of `hedgewatch report anomalies`.
type anomalyFlags struct {
	server              server
	storage, to, format string
	span, step          model.Duration
	request             anomaly.Request
}

func addReportAnomalies(report *kingpin.CmdClause, commands map[string]command) {
	var f anomalyFlags
	cmd := report.Command("anomalies", "When series did what they never do, by their history of four weeks.")
	f.server.flags(cmd)
	cmd.Flag("storage.path", "Read this directory of a hedgewatch that does not run, instead of asking one.").StringVar(&f.storage)
	cmd.Flag("expr", "Expression of the series.").Required().StringVar(&f.request.Expr)
	cmd.Flag("range", "How far to look back, 1h to 4w.").Default(model.Duration(anomaly.DefaultRange).String()).SetValue(&f.span)
	cmd.Flag("to", "End: a time such as 2026-05-01T12:00:00Z, or how long ago.").Default("0s").StringVar(&f.to)
	cmd.Flag("step", "Time between two values, 1m to 30m.").Default(model.Duration(anomaly.DefaultStep).String()).SetValue(&f.step)
	cmd.Flag("format", "text or json.").Default("text").EnumVar(&f.format, "text", "json")
	commands[cmd.FullCommand()] = func(stdout, stderr io.Writer) int {
		code, err := f.run(stdout, time.Now())
		if err != nil {
			fmt.Fprintf(stderr, "hedgewatch: report anomalies: %v\n", err)
		}
		return code
	}
}

func (f anomalyFlags) run(stdout io.Writer, now time.Time) (code int, err error) {
	f.request.Range, f.request.Step = time.Duration(f.span), time.Duration(f.step)
	if f.to != "0s" {
		if f.request.To, err = timeOrAgo(f.to, now); err != nil {
			return exitUsage, fmt.Errorf("--to: %w", err)
		}
	}
	var answer []byte
	if f.storage != "" {
		answer, code, err = answerFromFiles(f.storage, func(ctx context.Context, h *history.History) (any, error) {
			return anomaly.New(h).Report(ctx, f.request)
		})
	} else {
		answer, code, err = f.server.ask(http.MethodGet, "/anomalies", f.request.Query(), nil)
	}
	if err != nil {
		return code, err
	}
	if f.format == "json" {
		_, err = stdout.Write(answer)
		return exitFine, err
	}
	var r anomaly.Report
	if err := json.Unmarshal(answer, &r); err != nil {
		return exitBad, fmt.Errorf("the answer is not understood: %w", err)
	}
	printAnomalies(stdout, r)
	return exitFine, nil
}

func printAnomalies(w io.Writer, r anomaly.Report) {
	fmt.Fprintf(w, "%s until %s: %d series with anomalies, %d without, %d with too little history\n",
		capacity.Length(r.To.Sub(r.From)), capacity.Instant(r.To), len(r.Series), r.Quiet, r.Unknown)
	if r.Omitted > 0 {
		fmt.Fprintf(w, "%d series more were not looked at; ask for fewer\n", r.Omitted)
	}
	for _, s := range r.Series {
		fmt.Fprintf(w, "\n%s\n", labelText(s.Labels))
		for _, a := range s.Anomalies {
			why := "never seen before"
			if !a.Never {
				why = "never so long at that time of the day"
			}
			fmt.Fprintf(w, "  %s for %s: %.4g, expected %.4g to %.4g; %s\n", capacity.Instant(a.From),
				capacity.Length(a.To.Sub(a.From)+time.Duration(r.StepSeconds*float64(time.Second))), a.Value, a.Expected.Low, a.Expected.High, why)
		}
	}
}
