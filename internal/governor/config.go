package governor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// Config is the `governor` section. Only listen and egress need a restart.
type Config struct {
	// Enabled is true if the file has the section.
	Enabled bool `yaml:"-"`
	// Listen is the address that services use instead of the exchange's.
	Listen string `yaml:"listen"`
	// TLS is served if a certificate is given.
	TLS TLS `yaml:"tls,omitempty"`
	// Clients may use the governor, and must say so by their token if there are any.
	Clients []Client `yaml:"clients,omitempty"`
	// Reserve are the percentages of a limit that are kept for a class while the
	// window lasts.
	Reserve Reserve `yaml:"reserve"`
	Queue   Queue   `yaml:"queue"`
	// Cache are the public endpoints whose answers are kept, and for how long.
	Cache map[string]model.Duration `yaml:"cache"`
	// Egress are the ways out; without any there is one, by the usual address.
	Egress []Egress `yaml:"egress,omitempty"`
	// MaxConnections bounds the connections of clients.
	MaxConnections int `yaml:"max_connections"`
	// MaxBodyBytes bounds the body of a request; the exchange's are short forms.
	MaxBodyBytes int64 `yaml:"max_body_bytes"`

	// Exchange is the `binance` section.
	Exchange Exchange `yaml:"-"`
}

// TLS are the files of the governor's own listener.
type TLS struct {
	CertFile string `yaml:"cert_file,omitempty"`
	KeyFile  string `yaml:"key_file,omitempty"`
	// ClientCAFile makes clients show a certificate; its common name is their name.
	ClientCAFile string `yaml:"client_ca_file,omitempty"`
}

// Client is a service that may use the governor.
type Client struct {
	Name  string `yaml:"name"`
	Token Secret `yaml:"token"`
}

// Reserve are percentages of a limit.
type Reserve struct {
	Order   float64 `yaml:"order"`
	Account float64 `yaml:"account"`
	Market  float64 `yaml:"market"`
}

// Queue bounds the waiting of each class in each market.
type Queue struct {
	Size    int            `yaml:"size"`
	Timeout model.Duration `yaml:"timeout"`
}

// Egress is a way out with limits of its own: an address of this machine, or a
// proxy with another one.
type Egress struct {
	Name         string `yaml:"name"`
	LocalAddress string `yaml:"local_address,omitempty"`
	Proxy        Secret `yaml:"proxy,omitempty"`
}

// Exchange is the `binance` section: where the exchange is.
type Exchange struct {
	// Markets are those that are used; a market that is not here is Binance's own.
	Markets map[binance.Market]Endpoints `yaml:"markets,omitempty"`
	// WeightsFile has weights that are newer than those we ship.
	WeightsFile string `yaml:"weights_file,omitempty"`
	// Accounts name accounts in metrics; without one an account's name is a part
	// of its key's hash.
	Accounts []Account `yaml:"accounts,omitempty"`
}

// Endpoints are the base URLs of a market.
type Endpoints struct {
	URL          string `yaml:"url,omitempty"`
	WebSocketURL string `yaml:"ws_api_url,omitempty"`
}

// Account is what several keys have in common: the exchange counts orders by it.
type Account struct {
	Name    string   `yaml:"name"`
	APIKeys []Secret `yaml:"api_keys"`
}

// Secret prints <secret>.
type Secret string

const hidden = "<secret>"

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return s.String() }

// MarshalYAML implements yaml.Marshaler.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// DefaultConfig is what a section that says nothing means.
func DefaultConfig() Config {
	return Config{
		Enabled:        true,
		Listen:         "127.0.0.1:9091",
		Reserve:        Reserve{Order: 10, Account: 10, Market: 20},
		Queue:          Queue{Size: 1000, Timeout: model.Duration(10 * time.Second)},
		MaxConnections: 10_000,
		MaxBodyBytes:   1 << 20,
		Cache: map[string]model.Duration{
			"/api/v3/exchangeInfo":  model.Duration(30 * time.Second),
			"/fapi/v1/exchangeInfo": model.Duration(30 * time.Second),
			"/dapi/v1/exchangeInfo": model.Duration(30 * time.Second),
		},
	}
}

// What a configuration may ask for at most.
const (
	maxQueueSize   = 100_000
	maxQueueTime   = 5 * time.Minute
	maxConnections = 1_000_000
	maxBodyBytes   = 16 << 20
	maxEgress      = 64
	maxCacheTime   = time.Hour
)

// name is what may become a label: no key looks like that, or it says so itself.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Validate reports everything that is wrong, each problem with its key.
func (c Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		fail("governor.listen: %q is no address; use host:port, 127.0.0.1:9091", c.Listen)
	} else if !isLoopback(host) && len(c.Clients) == 0 && c.TLS.ClientCAFile == "" {
		fail("governor.listen: %q can be reached by others, who could spend the limit; add clients with tokens, or tls.client_ca_file", c.Listen)
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		fail("governor.tls: cert_file and key_file go together")
	}
	if c.TLS.ClientCAFile != "" && c.TLS.CertFile == "" {
		fail("governor.tls.client_ca_file: needs cert_file and key_file")
	}
	for i, client := range c.Clients {
		if !name.MatchString(client.Name) {
			fail("governor.clients[%d].name: %q; use letters, digits, dots, dashes and underscores", i, client.Name)
		}
		if len(client.Token) < 16 {
			fail("governor.clients[%d].token: shorter than 16 characters; make one with `openssl rand -hex 32`", i)
		}
		if slices.ContainsFunc(c.Clients[:i], func(o Client) bool { return o.Name == client.Name || o.Token == client.Token }) {
			fail("governor.clients[%d]: has the name or the token of another one", i)
		}
	}
	r := c.Reserve
	for _, share := range []struct {
		key   string
		value float64
	}{{"order", r.Order}, {"account", r.Account}, {"market", r.Market}} {
		if !(share.value >= 0 && share.value <= 90) {
			fail("governor.reserve.%s: %v is not a percentage from 0 to 90", share.key, share.value)
		}
	}
	if r.Order+r.Account+r.Market > 90 {
		fail("governor.reserve: %v%% in all leave too little for the rest; use at most 90", r.Order+r.Account+r.Market)
	}
	if c.Queue.Size < 0 || c.Queue.Size > maxQueueSize {
		fail("governor.queue.size: %d; use 0 to %d", c.Queue.Size, maxQueueSize)
	}
	if t := time.Duration(c.Queue.Timeout); t < 0 || t > maxQueueTime {
		fail("governor.queue.timeout: %v; use 0 to %v", t, maxQueueTime)
	}
	if c.MaxConnections < 1 || c.MaxConnections > maxConnections {
		fail("governor.max_connections: %d; use 1 to %d", c.MaxConnections, maxConnections)
	}
	if c.MaxBodyBytes < 1024 || c.MaxBodyBytes > maxBodyBytes {
		fail("governor.max_body_bytes: %d; use 1024 to %d", c.MaxBodyBytes, maxBodyBytes)
	}
	for path, ttl := range c.Cache {
		if _, ok := binance.MarketOf(path); !ok {
			fail("governor.cache: %q is no path of the exchange", path)
		}
		if t := time.Duration(ttl); t < 0 || t > maxCacheTime {
			fail("governor.cache.%s: %v; use 0 to %v", path, t, maxCacheTime)
		}
	}
	errs = append(errs, c.validateEgress()...)
	return errors.Join(errs...)
}

func (c Config) validateEgress() []error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Egress) > maxEgress {
		fail("governor.egress: %d; use at most %d", len(c.Egress), maxEgress)
	}
	for i, e := range c.Egress {
		key := fmt.Sprintf("governor.egress[%d]", i)
		if !name.MatchString(e.Name) {
			fail("%s.name: %q; use letters, digits, dots, dashes and underscores", key, e.Name)
		}
		if slices.ContainsFunc(c.Egress[:i], func(o Egress) bool { return o.Name == e.Name }) {
			fail("%s.name: %q is used twice", key, e.Name)
		}
		if e.LocalAddress != "" && e.Proxy != "" {
			fail("%s: has local_address and proxy; use one of them", key)
		}
		if e.LocalAddress != "" {
			if _, err := netip.ParseAddr(e.LocalAddress); err != nil {
				fail("%s.local_address: %q is no IP address", key, e.LocalAddress)
			}
		}
		if e.Proxy != "" {
			// The text may hold a password, so that the error must not.
			u, err := url.Parse(string(e.Proxy))
			if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
				fail("%s.proxy: no proxy's URL; use http://user:password@host:port", key)
			}
		}
	}
	return errs
}

// Validate reports everything that is wrong, each problem with its key.
func (e Exchange) Validate() error {
	var errs []error
	for m, endpoints := range e.Markets {
		if !slices.Contains([]binance.Market{binance.Spot, binance.USDM, binance.COINM}, m) {
			errs = append(errs, fmt.Errorf("binance.markets: %q; use spot, usdm or coinm", m))
		}
		for key, text := range map[string]string{"url": endpoints.URL, "ws_api_url": endpoints.WebSocketURL} {
			if text == "" {
				continue
			}
			if _, err := parseBase(text); err != nil {
				errs = append(errs, fmt.Errorf("binance.markets.%s.%s: %w", m, key, err))
			}
		}
	}
	for i, a := range e.Accounts {
		if !name.MatchString(a.Name) {
			errs = append(errs, fmt.Errorf("binance.accounts[%d].name: %q; use letters, digits, dots, dashes and underscores", i, a.Name))
		}
		if len(a.APIKeys) == 0 {
			errs = append(errs, fmt.Errorf("binance.accounts[%d].api_keys: missing; they tell whose orders a request places", i))
		}
	}
	if _, err := e.table(); err != nil {
		errs = append(errs, fmt.Errorf("binance.weights_file: %w", err))
	}
	return errors.Join(errs...)
}

// table is the weight table that the section asks for.
func (e Exchange) table() (*binance.Table, error) {
	table, err := binance.DefaultTable()
	if err != nil || e.WeightsFile == "" {
		return table, err
	}
	f, err := os.Open(e.WeightsFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	own, err := binance.ParseTable(f)
	if err != nil {
		return nil, err
	}
	return table.Over(own), nil
}

// base is where a market's requests go.
func (e Exchange) base(m binance.Market) string {
	if said := e.Markets[m.Host()].URL; said != "" {
		return said
	}
	return m.URL()
}

func (e Exchange) webSocketBase(m binance.Market) string {
	if said := e.Markets[m].WebSocketURL; said != "" {
		return said
	}
	return m.WebSocketURL()
}

// parseBase reads a base URL; wss is https that is upgraded.
func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is no base URL; use https://host", text)
	}
	switch u.Scheme {
	case "wss":
		u.Scheme = "https"
	case "ws":
		u.Scheme = "http"
	case "http", "https":
	default:
		return nil, fmt.Errorf("%q is no base URL; use https://host", text)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("%q has more than a host; the exchange's own path follows it", u.Redacted())
	}
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func (c Config) rules() rules {
	return rules{
		shares:    shares{order: c.Reserve.Order / 100, account: c.Reserve.Account / 100, market: c.Reserve.Market / 100},
		queueSize: c.Queue.Size,
		timeout:   time.Duration(c.Queue.Timeout),
	}
}
