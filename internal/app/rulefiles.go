package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/rulefile"
	"github.com/hedgewatch/hedgewatch/internal/state"
)

func (a *App) ruleFileEditor() *rulefile.Editor {
	return rulefile.New(rulefile.Config{
		Patterns: func() []string { return a.config.Load().Prometheus.RuleFiles },
		Allowed:  func() bool { return a.config.Load().Rules.AllowFileEdit },
		Check:    a.checkRules,
	})
}

// ruleFileRoutes are for editors only: a file's text may say more than its rules.
func (a *App) ruleFileRoutes() []api.Route {
	editor := a.ruleFileEditor()
	return []api.Route{
		{
			Method: http.MethodGet, Path: "/rule-files/rule", Summary: "An alerting rule as its rule file has it now.", Role: state.Editor,
			Query: []api.Param{
				{Name: "file", Description: "Path of the rule file, as /api/v1/rules has it.", Required: true},
				{Name: "group", Description: "Name of the rule group.", Required: true},
				{Name: "alert", Description: "Name of the rule.", Required: true},
				{Name: "nth", Description: "Which of the group's rules of this name, from 0."},
			},
			Response: rulefile.View{},
			Handler: answers(func(r *http.Request) (any, error) {
				q := r.URL.Query()
				place := rulefile.Place{File: q.Get("file"), Group: q.Get("group"), Alert: q.Get("alert")}
				if nth := q.Get("nth"); nth != "" {
					n, err := strconv.Atoi(nth)
					if err != nil || n < 0 {
						return nil, invalid("nth %q: use a number from 0", nth)
					}
					place.Nth = n
				}
				return editor.Rule(place)
			}),
		},
		{
			Method: http.MethodPost, Path: "/rule-files/diff", Summary: "What an edit would change in its rule file; nothing is written.", Role: state.Editor,
			Request: rulefile.Edit{}, Response: rulefile.Change{},
			Handler: answers(func(r *http.Request) (any, error) {
				var edit rulefile.Edit
				if err := readJSON(r, &edit); err != nil {
					return nil, err
				}
				return editor.Diff(edit)
			}),
		},
		{
			Method: http.MethodPut, Path: "/rule-files/rule", Role: state.Editor,
			Summary: "Change a rule in its rule file and evaluate it at once; 409 if the file has changed since it was read, 403 if it may not be written.",
			Request: rulefile.Edit{}, Response: rulefile.Change{},
			Handler: answers(func(r *http.Request) (any, error) {
				var edit rulefile.Edit
				if err := readJSON(r, &edit); err != nil {
					return nil, err
				}
				return a.saveRuleFile(r.Context(), editor, edit)
			}),
		},
	}
}

func (a *App) saveRuleFile(ctx context.Context, editor *rulefile.Editor, edit rulefile.Edit) (any, error) {
	change, err := editor.Save(edit)
	if err != nil {
		return nil, err
	}
	a.logger.Info("Rule file changed on the page", "file", edit.File, "group", edit.Group, "alert", edit.Alert, "who", api.ActorFrom(ctx).Who())
	// Whether or not the client still waits: the file is written.
	if err := a.Reload(context.WithoutCancel(ctx)); err != nil {
		return nil, fmt.Errorf("saved, but not yet evaluated: %w", err)
	}
	return change, nil
}

// ruleFileStatus says what an error of the editor of rule files is to HTTP.
func ruleFileStatus(err error) (status int, kind string, ok bool) {
	switch {
	case errors.Is(err, rulefile.ErrNotFound):
		return http.StatusNotFound, "not_found", true
	case errors.Is(err, rulefile.ErrInvalid):
		return http.StatusBadRequest, "bad_data", true
	case errors.Is(err, rulefile.ErrByHand):
		return http.StatusUnprocessableEntity, "by_hand", true
	case errors.Is(err, rulefile.ErrChanged):
		return http.StatusConflict, "conflict", true
	case errors.Is(err, rulefile.ErrReadOnly):
		return http.StatusForbidden, "read_only", true
	}
	return 0, "", false
}
