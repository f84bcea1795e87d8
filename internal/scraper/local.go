package scraper

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/scrape"
)

// Local is a job with one target, inside this process.
type Local struct {
	// Job is the job label; Instance the instance label.
	Job, Instance string
	// Interval between scrapes; the file's global scrape_interval if zero.
	Interval model.Duration
	Gatherer prometheus.Gatherer
	// Relabel and MetricRelabel work as in any scrape configuration.
	Relabel, MetricRelabel []*relabel.Config
}

// scrapeConfig is the job as it could stand in the configuration file. It
// reaches the socket by the embedded library's own `__unix_socket__`, and not by
// a dialer of ours, which would take that label away from users.
func (l Local) scrapeConfig(socket string, global promconfig.GlobalConfig) (*promconfig.ScrapeConfig, error) {
	sc := promconfig.DefaultScrapeConfig
	sc.JobName = l.Job
	sc.ScrapeInterval = l.Interval
	sc.MetricsPath = localPath(l.Job)
	// Nothing is gained by compressing what never leaves the machine; measured
	// it costs a quarter of the scrape.
	sc.EnableCompression = false
	sc.RelabelConfigs = l.Relabel
	sc.MetricRelabelConfigs = l.MetricRelabel
	sc.ServiceDiscoveryConfigs = discovery.Configs{discovery.StaticConfig{&targetgroup.Group{
		Source: "0",
		Targets: []model.LabelSet{{
			model.AddressLabel:     model.LabelValue(l.Instance),
			scrape.UnixSocketLabel: model.LabelValue(socket),
		}},
	}}}
	if err := sc.Validate(global); err != nil {
		return nil, fmt.Errorf("built-in scrape job %q: %w", l.Job, err)
	}
	return &sc, nil
}

func localPath(job string) string { return "/metrics/" + job }

// localServer serves the Local jobs to the scrape manager of this process, and
// to nobody else.
type localServer struct {
	logger   *slog.Logger
	socket   string
	server   *http.Server
	listener net.Listener
	jobs     atomic.Pointer[http.ServeMux]
}

func newLocalServer(logger *slog.Logger) (*localServer, error) {
	socket, err := newSocketName()
	if err != nil {
		return nil, err
	}
	s := &localServer{logger: logger, socket: socket}
	s.jobs.Store(http.NewServeMux())
	s.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.jobs.Load().ServeHTTP(w, r) }),
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// setJobs replaces the served jobs.
func (s *localServer) setJobs(locals []Local) {
	mux := http.NewServeMux()
	for _, l := range locals {
		mux.Handle(localPath(l.Job), promhttp.HandlerFor(l.Gatherer, promhttp.HandlerOpts{
			// One broken family must not cost all others.
			ErrorHandling: promhttp.ContinueOnError,
			ErrorLog:      &gatherLog{logger: s.logger.With("job", l.Job)},
			// One scrape at a time: a slow collector must not pile up.
			MaxRequestsInFlight: 1,
			DisableCompression:  true,
		}))
	}
	s.jobs.Store(mux)
}

// gatherLog logs what a Gatherer reports, once as long as it stays the same.
type gatherLog struct {
	logger *slog.Logger
	last   atomic.Pointer[string]
}

// Println implements promhttp.Logger.
func (g *gatherLog) Println(v ...any) {
	text := fmt.Sprintln(v...)
	if last := g.last.Swap(&text); last == nil || *last != text {
		g.logger.Warn("Metrics incomplete", "err", strings.TrimSpace(text))
	}
}

func (s *localServer) listen() error {
	l, err := listenSocket(s.socket)
	if err != nil {
		return fmt.Errorf("listen for scrapes of this process: %w", err)
	}
	s.listener = l
	return nil
}

func (s *localServer) serve() {
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.logger.Error("Scrapes of this process ended", "err", err)
	}
}

func (s *localServer) close() {
	// Scrapes have ended before; idle connections are all that is left.
	if err := s.server.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		s.logger.Warn("Closing the local scrape socket", "err", err)
	}
}
