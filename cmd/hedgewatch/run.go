package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/util/logging"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/app"
	"github.com/hedgewatch/hedgewatch/internal/ruler"
	"github.com/hedgewatch/hedgewatch/internal/store"
)

// runFlags are the flags of `hedgewatch run`. Where Prometheus has a flag for
// the same thing, name and meaning are its own.
type runFlags struct {
	log         promslog.Config
	configFile  string
	storagePath string
	instance    string
	externalURL string
	features    []string
	memLimit    float64

	web   api.Config
	store store.Config
	ruler ruler.Options

	minBlock, maxBlock     model.Duration
	queryTimeout, lookback model.Duration
	flushDeadline          model.Duration
	readTimeout            model.Duration
	tolerance, forGrace    model.Duration
	resend                 model.Duration
}

func addRun(kp *kingpin.Application, commands map[string]command) {
	f := &runFlags{ruler: ruler.DefaultOptions()}
	cmd := kp.Command("run", "Run the monitoring server.")

	cmd.Flag("config.file", "Configuration file: hedgewatch.yml, or any prometheus.yml. Without it, this host and hedgewatch itself are watched.").StringVar(&f.configFile)
	cmd.Flag("storage.path", "Directory for everything that is kept.").Default("data").StringVar(&f.storagePath)
	cmd.Flag("storage.tsdb.retention.time", "How long samples are kept, where storage.tsdb.retention of the configuration file says nothing. Default 15d.").SetValue(&f.store.Retention.Time)
	cmd.Flag("storage.tsdb.retention.size", "How many bytes of blocks are kept, such as 512MB; likewise.").BytesVar(&f.store.Retention.Size)
	cmd.Flag("storage.tsdb.min-block-duration", "Least time range of a block.").Hidden().Default("2h").SetValue(&f.minBlock)
	cmd.Flag("storage.tsdb.max-block-duration", "Largest time range of a block.").Hidden().SetValue(&f.maxBlock)
	cmd.Flag("storage.remote.flush-deadline", "How long to wait for remote write at a stop or reload.").Default("1m").SetValue(&f.flushDeadline)
	cmd.Flag("query.timeout", "Longest time that a query may take.").Default("2m").SetValue(&f.queryTimeout)
	cmd.Flag("query.max-concurrency", "Queries that may run at the same time.").Default("20").IntVar(&f.store.Query.Concurrency)
	cmd.Flag("query.max-samples", "Samples that one query may load.").Default("50000000").IntVar(&f.store.Query.MaxSamples)
	cmd.Flag("query.lookback-delta", "How far back a query looks for a series' last sample.").Default("5m").SetValue(&f.lookback)
	cmd.Flag("rules.alert.for-outage-tolerance", "Longest outage after which the state of pending alerts is restored.").Default(model.Duration(f.ruler.OutageTolerance).String()).SetValue(&f.tolerance)
	cmd.Flag("rules.alert.for-grace-period", "Least time between a restart and the firing of a restored alert; alerts with a shorter `for` are not restored.").Default("0s").SetValue(&f.forGrace)
	cmd.Flag("rules.alert.resend-delay", "Least time between two hand-overs of a firing alert.").Default(model.Duration(f.ruler.ResendDelay).String()).SetValue(&f.resend)
	cmd.Flag("rules.max-concurrent-evals", "Rules of a group that may be evaluated at the same time; 0 means one after the other.").Default("0").Int64Var(&f.ruler.MaxConcurrentEvals)
	cmd.Flag("web.listen-address", "Address of UI and API. Can be repeated.").Default("127.0.0.1:9090").StringsVar(&f.web.ListenAddresses)
	cmd.Flag("web.config.file", "File with TLS, users and tokens; see docs/security.md.").StringVar(&f.web.WebConfigFile)
	cmd.Flag("web.external-url", "URL at which people reach this server; links in notifications start with it.").StringVar(&f.externalURL)
	cmd.Flag("web.route-prefix", "Prefix of all paths. Default: the path of --web.external-url.").StringVar(&f.web.RoutePrefix)
	cmd.Flag("web.enable-lifecycle", "Allow reload and stop by HTTP.").BoolVar(&f.web.EnableLifecycle)
	cmd.Flag("web.enable-admin-api", "Allow deletion of series and snapshots by HTTP.").BoolVar(&f.web.EnableAdmin)
	cmd.Flag("web.enable-remote-write-receiver", "Accept remote write. On by default: a pushed sample is seen at once.").Default("true").BoolVar(&f.web.EnableRemoteWriteReceiver)
	cmd.Flag("web.enable-otlp-receiver", "Accept OTLP metrics.").Default("true").BoolVar(&f.web.EnableOTLPReceiver)
	cmd.Flag("web.max-connections", "Open connections, over all addresses.").Default("512").IntVar(&f.web.MaxConnections)
	cmd.Flag("web.read-timeout", "Longest time for reading a request, and for an idle connection.").Default("5m").SetValue(&f.readTimeout)
	cmd.Flag("web.cors.origin", "Anchored regular expression of the origins whose pages may use the API; none by default.").StringVar(&f.web.CORSOrigin)
	cmd.Flag("instance", "Instance label of this host's and this process' own series. Default: the host name.").StringVar(&f.instance)
	cmd.Flag("auto-gomemlimit.ratio", "Share of the container's or host's memory at which Go starts to collect garbage harder; 0 switches it off.").Default("0.9").FloatVar(&f.memLimit)
	cmd.Flag("enable-feature", "Embedded Prometheus features to switch on, separated by commas: "+strings.Join(featureNames(), ", ")+".").StringsVar(&f.features)
	f.log = promslog.Config{Level: promslog.NewLevel(), Format: promslog.NewFormat()}
	cmd.Flag(promslogflag.LevelFlagName, promslogflag.LevelFlagHelp).Default("info").HintOptions(promslog.LevelFlagOptions...).SetValue(f.log.Level)
	cmd.Flag(promslogflag.FormatFlagName, promslogflag.FormatFlagHelp).Default("logfmt").HintOptions(promslog.FormatFlagOptions...).SetValue(f.log.Format)

	commands[cmd.FullCommand()] = func(_, stderr io.Writer) int {
		return run(f, flagValues(cmd), stderr)
	}
}

// flagValues is what /api/v1/status/flags shows.
func flagValues(cmd *kingpin.CmdClause) map[string]string {
	values := map[string]string{}
	for _, f := range cmd.Model().Flags {
		values[f.Name] = f.Value.String()
	}
	return values
}

// run runs the server until a signal stops it.
func run(f *runFlags, flags map[string]string, stderr io.Writer) int {
	f.log.Writer = stderr
	logger := promslog.New(&f.log)
	initLibraries(logger, f.log.Level.String())

	opts, err := f.options(flags)
	if err != nil {
		printErrors(stderr, err)
		return exitUsage
	}
	logger.Info("Starting", "version", version, "revision", revision)
	a, err := app.New(opts, logger)
	if err != nil {
		printErrors(stderr, err)
		return exitUsage
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	go func() {
		for range hangups {
			// Reload logs what is wrong; the running configuration goes on.
			_ = a.Reload(ctx)
		}
	}()

	if err := a.Run(ctx); err != nil {
		logger.Error("Ended", "err", err)
		return exitBad
	}
	logger.Info("Stopped")
	return exitFine
}

// initLibraries sets what the embedded libraries keep in variables of their
// own, once per process.
func initLibraries(logger *slog.Logger, logLevel string) {
	// What a configuration without runtime.log_level means.
	promconfig.DefaultRuntimeConfig.LogLevel = promconfig.LogLevel(logLevel)
	promconfig.DefaultConfig.Runtime = promconfig.DefaultRuntimeConfig
	alerting.InitMatchers(logger)
	klog.SetSlogLogger(logger.With("component", "kubernetes"))
	rest.SetDefaultWarningHandlerWithContext(logging.NewDedupDeprecationWarningLogger())
}

// options translates the flags.
func (f *runFlags) options(flags map[string]string) (app.Options, error) {
	hostname, err := os.Hostname()
	if err != nil {
		return app.Options{}, fmt.Errorf("read host name: %w; set --instance", err)
	}
	if f.instance == "" {
		f.instance = hostname
	}
	f.web.ExternalURL, err = externalURL(f.externalURL, f.web.ListenAddresses[0], hostname)
	if err != nil {
		return app.Options{}, err
	}
	if err := enableFeatures(f); err != nil {
		return app.Options{}, err
	}
	if f.memLimit < 0 || f.memLimit > 1 {
		return app.Options{}, fmt.Errorf("--auto-gomemlimit.ratio=%g: use a share from 0 to 1", f.memLimit)
	}
	if f.memLimit > 0 {
		// Where neither a cgroup nor the system tells a limit, there is none.
		_, _ = memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(f.memLimit),
			memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
	}

	if f.store.Retention.Time == 0 && f.store.Retention.Size == 0 {
		f.store.Retention.Time = model.Duration(store.DefaultRetention)
	}
	f.store.MinBlockDuration = time.Duration(f.minBlock)
	f.store.MaxBlockDuration = time.Duration(f.maxBlock)
	f.store.RemoteFlushDeadline = time.Duration(f.flushDeadline)
	f.store.Query.Timeout = time.Duration(f.queryTimeout)
	f.store.Query.LookbackDelta = time.Duration(f.lookback)
	f.web.ReadTimeout = time.Duration(f.readTimeout)
	f.ruler.OutageTolerance = time.Duration(f.tolerance)
	f.ruler.ForGracePeriod = time.Duration(f.forGrace)
	f.ruler.Lookback = time.Duration(f.lookback)
	f.ruler.ResendDelay = time.Duration(f.resend)

	return app.Options{
		ConfigFile:   f.configFile,
		StoragePath:  f.storagePath,
		Instance:     f.instance,
		Web:          f.web,
		Store:        f.store,
		Ruler:        f.ruler,
		Flags:        flags,
		Version:      api.Version{Version: version, Revision: revision},
		SetLogLevel:  f.log.Level.Set,
		SetGCPercent: func(percent int) { debug.SetGCPercent(percent) },
	}, nil
}

// externalURL is the given URL, or one made of the first listen address: the
// host name where we listen on all of this host's addresses.
func externalURL(given, listenAddress, hostname string) (*url.URL, error) {
	if given == "" {
		host, port, err := net.SplitHostPort(listenAddress)
		if err != nil {
			return nil, fmt.Errorf("--web.listen-address=%s: %w; use host:port", listenAddress, err)
		}
		if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
			host = hostname
		}
		given = "http://" + net.JoinHostPort(host, port)
	}
	u, err := url.Parse(given)
	if err != nil {
		return nil, fmt.Errorf("--web.external-url: %w", err)
	}
	if !slices.Contains([]string{"http", "https"}, u.Scheme) || u.Host == "" {
		return nil, fmt.Errorf("--web.external-url=%s: use a whole URL, such as https://watch.example.com/hedgewatch", given)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}
