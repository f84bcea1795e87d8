package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/grafana"
	"github.com/hedgewatch/hedgewatch/internal/ruler"
)

func addCheck(app *kingpin.Application, commands map[string]command) {
	check := app.Command("check", "Check files without running anything.")
	add := func(name, help, arg string, checkFile func(path string) (summary string, err error)) {
		cmd := check.Command(name, help)
		files := cmd.Arg("file", arg).Required().Strings()
		commands[cmd.FullCommand()] = func(stdout, stderr io.Writer) int {
			return checkFiles(*files, checkFile, stdout, stderr)
		}
	}
	add("config", "Check configuration files, and the files that they name.", "hedgewatch.yml or prometheus.yml", checkConfig)
	add("rules", "Check rule files.", "rule file", checkRules)
	add("dashboards", "Check Grafana dashboards: JSON, layout, variables, PromQL.", "dashboard file", checkDashboard)
}

// checkFiles checks all files and reports everything that is wrong.
func checkFiles(paths []string, check func(string) (string, error), stdout, stderr io.Writer) int {
	code := exitFine
	for _, path := range paths {
		summary, err := check(path)
		if err != nil {
			printErrors(stderr, err)
			code = max(code, exitBad)
			if _, err := os.Stat(path); isMissing(err) {
				code = exitUsage
			}
			continue
		}
		fmt.Fprintf(stdout, "%s: %s\n", path, summary)
	}
	return code
}

func checkConfig(path string) (string, error) {
	alerting.InitMatchers(promslog.NewNopLogger())
	cfg, err := config.Load(path, config.Options{})
	if err != nil {
		return "", err
	}
	jobs, err := cfg.Prometheus.GetScrapeConfigs()
	if err != nil {
		return "", err
	}
	summary := fmt.Sprintf("valid: %d scrape jobs, %d rule files", len(jobs), len(cfg.Prometheus.RuleFiles))
	if cfg.Alerting != nil {
		summary += fmt.Sprintf(", %d receivers", len(cfg.Alerting.Alertmanager.Receivers))
	}
	for _, w := range cfg.Warnings {
		summary += "\n  warning: " + w
	}
	return summary, nil
}

func checkRules(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	groups, errs := ruler.ParseFile(text, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
	for i, err := range errs {
		errs[i] = fmt.Errorf("%s: %w", path, err)
	}
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	n := 0
	for _, g := range groups.Groups {
		n += len(g.Rules)
	}
	return fmt.Sprintf("valid: %d groups, %d rules", len(groups.Groups), n), nil
}

func checkDashboard(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	problems := grafana.Check(text, parser.NewParser(parser.Options{}))
	for i, problem := range problems {
		problems[i] = fmt.Errorf("%s: %w", path, problem)
	}
	if err := errors.Join(problems...); err != nil {
		return "", err
	}
	d, err := grafana.Parse(text)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("valid: %d panels, %d queries", len(d.All()), len(d.Expressions())), nil
}
