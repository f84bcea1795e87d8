package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/hedgewatch/hedgewatch/internal/audit"
	"github.com/hedgewatch/hedgewatch/internal/audit/archive"
)

// auditFlags are those of one audit.
type auditFlags struct {
	sources          []string
	market, from, to string
	format           string
	database         databaseFlags
}

func addAudit(app *kingpin.Application, commands map[string]command) {
	var f auditFlags
	cmd := app.Command("audit", "Check stored exchange data once: complete, in order, possible. Exit code 1: something is missing or wrong by the platform's fault, or could not be checked.")
	cmd.Flag("source", "Files or directories with klines, named SYMBOL-INTERVAL[-YYYY-MM[-DD]].csv, .csv.gz or .zip; or a database, postgres://user@host/name; or a server in front of another one, http://host/path, with --dataset. May be repeated for files; read several symbols together, to tell a halt of the exchange from a loss.").
		Required().PlaceHolder("<path>").StringsVar(&f.sources)
	cmd.Flag("market", "The exchange's market, for the report: spot, usdm or coinm.").Default("spot").EnumVar(&f.market, "spot", "usdm", "coinm")
	cmd.Flag("from", "Beginning of the time in which all rows should be there, as 2023-03-24 or RFC 3339. Default: the first row.").PlaceHolder("<time>").StringVar(&f.from)
	cmd.Flag("to", "End of that time. Default: the last row.").PlaceHolder("<time>").StringVar(&f.to)
	cmd.Flag("format", "How to report: text or json.").Default("text").EnumVar(&f.format, "text", "json")
	f.database.add(cmd)
	commands[cmd.FullCommand()] = func(stdout, stderr io.Writer) int { return runAudit(f, stdout, stderr) }
}

func runAudit(f auditFlags, stdout, stderr io.Writer) int {
	from, errFrom := parseTime("from", f.from)
	to, errTo := parseTime("to", f.to)
	if err := errors.Join(errFrom, errTo, f.database.check(f.sources)); err != nil {
		printErrors(stderr, err)
		return exitUsage
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		printErrors(stderr, fmt.Errorf("--from %s is not before --to %s", f.from, f.to))
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var report audit.Report
	if isServer(f.sources[0]) {
		var err error
		options := audit.Options{From: from, To: to, LateAfter: f.database.lateAfter}
		if report, err = f.database.auditServer(ctx, f.sources[0], f.market, options); err != nil {
			printErrors(stderr, err)
			return exitBad
		}
	} else if isDatabase(f.sources[0]) {
		db, err := f.database.open(f.sources[0])
		if err != nil {
			printErrors(stderr, err)
			return exitUsage
		}
		defer db.Close()
		if f.database.discover {
			return printDiscovery(ctx, db, stdout, stderr)
		}
		options := audit.Options{From: from, To: to, LateAfter: f.database.lateAfter}
		if report, err = f.database.audit(ctx, db, f.market, options); err != nil {
			printErrors(stderr, err)
			return exitBad
		}
	} else {
		files, err := archive.List(f.sources...)
		if err != nil {
			printErrors(stderr, err)
			return exitUsage
		}
		report = archive.Audit(ctx, files, archive.Options{Market: f.market, From: from, To: to})
	}
	print := printReport
	if f.format == "json" {
		print = printReportJSON
	}
	if err := print(stdout, report); err != nil {
		printErrors(stderr, err)
		return exitBad
	}
	for _, finding := range report.Findings {
		if finding.Cause != audit.Exchange {
			return exitBad
		}
	}
	return exitFine
}

func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s %q: write 2023-03-24 or 2023-03-24T12:40:00Z", flag, text)
}

func printReport(w io.Writer, r audit.Report) error {
	for _, finding := range r.Findings {
		if _, err := fmt.Fprintln(w, finding); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d rows of %d series checked, %d findings\n", r.Rows, len(r.Series), len(r.Findings))
	return err
}

// auditJSON is the report of --format=json.
type auditJSON struct {
	Rows     int64           `json:"rows"`
	Series   []seriesJSON    `json:"series"`
	Findings []audit.Finding `json:"findings"`
}

type seriesJSON struct {
	audit.Series
	Rows          int64     `json:"rows"`
	From          time.Time `json:"from"`
	To            time.Time `json:"to"`
	VerifiedUntil time.Time `json:"verifiedUntil"`
}

func printReportJSON(w io.Writer, r audit.Report) error {
	out := auditJSON{Rows: r.Rows, Series: []seriesJSON{}, Findings: append([]audit.Finding{}, r.Findings...)}
	for _, s := range r.Series {
		out.Series = append(out.Series, seriesJSON{s.Series, s.Rows, s.From, s.To, s.VerifiedUntil(r.Findings)})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
