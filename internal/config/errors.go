package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing wrong with the configuration, and where.
type Error struct {
	// File is the path of the file as the configuration names it.
	File string
	// Line counts from 1; 0 means that the error belongs to the whole file.
	Line int
	// Key is the path of the value, such as scrape_configs[1].job_name.
	Key string
	Err error
}

// Error returns "file:line: key: what is wrong; what to do".
func (e Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	b.WriteString(": " + e.Err.Error())
	return b.String()
}

// Unwrap returns the cause.
func (e Error) Unwrap() error { return e.Err }

// Errors are all errors of a configuration, sorted by file and line.
type Errors []Error

// Error returns one line per error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As look into each error.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}

// sorted returns the errors in order and without repetition.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Error(), b.Error()))
	})
	return slices.CompactFunc(e, func(a, b Error) bool { return a.Error() == b.Error() })
}
