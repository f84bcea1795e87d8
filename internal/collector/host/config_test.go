package host

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultConfigIsValid(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

func TestValidateNamesEachKey(t *testing.T) {
	flag := func(name, value string) func(*Config) {
		return func(c *Config) { c.Collectors.Flags = map[string]string{name: value} }
	}
	tests := []struct {
		name   string
		change func(*Config)
		want   string // start of the error's only line; empty for none
	}{
		{"job name", func(c *Config) { c.JobName = "" }, "host.job_name: empty"},
		{"interval", func(c *Config) { c.ScrapeInterval = 0 }, "host.scrape_interval: 0s is not a positive duration"},
		{"relative path", func(c *Config) { c.Path.SysFS = "sys" }, `host.path.sysfs: "sys" is not an absolute path`},
		{"empty path", func(c *Config) { c.Path.RootFS = "" }, `host.path.rootfs: "" is not an absolute path`},
		{"enable unknown", func(c *Config) { c.Collectors.Enable = []string{"foo"} }, `host.collectors.enable: "foo" is not a collector; known: arp, bcache,`},
		{"disable unknown", func(c *Config) { c.Collectors.Disable = []string{"help"} }, `host.collectors.disable: "help" is not a collector; known: `},
		{"both", func(c *Config) {
			c.Collectors = Collectors{Enable: []string{"arp"}, Disable: []string{"arp"}}
		}, `host.collectors.disable: "arp" is enabled too`},
		{"flag misspelt", flag("textfile.directry", "/x"), `host.collectors.flags.textfile.directry: unknown flag; near names: textfile.directory, `},
		{"flag that ends the process", flag("help", "true"), `host.collectors.flags.help: unknown flag`},
		{"flag of another prefix", flag("../version", "true"), `host.collectors.flags.../version: unknown flag`},
		{"deprecated flag", flag("netdev.device-whitelist", "eth0"), `host.collectors.flags.netdev.device-whitelist: unknown flag`},
		{"collector as flag", flag("arp", "true"), `host.collectors.flags.arp: a collector, not a flag of one`},
		{"bad regexp", flag("vmstat.fields", "("), "host.collectors.flags.vmstat.fields: error parsing regexp"},
		{"bad regexp, other help", flag("cpu.info.flags-include", "("), "host.collectors.flags.cpu.info.flags-include: error parsing regexp"},
		{"bad bool", flag("cpu.guest", "yes"), `host.collectors.flags.cpu.guest: "yes" is neither true nor false`},
		{"bad int", flag("ntp.ip-ttl", "one"), `host.collectors.flags.ntp.ip-ttl: strconv.Atoi`},
		{"bad duration", flag("ntp.max-distance", "3"), `host.collectors.flags.ntp.max-distance: time: missing unit`},
		{"include and exclude", func(c *Config) {
			c.Collectors.Flags = map[string]string{"netdev.device-include": "eth0", "netdev.device-exclude": "lo"}
		}, `host.collectors.flags.netdev.device-include: cannot be set together with "netdev.device-exclude"`},
		{"systemd applies include and exclude", func(c *Config) {
			c.Collectors.Flags = map[string]string{"systemd.unit-include": "a", "systemd.unit-exclude": "b"}
		}, ""},
		{"good flags", func(c *Config) {
			c.Collectors.Flags = map[string]string{"textfile.directory": "/a\n/b", "ntp.ip-ttl": "2", "cpu.guest": "false"}
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultConfig()
			tt.change(&c)
			got := ""
			if err := c.Validate(); err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" || strings.Contains(got, "\n") {
				t.Errorf("got %q, want one line that starts with %q", got, tt.want)
			}
		})
	}
}

func TestValidateReportsAllProblemsAtOnce(t *testing.T) {
	c := Config{Collectors: Collectors{Disable: []string{"a", "b"}}}
	if got := strings.Count(c.Validate().Error(), "\n") + 1; got != 8 {
		t.Errorf("got %d problems, want 8: %v", got, c.Validate())
	}
}

func TestNearestOrdersByEdits(t *testing.T) {
	got := nearest("textfile.dir", []string{"uname", "textfile.directory", "netdev.device-include"}, 1)
	if diff := cmp.Diff([]string{"textfile.directory"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"kitten", "sitting", 3}, {"same", "same", 0}, {"ab", "ba", 2}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q): got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
