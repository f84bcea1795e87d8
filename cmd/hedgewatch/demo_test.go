package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hedgewatch/hedgewatch/internal/grafana"
	"github.com/hedgewatch/hedgewatch/mixin"
)

// patience is for busy machines: what the panel promises is for an idle one.
const patience = 4 * time.Minute

// TestDemo plays the demo where there is no PostgreSQL, and what its command line and
// its end promise. That every fault is told of with its cause, the test of the web UI
// sees in a browser (ui/e2e/demo.e2e.ts), with PostgreSQL where that is installed.
func TestDemo(t *testing.T) {
	d := startDemo(t, "sqlite")
	for _, test := range []struct {
		fault, alert string
		cause        []string // All of these stand in the message.
	}{
		{"alter-row", "AuditRowsWrong", []string{"userTrades"}},
		{"drop-rows", "AuditRowsMissing", []string{"ETHUSDT", "by the platform", "the exchange has these bars"}},
		{"cut-database", "ServiceFailing", []string{"database", "locked"}},
		{"break-config", "ServiceFailing", []string{"order-router", "cause: configuration"}},
	} {
		t.Run(test.fault, func(t *testing.T) {
			before := d.ids(t)
			began := time.Now()
			d.change(t, "break", test.fault)
			id := d.await(t, "the alert "+test.alert, func(m demoMessage) bool {
				return !slices.Contains(before, m.id) && !m.resolved && strings.Contains(m.text, test.alert) &&
					!slices.ContainsFunc(test.cause, func(want string) bool { return !strings.Contains(m.text, want) })
			})
			t.Logf("the alert came after %.1f s", time.Since(began).Seconds())
			began = time.Now()
			d.change(t, "repair", test.fault)
			d.await(t, "the end of "+test.alert, func(m demoMessage) bool {
				return m.resolved && strings.Contains(m.text, test.alert) && (m.id == id || !slices.Contains(before, m.id))
			})
			t.Logf("the end came after %.1f s", time.Since(began).Seconds())
		})
	}
	t.Run("dashboards", d.feedsDashboards)
	t.Run("bad input", d.refuses)
	d.stop(t)
}

// feedsDashboards sees that the demo has every metric that a shipped dashboard asks
// for.
func (d *demoProcess) feedsDashboards(t *testing.T) {
	get := func(path string, into any) {
		t.Helper()
		resp, err := http.Get(d.web + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, resp.Status, err)
		}
	}
	var names struct{ Data []string }
	get("/api/v1/label/__name__/values", &names)
	absent := []string{
		"hedgewatch_audit_witness_up",                       // With audit.witness, which the demo goes without.
		"hedgewatch_service_next_restart_timestamp_seconds", // While a start is awaited.
	}
	files, err := fs.Glob(mixin.Dashboards(), "*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got dashboards %v, error %v; want some", files, err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(mixin.Dashboards(), file)
		if err != nil {
			t.Fatal(err)
		}
		dashboard, err := grafana.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range dashboard.Expressions() {
			metrics, err := grafana.Metrics(parser.NewParser(parser.Options{}), e.Text)
			if err != nil {
				t.Errorf("%s: %s: %v", file, e.Where, err)
			}
			for _, m := range metrics {
				if !slices.Contains(names.Data, m) && !slices.Contains(absent, m) {
					t.Errorf("%s: %s asks for %s, which the demo does not have", file, e.Where, m)
				}
			}
		}
	}
}

// refuses is what the panel and the command line do not do.
func (d *demoProcess) refuses(t *testing.T) {
	for _, test := range []struct{ method, path, want string }{
		{http.MethodPost, "/api/faults/no-such/break", `404 no fault is called "no-such"; use stop-crawler`},
		{http.MethodPost, "/api/faults/leak/explode", `404 "explode": use break or repair`},
		{http.MethodPost, "/api/faults/leak/repair", "409 leak: it is not broken"},
		{http.MethodGet, "/api/faults/leak/break", "405 Method Not Allowed"},
	} {
		req, err := http.NewRequest(test.method, d.panel+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := fmt.Sprintf("%d %s", resp.StatusCode, text); err != nil || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s %s: got %s, %v, want %s", test.method, test.path, got, err, test.want)
		}
	}
	out, err := exec.Command("hedgewatch", "demo", "break", "no-such", "--panel="+d.panel).CombinedOutput()
	if code := exitCode(err); code != exitBad || !bytes.Contains(out, []byte("stop-crawler")) {
		t.Errorf("break no-such: got exit code %d, want %d and the names: %s", code, exitBad, out)
	}
	out, err = exec.Command("hedgewatch", "demo", "--panel.listen-address="+strings.TrimPrefix(d.panel, "http://")).CombinedOutput()
	if code := exitCode(err); code != exitUsage || !bytes.Contains(out, []byte("choose another --panel.listen-address")) {
		t.Errorf("a taken address: got exit code %d, want %d and what to do: %s", code, exitUsage, out)
	}
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := err.(*exec.ExitError); ok { // exec returns it as it is.
		return exit.ExitCode()
	}
	return -1
}

// A demoProcess is `hedgewatch demo` with what it has printed.
type demoProcess struct {
	cmd   *exec.Cmd
	panel string
	web   string // Where hedgewatch is.
	dir   string // Where it keeps its data.
	ended chan error
}

func startDemo(t *testing.T, database string) *demoProcess {
	t.Helper()
	d := &demoProcess{ended: make(chan error, 1), dir: t.TempDir()}
	d.cmd = exec.Command("hedgewatch", "demo", "--database="+database, "--panel.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0", "--governor.listen-address=127.0.0.1:0")
	d.cmd.Env = append(os.Environ(), "TMPDIR="+d.dir)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	d.cmd.Stderr = &errs
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Signal(syscall.SIGTERM) }) // It has ended already if the test got that far.
	lines := bufio.NewScanner(out)
	for d.panel == "" && lines.Scan() {
		if m := regexp.MustCompile(`^ *hedgewatch +(http://\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			d.web = m[1]
		}
		if m := regexp.MustCompile(`break something +(http://\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			d.panel = m[1]
		}
		t.Log(lines.Text())
	}
	go func() {
		_, _ = io.Copy(io.Discard, out) // The rest says nothing new.
		d.ended <- d.cmd.Wait()
	}()
	if d.panel == "" {
		err := <-d.ended
		t.Fatalf("the demo did not start: %v\n%s", err, &errs)
	}
	return d
}

// stop is Ctrl-C: everything ends, and nothing is left on disk.
func (d *demoProcess) stop(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-d.ended:
		if err != nil {
			t.Errorf("the demo ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the demo does not end")
	}
	if left, err := os.ReadDir(d.dir); err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v, %v", left, err)
	}
	left, err := exec.Command("pgrep", "-f", d.dir).Output()
	if exitCode(err) == 0 {
		t.Errorf("processes are left: %s", left)
	}
}

func (d *demoProcess) change(t *testing.T, action, fault string) {
	t.Helper()
	if out, err := exec.Command("hedgewatch", "demo", action, fault, "--panel="+d.panel).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", action, fault, err, out)
	}
}

// A demoMessage is what a reader of one of the channels sees.
type demoMessage struct {
	id, text string
	resolved bool
}

func (d *demoProcess) messages(t *testing.T) (all []demoMessage) {
	t.Helper()
	resp, err := http.Get(d.panel + "/api/inbox")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var inbox struct {
		Simulated bool
		Discord   []struct {
			ID     string
			Embeds []struct{ Title, Description string }
		}
		Backup []struct {
			At     string
			Status string
			Alerts []struct{ Labels, Annotations map[string]string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&inbox); err != nil {
		t.Fatal(err)
	}
	if !inbox.Simulated {
		t.Error("the inbox does not say that it is simulated")
	}
	for _, m := range inbox.Discord {
		one := demoMessage{id: m.ID}
		for _, e := range m.Embeds {
			one.text += e.Title + "\n" + e.Description + "\n"
			one.resolved = one.resolved || strings.HasPrefix(e.Title, "✅")
		}
		all = append(all, one)
	}
	for _, m := range inbox.Backup {
		all = append(all, demoMessage{id: m.At, text: fmt.Sprint(m.Alerts), resolved: m.Status == "resolved"})
	}
	return all
}

func (d *demoProcess) ids(t *testing.T) (all []string) {
	for _, m := range d.messages(t) {
		all = append(all, m.id)
	}
	return all
}

// await returns the message that is as wanted.
func (d *demoProcess) await(t *testing.T, what string, wanted func(demoMessage) bool) (id string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		for _, m := range d.messages(t) {
			if wanted(m) {
				return m.id
			}
		}
	}
	t.Fatalf("%s has not come within %s; the inbox has %+v", what, patience, d.messages(t))
	return ""
}
