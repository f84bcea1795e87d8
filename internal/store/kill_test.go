package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/hedgewatch/hedgewatch/internal/store"
)

const (
	// killSeries makes each commit several pages of the log, so that a kill
	// can tear one.
	killSeries = 3000
	killStart  = 1_700_000_000_000
)

// ingestForever commits killSeries samples a second of data time and prints the
// number of each commit after it was acknowledged.
func ingestForever(dir string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	prom, err := promconfig.Load("", promslog.NewNopLogger())
	if err != nil {
		fail(err)
	}
	s, err := store.New(store.Config{Dir: dir, ReserveBytes: -1}, prom, store.Deps{})
	if err != nil {
		fail(err)
	}
	go func() { fail(s.Run(context.Background())) }()
	<-s.Ready()
	series := make([]labels.Labels, killSeries)
	for i := range series {
		series[i] = labels.FromStrings(model.MetricNameLabel, "killed", "i", strconv.Itoa(i))
	}
	refs := make([]storage.SeriesRef, killSeries)
	for n := int64(0); ; n++ {
		app := s.Appender(context.Background())
		for i, ls := range series {
			if refs[i], err = app.Append(refs[i], ls, killStart+n*1000, float64(n*int64(i))*1.1); err != nil {
				fail(err)
			}
		}
		if err := app.Commit(); err != nil {
			fail(err)
		}
		fmt.Println(n)
	}
}

func TestEveryAcknowledgedCommitSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), ingestDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := int64(-1)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if acknowledged, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Fatal(err)
		}
		if acknowledged == 200 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // It was killed.
	if acknowledged < 200 {
		t.Fatalf("the child ended after %d commits", acknowledged)
	}

	r := start(t, store.Config{Dir: dir}, "")
	got := r.count("killed", killStart+acknowledged*1000)
	if want := int(acknowledged+1) * killSeries; got != want {
		t.Errorf("got %d samples after the kill, want %d", got, want)
	}
	if got := r.Quarantined(); len(got) != 0 {
		t.Errorf("a kill is not damage, but quarantined is %v", got)
	}
}
