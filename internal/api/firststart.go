package api

import (
	"context"
	"fmt"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// ensureLogin creates the first user where nobody could get in.
func (s *Server) ensureLogin(ctx context.Context) error {
	if !s.gate.mustLogin(s.gate.current.Load()) {
		return nil
	}
	password, err := s.deps.State.CreateFirstUser(ctx)
	if err != nil {
		return fmt.Errorf("create the first user: %w", err)
	}
	_, err = fmt.Fprintf(s.deps.Stderr, "\nA login is needed here. This is printed only once, and must be changed at the first login:\n"+
		"    user      %s\n    password  %s\n\n", state.FirstUser, password)
	return err
}
