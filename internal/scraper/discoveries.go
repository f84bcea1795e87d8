package scraper

import (
	// Service discovery mechanisms register themselves. These five need little
	// more than what is linked anyway; Kubernetes' client is the expensive one
	// (its cost is in docs/adr), and the platform we are built for runs on it.
	_ "github.com/prometheus/prometheus/discovery/dns"
	_ "github.com/prometheus/prometheus/discovery/file"
	_ "github.com/prometheus/prometheus/discovery/http"
	_ "github.com/prometheus/prometheus/discovery/kubernetes"
	_ "github.com/prometheus/prometheus/discovery/moby"
)
