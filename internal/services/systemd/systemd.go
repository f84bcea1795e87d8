// Package systemd watches the services of systemd over the system bus.
//
// A signal says that a unit has changed, and never what matters: the count of
// restarts and the result. So a signal marks its unit, and the marked units are
// read. Start with [New].
package systemd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/hedgewatch/hedgewatch/internal/cgroup"
	"github.com/hedgewatch/hedgewatch/internal/services"
)

const (
	callDeadline = 5 * time.Second
	// resync finds units that were loaded without a signal to us, and a bus that
	// answers no more.
	resync = time.Minute
	// sampleEvery is how often CPU limits are asked how they hold units back.
	sampleEvery = 10 * time.Second

	manager    = "org.freedesktop.systemd1"
	unitsPath  = dbus.ObjectPath("/org/freedesktop/systemd1/unit")
	properties = "org.freedesktop.DBus.Properties"
)

// Watcher watches one systemd.
type Watcher struct {
	logger     *slog.Logger
	config     Config
	feed       *services.Feed
	journalctl string // Empty if there is none.
	cgroups    cgroup.FS

	exits   map[dbus.ObjectPath]*services.Exit // The last end of each unit, which its next start wipes out.
	keys    map[dbus.ObjectPath]services.Key
	limited map[dbus.ObjectPath]*limited // Units with a CPU limit.
}

// limited is a unit with a CPU limit.
type limited struct {
	group   string // Its control group, empty while it does not run.
	samples services.ThrottlingSamples
}

// New returns a watcher that reports to s.
func New(c Config, s *services.Services, logger *slog.Logger) (*Watcher, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	w := &Watcher{
		logger: logger, config: c, cgroups: cgroup.FS(c.CgroupFS),
		exits: map[dbus.ObjectPath]*services.Exit{}, keys: map[dbus.ObjectPath]services.Key{}, limited: map[dbus.ObjectPath]*limited{},
	}
	if c.Address == systemBus { // The journal is that of this machine.
		w.journalctl, _ = exec.LookPath("journalctl") // Without it, causes come from the status alone.
	}
	w.feed = s.Feed(services.Systemd, w.logs)
	return w, nil
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error { return w.feed.Watch(ctx, w.session) }

// session lasts as long as the connection to the bus.
func (w *Watcher) session(ctx context.Context) error {
	conn, err := dbus.Connect(w.config.Address, dbus.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("connect to the system bus: %w", err)
	}
	defer conn.Close()
	changed := newMarks()
	signals := make(chan *dbus.Signal, 256)
	conn.Signal(signals)
	var running sync.WaitGroup
	defer running.Wait()
	defer conn.Close() // Closes signals.
	running.Go(func() {
		defer changed.close()
		for s := range signals {
			if strings.HasPrefix(string(s.Path), string(unitsPath)) {
				changed.add(s.Path)
			}
		}
	})
	err = conn.AddMatchSignalContext(ctx, dbus.WithMatchPathNamespace(unitsPath), dbus.WithMatchInterface(properties))
	if err != nil {
		return fmt.Errorf("watch units: %w", err)
	}
	if err := call(ctx, conn, "Subscribe").Err; err != nil {
		return fmt.Errorf("watch units: %w", err)
	}
	if err := w.sync(ctx, conn); err != nil {
		return err
	}
	w.sample(changed)
	ticker := time.NewTicker(resync)
	defer ticker.Stop()
	samples := time.NewTicker(sampleEvery)
	defer samples.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed.gone:
			return errors.New("the system bus has closed the connection")
		case <-changed.wake:
			for _, path := range changed.take() {
				if err := w.look(ctx, conn, path); err != nil {
					return err
				}
			}
		case <-samples.C:
			w.sample(changed)
		case <-ticker.C:
			if err := w.sync(ctx, conn); err != nil {
				return err
			}
		}
	}
}

// unit is a line of systemd's list.
type unit struct {
	Name, Description, Load, Active, Sub, Followed string
	Path                                           dbus.ObjectPath
	JobID                                          uint32
	JobType                                        string
	JobPath                                        dbus.ObjectPath
}

// sync looks at all units.
func (w *Watcher) sync(ctx context.Context, conn *dbus.Conn) error {
	var units []unit
	if err := call(ctx, conn, "ListUnitsByPatterns", []string{}, w.config.Units).Store(&units); err != nil {
		return fmt.Errorf("list units: %w", err)
	}
	listed := make(map[dbus.ObjectPath]bool, len(units))
	for _, u := range units {
		if u.Load != "loaded" {
			continue
		}
		listed[u.Path] = true
		if err := w.look(ctx, conn, u.Path); err != nil {
			return err
		}
	}
	present := make(map[services.Key]bool, len(units))
	for path, key := range w.keys {
		if !listed[path] {
			delete(w.keys, path)
			delete(w.exits, path)
			delete(w.limited, path)
			continue
		}
		present[key] = true
	}
	w.feed.Sees(present)
	return nil
}

// look reads a unit and reports it, if it is one of ours.
func (w *Watcher) look(ctx context.Context, conn *dbus.Conn, path dbus.ObjectPath) error {
	object := conn.Object(manager, path)
	read := func(kind string) (props map[string]dbus.Variant, err error) {
		ctx, cancel := context.WithTimeout(ctx, callDeadline)
		defer cancel()
		err = object.CallWithContext(ctx, properties+".GetAll", 0, manager+kind).Store(&props)
		var refused dbus.Error
		if errors.As(err, &refused) && conn.Connected() {
			return nil, nil // Unloaded meanwhile; the next list drops it.
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		return props, nil
	}
	u, err := read(".Unit")
	if err != nil || u == nil {
		return err
	}
	name := get[string](u, "Id")
	if !w.config.wants(name) {
		return nil
	}
	s, err := read(".Service")
	if err != nil || s == nil {
		return err
	}
	key := services.Key{ServiceKey: services.ServiceKey{Platform: services.Systemd, Service: name}, Instance: name}
	w.keys[path] = key
	if o, settled := w.observe(path, key, u, s); settled {
		w.feed.Observe(o)
	}
	return nil
}

// sample asks how CPU limits have held units back, and marks those with news.
func (w *Watcher) sample(changed *marks) {
	for path, l := range w.limited {
		if l.group == "" {
			continue
		}
		now, err := w.cgroups.Throttling(l.group)
		if err != nil { // It has ended meanwhile, or the kernel does not count.
			w.logger.Debug("CPU throttling of a unit unknown", "unit", w.keys[path].Service, "err", err)
			continue
		}
		if l.samples.Add(services.Throttling(now)) {
			changed.add(path)
		}
	}
}

// logs implements services.Logs.
func (w *Watcher) logs(ctx context.Context, key services.Key) ([]byte, error) {
	if w.journalctl == "" {
		return nil, nil
	}
	cmd := exec.CommandContext(ctx, w.journalctl, "--unit="+key.Service, "--lines=100", "--output=cat", "--no-pager", "--quiet")
	cmd.WaitDelay = 100 * time.Millisecond
	var end services.LogTail // An entry of the journal may have many megabytes.
	cmd.Stdout = &end
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", key.Service, err)
	}
	return end.Bytes(), nil
}

func call(ctx context.Context, conn *dbus.Conn, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	return conn.Object(manager, "/org/freedesktop/systemd1").CallWithContext(ctx, manager+".Manager."+method, 0, args...)
}
