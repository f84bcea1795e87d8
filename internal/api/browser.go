package api

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/grafana/regexp"
)

var (
	errForeignOrigin = errors.New("request comes from a web page of another site")
	errUnknownHost   = errors.New("host name is not ours")
)

// browserGuard protects a server without users from the web pages that its
// user visits. Programs such as Grafana's server, curl or a remote writer send
// no Origin header and are not affected.
type browserGuard struct {
	hosts   map[string]bool
	cors    *regexp.Regexp
	foreign *http.CrossOriginProtection
}

func newBrowserGuard(external *url.URL, cors *regexp.Regexp) *browserGuard {
	g := &browserGuard{
		hosts:   map[string]bool{"localhost": true, strings.ToLower(external.Hostname()): true},
		cors:    cors,
		foreign: http.NewCrossOriginProtection(),
	}
	if name, err := os.Hostname(); err == nil {
		g.hosts[strings.ToLower(name)] = true
	}
	// A proxy may change the Host header, so that it differs from the Origin.
	// The error is for a URL without scheme or host, which no browser sends.
	_ = g.foreign.AddTrustedOrigin(external.Scheme + "://" + external.Host)
	return g
}

// checkHost refuses names that we do not know on an open loopback listener: by
// a name that first resolves to its own server and then to 127.0.0.1, a web
// page could read everything here (DNS rebinding). An IP address needs no
// name server and is fine.
func (g *browserGuard) checkHost(r *http.Request) error {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil || g.hosts[host] || strings.HasSuffix(host, ".localhost") {
		return nil
	}
	return fmt.Errorf("%w: %q; use localhost or an IP address, or set --web.external-url", errUnknownHost, host)
}

// checkOrigin refuses requests that would change something if a page of
// another site sent them. Origins that CORS allows are trusted like our own.
func (g *browserGuard) checkOrigin(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin != "" && g.cors.MatchString(origin) {
		return nil
	}
	if err := g.foreign.Check(r); err != nil {
		return fmt.Errorf("%w: %q; allow it with --web.cors.origin", errForeignOrigin, origin)
	}
	return nil
}

// secure sets the headers that keep answers inside our own pages. The web
// config file may override them.
func secure(h http.Header, configured map[string]string) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "sameorigin")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	for name, value := range configured {
		h.Set(name, value)
	}
}
