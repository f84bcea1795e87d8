package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/notifications"
	apiv1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// Config says how the listener behaves. A zero field has the default that its
// comment names.
type Config struct {
	// ListenAddresses are host:port pairs; 127.0.0.1:9090.
	ListenAddresses []string
	// ExternalURL is where users reach us; http:// and the first address.
	ExternalURL *url.URL
	// RoutePrefix goes before every path; the path of ExternalURL.
	RoutePrefix string
	// WebConfigFile holds TLS, users, tokens and limits; see docs/security.md.
	WebConfigFile string
	// Login holds until the first reload.
	Login state.LoginConfig
	// TSDBDir is where snapshots go.
	TSDBDir string

	EnableLifecycle           bool // /-/reload and /-/quit
	EnableAdmin               bool // /api/v1/admin/*
	EnableSearch              bool // /api/v1/search/*
	EnableRemoteWriteReceiver bool // /api/v1/write
	EnableOTLPReceiver        bool // /api/v1/otlp/v1/metrics

	// OTLPDeltaToCumulative sums delta points in memory. Its embedded
	// processor starts goroutines that last as long as the process.
	OTLPDeltaToCumulative bool
	// OTLPNativeDelta stores delta points as they are.
	OTLPNativeDelta bool

	// CORSOrigin is an anchored regular expression of the origins whose pages
	// may use us as if they were ours; none. ".*" trusts every web page.
	CORSOrigin string

	MaxConnections int           // 512
	ReadTimeout    time.Duration // whole request and idle connections; 5 minutes
	DrainTimeout   time.Duration // for answers under way when we stop; 10 seconds

	RemoteReadSampleLimit      int // 50 million
	RemoteReadConcurrencyLimit int // 10
	RemoteReadBytesInFrame     int // 1 MiB
	MaxSearchLimit             int // 0: no bound

	LookbackDelta     time.Duration // 5 minutes
	TypeAndUnitLabels bool
	AppendMetadata    bool
	STZeroIngestion   bool
}

// Storage is what queries and administration ask of the store.
type Storage interface {
	storage.SampleAndChunkQueryable
	storage.ExemplarQueryable
	apiv1.TSDBAdminStats
}

// Targets is what the API asks of the scraper.
type Targets interface {
	apiv1.ScrapePoolsRetriever
	apiv1.TargetRetriever
}

// Version names a build.
type Version struct {
	Version  string
	Revision string
}

// Deps are the parts that answer. All are needed unless the comment says
// otherwise.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Gatherer is what /metrics shows.
	Gatherer prometheus.Gatherer

	Storage Storage
	// Local is what /federate reads, without remote storage; nil: Storage.
	Local storage.Queryable
	// Appendable and AppendableV2 take what is pushed. Needed only when a
	// receiver is on.
	Appendable    storage.Appendable
	AppendableV2  storage.AppendableV2
	Engine        promql.QueryEngine
	Parser        parser.Parser
	Targets       Targets
	Alertmanagers apiv1.AlertmanagerRetriever
	Rules         apiv1.RulesRetriever

	// Config is the running Prometheus configuration.
	Config func() promconfig.Config
	// ConfigText is the running file as /api/v1/status/config shows it. It
	// must not contain secrets.
	ConfigText func() string
	// RuntimeInfo adds to the facts about the process what only the store and
	// the reloader know; optional.
	RuntimeInfo func(*apiv1.RuntimeInfo) error
	// Features and Notifications are optional; nil: own, empty ones.
	Features      features.Collector
	Notifications *notifications.Notifications
	Flags         map[string]string
	Version       Version

	// CheckRules refuses a rule file that could not be loaded.
	CheckRules func(text []byte) error
	// State holds users, sessions, tokens and what the web UI stores.
	State *state.State
	// Alertmanager serves paths that start with /api/v2/; nil: not found.
	Alertmanager http.Handler
	UI           http.Handler
	// Routes are the other parts' endpoints under /api/hw/v1.
	Routes []Route

	// Changed is told the path of each request that has changed something, without
	// the route prefix; nil if nobody wants to know. It must not wait.
	Changed func(path string)
	// Reload makes a changed configuration current, all or nothing.
	Reload func(context.Context) error
	// Quit asks the process to stop; it returns at once.
	Quit func()
	// Ready is nil when queries and appends work, else what we wait for.
	Ready func() error
	// Stderr is where the first start prints its password; nil: os.Stderr.
	Stderr io.Writer
}

// withDefaults fills in what is not set and reports everything that is wrong.
func (c Config) withDefaults() (Config, error) {
	setDefault(&c.MaxConnections, 512)
	setDefault(&c.ReadTimeout, 5*time.Minute)
	setDefault(&c.DrainTimeout, 10*time.Second)
	setDefault(&c.RemoteReadSampleLimit, 50_000_000)
	setDefault(&c.RemoteReadConcurrencyLimit, 10)
	setDefault(&c.RemoteReadBytesInFrame, 1<<20)
	setDefault(&c.LookbackDelta, 5*time.Minute)
	if len(c.ListenAddresses) == 0 {
		c.ListenAddresses = []string{"127.0.0.1:9090"}
	}

	var errs []error
	for _, address := range c.ListenAddresses {
		if _, _, err := net.SplitHostPort(address); err != nil {
			errs = append(errs, fmt.Errorf("listen address %q: %w; use host:port", address, err))
		}
	}
	if c.ExternalURL == nil {
		c.ExternalURL = &url.URL{Scheme: "http", Host: c.ListenAddresses[0]}
	}
	if c.RoutePrefix == "" {
		c.RoutePrefix = c.ExternalURL.Path
	}
	c.RoutePrefix = strings.TrimRight("/"+strings.Trim(c.RoutePrefix, "/"), "/")

	if _, err := c.corsOrigin(); err != nil {
		errs = append(errs, fmt.Errorf("CORS origin %q: %w", c.CORSOrigin, err))
	}
	if c.OTLPDeltaToCumulative && c.OTLPNativeDelta {
		errs = append(errs, errors.New("OTLP delta points are either converted to cumulative ones or stored as they are; choose one"))
	}
	return c, errors.Join(errs...)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// corsOrigin compiles CORSOrigin. The form of the expression is the one by
// which the embedded API recognizes "every origin".
func (c Config) corsOrigin() (*regexp.Regexp, error) {
	return regexp.Compile("^(?:" + c.CORSOrigin + ")$")
}

// exposed tells whether other machines can reach us. A name other than
// localhost counts as reachable: what it resolves to may change.
func (c Config) exposed() bool {
	for _, address := range c.ListenAddresses {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return true
		}
		ip, err := netip.ParseAddr(host)
		if host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return true
		}
	}
	return false
}

// withDefaults fills in what is optional and reports everything that is missing.
func (d Deps) withDefaults(c Config) (Deps, error) {
	receives := c.EnableRemoteWriteReceiver || c.EnableOTLPReceiver
	var errs []error
	for _, need := range []struct {
		name    string
		missing bool
	}{
		{"Logger", d.Logger == nil},
		{"Registerer", d.Registerer == nil},
		{"Gatherer", d.Gatherer == nil},
		{"Storage", d.Storage == nil},
		{"Appendable", d.Appendable == nil && receives},
		{"AppendableV2", d.AppendableV2 == nil && receives},
		{"Engine", d.Engine == nil},
		{"Parser", d.Parser == nil},
		{"Targets", d.Targets == nil},
		{"Alertmanagers", d.Alertmanagers == nil},
		{"Rules", d.Rules == nil},
		{"Config", d.Config == nil},
		{"ConfigText", d.ConfigText == nil},
		{"UI", d.UI == nil},
		{"State", d.State == nil},
		{"CheckRules", d.CheckRules == nil},
		{"Reload", d.Reload == nil},
		{"Quit", d.Quit == nil},
		{"Ready", d.Ready == nil},
	} {
		if need.missing {
			errs = append(errs, fmt.Errorf("dependency %s is missing", need.name))
		}
	}
	for _, route := range d.Routes {
		errs = append(errs, route.validate())
	}
	if err := errors.Join(errs...); err != nil {
		return d, err
	}

	if d.Local == nil {
		d.Local = d.Storage
	}
	if d.Features == nil {
		d.Features = features.NewRegistry()
	}
	if d.Notifications == nil {
		d.Notifications = notifications.NewNotifications(maxNotificationStreams, d.Registerer)
	}
	if d.Flags == nil {
		d.Flags = map[string]string{}
	}
	if d.Alertmanager == nil {
		d.Alertmanager = http.NotFoundHandler()
	}
	if d.RuntimeInfo == nil {
		d.RuntimeInfo = func(*apiv1.RuntimeInfo) error { return nil }
	}
	if d.Stderr == nil {
		d.Stderr = os.Stderr
	}
	return d, nil
}

// maxNotificationStreams bounds the browsers that listen to
// /api/v1/notifications/live, as in Prometheus.
const maxNotificationStreams = 16
