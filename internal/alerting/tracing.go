package alerting

import (
	"log/slog"

	"github.com/prometheus/alertmanager/tracing"
)

// traces starts the library's tracing when a configuration first asks for it,
// because it then takes over OpenTelemetry's process-wide settings.
type traces struct {
	logger  *slog.Logger
	manager *tracing.Manager
	done    chan struct{}
}

// apply switches to a configuration's tracing. Alerting goes on without traces
// when that fails.
func (t *traces) apply(cfg tracing.TracingConfig) {
	if t.manager == nil {
		if cfg.Endpoint == "" {
			return
		}
		t.manager = tracing.NewManager(t.logger)
		t.done = make(chan struct{})
		go func() {
			defer close(t.done)
			t.manager.Run()
		}()
	}
	if err := t.manager.ApplyConfig(cfg); err != nil {
		t.logger.Error("Alerting is not traced as configured", "err", err)
	}
}

func (t *traces) stop() {
	if t.manager != nil {
		t.manager.Stop()
		<-t.done
	}
}
