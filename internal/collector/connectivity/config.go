package connectivity

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// Config is the section `binance.connectivity`.
type Config struct {
	// Enabled is true if the file has the section.
	Enabled bool `yaml:"-"`
	// Markets are watched: spot and usdm if none are named.
	Markets []binance.Market `yaml:"markets"`
	// ClockInterval is between readings of the exchange's clock, which are also the
	// probe of REST.
	ClockInterval model.Duration `yaml:"clock_interval"`
	// InfoInterval is between readings of exchangeInfo, which weighs 20 for spot.
	InfoInterval model.Duration `yaml:"info_interval"`
	// Symbols are those whose state is exported one by one, by market.
	Symbols map[binance.Market][]string `yaml:"symbols,omitempty"`
	// Streams are opened, and judged by their data.
	Streams map[binance.Market][]string `yaml:"streams,omitempty"`
	// StreamURLs are the exchange's own where none is given.
	StreamURLs map[binance.Market]string `yaml:"stream_urls,omitempty"`

	// URLs are where REST is, from the section `binance.markets`.
	URLs map[binance.Market]string `yaml:"-"`
}

// DefaultConfig is what a section that says nothing means.
func DefaultConfig() Config {
	return Config{
		Enabled:       true,
		Markets:       []binance.Market{binance.Spot, binance.USDM},
		ClockInterval: model.Duration(10 * time.Second),
		InfoInterval:  model.Duration(time.Minute),
	}
}

const (
	minInterval = time.Second
	maxInterval = time.Hour
	// maxSymbols and maxStreams bound the series of a market. The exchange takes no
	// more than 1024 streams on a connection.
	maxSymbols = 1000
	maxStreams = 1000
)

// Validate reports everything that is wrong, each problem with its key.
func (c Config) Validate() error {
	const key = "binance.connectivity"
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(key+format, args...)) }
	for i, m := range c.Markets {
		if m.TimePath() == "" {
			fail(".markets[%d]: %q; use spot, usdm or coinm", i, m)
		}
		if slices.Contains(c.Markets[:i], m) {
			fail(".markets[%d]: %s is there twice", i, m)
		}
	}
	for name, d := range map[string]model.Duration{"clock_interval": c.ClockInterval, "info_interval": c.InfoInterval} {
		if d := time.Duration(d); d < minInterval || d > maxInterval {
			fail(".%s: %v; use %v to %v", name, d, minInterval, maxInterval)
		}
	}
	for name, lists := range map[string]map[binance.Market][]string{"symbols": c.Symbols, "streams": c.Streams} {
		for m, list := range lists {
			if !slices.Contains(c.Markets, m) {
				fail(".%s: %q is not among the markets", name, m)
			}
			if most := map[string]int{"symbols": maxSymbols, "streams": maxStreams}[name]; len(list) > most {
				fail(".%s.%s: %d; use at most %d", name, m, len(list), most)
			}
		}
	}
	for m, list := range c.Streams {
		for i, name := range list {
			if !validStream(name) {
				fail(".streams.%s[%d]: %q is no stream; the exchange would acknowledge it and stay silent; use lower case, as in btcusdt@kline_1m", m, i, name)
			}
			if slices.Contains(list[:i], name) {
				fail(".streams.%s[%d]: %s is there twice", m, i, name)
			}
		}
	}
	for m, text := range c.StreamURLs {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || !slices.Contains([]string{"ws", "wss", "http", "https"}, u.Scheme) {
			fail(".stream_urls.%s: %q is no URL; use wss://host:port", m, text)
		}
	}
	return errors.Join(errs...)
}

// validStream is true for names that the exchange may know.
func validStream(name string) bool {
	symbol, stream, found := strings.Cut(name, "@")
	return found && stream != "" && symbol == strings.ToLower(symbol) && !strings.ContainsAny(name, "/?& ") && symbol != ""
}

func (c Config) restURL(m binance.Market) string {
	if u := c.URLs[m]; u != "" {
		return strings.TrimSuffix(u, "/")
	}
	return m.URL()
}

// streamURL is where a market's streams are served.
func (c Config) streamURL(m binance.Market) string {
	if u := c.StreamURLs[m]; u != "" {
		return strings.TrimSuffix(u, "/")
	}
	return m.StreamURL()
}

// streamPath is the path that serves a stream. USDⓈ-M has one for the book and one
// for the rest since 2026-04-23; on another path a stream is acknowledged and silent.
func streamPath(m binance.Market, name string) string {
	if m != binance.USDM {
		return "/stream"
	}
	_, stream, _ := strings.Cut(name, "@")
	if strings.HasPrefix(stream, "depth") || strings.HasPrefix(stream, "bookTicker") || strings.HasPrefix(stream, "rpiDepth") {
		return "/public/stream"
	}
	return "/market/stream"
}
