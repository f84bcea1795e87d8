package alerting

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"
)

// groupMaintenance is how often emptied groups are cleared away.
const groupMaintenance = 30 * time.Second

// pipeline is a plan at work: inhibitor, dispatcher and what lies behind it.
type pipeline struct {
	plan       *plan
	inhibitor  *inhibit.Inhibitor
	dispatcher *dispatch.Dispatcher
	delivery   *delivery
	running    sync.WaitGroup
}

// startPipeline returns when inhibitor and dispatcher know all alerts, in that
// order, so that no alert slips out before its inhibition is known.
func (a *Alerting) startPipeline(p *plan) *pipeline {
	// A nil *cluster.Peer in this interface would count as a cluster.
	var peer notify.Peer

	inhibitor := inhibit.NewInhibitor(a.alerts, p.config.InhibitRules, a.logger, eventrecorder.Recorder{})
	noWait := func() time.Duration { return 0 }
	stages := a.pipelineBuilder.New(p.receivers, noWait, inhibitor, a.silencer, p.intervener, a.groupMarker, a.notifications, peer)
	delivery := newDelivery(stages, p.routes, a.alerts, a.journal)
	dispatcher := dispatch.NewDispatcher(a.alerts, p.routes, delivery, a.groupMarker, notifyTimeout, groupMaintenance,
		nil, a.logger, eventrecorder.Recorder{}, a.dispatcherMetrics, p.template)

	line := &pipeline{plan: p, inhibitor: inhibitor, dispatcher: dispatcher, delivery: delivery}
	line.running.Go(inhibitor.Run)
	inhibitor.WaitForLoading()
	a.api.Update(p.config, func(ctx context.Context, labels model.LabelSet) {
		inhibitor.Mutes(ctx, labels)
		a.silencer.Mutes(ctx, labels)
	})
	line.running.Go(func() { dispatcher.Run(time.Now()) })
	dispatcher.WaitForLoading()
	return line
}

// stop returns when nothing of the pipeline is at work any more, but for a
// receiver that will not end.
func (line *pipeline) stop(logger *slog.Logger) {
	line.dispatcher.Stop()
	if !line.delivery.drain() {
		logger.Error("A receiver does not end its notification and is left alone with it")
	}
	line.inhibitor.Stop()
	line.running.Wait()
	line.plan.connections.closeAll()
}

// notifyTimeout is the time that one notification has, from its group's
// interval.
func notifyTimeout(groupInterval time.Duration) time.Duration {
	return max(groupInterval, notify.MinTimeout)
}
