package services_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// reported is a case of testdata/corpus.json.
type reported struct {
	Want       services.Cause    `json:"want"`
	Link       string            `json:"link"`
	Platform   services.Platform `json:"platform"`
	Exit       *int              `json:"exit"`
	ExitReason string            `json:"exitReason"`
	OOM        bool              `json:"oom"`
	Reason     string            `json:"reason"`
	Message    string            `json:"message"`
	Probe      string            `json:"probe"`
	NodeLost   bool              `json:"nodeLost"`
	Log        string            `json:"log"`
}

func (r reported) observation() services.Observation {
	o := services.Observation{Reason: r.Reason, Message: r.Message, Probe: r.Probe, NodeLost: r.NodeLost}
	if o.Platform = r.Platform; o.Platform == "" {
		o.Platform = services.Kubernetes
	}
	if r.Exit != nil {
		o.Exit = &services.Exit{Code: *r.Exit, Reason: r.ExitReason, OOM: r.OOM, At: time.Now()}
	}
	return o
}

func TestCorpusOfReportedFailures(t *testing.T) {
	text, err := os.ReadFile("testdata/corpus.json")
	if err != nil {
		t.Fatal(err)
	}
	var corpus []reported
	if err := json.Unmarshal(text, &corpus); err != nil {
		t.Fatal(err)
	}
	causes := []services.Cause{
		services.Resource, services.Configuration, services.Dependency, services.Image,
		services.Probe, services.Node, services.Crash, services.Unknown,
	}
	confusion, right := map[[2]services.Cause]int{}, 0
	for _, r := range corpus {
		got := services.Diagnose(r.observation(), []byte(r.Log))
		confusion[[2]services.Cause{r.Want, got.Cause}]++
		if got.Cause == r.Want {
			right++
		} else {
			t.Logf("%s: got %s (%s), want %s", r.Link, got.Cause, got.Finding, r.Want)
		}
		if oom := r.OOM || r.ExitReason == "OOMKilled"; oom && got.Cause != services.Resource {
			t.Errorf("%s: an OOM is called %s", r.Link, got.Cause)
		}
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "want \\ got\t")
	for _, c := range causes {
		fmt.Fprintf(w, "%s\t", c)
	}
	for _, want := range causes {
		fmt.Fprintf(w, "\n%s\t", want)
		for _, got := range causes {
			fmt.Fprintf(w, "%d\t", confusion[[2]services.Cause{want, got}])
		}
	}
	w.Flush()
	t.Logf("%d of %d right\n%s", right, len(corpus), table.String())
	if len(corpus) < 60 || right*10 < len(corpus)*9 {
		t.Errorf("got %d of %d right, want nine of ten in at least 60", right, len(corpus))
	}
}

func TestSecretsAreMasked(t *testing.T) {
	for in, want := range map[string]string{
		"connect postgres://feed:hunter2@db:5432/md":                      "connect postgres://feed:<secret>@db:5432/md",
		`{"api_key":"abcdef","x":1}`:                                      `{"api_key":"<secret>","x":1}`,
		"DB_PASSWORD=hunter2 started":                                     "DB_PASSWORD=<secret> started",
		"Authorization: Bearer abcdefgh12345":                             "Authorization: Bearer <secret>",
		"key " + strings.Repeat("aB3", 22):                                "key <secret>",
		"dial tcp 10.0.0.3:5432: connect: connection refused":             "dial tcp 10.0.0.3:5432: connect: connection refused",
		"open /etc/feed/feed.yml: no such file or directory (token file)": "open /etc/feed/feed.yml: no such file or directory (token file)",
	} {
		if got := services.Mask(in); got != want {
			t.Errorf("Mask(%q): got %q, want %q", in, got, want)
		}
	}
}

func FuzzDiagnose(f *testing.F) {
	f.Add([]byte("panic: x\n\x1b[31mpassword=hunter2\n"), 1)
	f.Add([]byte(strings.Repeat("x", 1<<20)), 137)
	f.Fuzz(func(t *testing.T, log []byte, code int) {
		d := services.Diagnose(services.Observation{Exit: &services.Exit{Code: code}}, log)
		if d.Cause == "" || len(d.Evidence) > 5 {
			t.Errorf("got %+v", d)
		}
		for _, line := range d.Evidence {
			if len(line) > 500 || strings.ContainsAny(line, "\n\x00\x1b") {
				t.Errorf("got a line that cannot be shown: %q", line)
			}
		}
	})
}
