package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A contender is one of the two programs that do the same work.
type contender struct {
	name string
	ours bool
	// tsdb is where its samples are, below its data directory.
	tsdb string
	argv func(config, data, address string) []string
	// selfScrape is the job of its own metrics; hedgewatch always has it.
	selfScrape func(address string) string
}

func (b *bench) ours() contender {
	return contender{
		name: "hedgewatch",
		ours: true,
		tsdb: "tsdb",
		argv: func(config, data, address string) []string {
			argv := []string{b.hedgewatch, "run", "--storage.path=" + data, "--web.listen-address=" + address}
			if config != "" {
				argv = append(argv, "--config.file="+config)
			}
			return argv
		},
		selfScrape: func(string) string { return "" },
	}
}

func (b *bench) prometheus() contender {
	return contender{
		name: "prometheus",
		tsdb: ".",
		argv: func(config, data, address string) []string {
			return []string{
				b.peer("prometheus"), "--config.file=" + config, "--storage.tsdb.path=" + data, "--web.listen-address=" + address,
				"--web.enable-remote-write-receiver",
			}
		},
		selfScrape: func(address string) string {
			return fmt.Sprintf("- job_name: self\n  static_configs: [{targets: [%q]}]\n", address)
		},
	}
}

// contenders are ours and the peer, in this order.
func (b *bench) contenders() []contender { return []contender{b.ours(), b.prometheus()} }

// inTurn swaps two contenders in every other repetition: who goes second finds
// other caches.
func inTurn[T any](repetition int, two []T) []T {
	if repetition%2 == 0 {
		return two
	}
	return []T{two[1], two[0]}
}

func (b *bench) peer(name string) string { return filepath.Join(b.peers, name) }

// A server is a running contender.
type server struct {
	*child
	by  contender
	url string
	// started is the moment before exec.
	started time.Time
}

// tsdbDir is where a contender that runs in dir finds its samples.
func (c contender) tsdbDir(dir string) string { return filepath.Join(dir, "data", c.tsdb) }

// start runs a contender in dir. The configuration ends in its scrape_configs,
// to which the contender's own is added; "" is the built-in one.
func (c contender) start(dir, config string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	file := ""
	if config != "" {
		if file, err = writeConfig(dir, c.name, config+c.selfScrape(address)); err != nil {
			return nil, err
		}
	}
	started := time.Now()
	child, err := startChild(c.name, dir, c.argv(file, filepath.Join(dir, "data"), address))
	if err != nil {
		return nil, err
	}
	return &server{child, c, "http://" + address, started}, nil
}

// startReady is start, and waits until the server says that it is ready.
func (c contender) startReady(ctx context.Context, dir, config string) (*server, error) {
	s, err := c.start(dir, config)
	if err != nil {
		return nil, err
	}
	if _, err := s.awaitReady(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// awaitReady returns the time from exec to ready.
func (s *server) awaitReady(ctx context.Context) (time.Duration, error) {
	ready, err := s.awaitOK(ctx, s.url+"/-/ready")
	return ready.Sub(s.started), err
}

func writeConfig(dir, name, text string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(dir, name+".yml")
	return file, os.WriteFile(file, []byte(text), 0o644)
}
