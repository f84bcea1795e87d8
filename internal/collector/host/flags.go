package host

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kingpin/v2"
)

const flagPrefix = "collector."

// flagSet is what node_exporter's collectors offer on kingpin.CommandLine, the
// only way to configure them.
type flagSet struct {
	// collectors are the names that can be switched, sorted.
	collectors []string
	// settings are the other flags, by name without prefix.
	settings map[string]*kingpin.FlagModel
}

func libraryFlags() flagSet {
	set := flagSet{settings: make(map[string]*kingpin.FlagModel)}
	for _, f := range kingpin.CommandLine.Model().Flags {
		name, ok := strings.CutPrefix(f.Name, flagPrefix)
		switch {
		case !ok || f.Hidden:
			// --help and --version, which end the process, and deprecated names.
		case f.IsBoolFlag() && !strings.Contains(name, "."):
			set.collectors = append(set.collectors, name)
		default:
			set.settings[name] = f
		}
	}
	slices.Sort(set.collectors)
	return set
}

// check reports what is wrong with one of the flags that a user has set.
// The collectors themselves panic on a bad regular expression.
func (s flagSet) check(name string, user map[string]string) error {
	f, ok := s.settings[name]
	if !ok {
		if slices.Contains(s.collectors, name) {
			return errors.New("a collector, not a flag of one; name it under host.collectors.enable or .disable")
		}
		return fmt.Errorf("unknown flag; near names: %s", strings.Join(nearest(name, sortedKeys(s.settings), 3), ", "))
	}
	value := user[name]
	if f.IsBoolFlag() {
		if value != "true" && value != "false" {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		return nil
	}
	if g, ok := f.Value.(kingpin.Getter); ok {
		var err error
		switch g.Get().(type) {
		case int:
			_, err = strconv.Atoi(value)
		case time.Duration:
			_, err = time.ParseDuration(value)
		}
		if err != nil {
			return err
		}
	}
	if strings.HasPrefix(f.Help, "Regexp") || strings.Contains(f.Help, "regular expression") {
		if _, err := regexp.Compile(value); err != nil {
			return err
		}
	}
	if exclude, ok := excludeOf(name); ok && value != "" && user[exclude] != "" {
		return fmt.Errorf("cannot be set together with %q; use one of the two", exclude)
	}
	return nil
}

// arguments is the command line that stands for c. It names every collector,
// so that node_exporter's own choice of defaults never matters.
func (c Config) arguments() []string {
	set := libraryFlags()
	args := []string{
		"--path.procfs=" + c.Path.ProcFS,
		"--path.sysfs=" + c.Path.SysFS,
		"--path.rootfs=" + c.Path.RootFS,
		"--path.udev.data=" + c.Path.UdevData,
		// Hidden; how long statfs may take until the mount is left out.
		"--collector.filesystem.mount-timeout=1s",
	}
	for _, name := range set.collectors {
		on := slices.Contains(defaultCollectors(), name) || slices.Contains(c.Collectors.Enable, name)
		on = on && !slices.Contains(c.Collectors.Disable, name)
		args = append(args, boolArgument(name, on))
	}
	settings := defaultFlags()
	for name, value := range c.Collectors.Flags {
		if exclude, ok := excludeOf(name); ok {
			delete(settings, exclude)
		}
		settings[name] = value
	}
	for _, name := range sortedKeys(settings) {
		f, ok := set.settings[name]
		if !ok {
			continue // a default flag of a collector that this operating system does not have
		}
		switch value := settings[name]; {
		case f.IsBoolFlag():
			args = append(args, boolArgument(name, value == "true"))
		case isCumulative(f):
			for line := range strings.Lines(value) {
				args = append(args, "--"+flagPrefix+name+"="+strings.TrimSpace(line))
			}
		default:
			args = append(args, "--"+flagPrefix+name+"="+value)
		}
	}
	return args
}

func boolArgument(name string, on bool) string {
	if on {
		return "--" + flagPrefix + name
	}
	return "--no-" + flagPrefix + name
}

func isCumulative(f *kingpin.FlagModel) bool {
	v, ok := f.Value.(interface{ IsCumulative() bool })
	return ok && v.IsCumulative()
}

// excludeOf names the flag that an include flag is mutually exclusive with.
func excludeOf(include string) (string, bool) {
	stem, ok := strings.CutSuffix(include, "-include")
	// The systemd and slabinfo collectors apply both.
	if !ok || strings.HasPrefix(include, "systemd.") || strings.HasPrefix(include, "slabinfo.") {
		return "", false
	}
	return stem + "-exclude", true
}

// parsed mirrors the state of kingpin.CommandLine, which is global to the
// process, as are the collectors that read it: hence this one global of ours.
var parsed struct {
	sync.Mutex
	args []string
}

// parseOnce hands args to node_exporter, and refuses other ones later.
func parseOnce(args []string) error {
	parsed.Lock()
	defer parsed.Unlock()
	if parsed.args != nil {
		if !slices.Equal(parsed.args, args) {
			return fmt.Errorf("host.path, host.collectors: changed since the start: %w; node_exporter's collectors can be configured once per process", ErrNeedsRestart)
		}
		return nil
	}
	if _, err := kingpin.CommandLine.Parse(args); err != nil {
		return fmt.Errorf("host.collectors: %w", err)
	}
	parsed.args = args
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// nearest returns the n names that need the fewest edits to become name.
func nearest(name string, names []string, n int) []string {
	edits := make(map[string]int, len(names))
	for _, known := range names {
		edits[known] = distance(name, known)
	}
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int { return edits[a] - edits[b] })
	return names[:min(n, len(names))]
}

// distance is the Levenshtein distance: insertions, deletions, replacements.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
