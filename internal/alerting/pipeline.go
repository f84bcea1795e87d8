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
	hush       func() // ends the prompter
	crew       *crew
	running    sync.WaitGroup
}

// startPipeline returns when inhibitor and dispatcher know all alerts, in that
// order, so that no alert slips out before its inhibition is known.
func (a *Alerting) startPipeline(p *plan) *pipeline {
	// A nil *cluster.Peer in this interface would count as a cluster.
	var peer notify.Peer

	destinations := a.outbox.adopt(p, time.Now())
	inhibitor := inhibit.NewInhibitor(a.alerts, p.config.InhibitRules, a.logger, eventrecorder.Recorder{})
	noWait := func() time.Duration { return 0 }
	stages := a.pipelineBuilder.New(a.outbox.integrations(p), noWait, inhibitor, a.silencer, p.intervener, a.groupMarker, a.notifications, peer)
	watched := muteWatch{stages, a.alerts, a.silences, p.routes, a.groupMarker}
	delivery := newDelivery(watched, p.routes, a.alerts, a.acks)
	dispatcher := dispatch.NewDispatcher(a.alerts, p.routes, delivery, a.groupMarker, notifyTimeout, groupMaintenance,
		nil, a.logger, eventrecorder.Recorder{}, a.dispatcherMetrics, p.template)

	line := &pipeline{plan: p, inhibitor: inhibitor, dispatcher: dispatcher, delivery: delivery}
	line.running.Go(inhibitor.Run)
	inhibitor.WaitForLoading()
	a.api.Update(p.shown, func(ctx context.Context, labels model.LabelSet) {
		inhibitor.Mutes(ctx, labels)
		a.silencer.Mutes(ctx, labels)
	})
	line.running.Go(func() { dispatcher.Run(time.Now()) })
	dispatcher.WaitForLoading()
	prompter := newPrompter(p, dispatcher, delivery, a.notifications, a.logger)
	ctx, hush := context.WithCancel(context.Background())
	line.hush = hush
	line.running.Go(func() { prompter.run(ctx) })
	a.alerts.prompter.Store(prompter)
	line.crew = a.outbox.work(p, destinations)
	return line
}

// stop returns when nothing enters the outbox any more. Attempts to deliver that
// are under way go on, see [crew].
func (line *pipeline) stop(logger *slog.Logger) {
	line.hush()
	line.dispatcher.Stop()
	if !line.delivery.drain() {
		logger.Error("Notifications do not end on their way to the outbox and are left alone")
	}
	line.inhibitor.Stop()
	line.running.Wait()
	line.crew.quit()
}

// release closes the destinations' connections when the last attempts over them
// have ended.
func (line *pipeline) release() {
	line.crew.running.Wait()
	line.plan.connections.closeAll()
}

// notifyTimeout is the time that one notification has, from its group's
// interval.
func notifyTimeout(groupInterval time.Duration) time.Duration {
	return max(groupInterval, notify.MinTimeout)
}
