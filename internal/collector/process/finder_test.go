package process

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestFinderSeesRealProcessesReplaced(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("missing: sleep (package coreutils)")
	}
	const mark = "86397.25" // No other sleep has it.
	f, err := NewFinder(config("/proc", Group{Name: "sleeper", Cmdline: []string{"sleep " + mark + "$"}}, Group{Name: "none", Comm: []string{"no-such-comm"}}), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	until := func(mains, restarts int) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			found, err := f.Find(t.Context())
			if errors.Is(err, ErrHidden) {
				t.Skip("missing: sight of all processes")
			}
			if err != nil {
				t.Fatal(err)
			}
			if found[0].Mains == mains && found[0].Restarts == restarts && found[1].Mains == 0 {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("got %+v, want %d processes and %d restarts", found, mains, restarts)
			}
		}
	}
	start := func() *exec.Cmd {
		cmd := exec.Command(sleep, mark)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill() // It may have ended.
			_ = cmd.Wait()
		})
		return cmd
	}
	until(0, 0)
	first := start()
	until(1, 0)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	until(0, 0) // A zombie does not work for its group.
	start()
	until(1, 1)
	start()
	until(2, 1)
}

func TestFinderReadsTheKernelsCount(t *testing.T) {
	for text, want := range map[string]int64{
		"pgfault 1\noom_kill 7\npgmajfault 2\n": 7, "oom_kill 0": 0, "oom_kill x\n": -1, "oom_kill_disable 3\n": -1, "": -1,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "vmstat"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f := &Finder{procFS: dir}
		if got, err := f.OOMKills(); (err != nil) != (want < 0) || want >= 0 && got != uint64(want) {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
}

func TestFinderRefusesWhatItCannotUse(t *testing.T) {
	if _, err := NewFinder(config("/nonexistent", Group{Name: "a", Comm: []string{"x"}}), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("got no error without a mounted proc")
	}
	if _, err := NewFinder(config("/proc", Group{Name: "a"}), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("got no error for a group that matches nothing")
	}
}
