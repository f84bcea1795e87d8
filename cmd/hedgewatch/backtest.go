package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/history"
)

// backtestFlags are those of `hedgewatch backtest`.
type backtestFlags struct {
	server                  server
	from, to, format        string
	rule                    history.Request
	forDuration, keep, step model.Duration
}

func addBacktest(app *kingpin.Application, commands map[string]command) {
	f := backtestFlags{rule: history.Request{Labels: map[string]string{}}}
	cmd := app.Command("backtest", "Try an alerting rule on the samples that a running hedgewatch has stored.")
	f.server.flags(cmd)
	cmd.Flag("expr", "Expression of the rule.").Required().StringVar(&f.rule.Expr)
	cmd.Flag("for", "How long it must hold.").Default("0s").SetValue(&f.forDuration)
	cmd.Flag("keep-firing-for", "How long the alert goes on after it no longer holds.").Default("0s").SetValue(&f.keep)
	cmd.Flag("label", "Label of the rule, name=value; may be repeated.").StringMapVar(&f.rule.Labels)
	cmd.Flag("from", "Begin: a time such as 2026-05-01T12:00:00Z, or how long ago.").Default("24h").StringVar(&f.from)
	cmd.Flag("to", "End, in the same way.").Default("0s").StringVar(&f.to)
	cmd.Flag("step", "Interval of evaluations.").Default("15s").SetValue(&f.step)
	cmd.Flag("format", "text or json.").Default("text").EnumVar(&f.format, "text", "json")
	commands[cmd.FullCommand()] = func(stdout, stderr io.Writer) int {
		code, err := f.run(stdout, time.Now())
		if err != nil {
			fmt.Fprintf(stderr, "hedgewatch: backtest: %v\n", err)
		}
		return code
	}
}

func (f backtestFlags) run(stdout io.Writer, now time.Time) (code int, err error) {
	r := f.rule
	r.For, r.KeepFiringFor, r.Step = f.forDuration, f.keep, f.step
	if r.From, err = timeOrAgo(f.from, now); err != nil {
		return exitUsage, fmt.Errorf("--from: %w", err)
	}
	if r.To, err = timeOrAgo(f.to, now); err != nil {
		return exitUsage, fmt.Errorf("--to: %w", err)
	}
	body, err := json.Marshal(r)
	if err != nil {
		return exitBad, err
	}
	answer, code, err := f.server.ask(http.MethodPost, "/backtest", nil, body)
	if err != nil {
		return code, err
	}
	if f.format == "json" {
		_, err = stdout.Write(answer)
		return exitFine, err
	}
	var result history.Result
	if err := json.Unmarshal(answer, &result); err != nil {
		return exitBad, fmt.Errorf("answer of %s is not understood: %w", f.server.url, err)
	}
	printBacktest(stdout, result)
	return exitFine, nil
}

// timeOrAgo reads a time, or a duration before now.
func timeOrAgo(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	ago, err := model.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time such as 2026-05-01T12:00:00Z nor a duration such as 24h", text)
	}
	return now.Add(-time.Duration(ago)), nil
}

func printBacktest(w io.Writer, r history.Result) {
	fmt.Fprintf(w, "fired %d times for %v in all, %d evaluations\n", r.Fired, seconds(r.FiringSeconds), r.Steps)
	for _, a := range r.Alerts {
		if len(a.Intervals) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", labelText(a.Labels))
		for _, i := range a.Intervals {
			end, took := "still firing", ""
			if !i.To.IsZero() {
				end, took = i.To.UTC().Format(time.RFC3339), fmt.Sprintf("  %v", i.To.Sub(i.From))
			}
			fmt.Fprintf(w, "  %s to %s%s\n", i.From.UTC().Format(time.RFC3339), end, took)
		}
	}
	if r.Omitted > 0 {
		fmt.Fprintf(w, "\nand %d alerts more\n", r.Omitted)
	}
	if r.Messages != nil {
		fmt.Fprintf(w, "\nmessages: %d\n", r.Messages.Total)
		for _, name := range slices.Sorted(maps.Keys(r.Messages.ByReceiver)) {
			fmt.Fprintf(w, "  %-20s %d\n", name, r.Messages.ByReceiver[name])
		}
	}
	if t := r.Threshold; t != nil {
		fmt.Fprintf(w, "\n%s: median %g, 99%% %g, 99.9%% %g, maximum %g; %s %g would be crossed once in a thousand samples\n",
			t.Expr, t.Quantiles["0.5"], t.Quantiles["0.99"], t.Quantiles["0.999"], t.Quantiles["1"], t.Op, t.Suggestion)
	}
}

func seconds(n float64) time.Duration {
	return time.Duration(n * float64(time.Second)).Round(time.Second)
}

func labelText(ls map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(ls)) {
		parts = append(parts, fmt.Sprintf("%s=%q", name, ls[name]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
