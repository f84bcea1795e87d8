package cgroup_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/hedgewatch/hedgewatch/internal/cgroup"
)

// tree is a mounted hierarchy with these files.
func tree(t *testing.T, files map[string]string) cgroup.FS {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return cgroup.FS(root)
}

func TestCountersOfBothVersions(t *testing.T) {
	const group = "/system.slice/feed.service"
	for name, c := range map[string]struct {
		files     map[string]string
		throttled cgroup.Throttling
		kills     uint64
	}{
		"version 2": {
			map[string]string{
				group + "/cpu.stat":      "usage_usec 900\nuser_usec 600\nsystem_usec 300\nnr_periods 120\nnr_throttled 60\nthrottled_usec 4000\n",
				group + "/memory.events": "low 0\nhigh 0\nmax 14\noom 3\noom_kill 2\noom_group_kill 1\n",
			},
			cgroup.Throttling{Periods: 120, Throttled: 60},
			2,
		},
		"version 1": {
			map[string]string{
				"cpu,cpuacct" + group + "/cpu.stat":      "nr_periods 10\nnr_throttled 9\nthrottled_time 77\n",
				"memory" + group + "/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n",
			},
			cgroup.Throttling{Periods: 10, Throttled: 9},
			5,
		},
		"both, memory on version 2": {
			map[string]string{
				"cpu" + group + "/cpu.stat":          "nr_periods 1\nnr_throttled 0\nthrottled_time 0\n",
				"unified" + group + "/memory.events": "oom 0\noom_kill 1\n",
				"unified" + group + "/cpu.stat":      "usage_usec 900\n",
			},
			cgroup.Throttling{Periods: 1},
			1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, c.files)
			if got, err := root.Throttling(group); err != nil || got != c.throttled {
				t.Errorf("got %+v, %v; want %+v", got, err, c.throttled)
			}
			if got, err := root.OOMKills(group); err != nil || got != c.kills {
				t.Errorf("got %d, %v; want %d", got, err, c.kills)
			}
		})
	}
}

func TestWhatIsNotCountedIsUnknown(t *testing.T) {
	root := tree(t, map[string]string{
		"feed/cpu.stat":               "usage_usec 900\n",
		"feed/memory.events":          "oom 0\noom_kill many\n",
		"memory/f/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n", // Before Linux 4.13.
	})
	if _, err := root.Throttling("/feed"); !errors.Is(err, cgroup.ErrUnknown) {
		t.Errorf("got %v of a group without a limit, want unknown", err)
	}
	for _, group := range []string{"/feed", "/f"} {
		if _, err := root.OOMKills(group); !errors.Is(err, cgroup.ErrUnknown) {
			t.Errorf("%s: got %v, want unknown", group, err)
		}
	}
	if _, err := root.Throttling("/gone"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that it does not exist", err)
	}
	for _, group := range []string{"", "feed", "/../../etc"} {
		if _, err := root.Throttling(group); err == nil {
			t.Errorf("%q: got no error for what is no control group", group)
		}
	}
}

func TestMemoryGroupOfAProcess(t *testing.T) {
	for text, want := range map[string]string{
		"0::/user.slice/session-3.scope\n":                   "/user.slice/session-3.scope",
		"9:name=systemd:/\n4:memory:/job/7\n1:cpu:/\n0::/\n": "/job/7",
		"0::/a:b\n":      "/a:b",
		"":               "",
		"nonsense\n0:\n": "",
	} {
		if got, ok := cgroup.MemoryOf([]byte(text)); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", text, got, ok, want)
		}
	}
}
