package state

import "fmt"

// Role is what somebody may do. Each one includes those before it.
type Role uint8

// The roles. NoRole is somebody unknown.
const (
	NoRole Role = iota
	Viewer      // reads
	Editor      // changes dashboards, rules and silences, and pushes samples
	Admin       // changes users, and the process itself
)

var roleNames = [...]string{NoRole: "", Viewer: "viewer", Editor: "editor", Admin: "admin"}

// String returns the role's name in the API.
func (r Role) String() string { return roleNames[r] }

// MarshalText implements encoding.TextMarshaler.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Role) UnmarshalText(text []byte) error {
	for role := Viewer; role <= Admin; role++ {
		if roleNames[role] == string(text) {
			*r = role
			return nil
		}
	}
	return fmt.Errorf("role %q: use viewer, editor or admin", text)
}
