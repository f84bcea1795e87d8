package app

import (
	"path/filepath"

	"github.com/hedgewatch/hedgewatch/internal/config"
	"github.com/hedgewatch/hedgewatch/internal/state"
	"github.com/hedgewatch/hedgewatch/mixin"
)

// buildState opens the database of what people make and do.
func (a *App) buildState(cfg *config.Config) (err error) {
	sc := cfg.State
	sc.Dir = filepath.Join(a.opts.StoragePath, "state")
	a.state, err = state.New(sc, state.Deps{
		Logger:     a.logger.With("component", "state"),
		Registerer: a.reg,
		Dashboards: mixin.Dashboards(),
	})
	return err
}

// closeState gives up a database that never ran.
func (a *App) closeState() {
	if a.state == nil {
		return
	}
	if err := a.state.Close(); err != nil {
		a.logger.Warn("State not closed cleanly", "err", err)
	}
}
