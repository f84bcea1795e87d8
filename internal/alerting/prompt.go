package alerting

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"
)

// Prompt says what a receiver is told before its group's group_interval is over.
type Prompt string

// The ways. No group is told of for the first time before its group_wait.
const (
	// PromptEnds tells at once that a group's last alert has ended, and of every
	// end where telling is editing a message.
	PromptEnds Prompt = "ends"
	// PromptChanges tells all that changes in a group that people know of.
	PromptChanges Prompt = "changes"
	// PromptNever keeps Alertmanager's times.
	PromptNever Prompt = "never"
)

// prompting is what a receiver's [Prompt] comes to.
type prompting struct {
	ends    bool // tell of the last end
	edits   bool // tell of every end
	changes bool // tell of everything
}

func (p Prompt) of(integrations []notify.Integration) prompting {
	edits := len(integrations) > 0
	for i := range integrations {
		edits = edits && integrations[i].Name() == "discord"
	}
	return prompting{ends: p != PromptNever, edits: p != PromptNever && edits, changes: p == PromptChanges}
}

func (p Prompt) validate(key string) error {
	switch p {
	case "", PromptEnds, PromptChanges, PromptNever:
		return nil
	}
	return fmt.Errorf("%s.prompt: unknown value %q; use %s, %s or %s", key, p, PromptEnds, PromptChanges, PromptNever)
}

const (
	// promptGather lets the alerts of one evaluation share a pass.
	promptGather = 2 * time.Millisecond
	// promptFactor bounds what passes may use: the next one comes no sooner than
	// ten times what the last took.
	promptFactor = 10
	// maxPromptNews bounds what waits for a pass, maxPrompting the groups that are
	// told at a time. What is over is left to the dispatcher.
	maxPromptNews = 20000
	maxPrompting  = 64
)

// prompter has groups told early, through the same stage as the dispatcher, which
// knows only group_wait and group_interval.
//
// Per receiver's group, by what the notification log says that it was told last:
//
//	something fires, all has ended now    at once, but once in a group_interval
//	something fires, something else does  at once where [Prompt] says so
//	nothing fires                         group_wait after the first new alert
//	nothing at all                        left to the dispatcher
//
// The third line is what a new group would do: in Alertmanager, a group whose end
// is told is gone. With the bound in the first, an alert that flaps is told of two
// times more in a group_interval than there, and no more.
type prompter struct {
	plan       *plan
	dispatcher *dispatch.Dispatcher
	delivery   *delivery
	log        durableLog
	logger     *slog.Logger
	routes     map[string]*dispatch.Route // by ID
	wake       chan struct{}              // of one slot
	slots      chan struct{}

	// due belongs to run.
	due map[dueGroup]time.Time

	mu   sync.Mutex
	news []*alert.Alert
	// ended is when the end of a group was last told early.
	ended map[string]time.Time
}

// dueGroup is a group to look at. waited says that its group_wait is over then.
type dueGroup struct {
	route, key string
	waited     bool
}

func newPrompter(p *plan, d *dispatch.Dispatcher, stage *delivery, log durableLog, logger *slog.Logger) *prompter {
	pr := &prompter{
		plan: p, dispatcher: d, delivery: stage, log: log, logger: logger,
		routes: make(map[string]*dispatch.Route),
		wake:   make(chan struct{}, 1),
		slots:  make(chan struct{}, maxPrompting),
		due:    make(map[dueGroup]time.Time),
		ended:  make(map[string]time.Time),
	}
	p.routes.Walk(func(r *dispatch.Route) { pr.routes[r.ID()] = r })
	return pr
}

// changed takes note of alerts that have begun to fire, or ended. It does not
// wait.
func (p *prompter) changed(as []*alert.Alert) {
	p.mu.Lock()
	if room := maxPromptNews - len(p.news); len(as) > room {
		as = as[:room]
	}
	p.news = append(p.news, as...)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends.
func (p *prompter) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		pause(ctx, promptGather)
		start := time.Now()
		p.schedule(start)
		if !p.pass(ctx, start) {
			return
		}
		pause(ctx, promptFactor*time.Since(start))
		if next, ok := p.next(); ok {
			timer.Reset(time.Until(next))
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// schedule finds out which groups the news are about, and when to look at them.
func (p *prompter) schedule(now time.Time) {
	p.mu.Lock()
	news := p.news
	p.news = nil
	p.mu.Unlock()
	for _, a := range news {
		for _, r := range p.plan.routes.Match(a.Labels) {
			receiver := r.RouteOpts.Receiver
			prompt := p.plan.delivery.prompt(receiver, p.plan.receivers[receiver])
			key := dueGroup{route: r.ID(), key: groupKey(r, a.Labels)}
			// In a storm, nearly all groups are new and end here.
			if told, ended := p.told(receiver, key.key); !prompt.ends || !told && !ended {
				continue
			}
			if a.ResolvedAt(now) || prompt.changes {
				p.at(key, now)
			}
			if key.waited = true; !a.ResolvedAt(now) {
				p.at(key, now.Add(r.RouteOpts.GroupWait))
			}
		}
	}
}

func (p *prompter) at(key dueGroup, t time.Time) {
	if before, ok := p.due[key]; !ok || t.Before(before) {
		p.due[key] = t
	}
}

func (p *prompter) next() (next time.Time, ok bool) {
	for _, t := range p.due {
		if !ok || t.Before(next) {
			next, ok = t, true
		}
	}
	return next, ok
}

// groupKey is the dispatcher's name for the group of an alert.
func groupKey(r *dispatch.Route, ls model.LabelSet) string {
	group := make(model.LabelSet)
	for name, value := range ls {
		if _, by := r.RouteOpts.GroupBy[name]; by || r.RouteOpts.GroupByAll {
			group[name] = value
		}
	}
	return fmt.Sprintf("%s:%s", r.Key(), group)
}

// pass has all groups told that are due. It returns false when ctx has ended.
func (p *prompter) pass(ctx context.Context, now time.Time) bool {
	routes, waited := make(map[string]bool), make(map[dueGroup]bool)
	for key, t := range p.due {
		if t.After(now) {
			continue
		}
		delete(p.due, key)
		routes[key.route] = true
		group := dueGroup{route: key.route, key: key.key}
		waited[group] = waited[group] || key.waited
	}
	if len(routes) == 0 {
		return true
	}
	groups, _, err := p.dispatcher.Groups(ctx, func(r *dispatch.Route) bool { return routes[r.ID()] },
		func(*alert.Alert, time.Time) bool { return true })
	if err != nil {
		return false // It only fails when ctx ends.
	}
	for _, g := range groups {
		key := dueGroup{route: g.RouteID, key: g.GroupKey}
		waited, due := waited[key]
		if !due {
			continue
		}
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		started := p.delivery.goTell(p.context(g, now), p.logger, g.Alerts,
			func(as []*alert.Alert) bool { return p.allows(g, as, waited) },
			func() { <-p.slots })
		if !started {
			return false
		}
	}
	return true
}

// context is what the dispatcher gives a flush of the group.
func (p *prompter) context(g *dispatch.AlertGroup, now time.Time) context.Context {
	r := p.routes[g.RouteID]
	ctx := notify.WithNow(context.Background(), now)
	ctx = notify.WithGroupKey(ctx, g.GroupKey)
	ctx = notify.WithGroupLabels(ctx, g.Labels)
	ctx = notify.WithRouteLabels(ctx, g.RouteLabels)
	ctx = notify.WithReceiverName(ctx, g.Receiver)
	ctx = notify.WithRepeatInterval(ctx, r.RouteOpts.RepeatInterval)
	ctx = notify.WithMuteTimeIntervals(ctx, r.RouteOpts.MuteTimeIntervals)
	ctx = notify.WithActiveTimeIntervals(ctx, r.RouteOpts.ActiveTimeIntervals)
	ctx = notify.WithRouteID(ctx, g.RouteID)
	ctx = notify.WithGroupMatchers(ctx, r.Matchers)
	return marker.WithContext(ctx, marker.NewAlertMarker())
}

// allows decides, in the group's turn, whether it is told now.
func (p *prompter) allows(g *dispatch.AlertGroup, as []*alert.Alert, waited bool) bool {
	told, ended := p.told(g.Receiver, g.GroupKey)
	fires := firesAny(as)
	switch {
	case ended:
		return waited && fires
	case !told:
		return false
	case fires:
		prompt := p.plan.delivery.prompt(g.Receiver, p.plan.receivers[g.Receiver])
		return prompt.changes || prompt.edits && !waited
	}
	return p.mayEnd(g.GroupKey, p.routes[g.RouteID].RouteOpts.GroupInterval, time.Now())
}

func firesAny(as []*alert.Alert) bool {
	for _, a := range as {
		if a.EndsAt.IsZero() {
			return true
		}
	}
	return false
}

// told reports what all integrations of a group's receiver know: that something
// fires, or that everything has ended.
func (p *prompter) told(receiver, group string) (told, ended bool) {
	integrations := p.plan.receivers[receiver]
	firing := 0
	for i := range integrations {
		r := &nflogpb.Receiver{GroupName: receiver, Integration: integrations[i].Name(), Idx: uint32(integrations[i].Index())}
		known, err := p.log.Query(nflog.QReceiver(r), nflog.QGroupKey(group))
		if err != nil || len(known) == 0 {
			return false, false
		}
		if len(known[0].FiringAlerts) > 0 {
			firing++
		}
	}
	return firing > 0 && firing == len(integrations), firing == 0 && len(integrations) > 0
}

// mayEnd allows one early end in a group_interval.
func (p *prompter) mayEnd(group string, interval time.Duration, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, until := range p.ended {
		if now.After(until) {
			delete(p.ended, key)
		}
	}
	if _, recent := p.ended[group]; recent {
		return false
	}
	if len(p.ended) >= maxPromptNews {
		return false
	}
	p.ended[group] = now.Add(interval)
	return true
}
