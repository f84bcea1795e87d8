package services

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// service is the instances that share an incident.
type service struct {
	key       ServiceKey
	instances map[string]*instance
	change    change

	dirty, busy bool
	began       time.Time         // When the incident began; zero if there is none.
	parent      *service          // Whose incident this one hangs below.
	children    map[*service]bool // Those that hang below this one, at once.
	wants       []string          // Names of services that exist and that it may need, while it fails.
	told        bool              // An incident was raised and not cleared.
	raised      Incident          // As it was last raised.
	lost        bool              // The last raise or clear failed.
	waited      bool              // For the cause of what ended while svc was settled.
}

// change is the last change of what a service runs.
type change struct {
	at            time.Time
	what          string
	image, config string
}

// note compares o with what the service ran before.
func (c *change) note(o Observation, now time.Time) {
	if c.image != "" && o.Image != "" && o.Image != c.image {
		c.at, c.what = now, "image changed from "+c.image+" to "+o.Image
	} else if c.config != "" && o.Config != "" && o.Config != c.config {
		c.at, c.what = now, "configuration changed"
	}
	c.image, c.config = cmp.Or(o.Image, c.image), cmp.Or(o.Config, c.config)
}

// settle diagnoses what ended in svc, and tells or takes back its incident.
func (s *Services) settle(ctx context.Context, svc *service) {
	for _, key := range s.undiagnosed(svc) {
		s.diagnose(ctx, svc, key)
	}
	raise, clear := s.decide(svc, time.Now())
	if raise == nil && !clear {
		s.release(svc)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tellDeadline)
	defer cancel()
	var err error
	if raise != nil {
		err = s.deps.Raise(ctx, *raise)
	} else {
		err = s.deps.Clear(ctx, svc.key.incident())
	}
	s.mu.Lock()
	again := svc.lost
	if svc.lost = err != nil; svc.lost {
		s.untold++
	} else {
		svc.told = raise != nil
		if raise != nil {
			svc.raised = *raise
		}
	}
	s.mu.Unlock()
	if err != nil && !again {
		s.logger.Error("Incident of a service not told, will be tried again", "incident", svc.key.incident(), "err", err)
	}
	s.release(svc)
}

// release ends the time in which svc is busy. What was lost waits for the next
// tick.
func (s *Services) release(svc *service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	svc.busy = false
	if svc.dirty {
		s.dirty = append(s.dirty, svc)
		s.rouse()
	}
}

// undiagnosed returns the instances of svc that have to be explained.
func (s *Services) undiagnosed(svc *service) []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []Key
	for _, in := range svc.instances {
		if in.unexplained() {
			keys = append(keys, in.Key)
		}
	}
	return keys
}

// diagnose finds the cause of one instance's end. The log is read outside the
// lock, and no longer than an incident may wait.
func (s *Services) diagnose(ctx context.Context, svc *service, key Key) {
	now := time.Now()
	s.mu.Lock()
	in, ok := svc.instances[key.Instance]
	if !ok {
		s.mu.Unlock()
		return
	}
	o, feed := in.Observation, s.feeds[key.Platform]
	want := in.needsLog(now)
	if want {
		in.logAt = now
	}
	in.changed = false
	s.mu.Unlock()

	var log []byte
	if want && feed != nil && feed.logs != nil {
		ctx, cancel := context.WithTimeout(ctx, logDeadline)
		var err error
		if log, err = feed.logs(ctx, key); err != nil {
			s.logger.Debug("Log of an ended service not read", "service", key.Service, "instance", key.Instance, "err", err)
		}
		cancel()
	}
	if o.CPU == nil && o.Probe != "" && s.deps.Throttling != nil {
		ctx, cancel := context.WithTimeout(ctx, logDeadline)
		o.CPU = s.deps.Throttling(ctx, key)
		cancel()
	}
	d := Diagnose(o, log)

	s.mu.Lock()
	defer s.mu.Unlock()
	if !want && d.Cause == Unknown && in.diagnosis.Cause != "" {
		d = in.diagnosis // Without its log this end looks like the one before.
	}
	if in.diagnosis.Cause != d.Cause || in.diagnosis.Finding != d.Finding || in.undiagnosed > 0 {
		s.deps.Changed()
	}
	in.diagnosis, in.blames = d, d.blames()
	in.explain(d.Cause)
	if in.undiagnosed > 0 {
		if in.restarts == nil {
			in.restarts = map[Cause]uint64{}
		}
		in.restarts[d.Cause] += in.undiagnosed
		in.undiagnosed = 0
	}
}

// decide brings svc's incident up to date, and returns what to tell.
func (s *Services) decide(svc *service, now time.Time) (raise *Incident, clear bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	looping, recent := false, false
	if feed := s.feeds[svc.key.Platform]; feed == nil || !feed.blind() {
		for _, in := range svc.instances {
			in.decide(s.critical(svc), time.Duration(s.config.Steady), now)
		}
	}
	for _, in := range svc.instances {
		looping = looping || in.looping
		recent = recent || in.recent(now)
	}
	switch {
	case looping && svc.began.IsZero():
		svc.began = svc.firstExit(now)
		s.deps.Changed()
		s.logger.Info("Service fails", "platform", svc.key.Platform, "namespace", svc.key.Namespace, "service", svc.key.Service)
		s.touchRelated(svc)
	case !looping && !svc.began.IsZero():
		svc.began = time.Time{}
		s.deps.Changed()
		s.logger.Info("Service has recovered", "platform", svc.key.Platform, "namespace", svc.key.Namespace, "service", svc.key.Service)
		s.touchRelated(svc)
	}
	if looping || recent || svc.told || svc.lost {
		s.enlist(svc)
	} else {
		s.delist(svc)
	}
	if len(svc.instances) == 0 && !svc.told && !svc.lost {
		s.remove(svc)
	}
	s.hang(svc, now)
	if svc.parent != nil || !looping && (len(svc.instances) == 0 || len(svc.allBelow()) == 0) {
		return nil, svc.told || svc.lost && !looping
	}
	if !svc.told && !svc.waited && svc.unexplained() {
		svc.waited = true
		s.touch(svc)
		return nil, false
	}
	svc.waited = false
	in := s.incident(svc, now)
	if svc.told && !svc.lost && (in.same(svc.raised) || looping && svc.recovers()) {
		return nil, false
	}
	return &in, false
}

func (svc *service) unexplained() bool {
	for _, in := range svc.instances {
		if in.looping && in.unexplained() {
			return true
		}
	}
	return false
}

// critical reports whether a single crash of svc matters.
func (s *Services) critical(svc *service) bool {
	if s.config.critical(svc.key.Service) {
		return true
	}
	for _, in := range svc.instances {
		if in.Critical {
			return true
		}
	}
	return false
}

// firstExit is when the trouble of an incident began.
func (svc *service) firstExit(now time.Time) time.Time {
	if !svc.began.IsZero() {
		return svc.began
	}
	first := now
	for _, in := range svc.instances {
		if len(in.exits) > 0 && in.exits[0].Before(first) {
			first = in.exits[0]
		}
	}
	return first
}

// recovers reports whether all instances run again.
func (svc *service) recovers() bool {
	for _, in := range svc.instances {
		if in.looping && in.Condition != Running {
			return false
		}
	}
	return true
}

func (svc *service) down(now time.Time) bool {
	for _, in := range svc.instances {
		if in.down(now) {
			return true
		}
	}
	return false
}

// worst is the instance that tells most about svc.
func (svc *service) worst() *instance {
	var worst *instance
	for _, name := range slices.Sorted(maps.Keys(svc.instances)) {
		in := svc.instances[name]
		if worst == nil || in.weight() > worst.weight() {
			worst = in
		}
	}
	return worst
}

func (in *instance) weight() int {
	weight := len(in.exits)
	if in.looping {
		weight += 100
	}
	if in.diagnosis.Cause != "" && in.diagnosis.Cause != Unknown {
		weight += 50
	}
	return weight
}
