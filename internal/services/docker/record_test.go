package docker_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

var record = flag.Bool("record", false, "record testdata/*.jsonl anew, from the daemons that this machine has")

// entry is a line of a recording: what the daemon said, in its order. An event
// comes after the inspection that was made because of it.
type entry struct {
	Version string          `json:"version,omitempty"`
	Engine  string          `json:"engine,omitempty"`
	List    json.RawMessage `json:"list,omitempty"`
	ID      string          `json:"id,omitempty"` // Of Inspect and Logs.
	Inspect json.RawMessage `json:"inspect,omitempty"`
	Gone    bool            `json:"gone,omitempty"` // The inspection said 404.
	Logs    []byte          `json:"logs,omitempty"`
	Event   json.RawMessage `json:"event,omitempty"`
	// Until is when the recording ended.
	Until time.Time `json:"until,omitzero"`
}

// recorder writes down what a daemon says while a scenario runs.
type recorder struct {
	t   *testing.T
	d   *daemon
	out *json.Encoder
	api string
}

// recordTo runs scenario and records the daemon's side of it.
func (d *daemon) recordTo(name string, scenario func()) {
	d.t.Helper()
	file, err := os.Create(filepath.Join("testdata", name))
	if err != nil {
		d.t.Fatal(err)
	}
	r := &recorder{t: d.t, d: d, out: json.NewEncoder(file), api: "http://d/v1.41"}
	var version struct {
		Version    string
		Components []struct{ Name string }
	}
	text, _ := r.get("/version")
	if err := json.Unmarshal(text, &version); err != nil {
		d.t.Fatal(err)
	}
	r.write(entry{Version: version.Version, Engine: version.Components[0].Name})
	list, _ := r.get("/containers/json?all=1")
	r.write(entry{List: list})
	stream := &http.Client{Transport: d.client.Transport}
	resp, err := stream.Get(r.api + "/events?filters=" + `%7B%22type%22%3A%7B%22container%22%3Atrue%7D%7D`)
	if err != nil {
		d.t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			var event struct{ Actor struct{ ID string } }
			if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
				d.t.Errorf("event %q: %v", lines.Text(), err)
				continue
			}
			e := entry{ID: event.Actor.ID}
			body, status := r.get("/containers/" + e.ID + "/json")
			if e.Gone = status == http.StatusNotFound; !e.Gone {
				e.Inspect = body
				e.Logs, _ = r.get("/containers/" + e.ID + "/logs?stdout=1&stderr=1&tail=50")
			}
			r.write(e)
			r.write(entry{Event: bytes.Clone(lines.Bytes())})
		}
	})
	scenario()
	time.Sleep(time.Second)
	resp.Body.Close()
	reading.Wait()
	r.write(entry{Until: time.Now().UTC()})
	if err := file.Close(); err != nil {
		d.t.Fatal(err)
	}
}

func (r *recorder) get(path string) ([]byte, int) {
	resp, err := r.d.client.Get(r.api + path)
	if err != nil {
		r.t.Error(err)
		return nil, 0
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Error(err)
	}
	return bytes.TrimSpace(body), resp.StatusCode
}

func (r *recorder) write(e entry) {
	// No recording says where it was made.
	for _, text := range []*json.RawMessage{&e.List, &e.Inspect, &e.Event} {
		if *text != nil {
			*text = bytes.ReplaceAll(*text, []byte(r.d.dir), []byte("/var/lib/daemon"))
		}
	}
	if err := r.out.Encode(e); err != nil {
		r.t.Error(err)
	}
}

// life is what happens in each recording.
func (d *daemon) life() {
	d.run("feed", "refused", `"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":4}`)
	time.Sleep(6 * time.Second)
	d.run("hog", "oom", `"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":2},"Memory":67108864,"MemorySwap":67108864`)
	time.Sleep(5 * time.Second)
	d.run("calm", "run", `"RestartPolicy":{"Name":"always"}`)
	time.Sleep(time.Second)
	d.post("/containers/calm/stop?t=1", "application/json", nil)
	time.Sleep(time.Second)
	d.remove("calm")
}

func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("run with -record to record anew")
	}
	t.Run("docker", func(t *testing.T) {
		d := startDocker(t)
		d.recordTo("docker-20.10.jsonl", d.life)
	})
	t.Run("podman", func(t *testing.T) {
		d := startPodman(t)
		d.recordTo("podman-4.3.jsonl", d.life)
	})
}

// replay plays a recording to one watcher: each event is sent when what was
// asked because of the one before has been asked, however slow the machine.
type replay struct {
	entries []entry
	shift   time.Duration // From the recording to now.

	mu    sync.Mutex
	state map[string]entry
	asked chan string
	done  chan struct{}
	once  sync.Once
}

func newReplay(t *testing.T, name string) *replay {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	r := &replay{state: map[string]entry{}, asked: make(chan string, 10000), done: make(chan struct{})}
	for line := range bytes.Lines(text) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		r.entries = append(r.entries, e)
	}
	r.shift = time.Since(r.entries[len(r.entries)-1].Until)
	return r
}

var (
	timeText = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`)
	timeUnix = regexp.MustCompile(`"time":(\d{10})`)
	timeNano = regexp.MustCompile(`"timeNano":(\d{19})`)
)

// now moves the times in text to now, by as much for all.
func (r *replay) now(text []byte) []byte {
	text = timeText.ReplaceAllFunc(text, func(m []byte) []byte {
		at, err := time.Parse(time.RFC3339Nano, string(m))
		if err != nil {
			return m
		}
		return at.Add(r.shift).AppendFormat(nil, time.RFC3339Nano)
	})
	move := func(pattern *regexp.Regexp, name string, by int64) {
		text = pattern.ReplaceAllFunc(text, func(m []byte) []byte {
			n, _ := strconv.ParseInt(string(pattern.FindSubmatch(m)[1]), 10, 64) // It has matched digits.
			return fmt.Appendf(nil, "%q:%d", name, n+by)
		})
	}
	move(timeUnix, "time", int64(r.shift/time.Second))
	move(timeNano, "timeNano", int64(r.shift))
	return text
}

func (r *replay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", "application/json")
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	last, id := parts[len(parts)-1], ""
	if len(parts) > 1 {
		id = parts[len(parts)-2]
	}
	switch {
	case last == "version":
		fmt.Fprintf(w, `{"Version":%q,"ApiVersion":"1.41","Components":[{"Name":%q}]}`, r.entries[0].Version, r.entries[0].Engine)
	case last == "events":
		w.(http.Flusher).Flush()
		r.once.Do(func() { r.play(w, req) })
		<-req.Context().Done()
	case last == "json" && id == "containers":
		r.mu.Lock()
		defer r.mu.Unlock()
		list := []map[string]string{}
		for id, e := range r.state {
			if !e.Gone {
				list = append(list, map[string]string{"Id": id})
			}
		}
		json.NewEncoder(w).Encode(list)
	case last == "json", last == "logs":
		r.mu.Lock()
		e, ok := r.state[id]
		r.mu.Unlock()
		switch {
		case !ok || e.Gone:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, `{"message":"No such container: %s"}`, id)
		case last == "logs":
			w.Header().Set("Content-Type", "application/vnd.docker.raw-stream")
			w.Write(e.Logs)
		default:
			w.Write(r.now(e.Inspect))
		}
		if last == "json" {
			r.asked <- id
		}
	}
}

// play sends the events.
func (r *replay) play(w http.ResponseWriter, req *http.Request) {
	defer close(r.done)
	for _, e := range r.entries {
		switch {
		case e.Inspect != nil || e.Gone:
			r.mu.Lock()
			r.state[e.ID] = e
			r.mu.Unlock()
		case e.Event != nil:
			var event struct{ Actor struct{ ID string } }
			if json.Unmarshal(e.Event, &event) != nil {
				continue
			}
			for len(r.asked) > 0 {
				<-r.asked
			}
			w.Write(append(r.now(e.Event), '\n'))
			w.(http.Flusher).Flush()
			// Not every event makes the watcher ask.
			patience := time.After(200 * time.Millisecond)
			for waiting := true; waiting; {
				select {
				case id := <-r.asked:
					waiting = id != event.Actor.ID
				case <-patience:
					waiting = false
				case <-req.Context().Done():
					return
				}
			}
		}
	}
}

// What the watcher makes of real conversations, where no daemon is.
func TestRecordedConversations(t *testing.T) {
	for _, c := range []struct {
		file, version string
		restarts      int
	}{
		{"docker-20.10.jsonl", "20.10.", 4},
		{"podman-4.3.jsonl", "4.3.", 4},
	} {
		t.Run(c.file, func(t *testing.T) {
			r := newReplay(t, c.file)
			if !strings.HasPrefix(r.entries[0].Version, c.version) {
				t.Fatalf("got the version %s, want %s", r.entries[0].Version, c.version)
			}
			b := watch(t, serve(t, r))
			b.sees()
			in := b.until("service/docker//feed/", func(services.Incident) bool { return true })
			<-r.done
			b.eventually("all events are taken in", func() bool {
				return b.status("feed").State == services.StateGaveUp && b.status("hog").State == services.StateGaveUp && b.status("calm").Instance == ""
			})
			in = b.until("service/docker//feed/", func(in services.Incident) bool { return strings.Contains(in.Annotations["summary"], "has failed") })
			if in.Annotations["cause"] != "dependency" || !strings.Contains(in.Annotations["evidence"], "orders-db:5432") || strings.Contains(in.Annotations["evidence"], "hunter2") {
				t.Errorf("got %v, want the database that refuses, without its password", in.Annotations)
			}
			s := b.status("feed")
			if s.Restarts != c.restarts || s.LastExit == nil || s.LastExit.Code != 1 || s.LastExit.Unseen || len(s.History) < 2 {
				t.Errorf("got %+v with exit %+v, want %d restarts with exit 1", s, s.LastExit, c.restarts)
			}
			for _, end := range s.History {
				if end.Code != 1 || end.Cause != services.Dependency {
					t.Errorf("got the end %+v, want code 1 by a dependency", end)
				}
			}
			if s := b.status("hog"); s.LastExit == nil || s.LastExit.Code != 137 || !s.LastExit.OOM || s.Diagnosis.Cause != services.Resource {
				t.Errorf("got %+v with exit %+v, want an OOM", s, s.LastExit)
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.ever["service/docker//calm/"] {
				t.Error("got an incident for a container that was stopped by hand")
			}
		})
	}
}
