package scraper_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// exporter serves reg on loopback and returns its address.
func exporter(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	server := httptest.NewServer(metricsOf(reg))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func metricsOf(reg *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
}
