package alerting

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/api/v2/client"
	"github.com/prometheus/alertmanager/api/v2/client/silence"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// These tests kill a process: this test binary, run again with childDirEnv set,
// is a small program around Alerting that the test drives over HTTP.
const (
	childDirEnv    = "HEDGEWATCH_ALERTING_CHILD_DIR"
	childConfigEnv = "HEDGEWATCH_ALERTING_CHILD_CONFIG"
	childGraceEnv  = "HEDGEWATCH_ALERTING_CHILD_GRACE"
	childURLEnv    = "HEDGEWATCH_ALERTING_CHILD_EXTERNAL_URL"
)

// runChild serves until it is killed. /put hands alerts over as a rule manager
// would, /file-limit makes the disk refuse files beyond so many bytes.
func runChild(dir string) {
	if err := serveChild(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serveChild(dir string) error {
	signal.Ignore(syscall.SIGXFSZ) // a write beyond the limit fails instead
	c, err := amconfig.Load(os.Getenv(childConfigEnv))
	if err != nil {
		return err
	}
	grace, err := time.ParseDuration(os.Getenv(childGraceEnv))
	if err != nil {
		return err
	}
	externalURL, err := url.Parse(os.Getenv(childURLEnv))
	if err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	a, err := New(Config{Alertmanager: c, Delivery: withoutStorms()}, Deps{
		Logger:      slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Registerer:  reg,
		Dir:         dir,
		ExternalURL: externalURL,
		Grace:       grace,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/v2/", a.Handler())
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/put", func(w http.ResponseWriter, r *http.Request) {
		var alerts []*alert.Alert
		err := json.NewDecoder(r.Body).Decode(&alerts)
		if err == nil {
			err = a.Put(r.Context(), alerts...)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("/file-limit", func(w http.ResponseWriter, r *http.Request) {
		var limit syscall.Rlimit
		err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit)
		if _, scanErr := fmt.Sscan(r.FormValue("bytes"), &limit.Cur); scanErr != nil {
			limit.Cur = limit.Max
		}
		if err == nil {
			err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		<-a.Ready()
		fmt.Println(l.Addr())
	}()
	go func() {
		// A parent that is gone closes our standard input.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	go func() { _ = http.Serve(l, mux) }()
	return a.Run(context.Background())
}

// child is a running child process.
type child struct {
	cmd    *exec.Cmd
	url    string
	client *http.Client
	am     *client.AlertmanagerAPI
	kill   func()
}

// world is what outlives the children: directory, receiver, configuration.
type world struct {
	dir    string
	hook   *webhook
	config string
	grace  time.Duration
	lives  int // children so far; notifications carry it in their external URL
}

func newWorld(t testing.TB, grace time.Duration) *world {
	hook := newWebhook(t)
	return &world{dir: t.TempDir(), hook: hook, config: fmt.Sprintf(oneWebhook, hook.URL), grace: grace}
}

func (w *world) start(t testing.TB) *child {
	t.Helper()
	w.lives++
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDirEnv+"="+w.dir, childConfigEnv+"="+w.config, childGraceEnv+"="+w.grace.String(),
		fmt.Sprint(childURLEnv, "=http://hedgewatch.example/life/", w.lives))
	var logs bytes.Buffer
	cmd.Stderr = &logs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	c := &child{cmd: cmd, client: &http.Client{Transport: transport, Timeout: patience}}
	killed := false
	c.kill = func() {
		if killed {
			return
		}
		killed = true
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // reports the kill
		_ = stdin.Close()
		transport.CloseIdleConnections()
		if t.Failed() {
			t.Logf("log of the child:\n%s", &logs)
		}
	}
	t.Cleanup(c.kill)

	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("child did not start: %v\n%s", err, &logs)
	}
	address = strings.TrimSpace(address)
	c.url = "http://" + address
	c.am = client.NewHTTPClientWithConfig(strfmt.Default, client.DefaultTransportConfig().WithHost(address))
	return c
}

func (c *child) request(path string, body any) (*http.Response, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	resp, err := c.client.Post(c.url+path, "application/json", bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(resp.Body)
	if err == nil {
		err = resp.Body.Close()
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s: %s", path, resp.Status, text)
	}
	return resp, err
}

func (c *child) put(t testing.TB, as ...*alert.Alert) {
	t.Helper()
	if _, err := c.request("/put", as); err != nil {
		t.Fatal(err)
	}
}

func (c *child) silence(name string) (id string, warning string, err error) {
	resp, err := c.request("/api/v2/silences", postableSilence("alertname", name, time.Hour))
	if err != nil {
		return "", "", err
	}
	all, err := c.am.Silence.GetSilences(silence.NewGetSilencesParams().WithFilter([]string{"alertname=" + name}))
	if err != nil {
		return "", "", err
	}
	return *all.Payload[0].ID, resp.Header.Get("Warning"), nil
}

func (c *child) silences(t testing.TB) map[string]string {
	t.Helper()
	all, err := c.am.Silence.GetSilences(silence.NewGetSilencesParams())
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]string)
	for _, s := range all.Payload {
		names[*s.Matchers[0].Value] = *s.Status.State
	}
	return names
}

// onDisk waits until a journal on disk has n keys with a prefix.
func (w *world) onDisk(t testing.TB, file, prefix string, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d of %q on disk", n, prefix), func() bool {
		found := 0
		for key := range contentsOf(t, filepath.Join(w.dir, file)) {
			if strings.HasPrefix(key, prefix) {
				found++
			}
		}
		return found == n
	})
}

func TestKilledRightAfterAnAnsweredSilence(t *testing.T) {
	w := newWorld(t, time.Minute)
	const rounds = 5
	for i := range rounds {
		c := w.start(t)
		if _, err := c.request("/api/v2/silences", postableSilence("alertname", fmt.Sprint("S", i), time.Hour)); err != nil {
			t.Fatal(err)
		}
		c.kill()
	}
	c := w.start(t)
	id, _, err := c.silence("Expired")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.am.Silence.DeleteSilence(silence.NewDeleteSilenceParams().WithSilenceID(strfmt.UUID(id))); err != nil {
		t.Fatal(err)
	}
	c.kill()

	got := w.start(t).silences(t)
	for i := range rounds {
		if name := fmt.Sprint("S", i); got[name] != "active" {
			t.Errorf("silence %s is %q after kill -9, want active", name, got[name])
		}
	}
	if got["Expired"] != "expired" {
		t.Errorf("the expired silence is %q after kill -9, want expired", got["Expired"])
	}
}

func TestKilledAfterADelivery(t *testing.T) {
	w := newWorld(t, 400*time.Millisecond)
	c := w.start(t)
	c.put(t, firing("alertname", "Recovers"), firing("alertname", "Stays"))
	w.hook.next(t)
	w.hook.next(t)
	start := time.Now()
	w.onDisk(t, "outbox", messagePrefix, 0)
	t.Logf("second POST to both messages off the queue on disk: at most %v", time.Since(start))
	c.kill()

	// Nobody hears of what still fires; of the other, within its grace.
	c = w.start(t)
	c.put(t, firing("alertname", "Stays"))
	w.hook.want(t, "resolved Recovers=resolved")
	w.hook.quiet(t, 300*time.Millisecond)
	c.kill()

	// Neither is the end told twice.
	c = w.start(t)
	c.put(t, firing("alertname", "Stays"))
	w.hook.quiet(t, 700*time.Millisecond)
	c.put(t, resolved("alertname", "Stays"))
	w.hook.want(t, "resolved Stays=resolved")
}

func TestKilledBeforeTheResolvedIsDelivered(t *testing.T) {
	w := newWorld(t, time.Hour)
	c := w.start(t)
	c.put(t, firing("alertname", "A"))
	w.hook.want(t, "firing A=firing")
	w.onDisk(t, "outbox", messagePrefix, 0)
	w.hook.answer(http.StatusInternalServerError)
	c.put(t, resolved("alertname", "A"))
	eventually(t, "resolved state on disk", func() bool {
		for key, value := range contentsOf(t, filepath.Join(w.dir, "outbox")) {
			if strings.HasPrefix(key, messagePrefix) && strings.Contains(value, `"reason":"resolved"`) {
				return true
			}
		}
		return false
	})
	c.kill()

	w.hook.answer(http.StatusOK)
	w.start(t)
	w.hook.want(t, "resolved A=resolved")
	w.onDisk(t, "journal", alertPrefix, 0)
	w.onDisk(t, "outbox", messagePrefix, 0)
	w.hook.quiet(t, 300*time.Millisecond)
}

func TestFiringIsOnDiskBeforeItIsSent(t *testing.T) {
	w := newWorld(t, 300*time.Millisecond)
	c := w.start(t)
	c.put(t, firing("alertname", "A"))
	w.hook.want(t, "firing A=firing")
	c.kill() // at once: the notification log may not know yet, the alert is there
	w.start(t)
	m := w.hook.next(t)
	if m.brief() == "firing A=firing" {
		t.Log("killed within the window in which a notification is sent twice")
		m = w.hook.next(t)
	}
	if m.brief() != "resolved A=resolved" {
		t.Errorf("got %q, want the end of what was told before the kill", m.brief())
	}
}

// TestFullDisk has the kernel refuse the journal's writes.
func TestFullDisk(t *testing.T) {
	w := newWorld(t, time.Minute)
	c := w.start(t)
	if _, warning, err := c.silence("Before"); err != nil || warning != "" {
		t.Fatalf("got warning %q, error %v", warning, err)
	}
	if _, err := c.request("/file-limit?bytes=1", nil); err != nil {
		t.Fatal(err)
	}
	if _, warning, err := c.silence("During"); err != nil || !strings.Contains(warning, "in memory only") {
		t.Errorf("got warning %q and error %v, want a silence that warns", warning, err)
	}
	c.put(t, firing("alertname", "A"))
	w.hook.want(t, "firing A=firing")
	if got := c.metric(t, `hedgewatch_alerting_journal_failing{file="journal"}`); got != "1" {
		t.Errorf("hedgewatch_alerting_journal_failing is %s, want 1", got)
	}
	if got := c.metric(t, `hedgewatch_alerting_journal_failures_total{file="journal"}`); got == "0" {
		t.Error("hedgewatch_alerting_journal_failures_total is 0")
	}

	if _, err := c.request("/file-limit?bytes=max", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "journal is written again", func() bool {
		return c.metric(t, `hedgewatch_alerting_journal_failing{file="journal"}`) == "0"
	})
	c.kill()
	c = w.start(t)
	got := c.silences(t)
	if got["Before"] != "active" || got["During"] != "active" {
		t.Errorf("got silences %v, want both active", got)
	}
	w.hook.quiet(t, 250*time.Millisecond)
}

func (c *child) metric(t testing.TB, name string) string {
	t.Helper()
	resp, err := c.client.Get(c.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		if value, ok := strings.CutPrefix(s.Text(), name+" "); ok {
			return value
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}

// These kill again and again while alerts come, go and
// come back. Whatever was answered holds, the receiver ends up with the truth,
// and no process repeats itself: only what a kill cut off is sent again.
func TestKilledAtRandomMoments(t *testing.T) {
	t.Run("with a receiver that works", func(t *testing.T) { killAtRandomMoments(t, func(*rand.Rand, *webhook) {}) })
	t.Run("with a receiver that fails at times", func(t *testing.T) {
		killAtRandomMoments(t, func(rnd *rand.Rand, hook *webhook) {
			hook.answer([]int{http.StatusOK, http.StatusInternalServerError, http.StatusServiceUnavailable}[rnd.IntN(3)])
		})
	})
}

// killAtRandomMoments calls disturb after each change of an alert.
func killAtRandomMoments(t *testing.T, disturb func(*rand.Rand, *webhook)) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, time.Second)
	const alerts = 20
	isFiring := make(map[string]bool)
	state := func() (as []*alert.Alert) { // as a rule manager resends it
		for i := range alerts {
			if name := fmt.Sprint("A", i); isFiring[name] {
				as = append(as, firing("alertname", name))
			}
		}
		return as
	}
	var silences []string
	kills := 0
	for end := time.Now().Add(7 * time.Second); time.Now().Before(end); kills++ {
		c := w.start(t)
		dead := make(chan struct{})
		time.AfterFunc(time.Duration(rnd.IntN(400))*time.Millisecond, func() { _ = c.cmd.Process.Kill(); close(dead) })
		_, err := c.request("/put", state())
		for n := 0; err == nil; n++ {
			name := fmt.Sprint("A", rnd.IntN(alerts))
			isFiring[name] = !isFiring[name]
			as := state()
			if !isFiring[name] {
				as = append(as, resolved("alertname", name))
			}
			disturb(rnd, w.hook)
			if _, err = c.request("/put", as); err == nil && n%10 == 9 {
				posted := fmt.Sprint("S", len(silences))
				if _, err = c.request("/api/v2/silences", postableSilence("alertname", posted, time.Hour)); err == nil {
					silences = append(silences, posted)
				}
			}
		}
		<-dead
		c.kill()
	}

	w.hook.answer(http.StatusOK)
	c := w.start(t)
	c.put(t, state()...)
	got := c.silences(t)
	for _, name := range silences {
		if got[name] != "active" {
			t.Errorf("silence %s was answered and is %q", name, got[name])
		}
	}
	// The last word about each alert is the truth.
	last := make(map[string]message)
	total, again := 0, 0
	truthful := func() bool {
		for range len(w.hook.got) {
			m := <-w.hook.got
			total++
			name := m.Alerts[0].Labels["alertname"]
			// One that fires again is news, though its end in between may not have
			// been told: the newer state took the place of the one that waited.
			if before := last[name]; before.Status == m.Status && before.Alerts[0].StartsAt.Equal(m.Alerts[0].StartsAt) {
				again++
				if before.ExternalURL == m.ExternalURL {
					t.Errorf("%s said twice that %s is %s", m.ExternalURL, name, m.Status)
				}
			}
			last[name] = m
		}
		for i := range alerts {
			name := fmt.Sprint("A", i)
			if (last[name].Status == "firing") != isFiring[name] {
				return false
			}
		}
		return true
	}
	eventually(t, "the receiver knows the truth", truthful)
	w.onDisk(t, "outbox", messagePrefix, 0) // Of one that fired and resolved, it may hear the end only.
	truthful()
	t.Logf("%d kills, %d notifications of which %d were sent again after a kill, %d silences", kills, total, again, len(silences))
	w.hook.quiet(t, 500*time.Millisecond)
}

// TestKilledWhileMessagesWait has the outbox survive: each message that waited
// arrives once.
func TestKilledWhileMessagesWait(t *testing.T) {
	w := newWorld(t, time.Hour)
	c := w.start(t)
	w.hook.answer(http.StatusInternalServerError)
	const n = 30
	var as []*alert.Alert
	for i := range n {
		as = append(as, firing("alertname", fmt.Sprint("A", i)))
	}
	c.put(t, as...)
	w.onDisk(t, "outbox", messagePrefix, n)
	for range 3 {
		c.kill()
		c = w.start(t)
	}
	w.hook.answer(http.StatusOK)
	got := make(map[string]int)
	for range n {
		got[w.hook.next(t).brief()]++
	}
	w.hook.quiet(t, 500*time.Millisecond)
	if len(got) != n {
		t.Errorf("got %v, want each of %d messages once", got, n)
	}
	w.onDisk(t, "outbox", messagePrefix, 0)
}
