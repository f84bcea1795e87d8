package app

import (
	"errors"
	"log/slog"
	"reflect"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/scrape"

	"github.com/hedgewatch/hedgewatch/internal/collector/host"
	"github.com/hedgewatch/hedgewatch/internal/collector/process"
	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/scraper"
)

// selfJobName is the job of this process' own metrics.
const selfJobName = "hedgewatch"

// errNotReady is what the store hears before the scraper is built.
var errNotReady = errors.New("scraper not built yet")

// Get implements remote.ReadyScrapeManager.
func (l lateScraper) Get() (*scrape.Manager, error) {
	if l.app.scraper == nil {
		return nil, errNotReady
	}
	return l.app.scraper.Get()
}

// locals are the jobs inside this process that cfg asks for. The collectors
// change when commit is called.
func (a *App) locals(cfg *config.Config) (jobs []scraper.Local, commit func(), err error) {
	jobs = append(a.serviceJobs(), a.self.local())
	exchange, err := a.connectivityLocal(cfg)
	if err != nil {
		return nil, nil, err
	}
	if exchange != nil {
		jobs = append(jobs, *exchange)
	}
	local, commit, err := a.host.prepare(cfg.Host, cfg.Processes)
	if err != nil {
		return nil, nil, err
	}
	if local != nil {
		jobs = append(jobs, *local)
	}
	return jobs, commit, nil
}

// selfJob is the metrics of this process.
type selfJob struct {
	instance string
	gatherer prometheus.Gatherer
}

func (j selfJob) local() scraper.Local {
	return scraper.Local{Job: selfJobName, Instance: j.instance, Gatherer: j.gatherer}
}

// hostJob is the host's collectors and the process groups, in one job.
type hostJob struct {
	instance  string
	logger    *slog.Logger
	cfg       host.Config
	host      *host.Collector
	processes *process.Collector
}

func newHostJob(instance string, logger *slog.Logger) *hostJob {
	return &hostJob{instance: instance, logger: logger}
}

// prepare returns the job for the given configuration, nil if it collects
// nothing.
func (j *hostJob) prepare(hc host.Config, pc process.Config) (*scraper.Local, func(), error) {
	var gatherers prometheus.Gatherers
	var errs []error
	next := *j
	next.cfg = hc
	if hc.Enabled {
		if j.host == nil || !reflect.DeepEqual(j.cfg, hc) {
			c, err := host.New(hc, j.logger)
			next.host, errs = c, append(errs, err)
		}
		if next.host != nil {
			gatherers = append(gatherers, next.host)
		}
	}
	commitProcesses := func() {}
	if len(pc.Groups) > 0 {
		var err error
		if j.processes == nil {
			next.processes, err = process.New(pc, j.logger)
		} else {
			commitProcesses, err = j.processes.Prepare(pc)
		}
		errs = append(errs, err)
		if next.processes != nil {
			reg := prometheus.NewRegistry()
			errs = append(errs, reg.Register(next.processes))
			gatherers = append(gatherers, reg)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	commit := func() {
		commitProcesses()
		*j = next
	}
	if len(gatherers) == 0 {
		return nil, commit, nil
	}
	return &scraper.Local{Job: hc.JobName, Instance: j.instance, Interval: hc.ScrapeInterval, Gatherer: gatherers}, commit, nil
}
