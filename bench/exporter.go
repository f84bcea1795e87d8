package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// exporterCommand makes this program serve the workload instead of measuring.
const exporterCommand = "exporter"

// runExporter serves one instance of the workload on each address, as a real
// platform would: so every target costs the server a connection of its own.
func runExporter(ctx context.Context, args []string, _ io.Writer) error {
	flags := flag.NewFlagSet("bench "+exporterCommand, flag.ContinueOnError)
	paths := flags.Int("paths", 1, "paths of each instance, with 18 series each")
	if err := flags.Parse(args); err != nil {
		return usageError{err}
	}
	ended := make(chan error, flags.NArg())
	for i, address := range flags.Args() {
		s := &http.Server{Addr: address, Handler: &target{instance: newInstance(i, *paths)}, ReadHeaderTimeout: time.Minute}
		defer s.Close()
		go func() { ended <- s.ListenAndServe() }()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// A target is an instance that moves on whenever it is scraped.
type target struct {
	mu       sync.Mutex
	instance *instance
	buffer   []byte
}

func (t *target) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	t.mu.Lock()
	defer t.mu.Unlock()
	t.instance.step()
	t.buffer = t.instance.appendText(t.buffer[:0])
	_, _ = w.Write(t.buffer) // A scraper that went away knows.
}

// startExporter runs the workload in a process of its own: its work is not that
// of a server, and each server has one of its own.
func startExporter(ctx context.Context, dir string, instances, paths int) (c *child, addresses []string, err error) {
	if addresses, err = freeAddresses(instances); err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	c, err = startChild("exporter", dir, append([]string{self, exporterCommand, fmt.Sprintf("-paths=%d", paths)}, addresses...))
	if err != nil {
		return nil, nil, err
	}
	for _, address := range addresses {
		if _, err := c.awaitOK(ctx, "http://"+address); err != nil {
			c.stop()
			return nil, nil, errors.Join(fmt.Errorf("exporter on %s", address), err)
		}
	}
	return c, addresses, nil
}

// scrapeJob is the scrape configuration of the workload.
func scrapeJob(addresses []string) string {
	return fmt.Sprintf("- job_name: workload\n  honor_labels: true\n  static_configs: [{targets: ['%s']}]\n", strings.Join(addresses, "', '"))
}
