package host

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestArgumentsOfDefaultConfig(t *testing.T) {
	got := strings.Join(DefaultConfig().arguments(), "\n") + "\n"
	golden := filepath.Join("testdata", "arguments.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestArgumentsFollowConfig(t *testing.T) {
	c := DefaultConfig()
	c.Path.RootFS = "/host"
	c.Collectors = Collectors{
		Enable:  []string{"systemd"},
		Disable: []string{"hwmon"},
		Flags: map[string]string{
			"netdev.device-include": "eth0",
			"textfile.directory":    "/a\n/b\n",
			"cpu.guest":             "false",
		},
	}
	args := c.arguments()
	for _, want := range []string{
		"--path.rootfs=/host", "--collector.systemd", "--no-collector.hwmon", "--collector.netdev.device-include=eth0",
		"--collector.textfile.directory=/a", "--collector.textfile.directory=/b", "--no-collector.cpu.guest",
	} {
		if !slices.Contains(args, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, arg := range args {
		if strings.HasPrefix(arg, "--collector.netdev.device-exclude") {
			t.Errorf("got %s, want no default exclusion beside an inclusion", arg)
		}
	}
}

func TestDefaultsAreKnownToTheLibrary(t *testing.T) {
	set := libraryFlags()
	for _, name := range defaultCollectors() {
		if !slices.Contains(set.collectors, name) {
			t.Errorf("collector %q is unknown", name)
		}
	}
	for name := range defaultFlags() {
		if err := set.check(name, defaultFlags()); err != nil {
			t.Errorf("flag %q: %v", name, err)
		}
	}
}

// What a user writes must never reach a flag that prints and exits.
func FuzzArgumentsAreOnlyOfCollectors(f *testing.F) {
	f.Add("arp", "textfile.directory", "/a\n--help")
	f.Add("help", "help", "")
	f.Add("systemd", "vmstat.fields", "@/etc/passwd")
	f.Add("version", "systemd.private", "true")
	f.Fuzz(func(t *testing.T, enable, name, value string) {
		c := DefaultConfig()
		c.Collectors = Collectors{Enable: []string{enable}, Flags: map[string]string{name: value}}
		if c.Validate() != nil {
			return
		}
		for _, arg := range c.arguments() {
			if !strings.HasPrefix(arg, "--collector.") && !strings.HasPrefix(arg, "--no-collector.") && !strings.HasPrefix(arg, "--path.") {
				t.Errorf("got argument %q", arg)
			}
		}
	})
}
