package faults

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/app"
	"github.com/hedgewatch/hedgewatch/internal/ruler"
)

var (
	faults = flag.Int("faults", 15, "how many faults to cause")
	seed   = flag.Uint64("seed", 0, "order of the faults; 0 is a new one")
	binary = flag.String("binary", "", "hedgewatch to break; empty is this program, with all parts in it")
)

// TestMain lets the test's own binary be hedgewatch, so that the short form needs
// no other.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "run" {
		if err := runHedgewatch(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// runHedgewatch is `hedgewatch run`, with the flags that a program is started
// with here.
func runHedgewatch(args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	config := flags.String("config.file", "", "")
	storage := flags.String("storage.path", "", "")
	address := flags.String("web.listen-address", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	alerting.InitMatchers(logger)
	a, err := app.New(app.Options{
		ConfigFile: *config, StoragePath: *storage, Instance: "faults", Ruler: ruler.DefaultOptions(),
		Version: api.Version{Version: "v0.0.0-test"},
		Web:     api.Config{ListenAddresses: []string{*address}, ExternalURL: &url.URL{Scheme: "http", Host: *address}},
	}, logger)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			_ = a.Reload(ctx) // It logs what is wrong.
		}
	}()
	return a.Run(ctx)
}

func TestNothingIsLost(t *testing.T) {
	o := Options{Command: []string{*binary}, Faults: *faults, Seed: *seed, Progress: t.Output()}
	if *binary == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		o.Command[0] = self
	} else if path, err := filepath.Abs(*binary); err == nil {
		o.Command[0] = path
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	t.Logf("seed %d", o.Seed)
	o.Dir, o.SmallDisk = smallDisk(t)
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", report)
	if err := report.Err(); err != nil {
		t.Error(err)
	}
}

// smallDisk is a file system of its own where that is allowed, else a directory
// whose disk must not be filled up.
func smallDisk(t *testing.T) (dir string, small bool) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		t.Logf("no faults with a full disk: mount: %v; run as root", err)
		return dir, false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir, true
}

func TestAccounts(t *testing.T) {
	at := time.Unix(1_790_000_000, 0)
	say := func(posted bool, states map[string]string) message {
		at = at.Add(time.Second)
		return message{at: at, posted: posted, states: states}
	}
	taken := []sent{{name: "t1", fires: at}, {name: "t2", fires: at}}
	end := say(false, map[string]string{"t1": "resolved", "t2": "resolved"})
	for _, test := range []struct {
		name string
		told []message
		want string
	}{
		{"all told", []message{say(true, map[string]string{"t1": "firing", "t2": "firing"}), end}, ""},
		{"only the end told", []message{end}, ""},
		{"lost", []message{say(true, map[string]string{"t1": "resolved"})}, "1 alerts were never told\nseed 0: lost t2"},
		{
			"unended",
			[]message{say(true, map[string]string{"t1": "resolved", "t2": "firing"})},
			"1 alerts ended, and that was not told\nseed 0: unended t2",
		},
		{
			"disordered",
			[]message{end, say(true, map[string]string{"t1": "firing"}), end},
			"1 alerts were told in the wrong order\nseed 0: disordered t1",
		},
		{
			"repeated",
			[]message{
				say(true, map[string]string{"t1": "firing"}), say(true, map[string]string{"t1": "firing"}),
				say(true, map[string]string{"t1": "firing"}), end,
			},
			"2 of 3 messages were repeated\nseed 0: repeated t1; repeated t1",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r Report
			r.settle(taken, test.told)
			got := ""
			if err := r.Err(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
