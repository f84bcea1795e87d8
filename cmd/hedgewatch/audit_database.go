package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.yaml.in/yaml/v3"

	"github.com/hedgewatch/hedgewatch/internal/audit"
	"github.com/hedgewatch/hedgewatch/internal/audit/httpsource"
	"github.com/hedgewatch/hedgewatch/internal/audit/postgres"
)

// databaseFlags are those of an audit of tables.
type databaseFlags struct {
	discover  bool
	mapping   postgres.Mapping
	interval  string
	share     float64
	timeout   time.Duration
	lateAfter time.Duration
}

func (f *databaseFlags) add(cmd *kingpin.CmdClause) {
	f.mapping.Columns = map[string]string{}
	cmd.Flag("discover", "Of a database: propose which tables hold exchange data and how to read them, and end.").BoolVar(&f.discover)
	cmd.Flag("table", "Of a database or server: the table to read. Default: all that --discover proposes.").PlaceHolder("<name>").StringVar(&f.mapping.Table)
	cmd.Flag("preset", "Of a database: the shape of the table: ts_user_trades, ts_future_incomes or klines.").PlaceHolder("<name>").StringVar(&f.mapping.Preset)
	cmd.Flag("dataset", "Of a server, or a table without a preset: klines, trades, aggTrades, userTrades or incomes.").PlaceHolder("<name>").StringVar(&f.mapping.Dataset)
	cmd.Flag("column", "Of a table: the column of a field, as open_time=ts. May be repeated.").PlaceHolder("<field=column>").StringMapVar(&f.mapping.Columns)
	cmd.Flag("symbol", "Of a table: the symbol of all its rows, if no column says.").PlaceHolder("<symbol>").StringVar(&f.mapping.Symbol)
	cmd.Flag("interval", "Of a table: the interval of all its rows, if no column says.").PlaceHolder("<interval>").StringVar(&f.interval)
	cmd.Flag("account", "Of a table: the account of all its rows, if no column says.").PlaceHolder("<name>").StringVar(&f.mapping.Account)
	cmd.Flag("share", "Of a database: the share of the time of two of its processes that reading may take.").Default("0.5").FloatVar(&f.share)
	cmd.Flag("timeout", "Of a database or server: what one query may take.").Default("30s").DurationVar(&f.timeout)
	cmd.Flag("late-after", "Of a table with created_at: how late a row may be stored. Default: is not looked at.").PlaceHolder("<duration>").DurationVar(&f.lateAfter)
}

func isDatabase(source string) bool {
	return strings.HasPrefix(source, "postgres://") || strings.HasPrefix(source, "postgresql://")
}

func (f *databaseFlags) check(sources []string) error {
	database, server := false, false
	for _, s := range sources {
		database, server = database || isDatabase(s), server || isServer(s)
	}
	switch {
	case (database || server) && len(sources) > 1:
		return errors.New("--source: one database or server at a time, and not together with files")
	case server && (f.discover || f.mapping.Preset != "" || len(f.mapping.Columns) > 0):
		return errors.New("--discover, --preset and --column are for a database; a server names its columns itself")
	case server:
		return httpsource.Mapping{Dataset: f.mapping.Dataset, Table: f.mapping.Table}.Validate()
	case !database && (f.discover || f.mapping.Table != "" || f.mapping.Preset != ""):
		return errors.New("--discover, --table and --preset need --source postgres://")
	}
	f.mapping.Interval = audit.Interval(f.interval)
	return nil
}

func (f *databaseFlags) open(source string) (*postgres.DB, error) {
	c := postgres.DefaultConfig()
	c.DSN, c.Share, c.StatementTimeout, c.Connections = audit.Secret(source), f.share, f.timeout, 2
	return postgres.Open(c)
}

// audit reads the table that is named, or all that look like exchange data.
func (f *databaseFlags) audit(ctx context.Context, db *postgres.DB, market string, o audit.Options) (audit.Report, error) {
	mappings := []postgres.Mapping{f.mapping}
	if f.mapping.Table == "" && f.mapping.Preset == "" {
		proposals, err := db.Discover(ctx)
		if err != nil {
			return audit.Report{}, err
		}
		if mappings = nil; len(proposals) == 0 {
			return audit.Report{}, errors.New("no table looks like exchange data; name one with --table, --dataset and --column")
		}
		for _, p := range proposals {
			mappings = append(mappings, p.Mapping)
		}
	}
	var all audit.Report
	for _, m := range mappings {
		origin := audit.Series{Market: market}
		table, err := db.Table(ctx, m, origin)
		var r audit.Report
		if err == nil {
			r, err = audit.Once(ctx, table, o)
		}
		switch {
		case err != nil && len(mappings) == 1:
			return all, err
		case err != nil: // The other tables are checked all the same.
			origin.Dataset = m.Dataset
			r.Findings = []audit.Finding{{Series: origin, Kind: audit.Unchecked, Cause: audit.Unknown, From: o.From, To: o.To, Evidence: err.Error()}}
		}
		all.Rows += r.Rows
		all.Series = append(all.Series, r.Series...)
		all.Findings = append(all.Findings, r.Findings...)
	}
	return all, nil
}

// printDiscovery writes mappings as they stand in the configuration.
func printDiscovery(ctx context.Context, db *postgres.DB, stdout, stderr io.Writer) int {
	proposals, err := db.Discover(ctx)
	if err == nil && len(proposals) == 0 {
		err = errors.New("no table looks like exchange data")
	}
	if err != nil {
		printErrors(stderr, err)
		return exitBad
	}
	for _, p := range proposals {
		text, err := yaml.Marshal([]postgres.Mapping{p.Mapping})
		if err == nil {
			_, err = fmt.Fprintf(stdout, "# %s: some %d rows\n%s", p.Mapping.Table, max(p.Rows, 0), text)
		}
		if err == nil && len(p.Lacks) > 0 {
			_, err = fmt.Fprintf(stdout, "# No column says %s; give the one that all rows have.\n", strings.Join(p.Lacks, " and "))
		}
		if err != nil {
			printErrors(stderr, err)
			return exitBad
		}
	}
	return exitFine
}
