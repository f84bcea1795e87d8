package services

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Logs returns the end of the log of the run that ended last, no more than
// MaxLogBytes.
type Logs func(context.Context, Key) ([]byte, error)

// Feed is what the watcher of one platform tells Services by. Its methods do
// not wait for anything.
type Feed struct {
	s        *Services
	platform Platform
	logs     Logs

	// Below, s.mu guards.
	err   error // Why it is blind; nil if it sees.
	since time.Time
	seen  bool // It has seen all instances once.
	told  bool // People know that it is blind.
}

// Feed connects the watcher of a platform. Until it says that it sees, nothing
// is known of the platform.
func (s *Services) Feed(p Platform, logs Logs) *Feed {
	f := &Feed{s: s, platform: p, logs: logs, err: errNotYet, since: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feeds[p] = f
	return f
}

var errNotYet = errors.New("the watcher has not reached its platform yet")

// Observe takes over what is known of one instance now.
func (f *Feed) Observe(o Observation) {
	s, now := f.s, time.Now()
	o.Platform = f.platform
	s.mu.Lock()
	defer s.mu.Unlock()
	svc := s.services[o.ServiceKey]
	if svc == nil {
		svc = &service{key: o.ServiceKey, instances: map[string]*instance{}}
	}
	in, known := svc.instances[o.Instance]
	if !known {
		if s.instances >= MaxInstances {
			s.dropped++
			return
		}
		if len(svc.instances) == 0 {
			s.add(svc)
		}
		s.instances++
		in = &instance{}
		svc.instances[o.Instance] = in
	}
	svc.change.note(o, now)
	settle := in.observe(o, !known, now)
	if key := o.incident(); s.inherited[key] {
		s.adopt(svc)
	} else if settle {
		s.touch(svc)
	}
	if settle || !known {
		s.deps.Changed()
	}
}

// Gone forgets an instance that no longer exists.
func (f *Feed) Gone(k Key) {
	k.Platform = f.platform
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.forget(k)
}

func (s *Services) forget(k Key) {
	svc := s.services[k.ServiceKey]
	if svc == nil || svc.instances[k.Instance] == nil {
		return
	}
	delete(svc.instances, k.Instance)
	s.instances--
	s.deps.Changed()
	if len(svc.instances) == 0 && svc.began.IsZero() && !svc.told && !svc.lost {
		s.remove(svc)
		return
	}
	s.touch(svc)
}

// Sees says that all instances that exist have been observed, and that changes
// are from now on. Those that are not among present are forgotten.
func (f *Feed) Sees(present map[Key]bool) {
	s := f.s
	s.mu.Lock()
	var gone []Key
	for sk, svc := range s.services {
		if sk.Platform != f.platform {
			continue
		}
		for name := range svc.instances {
			if k := (Key{sk, name}); !present[k] {
				gone = append(gone, k)
			}
		}
	}
	for _, k := range gone {
		s.forget(k)
	}
	for key := range s.inherited {
		// The service is gone, and its incident with it.
		if p, _ := keyPlatform(key); p == f.platform {
			delete(s.inherited, key)
			svc := &service{key: splitKey(key), instances: map[string]*instance{}, told: true}
			s.add(svc)
			s.touch(svc)
		}
	}
	was := f.err
	f.err, f.seen = nil, true
	s.mu.Unlock()
	if was != nil {
		s.deps.Changed()
		s.logger.Info("Services are watched", "platform", f.platform)
	}
	s.rouse()
}

// Back says that a connection goes on where it was lost, with nothing missed.
func (f *Feed) Back() {
	f.s.mu.Lock()
	was := f.err
	f.err = nil
	f.s.mu.Unlock()
	if was != nil {
		f.s.deps.Changed()
		f.s.logger.Info("Services are watched again", "platform", f.platform)
	}
}

// Blind says that the platform cannot be read, and why. What was known stays,
// as of then.
func (f *Feed) Blind(err error) {
	s := f.s
	s.mu.Lock()
	fresh := f.err == nil || f.err == errNotYet
	if f.err == nil {
		f.since = time.Now()
	}
	f.err = err
	s.mu.Unlock()
	if fresh {
		s.deps.Changed()
		s.logger.Warn("Services cannot be watched", "platform", f.platform, "err", err)
	}
}

func (f *Feed) blind() bool { return f.err != nil }

// shouldTell reports whether people have to hear that f is blind, or sees again.
func (f *Feed) shouldTell(now time.Time) bool {
	if f.err == nil {
		return f.told
	}
	return !f.told && now.Sub(f.since) >= blindPatience
}

// tell raises or clears the incident of a blind watcher.
func (f *Feed) tell(ctx context.Context) {
	s := f.s
	s.mu.Lock()
	blind, since := f.err, f.since
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, tellDeadline)
	defer cancel()
	key := "service-watcher/" + string(f.platform)
	var err error
	if blind == nil {
		err = s.deps.Clear(ctx, key)
	} else {
		err = s.deps.Raise(ctx, Incident{
			Key: key, Name: alertBlind, Labels: map[string]string{"platform": string(f.platform)},
			Annotations: map[string]string{
				"summary":     fmt.Sprintf("Restarts on %s are not seen.", f.platform),
				"description": fmt.Sprintf("The watcher has not reached %s since %s: %s", f.platform, since.UTC().Format("15:04:05 MST"), clean(blind.Error())),
			},
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.untold++
		s.logger.Error("Blind watcher not told, will be tried again", "platform", f.platform, "err", err)
		return
	}
	f.told = blind != nil
}

const minRetry, maxRetry = 500 * time.Millisecond, 30 * time.Second

// Watch runs session, which ends when the platform is lost, again and again
// until ctx ends. It waits longer after each failure; a session that could see
// starts over.
func (f *Feed) Watch(ctx context.Context, session func(context.Context) error) error {
	wait := minRetry
	for {
		f.s.mu.Lock()
		f.seen = false
		f.s.mu.Unlock()
		err := session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%s has ended the connection", f.platform)
		}
		f.Blind(err)
		f.s.mu.Lock()
		if f.seen {
			wait = minRetry
		}
		f.s.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
		wait = min(2*wait, maxRetry)
	}
}
