package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// SaveRuleGroup is the body of PUT /api/hw/v1/rules/{group}.
type SaveRuleGroup struct {
	// YAML is a rule file of Prometheus with this one group; JSON is YAML, too.
	YAML    string `json:"yaml"`
	Message string `json:"message,omitempty"`
	// Version is the one that the edit began with; 0 for a new group.
	Version int `json:"version"`
}

// RestoreRuleGroup is the body of POST …/versions/{version}/restore.
type RestoreRuleGroup struct {
	// Version is the current one, as the caller knows it.
	Version int `json:"version"`
}

func (s *Server) ruleRoutes() []Route {
	db := s.deps.State
	group := func(r *http.Request) string { return r.PathValue("group") }
	return []Route{
		{
			Method: http.MethodGet, Path: "/rules",
			Summary: "Rule groups that were made here; /api/v1/rules has all of them, as they are evaluated.", Response: []state.RuleGroup{},
			Handler: answers(func(r *http.Request) (any, error) { return orError(db.RuleGroups(r.Context())) }),
		},
		{
			Method: http.MethodGet, Path: "/rules/{group}",
			Summary: "A rule group that was made here.", Response: state.RuleGroup{},
			Handler: answers(func(r *http.Request) (any, error) { return orError(db.RuleGroup(r.Context(), group(r), 0)) }),
		},
		{
			Method: http.MethodPut, Path: "/rules/{group}",
			Summary: "Save a rule group and evaluate it at once; 409 with the current one if somebody else has saved in between.",
			Request: SaveRuleGroup{}, Response: state.RuleGroup{},
			Handler: answers(func(r *http.Request) (any, error) {
				var body SaveRuleGroup
				if err := readJSON(r, &body); err != nil {
					return nil, err
				}
				return s.saveRuleGroup(r, state.RuleGroupSave{YAML: body.YAML, Message: body.Message, Base: body.Version})
			}),
		},
		{
			Method: http.MethodDelete, Path: "/rules/{group}",
			Summary: "Delete a rule group; its alerts resolve.",
			Handler: answers(func(r *http.Request) (any, error) {
				if err := db.DeleteRuleGroup(r.Context(), group(r)); err != nil {
					return nil, err
				}
				return nil, s.applyRules(r)
			}),
		},
		{
			Method: http.MethodGet, Path: "/rules/{group}/versions",
			Summary: "All versions that are kept, newest first, with their text.", Response: []state.RuleGroup{},
			Handler: answers(func(r *http.Request) (any, error) { return orError(db.RuleGroupVersions(r.Context(), group(r))) }),
		},
		{
			Method: http.MethodPost, Path: "/rules/{group}/versions/{version}/restore",
			Summary: "Make an old version the newest one, and evaluate it at once.",
			Request: RestoreRuleGroup{}, Response: state.RuleGroup{},
			Handler: answers(s.restoreRuleGroup),
		},
	}
}

func (s *Server) saveRuleGroup(r *http.Request, save state.RuleGroupSave) (any, error) {
	save.Name, save.Who = r.PathValue("group"), ActorFrom(r.Context()).Who()
	if err := s.deps.CheckRules([]byte(save.YAML)); err != nil {
		return nil, badRequest(err.Error())
	}
	g, err := s.deps.State.SaveRuleGroup(r.Context(), save)
	if isConflict(err) {
		if current, currentErr := s.deps.State.RuleGroup(r.Context(), save.Name, 0); currentErr == nil {
			err = conflict{err, current}
		}
	}
	if err != nil {
		return nil, err
	}
	return orError(g, s.applyRules(r))
}

func (s *Server) restoreRuleGroup(r *http.Request) (any, error) {
	version, err := pathVersion(r)
	if err != nil {
		return nil, err
	}
	var body RestoreRuleGroup
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	old, err := s.deps.State.RuleGroup(r.Context(), r.PathValue("group"), max(version, 1))
	if err != nil {
		return nil, err
	}
	return s.saveRuleGroup(r, state.RuleGroupSave{
		YAML: old.YAML, Message: fmt.Sprintf("Restored version %d.", old.Version), Base: body.Version,
	})
}

// applyRules makes the files current, whether or not the client still waits.
func (s *Server) applyRules(r *http.Request) error {
	if err := s.deps.Reload(context.WithoutCancel(r.Context())); err != nil {
		return fmt.Errorf("saved, but not yet evaluated: %w", err)
	}
	return nil
}
