package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/demo/platform"
	"github.com/hedgewatch/hedgewatch/internal/services"
)

const (
	// memoryLimit is what a service may take: several times what it needs.
	memoryLimit = 512 << 20
	// backoffFirst doubles with each end until backoffMost; a run of steady begins
	// anew.
	backoffFirst = 500 * time.Millisecond
	backoffMost  = 8 * time.Second
	steady       = 10 * time.Second
	// stopPatience is how long a process may take to end.
	stopPatience = 10 * time.Second
	namespace    = "demo"
	databaseName = "database"
)

// A supervisor starts the processes of the platform, and starts again what ends,
// with a growing delay. What restarts in a loop it tells hedgewatch as an event,
// by the same state machine and diagnosis that hedgewatch has for Kubernetes.
type supervisor struct {
	command string
	dir     string
	web     string // URL of hedgewatch.
	logger  *slog.Logger

	monitor  *process // hedgewatch itself.
	children map[string]*child
	order    []string
	lost     chan error // hedgewatch has ended by itself.
	database database

	services *services.Services
	feed     *services.Feed
}

// A child is a service and what is wanted of it.
type child struct {
	process *process
	config  platform.Config
	file    string
	address string
	orders  chan order
}

// An order changes what is wanted of a child: to be started or stopped, or, if it
// runs, to be started anew. done is told when it is carried out.
type order struct {
	start, stop bool
	config      []byte // Nil leaves the file as it is.
	done        chan error
}

func newSupervisor(command, dir, web string, logger *slog.Logger) *supervisor {
	return &supervisor{command: command, dir: dir, web: web, logger: logger, children: map[string]*child{}, lost: make(chan error, 1)}
}

// add makes a service known, before the start.
func (s *supervisor) add(name, address string, cfg platform.Config) error {
	c := &child{config: cfg, address: address, file: filepath.Join(s.dir, name+".json"), orders: make(chan order)}
	c.process = &process{argv: []string{s.command, "demo-service", name, "--config.file=" + c.file}, log: filepath.Join(s.dir, name+".log")}
	s.children[name] = c
	s.order = append(s.order, name)
	return writeConfig(c.file, cfg)
}

// monitorWith makes hedgewatch's own process known, before the start.
func (s *supervisor) monitorWith(config, data, address string) error {
	s.monitor = &process{
		argv: []string{s.command, "run", "--config.file=" + config, "--storage.path=" + data, "--web.listen-address=" + address, "--instance=demo"},
		log:  filepath.Join(s.dir, "hedgewatch.log"),
	}
	var err error
	s.services, err = services.New(services.Config{Steady: model.Duration(steady), Critical: []string{databaseName, platform.OrderRouter}}, services.Deps{
		Logger: s.logger,
		Raise:  s.raise,
		Clear:  s.clear,
		Active: func(context.Context) ([]string, error) { return nil, nil }, // There was nothing before.
	})
	if err == nil {
		s.feed = s.services.Feed(services.Process, s.logs)
	}
	return err
}

// start starts the platform, and hedgewatch when there is something to see.
func (s *supervisor) start(ctx context.Context, running *sync.WaitGroup, db database) error {
	s.database = db
	store, err := platform.OpenStore(ctx, db.address())
	if err != nil {
		return err
	}
	present := map[services.Key]bool{key(databaseName): true}
	running.Go(func() { s.watchDatabase(ctx, store) })
	for _, name := range s.order {
		present[key(name)] = true
		running.Go(func() { s.supervise(ctx, name, s.children[name]) })
	}
	s.feed.Sees(present)
	// Bars that a new crawler has yet to fetch are no fault.
	if err := awaitBars(ctx, store); err != nil {
		return err
	}
	if err := s.monitor.start(); err != nil {
		return err
	}
	running.Go(func() {
		select {
		case <-ctx.Done():
		case <-s.monitor.ended():
			s.lost <- fmt.Errorf("hedgewatch has ended by itself:\n%s", s.monitor.tail())
		}
	})
	if err := awaitReady(ctx, s.web+"/-/ready", s.monitor); err != nil {
		return err
	}
	running.Go(func() { _ = s.services.Run(ctx) }) // It has no error but that of ctx.
	return nil
}

// stopAll ends hedgewatch; the services end with the context.
func (s *supervisor) stopAll() { s.monitor.stop(2 * stopPatience) }

func (s *supervisor) address(name string) string { return s.children[name].address }

// supervise keeps a service running until ctx ends.
func (s *supervisor) supervise(ctx context.Context, name string, c *child) {
	wanted, backoff, restarts := true, backoffFirst, 0
	var last *services.Exit
	for {
		if !wanted {
			s.observe(name, services.Stopped, restarts, last, time.Time{})
			select {
			case <-ctx.Done():
				return
			case o := <-c.orders:
				wanted = s.obey(c, o, wanted)
				continue
			}
		}
		began := time.Now()
		if err := c.process.start(); err != nil {
			s.logger.Error("Service does not start", "service", name, "err", err)
			return
		}
		s.observe(name, services.Running, restarts, last, time.Time{})
		o, oom := s.watch(ctx, c)
		last = c.process.exit(began, oom, o != nil)
		if ctx.Err() != nil {
			return
		}
		if o != nil {
			backoff = backoffFirst
			wanted = s.obey(c, *o, wanted)
			continue
		}
		restarts++
		if time.Since(began) >= steady {
			backoff = backoffFirst
		}
		s.observe(name, services.BackingOff, restarts, last, time.Now().Add(backoff))
		select {
		case <-ctx.Done():
			return
		case o := <-c.orders:
			wanted = s.obey(c, o, wanted)
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, backoffMost)
	}
}

// watch waits until the run ends: by itself, at its memory limit, or by an order.
func (s *supervisor) watch(ctx context.Context, c *child) (o *order, oom bool) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			c.process.stop(stopPatience)
			return nil, false
		case <-c.process.ended():
			return nil, oom
		case given := <-c.orders:
			c.process.stop(stopPatience)
			return &given, false
		case <-ticker.C:
			if c.process.resident() > memoryLimit {
				oom = true
				c.process.signal(syscall.SIGKILL)
			}
		}
	}
}

// obey carries an order out, and returns whether the child is to run.
func (s *supervisor) obey(c *child, o order, wanted bool) bool {
	var err error
	if o.config != nil {
		err = os.WriteFile(c.file, o.config, 0o600)
	}
	o.done <- err
	return o.start || wanted && !o.stop
}

// tell gives an order, and waits until it is carried out.
func (s *supervisor) tell(ctx context.Context, name string, o order) error {
	o.done = make(chan error, 1)
	select {
	case s.children[name].orders <- o:
		return <-o.done
	case <-ctx.Done():
		return ctx.Err()
	}
}

func key(name string) services.Key {
	return services.Key{ServiceKey: services.ServiceKey{Platform: services.Process, Namespace: namespace, Service: name}, Instance: name}
}

func (s *supervisor) observe(name string, c services.Condition, restarts int, last *services.Exit, next time.Time) {
	s.feed.Observe(services.Observation{
		Key: key(name), Condition: c, Since: time.Now(), Restarts: restarts, Exit: last, NextRestart: next,
		DependsOn: []string{databaseName}, MemoryLimit: memoryLimit,
	})
}

// watchDatabase asks the database again and again whether it can be written to. Once
// is not enough to say that it cannot: on a busy machine an answer may be late.
func (s *supervisor) watchDatabase(ctx context.Context, store *platform.Store) {
	const every, patience = 500 * time.Millisecond, 2
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	defer store.Close() // Nothing was written.
	o := services.Observation{Key: key(databaseName), Condition: services.Running, Since: time.Now()}
	s.feed.Observe(o)
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := store.Check(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && o.Condition != services.Running:
			o.Condition, o.Reason, o.Since = services.Running, "", time.Now()
			s.feed.Observe(o)
		case err == nil:
			failures = 0
		default:
			if failures++; failures == patience {
				o.Condition, o.Reason, o.Since = services.GaveUp, err.Error(), time.Now()
				s.feed.Observe(o)
			}
		}
	}
}

// logs are the last lines of a service.
func (s *supervisor) logs(_ context.Context, k services.Key) ([]byte, error) {
	if c, ok := s.children[k.Service]; ok {
		return c.process.tail(), nil
	}
	return s.database.log(), nil
}

// raise tells hedgewatch of an incident; it is what a platform of one's own does.
func (s *supervisor) raise(ctx context.Context, in services.Incident) error {
	severity := "warning"
	if in.Critical {
		severity = "critical"
	}
	return s.event(ctx, map[string]any{
		"state": "raised", "key": in.Key, "name": in.Name, "severity": severity, "labels": in.Labels, "annotations": in.Annotations,
	})
}

func (s *supervisor) clear(ctx context.Context, key string) error {
	return s.event(ctx, map[string]any{"state": "cleared", "key": key})
}

func (s *supervisor) event(ctx context.Context, e map[string]any) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.web+"/api/hw/v1/events", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	err = errors.Join(err, resp.Body.Close())
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNotFound { // 404: it has ended already.
		err = errors.Join(err, fmt.Errorf("tell hedgewatch: %s: %s", resp.Status, text))
	}
	return err
}
