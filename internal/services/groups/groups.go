// Package groups watches groups of processes that no platform starts: those of
// a supervisor, a script, or by hand.
//
// Nobody tells how such a process ends, nor whether somebody wanted it. A group
// that has lost its processes has ended, and its cause is unknown unless the
// kernel has killed one of them for memory. Start with [New].
package groups

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

const (
	// interval is how often is looked, and deadline how long a look may take.
	interval, deadline = time.Second, 5 * time.Second
	// patience is how long a group may be without processes before it counts as
	// given up.
	patience = time.Minute
	// aftermath is how much later than it was killed for memory a process may be
	// seen to be gone: its memory is freed first.
	aftermath = 10 * time.Second
)

// Config says which groups are watched.
type Config struct {
	// Groups are names or patterns of groups of host.processes.
	Groups []string `yaml:"groups"`
}

// DefaultConfig watches all groups.
func DefaultConfig() Config { return Config{Groups: []string{"*"}} }

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if len(c.Groups) == 0 {
		errs = append(errs, errors.New(`groups: empty; name groups of host.processes, or leave the key out for "*"`))
	}
	for i, g := range c.Groups {
		if _, err := path.Match(g, ""); err != nil || g == "" {
			errs = append(errs, fmt.Errorf("groups[%d]: %q is no pattern; use names of host.processes and *", i, g))
		}
	}
	return errors.Join(errs...)
}

func (c Config) wants(name string) bool {
	for _, pattern := range c.Groups {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// Group is a group at one time.
type Group struct {
	Name string
	// Processes that run, and how many have replaced one that was gone.
	Processes, Restarts int
	// Unknown says that the group could not be looked at.
	Unknown bool
	// OOM is what the kernel says of a process of the group that it has killed for
	// memory since the last look; empty if there is none. OOMKnown is false if
	// nobody can tell.
	OOM      string
	OOMKnown bool
}

// Sight is what is seen at one time.
type Sight struct {
	Groups []Group
	// OOMKills counts processes of this machine that the kernel has killed for
	// memory, for groups of which nobody can tell; nil if unknown.
	OOMKills *uint64
}

// Look returns what is there now. It obeys ctx.
type Look func(ctx context.Context) (Sight, error)

// Watcher watches the groups of one machine.
type Watcher struct {
	config Config
	look   Look
	feed   *services.Feed

	known map[string]*group
	kills *uint64
}

type group struct {
	Group
	ever      bool // It has had processes.
	exit      *services.Exit
	counted   bool      // The end of what is gone has been noted, before its replacement.
	oom       string    // Why the kernel has killed a process of it,
	oomAt     time.Time // and when that was said.
	condition services.Condition
	since     time.Time
}

// New returns a watcher that reports to s.
func New(c Config, look Look, s *services.Services) (*Watcher, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	w := &Watcher{config: c, look: look, known: map[string]*group{}}
	w.feed = s.Feed(services.Process, nil)
	return w, nil
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error { return w.feed.Watch(ctx, w.session) }

// session lasts until processes cannot be looked at.
func (w *Watcher) session(ctx context.Context) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for first := true; ; first = false {
		if err := w.step(ctx, first); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// step looks once.
func (w *Watcher) step(ctx context.Context, first bool) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	sight, err := w.look(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	killed := w.kills != nil && sight.OOMKills != nil && *sight.OOMKills > *w.kills
	w.kills = sight.OOMKills
	present := make(map[services.Key]bool, len(sight.Groups))
	changed := first
	for _, g := range sight.Groups {
		if !w.config.wants(g.Name) {
			continue
		}
		present[key(g.Name)] = true
		k := w.known[g.Name]
		if k == nil {
			k = &group{Group: Group{Name: g.Name, Restarts: g.Restarts, Processes: g.Processes}, since: now, condition: -1}
			w.known[g.Name], changed = k, true
		}
		if !g.Unknown && k.update(g, killed, now) || first {
			w.feed.Observe(k.observation())
		}
	}
	for name := range w.known {
		if !present[key(name)] {
			delete(w.known, name)
			changed = true
		}
	}
	if changed {
		w.feed.Sees(present)
	}
	return nil
}

func key(name string) services.Key {
	return services.Key{ServiceKey: services.ServiceKey{Platform: services.Process, Service: name}, Instance: name}
}

// update takes g over, and reports whether there is news.
func (k *group) update(g Group, killed bool, now time.Time) bool {
	before, condition := k.Group, k.condition
	k.Group = g
	k.ever = k.ever || g.Processes > 0
	gone := before.Processes > 0 && g.Processes == 0
	replaced := g.Restarts > before.Restarts
	switch {
	case g.OOM != "":
		k.oom, k.oomAt = g.OOM, now
	case !g.OOMKnown && killed:
		k.oom, k.oomAt = "the kernel has killed a process of this machine for memory in these seconds", now
	}
	// A replacement that comes later is the second half of an end that was noted.
	if gone || replaced && !k.counted {
		k.exit = &services.Exit{Unseen: true, At: now}
		if k.oom != "" && now.Sub(k.oomAt) < aftermath {
			k.exit.OOM, k.exit.Message = true, k.oom
		}
		k.oom = ""
	}
	k.counted = g.Processes == 0 && k.exit != nil
	switch {
	case g.Processes > 0:
		k.condition = services.Running
	case !k.ever:
		k.condition = services.Waiting
	case now.Sub(k.exit.At) < patience:
		k.condition = services.Restarting
	default:
		k.condition = services.GaveUp
	}
	if replaced || k.condition != condition {
		k.since = now
	}
	return gone || replaced || k.condition != condition
}

func (k *group) observation() services.Observation {
	o := services.Observation{Key: key(k.Name), Condition: k.condition, Since: k.since, Restarts: k.Restarts}
	if k.exit != nil {
		o.Exit = new(*k.exit)
	}
	if k.condition == services.GaveUp {
		o.Message = "no process of the group has been there for a minute"
	}
	return o
}
