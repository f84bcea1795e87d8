// Package docker watches the containers of a Docker daemon, or of Podman's
// service of the same API.
//
// Events say that something has happened, an inspection says what the container
// is now, and only the event says how the process ended: after a quick restart
// the inspection has forgotten it. Start with [New].
package docker

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// What Podman says in words of its own. It does not tell of an order to stop: an
// end is followed by restart, or by cleanup if nothing starts it again; 4.3,
// testdata/podman-4.3.jsonl.
const (
	actionDied    events.Action = "died"
	actionCleanup events.Action = "cleanup"
)

const (
	callDeadline = 5 * time.Second
	// resync is how often everything is looked at, for what events have missed
	// and to notice a daemon that answers no more.
	resync = time.Minute
	// killMemory is how long an order to stop explains an end: longer than the
	// grace of any sane configuration.
	killMemory = 10 * time.Minute
	// aftermath is how long Podman may take to say what follows an end.
	// Its events come late, after patience not at all.
	aftermath, patience = 3 * time.Second, 5 * time.Second
	// maxAnswer bounds the list of all containers, 1 to 2 KiB each, and maxEvent
	// one line of the stream of events, which has the container's labels.
	maxAnswer, maxEvent = 64 << 20, 1 << 20
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

	// mu guards what the watcher, the reader of events and logs share.
	mu         sync.Mutex
	containers map[string]*known // By ID.
	changed    map[string]bool   // IDs of which events have told.
	wake       chan struct{}     // One slot: there is something in changed.
	podman     bool              // The daemon is Podman's.
}

// known is what of a container only its events tell.
type known struct {
	key   services.Key
	tty   bool
	exit  *services.Exit
	told  bool           // The event of exit has been handled.
	ended *services.Exit // An end that was told of and not looked at yet.
	// settled says that what follows an end of Podman's has been told, and over
	// that it is no start.
	settled, over bool
	// early is when an inspection was ahead of the event, which tells more.
	early   time.Time
	odd     bool      // Its description cannot be read, and that was said.
	oom     bool      // The kernel has killed in it; the end follows.
	stopped time.Time // Somebody has ordered its end.
	delay   time.Duration
	limited bool // It runs with a CPU limit.
	samples services.ThrottlingSamples
}

// New returns a watcher that reports to s.
func New(c Config, s *services.Services, logger *slog.Logger) (*Watcher, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	cli, err := client.New(client.WithHost(c.Address), client.WithResponseHook(bound))
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	w := &Watcher{logger: logger, client: cli, containers: map[string]*known{}, changed: map[string]bool{}, wake: make(chan struct{}, 1)}
	w.feed = s.Feed(services.Docker, w.logs)
	return w, nil
}

// bound keeps a daemon, or what answers in its place, from filling the memory.
func bound(resp *http.Response) {
	if path.Base(resp.Request.URL.Path) == "events" {
		services.BoundLines(resp, maxEvent)
	} else {
		services.BoundBody(resp, maxAnswer)
	}
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
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case m := <-stream.Messages:
				w.handle(m)
			case <-ctx.Done():
				return
			}
		}
	})
	defer func() {
		cancel()
		reading.Wait()
		for range stream.Err { // The library's reader ends with its context; wait for it.
		}
	}()
	w.identify(ctx)
	if err := w.sync(ctx); err != nil {
		return err
	}
	reading.Go(func() { w.sample(ctx) })
	ticker := time.NewTicker(resync)
	defer ticker.Stop()
	unsettled := time.NewTicker(aftermath / 3)
	defer unsettled.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-stream.Err:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read events: %w", err)
		case <-w.wake:
			for _, id := range w.changes() {
				if _, err := w.look(ctx, id); err != nil {
					return err
				}
			}
		case now := <-unsettled.C:
			w.settle(now)
		case <-ticker.C:
			if err := w.sync(ctx); err != nil {
				return err
			}
		}
	}
}

// identify finds out whose API it is. Where only some paths are let through and
// this is none of them, it is taken for Docker's.
func (w *Watcher) identify(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	version, err := w.client.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		w.logger.Debug("Version of the Docker daemon unknown", "err", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.podman = slices.ContainsFunc(version.Components, func(c system.ComponentVersion) bool { return strings.HasPrefix(c.Name, "Podman") })
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
		if c.ID == "" {
			continue
		}
		key, err := w.look(ctx, c.ID)
		if err != nil {
			return err
		}
		ids[c.ID] = true
		if key.Instance != "" {
			present[key] = true
		}
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

// handle takes in one event, without waiting for anything: however fast events
// come, there is one mark for each container. What an event does not say, a look
// does.
func (w *Watcher) handle(m events.Message) {
	id, at := m.Actor.ID, time.Unix(0, m.TimeNano)
	if !matters(m.Action) || id == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.containers[id]
	if k == nil {
		if len(w.containers) >= services.MaxInstances {
			return // Those that are known are enough to look at.
		}
		k = &known{}
		w.containers[id] = k
	}
	switch m.Action {
	case events.ActionKill:
		// Other signals are messages to the program.
		if s := m.Actor.Attributes["signal"]; s == "15" || s == "9" || s == "2" || s == "3" || s == "" {
			k.stopped = at
		}
		return
	case events.ActionStop:
		k.stopped = at
		for _, e := range []*services.Exit{k.exit, k.ended} {
			if e != nil {
				e.Wanted = true
			}
		}
	case events.ActionOOM:
		k.oom = true
	case events.ActionStart, events.ActionRestart:
		k.settled, k.over = true, false
	case actionCleanup:
		k.settled, k.over = true, true
	case events.ActionDie, actionDied:
		k.settled = !w.podman
		k.ended = &services.Exit{At: at, OOM: k.oom, Wanted: !k.stopped.IsZero() && at.Sub(k.stopped) < killMemory}
		code, err := strconv.Atoi(cmp.Or(m.Actor.Attributes["exitCode"], m.Actor.Attributes["containerExitCode"]))
		k.ended.Code, k.ended.Unseen = code, err != nil
		k.oom, k.stopped = false, time.Time{}
	}
	w.mark(id)
}

// matters reports whether an action changes what a look sees. Of others, such as
// the commands of health checks, there are many.
func matters(a events.Action) bool {
	switch a {
	case events.ActionKill, events.ActionStart, events.ActionRestart, events.ActionDie, actionDied, actionCleanup, events.ActionStop, events.ActionOOM, events.ActionCreate, events.ActionRename,
		events.ActionUpdate, events.ActionPause, events.ActionUnPause, events.ActionDestroy, events.ActionRemove:
		return true
	}
	return strings.HasPrefix(string(a), string(events.ActionHealthStatus))
}

// settle marks ends after which Podman has said nothing.
func (w *Watcher) settle(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.podman {
		return
	}
	for id, k := range w.containers {
		if k.ended != nil && !k.settled && now.Sub(k.ended.At) > aftermath {
			k.settled = true
			w.mark(id)
		}
		if !k.early.IsZero() && now.Sub(k.early) > patience {
			w.mark(id)
		}
	}
}

// mark has a container looked at. The caller holds the lock.
func (w *Watcher) mark(id string) {
	w.changed[id] = true
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// changes returns the containers that have changed since it was called last.
func (w *Watcher) changes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := slices.Collect(maps.Keys(w.changed))
	clear(w.changed)
	return ids
}

// look inspects a container and reports it, with the end that events have told
// of before.
func (w *Watcher) look(ctx context.Context, id string) (services.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	w.mu.Lock()
	var ended *services.Exit
	if k := w.containers[id]; k != nil {
		if ended = k.ended; ended != nil && !k.settled {
			defer w.mu.Unlock()
			return k.key, nil
		}
	}
	w.mu.Unlock()
	result, err := w.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	c := result.Container
	switch {
	case errdefs.IsNotFound(err):
		w.forget(id)
		return services.Key{}, nil
	case err != nil && !aboutContainer(err):
		return services.Key{}, fmt.Errorf("inspect container %.12s: %w", id, err)
	case err == nil && (c.State == nil || c.Config == nil || c.HostConfig == nil):
		err = errors.New("it has no state")
	}
	w.mu.Lock()
	k := w.containers[id]
	if k == nil {
		k = &known{over: w.podman}
		if len(w.containers) < services.MaxInstances {
			w.containers[id] = k
		}
	}
	if err != nil { // Others can still be watched.
		again, key := k.odd, k.key
		k.odd = true
		w.mu.Unlock()
		if !again {
			w.logger.Warn("Container cannot be watched, because its description cannot be read", "container", id, "err", err)
		}
		return key, nil
	}
	k.odd = false
	if w.podman && ended == nil && k.ahead(c.State, time.Now()) {
		defer w.mu.Unlock()
		return k.key, nil
	}
	if k.ended == ended {
		k.ended = nil
	}
	o := k.observe(c, ended)
	renamed := k.key.Instance != "" && k.key != o.Key
	before := k.key
	k.key, k.tty = o.Key, c.Config.Tty
	k.limited = c.State.Running && !c.State.Restarting && limited(c.HostConfig)
	w.mu.Unlock()
	if renamed {
		w.feed.Gone(before)
	}
	w.feed.Observe(o)
	return o.Key, nil
}

// ahead reports whether st tells of an end whose event is still to come.
func (k *known) ahead(st *container.State, now time.Time) bool {
	first, news := k.key.Instance == "", k.exit == nil || parse(st.FinishedAt).After(k.exit.At.Add(sameEnd))
	if st.Running || k.over || first || !news {
		k.early = time.Time{}
		return false
	}
	if k.early.IsZero() {
		k.early = now
	}
	if now.Sub(k.early) < patience {
		return true
	}
	k.early = time.Time{}
	return false
}

// aboutContainer reports whether err may be of one container only. Where a cut
// answer is the end of the daemon, the stream of events ends as well.
func aboutContainer(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, services.ErrTooLarge) || errdefs.IsInternal(err)
}

// forget drops a container that is gone.
func (w *Watcher) forget(id string) {
	w.mu.Lock()
	k := w.containers[id]
	delete(w.containers, id)
	w.mu.Unlock()
	if k != nil && k.key.Instance != "" {
		w.feed.Gone(k.key)
	}
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
	var end services.LogTail
	bounded := io.LimitReader(stream, maxLogRead)
	if tty {
		_, err = io.Copy(&end, bounded)
	} else {
		err = demultiplex(&end, bounded)
	}
	if err != nil && len(end.Bytes()) == 0 {
		return nil, fmt.Errorf("read the log of %s: %w", key.Instance, err)
	}
	return end.Bytes(), nil
}

// demultiplex writes the payload of Docker's frames to w, output and errors in
// their order. A frame is the stream's number, three zeros, and the length of
// its payload in four bytes; Engine API, "Attach to a container", 2026-11. The
// library's function trusts the length, and allocates it.
func demultiplex(w io.Writer, r io.Reader) error {
	var header [8]byte
	for {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if header[0] > 3 || header[1]|header[2]|header[3] != 0 {
			return fmt.Errorf("no frame of a log: %q", header)
		}
		if _, err := io.CopyN(w, r, int64(binary.BigEndian.Uint32(header[4:]))); err != nil {
			return err
		}
	}
}
