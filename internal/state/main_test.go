package state_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(recordDir); dir != "" {
		recordForever(dir)
	}
	goleak.VerifyTestMain(m)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a state and runs it until the test ends or stop is called.
func open(t testing.TB, c state.Config, d state.Deps) (s *state.State, stop func()) {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	s, err := state.New(c, d)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		must(t, <-done)
	})
	t.Cleanup(stop)
	return s, stop
}

// eventually polls for what the queue's goroutine is about to write.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10s for %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestFileIsForUsOnly(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, state.Config{Dir: dir}, state.Deps{})
	_, err := s.CreateFirstUser(t.Context())
	must(t, err)
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got mode %v, want 0600", path, info.Mode())
		}
		return err
	}))
}

// damages are what may have happened to the file.
var damages = []struct {
	name   string
	damage func(t *testing.T, path string)
	aside  bool
}{
	{"nothing", func(*testing.T, string) {}, false},
	{"another program's file", func(t *testing.T, path string) {
		must(t, os.WriteFile(path, []byte("this is not a database, it is a text"), 0o600))
	}, true},
	{"zeros in the middle", func(t *testing.T, path string) { overwrite(t, path, 4096, make([]byte, 8192)) }, true},
	{"header", func(t *testing.T, path string) { overwrite(t, path, 0, []byte("garbage!")) }, true},
	{"cut off", func(t *testing.T, path string) { must(t, os.Truncate(path, 9000)) }, true},
	{"empty", func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) }, false},
	{"log of a crash is garbage", func(t *testing.T, path string) { must(t, os.WriteFile(path+"-wal", make([]byte, 5000), 0o600)) }, false},
}

func overwrite(t *testing.T, path string, at int64, with []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(with, at)
	must(t, err)
	must(t, f.Close())
}

func TestCorruptFileIsSetAside(t *testing.T) {
	for _, tc := range damages {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			s, stop := open(t, state.Config{Dir: dir}, state.Deps{})
			_, err := s.CreateFirstUser(t.Context())
			must(t, err)
			stop()
			tc.damage(t, filepath.Join(dir, "state.db"))

			s, stop = open(t, state.Config{Dir: dir}, state.Deps{})
			if got := s.SetAside() != ""; got != tc.aside {
				t.Fatalf("set aside: got %v (%q), want %v", got, s.SetAside(), tc.aside)
			}
			if tc.aside {
				_, err := os.Stat(s.SetAside())
				must(t, err)
			}
			if _, _, err := s.CreateToken(t.Context(), state.Token{Name: "works", Role: state.Viewer}); err != nil {
				t.Errorf("the database does not work: %v", err)
			}
			stop()
		})
	}
}
