// Package faults breaks a running hedgewatch and its receiver, over and over and
// in random order, while alerts come and go, and then settles accounts: each
// alert that was taken must have been told, and told once, and its end last.
//
// It runs the real program as a process of its own, against a stand-in for Discord
// that enforces Discord's limits. The tests run a short form; `make faults` breaks
// more than a thousand things. Start with [Run].
package faults

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/receiver/discord/discordtest"
)

// Options say what to break, and how often.
type Options struct {
	// Command starts the program; the arguments of its run command follow.
	Command []string
	// Dir is for the program's data, on a file system that may be filled up if
	// SmallDisk is set.
	Dir       string
	SmallDisk bool
	// Faults is how many there are.
	Faults int
	// Seed makes the order of the faults repeatable; their timing is not.
	Seed uint64
	// Progress is where a person can see what happens.
	Progress io.Writer
}

// patience is how long the end of all alerts may take when nothing is broken any
// more. Pauses between attempts grow to a minute.
const patience = 2 * time.Minute

// Run breaks things until enough are broken, and lets the rest come to its end.
func Run(ctx context.Context, o Options) (Report, error) {
	w, err := newWorld(o)
	if err != nil {
		return Report{}, err
	}
	defer w.close()
	if err := w.program.start(ctx); err != nil {
		return Report{}, err
	}
	ctx, stopSending := context.WithCancel(ctx)
	var sending sync.WaitGroup
	defer sending.Wait()
	defer stopSending()
	sending.Go(func() { w.source.run(ctx) })

	began := time.Now()
	report := Report{Seed: o.Seed}
	if report.Faults, err = w.breakThings(ctx, o); err != nil {
		return Report{}, err
	}
	w.source.retire()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) && !w.settled() {
		if err := w.program.alive(ctx, 200*time.Millisecond); err != nil {
			return Report{}, err
		}
	}
	stopSending()
	sending.Wait()
	report.Took = time.Since(began)
	report.settle(w.source.taken(), w.reader.all())
	report.Rejected = w.discord.Count(http.StatusBadRequest)
	if report.Err() == nil {
		return report, os.Remove(w.program.log)
	}
	fmt.Fprintf(o.Progress, "the program's log is %s\n", w.program.log)
	return report, nil
}

// A world is the program with its surroundings.
type world struct {
	program *program
	source  *source
	reader  *reader
	discord *discordtest.Server
	server  *http.Server
	rng     *rand.Rand
	disk    string // The directory that can be filled, or "".
	running sync.WaitGroup
}

// Discord's limits, 20 times as fast, so that a minute's worth takes three
// seconds.
func hurried() discordtest.Options {
	return discordtest.Options{Window: 100 * time.Millisecond, ChannelWindow: 3 * time.Second, Global: 1000}
}

func newWorld(o Options) (*world, error) {
	w := &world{discord: discordtest.New(hurried()), rng: rand.New(rand.NewPCG(o.Seed, 0))}
	w.reader = &reader{next: w.discord}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.server = &http.Server{Handler: w.reader, ReadHeaderTimeout: time.Minute}
	w.running.Go(func() { _ = w.server.Serve(l) }) // close ends it.
	webhook := "http://" + l.Addr().String() + w.discord.Add(discordtest.Webhook{ID: "1", Token: "faults"})
	config := filepath.Join(o.Dir, "hedgewatch.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, configuration, webhook), 0o600); err != nil {
		w.close()
		return nil, err
	}
	if o.SmallDisk {
		w.disk = o.Dir
	}
	if w.program, err = newProgram(o.Command, o.Dir, config); err != nil {
		w.close()
		return nil, err
	}
	w.source = newSource(w.program.url, w.rng.Uint64())
	return w, nil
}

// configuration tells of each alert what the reader looks for. A message is about
// one service; storms would say less than what is counted here.
const configuration = `
host: {enabled: false}
delivery:
  send_timeout: 1s
  storm: {groups: 0}
alertmanager:
  route: {receiver: discord, group_by: [service], group_wait: 0s, group_interval: 1s, repeat_interval: 4h}
  receivers:
  - name: discord
    discord_configs:
    - webhook_url: %q
      message: '{{ range .Alerts }}[{{ .Status }} {{ .Labels.trial }}]{{ end }}'
`

// breakThings has one fault after the other, with a little time between them.
func (w *world) breakThings(ctx context.Context, o Options) (done []Fault, err error) {
	kinds := w.kinds()
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	for i := range o.Faults {
		if err := w.program.alive(ctx, time.Duration(100+w.rng.IntN(900))*time.Millisecond); err != nil {
			return nil, err
		}
		k := pick(kinds, w.rng.IntN(total))
		done = append(done, Fault{k.name, time.Now()})
		if err := k.apply(ctx); err != nil {
			return nil, fmt.Errorf("fault %d, %s, seed %d: %w", i+1, k.name, o.Seed, err)
		}
		if (i+1)%50 == 0 {
			fmt.Fprintf(o.Progress, "%d faults of %d\n", i+1, o.Faults)
		}
	}
	return done, nil
}

// settled says whether each alert has reached its end.
func (w *world) settled() bool {
	var r Report
	r.settle(w.source.taken(), w.reader.all())
	return r.Lost+r.Unended == 0
}

func (w *world) close() {
	if w.program != nil {
		w.program.kill()
	}
	_ = w.server.Close() // Nothing of it is used again.
	w.running.Wait()
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
