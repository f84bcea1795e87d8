// Package docker watches the containers of a Docker daemon, or of Podman's
// service of the same API.
//
// Events say that something has happened, an inspection says what the container
// is now, and only the event says how the process ended: after a quick restart
// the inspection has forgotten it. Start with [New].
package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

const (
	callDeadline = 5 * time.Second
	// resync is how often everything is looked at, for what events have missed
	// and to notice a daemon that answers no more.
	resync = time.Minute
	// killMemory is how long an order to stop explains an end: longer than the
	// grace of any sane configuration.
	killMemory = 10 * time.Minute
	// maxLogRead bounds what is read of a log whose lines have no end.
	maxLogRead = 4 << 20
	logLines   = "200"
	// logSlack is how far the daemon's times of a line and of a process may be
	// apart: it notes the start after the program's first words.
	logSlack = time.Second
)

// Watcher watches one daemon.
type Watcher struct {
	logger *slog.Logger
	client *client.Client
	feed   *services.Feed

	// mu guards containers, which the watcher writes and logs reads.
	mu         sync.Mutex
	containers map[string]*known // By ID.
}

// known is what of a container only its events tell.
type known struct {
	key     services.Key
	tty     bool
	exit    *services.Exit
	told    bool      // The event of exit has been handled.
	oom     bool      // The kernel has killed in it; the end follows.
	stopped time.Time // Somebody has ordered its end.
	delay   time.Duration
}

// New returns a watcher that reports to s.
func New(c Config, s *services.Services, logger *slog.Logger) (*Watcher, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	cli, err := client.New(client.WithHost(c.Address))
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	w := &Watcher{logger: logger, client: cli, containers: map[string]*known{}}
	w.feed = s.Feed(services.Docker, w.logs)
	return w, nil
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	defer func() {
		if err := w.client.Close(); err != nil {
			w.logger.Debug("Connection to the Docker daemon not closed", "err", err)
		}
	}()
	return w.feed.Watch(ctx, w.session)
}

// session lasts as long as the stream of events. The stream comes first, so
// that nothing happens between the first look and it.
func (w *Watcher) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream := w.client.Events(ctx, client.EventsListOptions{
		Filters: client.Filters{}.Add("type", "container"),
	})
	defer func() {
		cancel()
		for range stream.Err { // The reader ends with its context; wait for it.
		}
	}()
	if err := w.sync(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(resync)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-stream.Err:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read events: %w", err)
		case m := <-stream.Messages:
			if err := w.handle(ctx, m); err != nil {
				return err
			}
		case <-ticker.C:
			if err := w.sync(ctx); err != nil {
				return err
			}
		}
	}
}

// sync looks at all containers.
func (w *Watcher) sync(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	list, err := w.client.ContainerList(call, client.ContainerListOptions{All: true})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	present := map[services.Key]bool{}
	ids := map[string]bool{}
	for _, c := range list.Items {
		key, err := w.look(ctx, c.ID, nil)
		if err != nil {
			return err
		}
		ids[c.ID] = true
		present[key] = true
	}
	w.mu.Lock()
	for id := range w.containers {
		if !ids[id] {
			delete(w.containers, id)
		}
	}
	w.mu.Unlock()
	w.feed.Sees(present)
	return nil
}

// handle takes in one event. What an event does not say, a look does.
func (w *Watcher) handle(ctx context.Context, m events.Message) error {
	id := m.Actor.ID
	at := time.Unix(0, m.TimeNano)
	w.mu.Lock()
	k := w.containers[id]
	if k == nil {
		k = &known{}
		w.containers[id] = k
	}
	var ended *services.Exit
	switch m.Action {
	case events.ActionKill:
		// Other signals are messages to the program.
		if s := m.Actor.Attributes["signal"]; s == "15" || s == "9" || s == "2" || s == "3" || s == "" {
			k.stopped = at
		}
	case events.ActionStop:
		k.stopped = at
		if k.exit != nil {
			k.exit.Wanted = true
		}
	case events.ActionOOM:
		k.oom = true
	case events.ActionDie:
		code, _ := strconv.Atoi(m.Actor.Attributes["exitCode"]) // 0 if it is left out.
		ended = &services.Exit{Code: code, At: at, OOM: k.oom, Wanted: !k.stopped.IsZero() && at.Sub(k.stopped) < killMemory}
		k.oom, k.stopped = false, time.Time{}
	}
	key := k.key
	w.mu.Unlock()
	switch m.Action {
	case events.ActionDestroy:
		w.mu.Lock()
		delete(w.containers, id)
		w.mu.Unlock()
		if key.Instance != "" {
			w.feed.Gone(key)
		}
		return nil
	case events.ActionStart, events.ActionDie, events.ActionStop, events.ActionOOM, events.ActionCreate, events.ActionRename, events.ActionUpdate, events.ActionPause, events.ActionUnPause:
	default:
		if !strings.HasPrefix(string(m.Action), string(events.ActionHealthStatus)) {
			return nil // exec, attach, top and the like.
		}
	}
	_, err := w.look(ctx, id, ended)
	return err
}

// look inspects a container and reports it. ended is the end that the event
// before told of.
func (w *Watcher) look(ctx context.Context, id string, ended *services.Exit) (services.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	result, err := w.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return services.Key{}, nil // Its end is the next event.
	}
	if err != nil {
		return services.Key{}, fmt.Errorf("inspect container %.12s: %w", id, err)
	}
	c := result.Container
	if c.State == nil || c.Config == nil || c.HostConfig == nil {
		w.logger.Debug("Docker describes a container without its state", "container", id)
		return services.Key{}, nil
	}
	w.mu.Lock()
	k := w.containers[id]
	if k == nil {
		k = &known{}
		w.containers[id] = k
	}
	o := k.observe(c, ended)
	renamed := k.key.Instance != "" && k.key != o.Key
	before := k.key
	k.key, k.tty = o.Key, c.Config.Tty
	w.mu.Unlock()
	if renamed {
		w.feed.Gone(before)
	}
	w.feed.Observe(o)
	return o.Key, nil
}

// logs implements services.Logs: of the run that ended, or the last lines.
func (w *Watcher) logs(ctx context.Context, key services.Key) ([]byte, error) {
	opts := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: logLines}
	id, tty := "", false
	w.mu.Lock()
	for i, k := range w.containers {
		if k.key == key {
			id, tty = i, k.tty
			if e := k.exit; e != nil && !e.At.IsZero() {
				opts.Until = e.At.Add(logSlack).Format(time.RFC3339Nano)
				if !e.StartedAt.IsZero() {
					opts.Since = e.StartedAt.Add(-logSlack).Format(time.RFC3339Nano)
				}
			}
		}
	}
	w.mu.Unlock()
	if id == "" {
		return nil, fmt.Errorf("read the log of %s: no such container", key.Instance)
	}
	stream, err := w.client.ContainerLogs(ctx, id, opts)
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", key.Instance, err)
	}
	defer stream.Close()
	var end tailBuffer
	bounded := io.LimitReader(stream, maxLogRead)
	if tty {
		_, err = io.Copy(&end, bounded)
	} else {
		_, err = stdcopy.StdCopy(&end, &end, bounded)
	}
	if err != nil && len(end.text) == 0 {
		return nil, fmt.Errorf("read the log of %s: %w", key.Instance, err)
	}
	return end.text, nil
}

// tailBuffer keeps the last bytes written to it.
type tailBuffer struct{ text []byte }

// Write implements io.Writer.
func (b *tailBuffer) Write(p []byte) (int, error) {
	b.text = append(b.text, p...)
	if over := len(b.text) - services.MaxLogBytes; over > 0 {
		b.text = append(b.text[:0], b.text[over:]...)
	}
	return len(p), nil
}
