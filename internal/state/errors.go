package state

import "fmt"

// Reason is why a request cannot be done, as its author can understand it.
type Reason int

// The reasons.
const (
	Invalid Reason = iota + 1
	NotFound
	Conflict
	TooLarge
)

// Error is what the author of a request can do something about. Every other
// error of this package is about the database.
type Error struct {
	Reason Reason
	Text   string
}

// Error implements error.
func (e *Error) Error() string { return e.Text }

func refuse(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Text: fmt.Sprintf(format, args...)}
}
