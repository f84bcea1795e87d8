package app

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/store"
)

// routes are the endpoints under /api/hw/v1 of parts that know no HTTP.
func (a *App) routes() []api.Route {
	routes := []api.Route{{
		Method:   http.MethodGet,
		Path:     "/storage/quarantine",
		Summary:  "Files that were found corrupt and set aside.",
		Response: []store.QuarantinedFile{},
		Handler:  answer(func() any { return a.store.Quarantined() }),
	}}
	return slices.Concat(routes, a.deliveryRoutes(), a.governorRoutes(), a.auditRoutes(), a.eventRoutes(), a.serviceRoutes(), a.streamRoutes(), a.trustRoutes(), a.ruleFileRoutes())
}

// answer serves what get returns as JSON.
func answer(get func() any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// The client may be gone; there is nobody to tell.
		_ = json.NewEncoder(w).Encode(get())
	})
}
