package demo

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

//go:embed panel.html
var panelPage []byte

//go:embed inbox.html
var inboxPage []byte

// A panel breaks and repairs, one thing at a time.
type panel struct {
	demo   *Demo
	faults []*fault
	ready  atomic.Bool

	mu     sync.Mutex
	broken map[string]time.Time
}

func newPanel(d *Demo) *panel {
	return &panel{demo: d, faults: d.faults(), broken: map[string]time.Time{}}
}

func (p *panel) route(mux *http.ServeMux) {
	page := func(text []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(text) // The client may have gone.
		}
	}
	mux.HandleFunc("GET /{$}", page(panelPage))
	mux.HandleFunc("GET /inbox", page(inboxPage))
	mux.HandleFunc("GET /api/faults", func(w http.ResponseWriter, _ *http.Request) { answer(w, p.status()) })
	mux.HandleFunc("POST /api/faults/{name}/{action}", p.act)
	mux.HandleFunc("GET /supervisor/metrics", p.metrics)
}

// metrics are those of the supervisor, when there is one.
func (p *panel) metrics(w http.ResponseWriter, r *http.Request) {
	if !p.ready.Load() {
		http.Error(w, "the demo is starting", http.StatusServiceUnavailable)
		return
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(p.demo.sup.services.Collector()) // It is the only one.
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// faultStatus is a fault and since when it lasts.
type faultStatus struct {
	*fault
	BrokenSince *time.Time `json:"broken_since,omitempty"`
}

// panelStatus is what the page shows.
type panelStatus struct {
	Simulated  bool          `json:"simulated"`
	Ready      bool          `json:"ready"`
	Hedgewatch string        `json:"hedgewatch"`
	Faults     []faultStatus `json:"faults"`
}

func (p *panel) status() panelStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := panelStatus{Simulated: true, Ready: p.ready.Load(), Hedgewatch: "http://" + p.demo.cfg.Web}
	for _, f := range p.faults {
		one := faultStatus{fault: f}
		if at, ok := p.broken[f.Name]; ok {
			one.BrokenSince = &at
		}
		s.Faults = append(s.Faults, one)
	}
	return s
}

// act breaks or repairs.
func (p *panel) act(w http.ResponseWriter, r *http.Request) {
	// A page of somebody else's may not break things here.
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		http.Error(w, "not from another site's page", http.StatusForbidden)
		return
	}
	i := slices.IndexFunc(p.faults, func(f *fault) bool { return f.Name == r.PathValue("name") })
	action := r.PathValue("action")
	switch {
	case !p.ready.Load():
		http.Error(w, "the demo is starting; try again in a few seconds", http.StatusServiceUnavailable)
	case i < 0:
		http.Error(w, fmt.Sprintf("no fault is called %q; use %s", r.PathValue("name"), strings.Join(p.names(), ", ")), http.StatusNotFound)
	case action != "break" && action != "repair":
		http.Error(w, fmt.Sprintf("%q: use break or repair", action), http.StatusNotFound)
	default:
		status, err := p.change(r.Context(), p.faults[i], action == "break")
		if err != nil {
			http.Error(w, err.Error(), status)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (p *panel) names() (names []string) {
	for _, f := range p.faults {
		names = append(names, f.Name)
	}
	return names
}

// change breaks or repairs, and returns the status for an error.
func (p *panel) change(ctx context.Context, f *fault, broken bool) (int, error) {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p.mu.Lock()
	defer p.mu.Unlock() // One thing at a time: it is short, and nothing else waits for it but the page.
	_, is := p.broken[f.Name]
	switch {
	case broken && is:
		return http.StatusConflict, fmt.Errorf("%s: it is broken already; repair it first", f.Name)
	case !broken && !is:
		return http.StatusConflict, fmt.Errorf("%s: it is not broken", f.Name)
	case broken:
		if err := f.breakIt(ctx); err != nil {
			return http.StatusInternalServerError, fmt.Errorf("break %s: %w", f.Name, err)
		}
		p.broken[f.Name] = time.Now()
	default:
		if err := f.repair(ctx); err != nil {
			return http.StatusInternalServerError, fmt.Errorf("repair %s: %w", f.Name, err)
		}
		delete(p.broken, f.Name)
	}
	return 0, nil
}
