package main

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestExporterServesEveryInstance(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	exporter, addresses, err := startExporter(t.Context(), t.TempDir(), 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer exporter.stop()
	for i, address := range addresses {
		var first, second bytes.Buffer
		for _, w := range []*bytes.Buffer{&first, &second} {
			if err := get(t.Context(), "http://"+address, w); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := bytes.Count(first.Bytes(), []byte("\n")), 2*18+ownSeries; got != want {
			t.Errorf("instance %d: got %d series, want %d", i, got, want)
		}
		if bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("instance %d stands still", i)
		}
	}
}

func TestStopEndsTheProcess(t *testing.T) {
	c, err := startChild("sleep", t.TempDir(), []string{"sleep", "60"})
	if err != nil {
		t.Fatal(err)
	}
	c.stop()
	if _, err := c.usage(); err == nil {
		t.Error("the process can still be looked at after stop")
	}
}

func TestChildThatEndsByItselfIsShownWithItsOutput(t *testing.T) {
	c, err := startChild("broken", t.TempDir(), []string{"sh", "-c", "echo no such table; exit 3"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	_, err = c.awaitOK(t.Context(), "http://127.0.0.1:1/")
	for _, want := range []string{"broken", "no such table", "exit status 3"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestPauseObeysItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pause(ctx, time.Hour); err == nil {
		t.Error("got no error from a pause whose context had ended")
	}
}

func TestFirstScrapesWaitsForTheLastTarget(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	f, err := watchFirstScrapes(2)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	// Twice the first target, then the other one.
	for i, n := range []int{0, 0, 1} {
		if len(f.all) > 0 {
			t.Fatalf("all are said to be scraped after %d scrapes", i)
		}
		var body bytes.Buffer
		if err := get(t.Context(), "http://"+f.addresses[n], &body); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.all) != 1 {
		t.Error("the last first scrape was not told")
	}
}
