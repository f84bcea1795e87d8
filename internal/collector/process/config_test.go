package process

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/procfs"
)

func TestValidateNamesEachKey(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		want   string
	}{
		{"fine", config("/proc", Group{Name: "elixir", Comm: []string{"beam.smp"}, Cmdline: []string{"-sname trading"}}), ""},
		{"none", config("/proc"), ""},
		{"nothing set", Config{}, `host.path.procfs: "" is not an absolute path
host.scrape_interval: 0s is not a positive duration; the default is 5s`},
		{"all at once", config("/proc", Group{}, Group{Name: "a\xff", Cmdline: []string{"(", "ok", "["}}), `host.processes[0].name: missing; it becomes the groupname label
host.processes[0]: matches nothing; give comm, exe or cmdline
host.processes[1].name: "a\xff" is not valid UTF-8
host.processes[1].cmdline[0]: error parsing regexp: missing closing ): ` + "`(`" + `
host.processes[1].cmdline[2]: error parsing regexp: missing closing ]: ` + "`[`"},
		{
			"twice", config("/proc", Group{Name: "a", Comm: []string{"x"}}, Group{Name: "a", Comm: []string{"y"}}),
			`host.processes[1].name: "a" is also the name of host.processes[0]; give each group its own`,
		},
		{
			"long comm", config("/proc", Group{Name: "a", Comm: []string{"erl_child_setup_"}}),
			`host.processes[0].comm[0]: "erl_child_setup_" never matches, the kernel cuts names to 15 bytes; write "erl_child_setup" or use exe`,
		},
		{"empty entries", config("/proc", Group{Name: "a", Comm: []string{""}, Exe: []string{""}}), `host.processes[0].comm[0]: empty
host.processes[0].exe[0]: empty`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := tt.config.Validate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	beam := candidate{comm: "beam.smp", read: true, exe: "/opt/erts/bin/beam.smp", cmdline: "/opt/erts/bin/beam.smp -sname trading -mode embedded"}
	tests := []struct {
		name  string
		group Group
		want  bool
	}{
		{"comm", Group{Comm: []string{"x", "beam.smp"}}, true},
		{"comm is whole", Group{Comm: []string{"beam"}}, false},
		{"base of exe", Group{Exe: []string{"beam.smp"}}, true},
		{"path of exe", Group{Exe: []string{"/opt/erts/bin/beam.smp"}}, true},
		{"other path", Group{Exe: []string{"/usr/bin/beam.smp"}}, false},
		{"end of path", Group{Exe: []string{"bin/beam.smp"}}, false},
		{"cmdline", Group{Cmdline: []string{"-sname trading"}}, true},
		{"all of cmdline", Group{Cmdline: []string{"-sname trading", "-mode interactive"}}, false},
		{"all kinds", Group{Comm: []string{"beam.smp"}, Exe: []string{"beam.smp"}, Cmdline: []string{"trading"}}, true},
		{"one kind fails", Group{Comm: []string{"beam.smp"}, Exe: []string{"java"}, Cmdline: []string{"trading"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := compile([]Group{tt.group})
			if err != nil {
				t.Fatal(err)
			}
			c := beam
			if got := m[0].matches(&c); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCommDecidesWithoutReadingMore(t *testing.T) {
	m, err := compile([]Group{{Comm: []string{"beam.smp"}, Cmdline: []string{"trading"}}})
	if err != nil {
		t.Fatal(err)
	}
	c := candidate{comm: "bash", proc: procfs.Proc{PID: 1}}
	if m[0].matches(&c) || c.read {
		t.Errorf("got read %v, want no file read for a process of another comm", c.read)
	}
}
