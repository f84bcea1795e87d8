package api

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// NewToken is the body of POST /api/hw/v1/tokens.
type NewToken struct {
	Name    string     `json:"name"`
	Role    state.Role `json:"role"`
	Expires time.Time  `json:"expires,omitzero"`
}

// CreatedToken is its answer, which is the only one with the secret.
type CreatedToken struct {
	state.Token
	Secret string `json:"secret"`
}

// ChangeLog is the answer of GET /api/hw/v1/changes.
type ChangeLog struct {
	Changes []state.Change `json:"changes"`
	// NextBefore is what to send as before for the next page; absent at the end.
	NextBefore int64 `json:"nextBefore,omitempty"`
}

func (s *Server) userRoutes() []Route {
	db := s.deps.State
	name := func(r *http.Request) string { return r.PathValue("name") }
	routes := []Route{
		{
			Method: http.MethodGet, Path: "/users",
			Summary: "All users but those of the web config file.", Response: []state.User{},
			Handler: answers(func(*http.Request) (any, error) { return orEmpty(db.Users()), nil }),
		},
		{
			Method: http.MethodPost, Path: "/users",
			Summary: "Create a user, who must choose another password at the first login.",
			Request: state.NewUser{}, Response: state.User{},
			Handler: answers(func(r *http.Request) (any, error) {
				var n state.NewUser
				if err := readJSON(r, &n); err != nil {
					return nil, err
				}
				return orError(db.CreateUser(r.Context(), n))
			}),
		},
		{
			Method: http.MethodPatch, Path: "/users/{name}",
			Summary: "Change the role or the password of a user, or disable one.",
			Request: state.UserChange{}, Response: state.User{},
			Handler: answers(func(r *http.Request) (any, error) {
				var c state.UserChange
				if err := readJSON(r, &c); err != nil {
					return nil, err
				}
				return orError(db.ChangeUser(r.Context(), name(r), c))
			}),
		},
		{
			Method: http.MethodDelete, Path: "/users/{name}",
			Summary: "Delete a user.",
			Handler: answers(func(r *http.Request) (any, error) { return nil, s.deleteUser(r) }),
		},
		{
			Method: http.MethodGet, Path: "/tokens",
			Summary: "All API tokens but those of the web config file, without their secrets.", Response: []state.Token{},
			Handler: answers(func(*http.Request) (any, error) { return orEmpty(db.Tokens()), nil }),
		},
		{
			Method: http.MethodPost, Path: "/tokens",
			Summary: "Create an API token; only this answer has its secret.",
			Request: NewToken{}, Response: CreatedToken{},
			Handler: answers(s.createToken),
		},
		{
			Method: http.MethodDelete, Path: "/tokens/{name}",
			Summary: "Delete an API token.",
			Handler: answers(func(r *http.Request) (any, error) { return nil, db.DeleteToken(r.Context(), name(r)) }),
		},
		{
			Method: http.MethodGet, Path: "/changes",
			Summary: "Who changed what, when and from where, newest first.", Response: ChangeLog{},
			Query: []Param{
				{Name: "before", Description: "Changes before the one with this ID."},
				{Name: "limit", Description: "Most entries of the answer, up to 1000; 100."},
			},
			Handler: answers(s.changes),
		},
		{
			Method: http.MethodGet, Path: "/state/backup",
			Summary: "A copy of the database of users, dashboards, rules and alert history: one SQLite file.",
			Handler: http.HandlerFunc(s.backup),
		},
	}
	for i := range routes {
		routes[i].Role, routes[i].BeforeReady = state.Admin, true
	}
	return routes
}

// deleteUser refuses to leave a listener that others can reach without users.
func (s *Server) deleteUser(r *http.Request) error {
	users := s.deps.State.Users()
	if len(users) == 1 && s.gate.exposed && !s.gate.current.Load().hasLogin() {
		return &state.Error{Reason: state.Conflict, Text: "this is the last user, and others can reach this address; create another user first"}
	}
	return s.deps.State.DeleteUser(r.Context(), r.PathValue("name"))
}

func (s *Server) createToken(r *http.Request) (any, error) {
	var n NewToken
	if err := readJSON(r, &n); err != nil {
		return nil, err
	}
	if !s.gate.asksLogin(s.gate.current.Load()) {
		return nil, &state.Error{Reason: state.Conflict, Text: "nobody needs a token while no user exists; create an admin first"}
	}
	t, secret, err := s.deps.State.CreateToken(r.Context(), state.Token{
		Name: n.Name, Role: n.Role, Expires: n.Expires, CreatedBy: ActorFrom(r.Context()).Who(),
	})
	return CreatedToken{t, secret}, err
}

func (s *Server) changes(r *http.Request) (any, error) {
	limit, err := limitParam(r, 100, 1000)
	if err != nil {
		return nil, err
	}
	var before int64
	if text := r.URL.Query().Get("before"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return nil, badRequest("before " + strconv.Quote(text) + ": send the nextBefore of the last answer")
		}
	}
	changes, err := s.deps.State.Changes(r.Context(), before, limit)
	log := ChangeLog{Changes: changes}
	if len(changes) == limit {
		log.NextBefore = changes[limit-1].ID
	}
	return log, err
}

func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	copied, err := s.deps.State.Backup(r.Context())
	if err != nil {
		writeError(w, err)
		return
	}
	defer copied.Close() // Only read.
	download(w, "application/vnd.sqlite3", "hedgewatch-state.db")
	if _, err := io.Copy(w, copied); err != nil {
		s.abort(r, err)
	}
}

// download makes browsers save the answer.
func download(w http.ResponseWriter, media, name string) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}

// abort ends an answer that has begun so that its reader sees the fault: a cut
// file must not look whole.
func (s *Server) abort(r *http.Request, err error) {
	if r.Context().Err() == nil { // Else the client has gone.
		s.deps.Logger.Warn("Answer cut off", "path", r.URL.Path, "err", err)
	}
	panic(http.ErrAbortHandler)
}

// orError is for handlers that return any: no value beside an error.
func orError[T any](value T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return value, nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
