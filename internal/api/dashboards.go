package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// Dashboard is a dashboard with its JSON.
type Dashboard struct {
	Meta state.Dashboard `json:"meta"`
	// Dashboard is Grafana's classic format.
	Dashboard json.RawMessage `json:"dashboard"`
	// Warnings of an import say what will not work here.
	Warnings []string `json:"warnings,omitempty"`
}

// SaveDashboard is the body of PUT /api/hw/v1/dashboards/{uid} and of POST
// /api/hw/v1/dashboards.
type SaveDashboard struct {
	Dashboard json.RawMessage `json:"dashboard"`
	Folder    string          `json:"folder"`
	Message   string          `json:"message,omitempty"`
	// Version is the one that the edit began with; 0 for a new or a shipped one.
	Version int `json:"version"`
}

// ImportDashboard is the body of POST /api/hw/v1/dashboards/import.
type ImportDashboard struct {
	Dashboard json.RawMessage `json:"dashboard"`
	Folder    string          `json:"folder"`
	// Inputs are values for the constants that an export asks for.
	Inputs    map[string]string `json:"inputs,omitempty"`
	Overwrite bool              `json:"overwrite,omitempty"`
}

// RestoreDashboard is the body of POST …/versions/{version}/restore.
type RestoreDashboard struct {
	// Version is the current one, as the caller knows it.
	Version int `json:"version"`
}

func (s *Server) dashboardRoutes() []Route {
	routes := []Route{
		{
			Method: http.MethodGet, Path: "/dashboards",
			Summary: "Dashboards by folder and title, without their JSON.", Response: []state.Dashboard{},
			Query: []Param{
				{Name: "search", Description: "Words that must all be in the title or be tags."},
				{Name: "folder", Description: "Only this folder; empty: those in none."},
				{Name: "tag", Description: "Only those with this tag; may be repeated."},
			},
			Handler: answers(s.listDashboards),
		},
		{
			Method: http.MethodPost, Path: "/dashboards",
			Summary: "Save a new dashboard; without a UID in its JSON it gets one.",
			Request: SaveDashboard{}, Response: Dashboard{},
			Handler: answers(s.saveDashboard),
		},
		{
			Method: http.MethodPost, Path: "/dashboards/import",
			Summary: "Save a dashboard made elsewhere: a Grafana export, or the answer of Grafana's API.",
			Request: ImportDashboard{}, Response: Dashboard{},
			Handler: answers(s.importDashboard),
		},
		{
			Method: http.MethodGet, Path: "/dashboards/{uid}",
			Summary: "A dashboard.", Response: Dashboard{},
			Handler: answers(func(r *http.Request) (any, error) {
				d, err := s.deps.State.Dashboard(r.Context(), r.PathValue("uid"))
				return orError(Dashboard{Meta: d, Dashboard: d.JSON}, err)
			}),
		},
		{
			Method: http.MethodGet, Path: "/dashboards/{uid}/export",
			Summary: "The dashboard's JSON alone, as a file that Grafana imports.", Response: json.RawMessage{},
			Handler: http.HandlerFunc(s.exportDashboard),
		},
		{
			Method: http.MethodPut, Path: "/dashboards/{uid}",
			Summary: "Save a dashboard; 409 with the current one if somebody else has saved in between.",
			Request: SaveDashboard{}, Response: Dashboard{},
			Handler: answers(s.saveDashboard),
		},
		{
			Method: http.MethodDelete, Path: "/dashboards/{uid}",
			Summary: "Delete a dashboard; an edited one that hedgewatch ships becomes what it was.",
			Handler: answers(func(r *http.Request) (any, error) {
				return nil, s.deps.State.DeleteDashboard(r.Context(), r.PathValue("uid"))
			}),
		},
		{
			Method: http.MethodGet, Path: "/dashboards/{uid}/versions",
			Summary: "Who saved the dashboard when, newest first.", Response: []state.DashboardVersion{},
			Handler: answers(func(r *http.Request) (any, error) {
				return orError(s.deps.State.DashboardVersions(r.Context(), r.PathValue("uid")))
			}),
		},
		{
			Method: http.MethodGet, Path: "/dashboards/{uid}/versions/{version}",
			Summary: "The JSON of one version; 0 is the one that hedgewatch ships.", Response: json.RawMessage{},
			Handler: answers(s.dashboardVersion),
		},
		{
			Method: http.MethodPost, Path: "/dashboards/{uid}/versions/{version}/restore",
			Summary: "Make an old version the newest one.",
			Request: RestoreDashboard{}, Response: Dashboard{},
			Handler: answers(s.restoreDashboard),
		},
	}
	for i := range routes {
		routes[i].BeforeReady = true
	}
	return routes
}

func (s *Server) listDashboards(r *http.Request) (any, error) {
	q := r.URL.Query()
	f := state.DashboardFilter{Words: strings.Fields(q.Get("search")), Tags: q["tag"]}
	if q.Has("folder") {
		f.Folder = new(q.Get("folder"))
	}
	list, err := s.deps.State.Dashboards(r.Context(), f)
	return orError(orEmpty(list), err)
}

func (s *Server) saveDashboard(r *http.Request) (any, error) {
	var body SaveDashboard
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	d, err := s.deps.State.SaveDashboard(r.Context(), state.DashboardSave{
		UID: r.PathValue("uid"), JSON: body.Dashboard, Folder: body.Folder, Message: body.Message,
		Base: body.Version, Who: ActorFrom(r.Context()).Who(),
	})
	if err != nil {
		return nil, s.withCurrent(r, err)
	}
	return Dashboard{Meta: d, Dashboard: d.JSON}, nil
}

// withCurrent adds to a conflict the dashboard that is there.
func (s *Server) withCurrent(r *http.Request, err error) error {
	if !isConflict(err) {
		return err
	}
	d, currentErr := s.deps.State.Dashboard(r.Context(), r.PathValue("uid"))
	if currentErr != nil {
		return err // The conflict says enough.
	}
	return conflict{err, Dashboard{Meta: d, Dashboard: d.JSON}}
}

func (s *Server) importDashboard(r *http.Request) (any, error) {
	body, err := readImport(r)
	if err != nil {
		return nil, err
	}
	d, warnings, err := s.deps.State.ImportDashboard(r.Context(), state.DashboardImport{
		JSON: body.Dashboard, Folder: body.Folder, Inputs: body.Inputs, Overwrite: body.Overwrite,
		Who: ActorFrom(r.Context()).Who(),
	})
	return orError(Dashboard{Meta: d, Dashboard: d.JSON, Warnings: warnings}, err)
}

// readImport takes an exported file as it is, too: no key of ours is in one,
// unless it has the answer of Grafana's API.
func readImport(r *http.Request) (ImportDashboard, error) {
	var in ImportDashboard
	body, err := readBody(r)
	if err != nil {
		return in, err
	}
	var shape struct {
		Dashboard json.RawMessage `json:"dashboard"`
		Meta      json.RawMessage `json:"meta"`
	}
	if json.Unmarshal(body, &shape) == nil && shape.Dashboard != nil && shape.Meta == nil {
		return in, decodeJSON(body, &in)
	}
	in.Dashboard = body
	return in, nil
}

func (s *Server) exportDashboard(w http.ResponseWriter, r *http.Request) {
	d, err := s.deps.State.Dashboard(r.Context(), r.PathValue("uid"))
	if err != nil {
		writeError(w, err)
		return
	}
	download(w, "application/json", d.UID+".json")
	_, _ = w.Write(d.JSON) // The client has gone; nobody to tell.
}

func pathVersion(r *http.Request) (int, error) {
	n, err := strconv.Atoi(r.PathValue("version"))
	if err != nil || n < 0 {
		return 0, badRequest("version " + strconv.Quote(r.PathValue("version")) + ": use a number")
	}
	return n, nil
}

func (s *Server) dashboardVersion(r *http.Request) (any, error) {
	version, err := pathVersion(r)
	if err != nil {
		return nil, err
	}
	return orError(s.deps.State.DashboardAt(r.Context(), r.PathValue("uid"), version))
}

func (s *Server) restoreDashboard(r *http.Request) (any, error) {
	version, err := pathVersion(r)
	if err != nil {
		return nil, err
	}
	var body RestoreDashboard
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	d, err := s.deps.State.RestoreDashboard(r.Context(), r.PathValue("uid"), version, body.Version, ActorFrom(r.Context()).Who())
	if err != nil {
		return nil, s.withCurrent(r, err)
	}
	return Dashboard{Meta: d, Dashboard: d.JSON}, nil
}
