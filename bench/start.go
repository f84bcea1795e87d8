package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// everything is what hedgewatch does besides scraping, so that it starts with
// all it has.
const everything = `
host: {enabled: true}
mixin: {}
alertmanager:
  route: {receiver: default}
  receivers: [{name: default}]
`

// measureStart starts both servers in turn, each time from a fresh copy of the
// same data.
func measureStart(ctx context.Context, b *bench) ([]result, error) {
	b.say("  writing a write-ahead log of 100,000 series")
	log := filepath.Join(b.dir, "log")
	now := time.Now().Truncate(scrapeStep)
	if err := writeLog(ctx, log, newInstances(hundredThousand()), now.Add(-5*time.Minute), now); err != nil {
		return nil, err
	}
	var results []result
	for _, state := range []struct {
		name, data string
		most       float64
	}{
		{"empty", "", 0.5},
		{"100,000 series in the WAL", log, 1.5},
	} {
		ready := result{what: "start to ready, " + state.name, unit: seconds(), most: state.most}
		first := result{what: "from ready until 10 targets are scraped, " + state.name, unit: seconds(), most: 1}
		for i := range either(b, 2, 5) {
			for _, c := range inTurn(i, b.contenders()) {
				toReady, toFirst, err := b.startOnce(ctx, c, state.data)
				if err != nil {
					return nil, err
				}
				ready.add(c, toReady)
				first.add(c, toFirst)
			}
		}
		results = append(results, ready, first)
	}
	return results, nil
}

// startOnce returns the time from exec to ready, and from then until each target
// has been scraped.
func (b *bench) startOnce(ctx context.Context, c contender, data string) (ready, first time.Duration, err error) {
	dir, err := os.MkdirTemp(b.dir, c.name+"-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir) // The row's directory is removed in any case.
	if data != "" {
		if err := os.CopyFS(c.tsdbDir(dir), os.DirFS(data)); err != nil {
			return 0, 0, err
		}
	}
	const n = 10
	seen, err := watchFirstScrapes(n)
	if err != nil {
		return 0, 0, err
	}
	defer seen.close()

	config := "global: {scrape_interval: 5s}\nscrape_configs:\n" + scrapeJob(seen.addresses)
	if c.ours {
		config = everything + config
	}
	s, err := c.start(dir, config)
	if err != nil {
		return 0, 0, err
	}
	defer s.stop()
	if ready, err = s.awaitReady(ctx); err != nil {
		return 0, 0, err
	}
	const patience = time.Minute
	select {
	case at := <-seen.all:
		// Some may have been scraped before the server called itself ready.
		return ready, max(0, at.Sub(s.started)-ready), nil
	case <-time.After(patience):
		return 0, 0, fmt.Errorf("%s has not scraped %d targets within %s of being ready", c.name, n, patience)
	case <-s.ended:
		return 0, 0, s.died()
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
}

// firstScrapes are targets that tell when the last of them was scraped first.
type firstScrapes struct {
	addresses []string
	all       chan time.Time
	servers   []*http.Server
	ended     sync.WaitGroup
}

func watchFirstScrapes(n int) (*firstScrapes, error) {
	f := &firstScrapes{all: make(chan time.Time, 1)}
	var waiting atomic.Int64
	waiting.Store(int64(n))
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			f.close()
			return nil, err
		}
		var once sync.Once
		s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			fmt.Fprintln(w, "target_scraped 1")
			once.Do(func() {
				if waiting.Add(-1) == 0 {
					f.all <- time.Now()
				}
			})
		})}
		f.addresses = append(f.addresses, l.Addr().String())
		f.servers = append(f.servers, s)
		f.ended.Go(func() { _ = s.Serve(l) }) // Close ends it.
	}
	return f, nil
}

func (f *firstScrapes) close() {
	for _, s := range f.servers {
		_ = s.Close() // Nothing of it is used again.
	}
	f.ended.Wait()
}
