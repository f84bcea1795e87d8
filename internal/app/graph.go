package app

import (
	"time"

	"github.com/hedgewatch/hedgewatch/internal/chart"
	"github.com/hedgewatch/hedgewatch/internal/graph"
	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

// graph draws alerts for receivers. The clock of the pictures is this host's.
func (a *App) graph(theme chart.Theme) receiver.Graph {
	return graph.New(graph.Deps{
		Engine:  a.store.Engine(),
		Storage: a.store,
		Parser:  a.store.Parser(),
		Zone:    time.Local,
	}, theme).Draw
}
