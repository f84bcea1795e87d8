package services_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// reported is a case of testdata/corpus.json or heldout.json.
type reported struct {
	Want       services.Cause    `json:"want"`
	Link       string            `json:"link"`
	Platform   services.Platform `json:"platform"`
	Exit       *int              `json:"exit"`
	Signal     int               `json:"signal"`
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
	if r.Exit != nil || r.Signal != 0 {
		o.Exit = &services.Exit{Signal: r.Signal, Reason: r.ExitReason, OOM: r.OOM, At: time.Now()}
		if r.Exit != nil {
			o.Exit.Code = *r.Exit
		}
	}
	return o
}

// The corpus is what the rules were written with. The held-out cases were
// written down before anybody looked at the rules for them, and tell how the
// rules do on what they have not seen; testdata/README.md has the figures as found.
func TestCorpusOfReportedFailures(t *testing.T) {
	seen := map[string]string{}
	for _, set := range []struct {
		file  string
		least int
	}{{"corpus.json", 60}, {"heldout.json", 140}} {
		t.Run(set.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", set.file))
			if err != nil {
				t.Fatal(err)
			}
			var cases []reported
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&cases); err != nil {
				t.Fatal(err)
			}
			for _, r := range cases {
				if other := seen[r.Link]; other != "" && other != set.file {
					t.Errorf("%s is in %s and %s; a case is either seen or held out", r.Link, other, set.file)
				}
				seen[r.Link] = set.file
			}
			if right := score(t, cases); len(cases) < set.least || right*10 < len(cases)*9 {
				t.Errorf("got %d of %d right, want nine of ten in at least %d", right, len(cases), set.least)
			}
		})
	}
}

// score diagnoses all cases, logs the confusion table, and returns how many are
// right.
func score(t *testing.T, cases []reported) (right int) {
	causes := []services.Cause{
		services.Resource, services.Configuration, services.Dependency, services.Image,
		services.Probe, services.Node, services.Crash, services.Unknown,
	}
	confusion := map[[2]services.Cause]int{}
	for _, r := range cases {
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
	t.Logf("%d of %d right\n%s", right, len(cases), table.String())
	return right
}
