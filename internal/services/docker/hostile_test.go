package docker_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

// fake answers the paths of Docker's API that the watcher asks. Fields that are
// nil answer as an idle daemon does.
type fake struct {
	events  func(w io.Writer, gone <-chan struct{})
	list    func(w http.ResponseWriter)
	inspect func(w http.ResponseWriter, id string)
	logs    func(w io.Writer)
	stats   func(w http.ResponseWriter, id string)
}

func (f fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", "application/json")
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch last := parts[len(parts)-1]; {
	case last == "version":
		fmt.Fprint(w, `{"Version":"20.10.24","ApiVersion":"1.41"}`)
	case last == "events":
		w.(http.Flusher).Flush()
		if f.events != nil {
			f.events(w, r.Context().Done())
		}
		<-r.Context().Done()
	case last == "json" && parts[len(parts)-2] == "containers":
		if f.list == nil {
			fmt.Fprint(w, "[]")
			return
		}
		f.list(w)
	case last == "json":
		if f.inspect == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		f.inspect(w, parts[len(parts)-2])
	case last == "stats" && f.stats != nil:
		f.stats(w, parts[len(parts)-2])
	case last == "logs":
		w.Header().Set("Content-Type", "application/vnd.docker.raw-stream")
		if f.logs != nil {
			f.logs(w)
		}
	}
}

// serve starts f on a socket and returns its address.
func serve(t *testing.T, f http.Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hwd") // A short path, for a socket.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "d.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) }) // Ends with Close.
	t.Cleanup(func() {
		server.Close()
		running.Wait()
	})
	return "unix://" + socket
}

// described is the inspection of a container with the state st.
func described(id, name, st string) string {
	return fmt.Sprintf(`{"Id":%q,"Name":"/%s","RestartCount":0,"Config":{"Image":"app:1","Labels":{"hedgewatch.io/critical":"true"}},
		"HostConfig":{"RestartPolicy":{"Name":"always"}},"State":%s}`, id, name, st)
}

func running() string {
	return fmt.Sprintf(`{"Status":"running","Running":true,"StartedAt":%q}`, time.Now().UTC().Format(time.RFC3339Nano))
}

func restarting(code int) string {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf(`{"Status":"restarting","Running":true,"Restarting":true,"ExitCode":%d,"StartedAt":%q,"FinishedAt":%q}`, code, now, now)
}

func (b *board) blind(wants ...string) {
	b.t.Helper()
	b.eventually("it is blind and says why: "+strings.Join(wants, " or "), func() bool {
		w := b.Overview().Watchers[0]
		return !w.Sees && slices.ContainsFunc(wants, func(want string) bool { return strings.Contains(w.Error, want) })
	})
}

// endless writes s until the other side has had enough, or far too much.
func endless(w io.Writer, s string, written *atomic.Int64) {
	for written.Load() < 1<<30 {
		n, err := io.WriteString(w, s)
		written.Add(int64(n))
		if err != nil {
			return
		}
	}
}

func TestAnswersWithoutEndAreNotRead(t *testing.T) {
	var written atomic.Int64
	chunk := strings.Repeat("x", 1<<16)
	const list, event = 64 << 20, 1 << 20
	cases := map[string]struct {
		f     fake
		bound int64
		want  string
	}{
		"list": {fake{list: func(w http.ResponseWriter) {
			io.WriteString(w, `[{"Id":"`)
			endless(w, chunk, &written)
		}}, list, "containers/json is larger than 67108864 bytes"},
		"event": {fake{events: func(w io.Writer, _ <-chan struct{}) {
			io.WriteString(w, `{"Type":"`)
			endless(w, chunk, &written)
		}}, event, "one line of the answer to GET /v1.41/events is larger than 1048576 bytes"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			written.Store(0)
			b := watch(t, serve(t, c.f))
			b.blind(c.want, "deadline exceeded") // A busy machine does not get that far in time.
			b.stop()
			// What the socket and the buffers on both sides hold comes on top, once
			// for each of the few attempts until here.
			if got := written.Load(); got > 8*(c.bound+4<<20) {
				t.Errorf("got %d bytes written, want about %d", got, c.bound)
			}
		})
	}
}

func TestRefusalsAndNonsenseAreClearErrors(t *testing.T) {
	text := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	cases := map[string]struct {
		f    http.Handler
		want string
	}{
		"no permission": {fake{list: text(403, `{"message":"you are not allowed to list containers"}`)}, "not allowed to list containers"},
		"daemon fails":  {fake{list: text(500, `{"message":"database is locked"}`)}, "database is locked"},
		"no JSON":       {fake{list: text(200, `<html>It works!</html>`)}, "list containers: "},
		"wrong JSON":    {fake{list: text(200, `{"Id":"x"}`)}, "list containers: "},
		"cut short":     {fake{list: text(200, `[{"Id":"x"},`)}, "list containers: "},
		"bad event":     {fake{events: func(w io.Writer, _ <-chan struct{}) { io.WriteString(w, "{\"Type\":7}\n"); w.(http.Flusher).Flush() }}, "read events: "},
		"no API":        {http.NotFoundHandler(), "404"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := watch(t, serve(t, c.f))
			b.blind(c.want)
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		b := watch(t, "unix://"+filepath.Join(t.TempDir(), "none.sock"))
		b.blind("none.sock")
	})
}

// One container that cannot be understood takes no other one's watch away.
func TestContainerThatIsNotUnderstoodHarmsNoOther(t *testing.T) {
	crashed := restarting(1)
	f := fake{
		list: func(w http.ResponseWriter) {
			io.WriteString(w, `[{"Id":"a"},{"Id":"b"},{"Id":"c"},{"Id":"d"},{"Id":"e"},{"Id":""},{},{"Id":"z"}]`)
		},
		inspect: func(w http.ResponseWriter, id string) {
			switch id {
			case "a":
				io.WriteString(w, `{"Id":"a","Name":7}`)
			case "b":
				io.WriteString(w, `{"Id":"b","Name":"/b"}`)
			case "c":
				io.WriteString(w, `{"Id":"c","State":`)
			case "d":
				w.WriteHeader(http.StatusInternalServerError)
				io.WriteString(w, `{"message":"layer does not exist"}`)
			case "e":
				io.WriteString(w, described("e", "e", `{"Status":"sleeping","StartedAt":"yesterday","FinishedAt":"9999-99-99","ExitCode":-1,"Health":{"Status":"unhealthy"}}`))
			case "z":
				io.WriteString(w, described("z", "z", crashed))
			default:
				w.WriteHeader(http.StatusNotFound)
			}
		},
		logs: func(w io.Writer) { frame(w, 1, "dial tcp 10.0.0.3:5432: connect: connection refused\n") },
	}
	b := watch(t, serve(t, f))
	in := b.until("service/docker//z/", func(services.Incident) bool { return true })
	if in.Annotations["cause"] != "dependency" {
		t.Errorf("got %v, want a dependency", in.Annotations)
	}
	b.sees()
}

// frame writes one frame of Docker's stream of output and errors.
func frame(w io.Writer, stream byte, text string) {
	var header [8]byte
	header[0] = stream
	binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
	w.Write(header[:])
	io.WriteString(w, text)
}

func TestLogsOfAnyShapeLeaveTheIncident(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	cases := map[string]struct {
		logs func(io.Writer)
		want string
	}{
		"lines of a megabyte": {func(w io.Writer) {
			for range 3 {
				frame(w, 1, long+"\n")
			}
			frame(w, 2, "dial tcp 10.0.0.3:5432: connect: connection refused\n")
		}, "dependency"},
		"a line without end":             {func(w io.Writer) { frame(w, 1, strings.Repeat(long, 8)) }, "unknown"},
		"a frame that says it has 4 GiB": {func(w io.Writer) { w.Write([]byte("\x01\x00\x00\x00\xff\xff\xff\xffpanic: x\n")) }, "crash"},
		"no frames":                      {func(w io.Writer) { io.WriteString(w, "<html>no log</html>") }, "unknown"},
		"half a header":                  {func(w io.Writer) { w.Write([]byte{1, 0}) }, "unknown"},
		"nothing":                        {func(io.Writer) {}, "unknown"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			crashed := restarting(3)
			b := watch(t, serve(t, fake{
				list:    func(w http.ResponseWriter) { io.WriteString(w, `[{"Id":"a"}]`) },
				inspect: func(w http.ResponseWriter, id string) { io.WriteString(w, described("a", "feed", crashed)) },
				logs:    c.logs,
			}))
			in := b.until("service/docker//feed/", func(services.Incident) bool { return true })
			if in.Annotations["cause"] != c.want || len(in.Annotations["evidence"]) > 5*500 {
				t.Errorf("got cause %s with %d bytes of evidence, want %s", in.Annotations["cause"], len(in.Annotations["evidence"]), c.want)
			}
		})
	}
}

// A flood of events is taken off the daemon's hands while it answers nothing
// else, and costs one look at each container.
func TestFloodOfEventsCostsALookAtEachContainer(t *testing.T) {
	const flood = 5000 // 1.5 MB: more than fits into the buffers of a socket.
	flooded := make(chan struct{})
	var looks atomic.Int64
	f := fake{
		list: func(w http.ResponseWriter) { io.WriteString(w, `[{"Id":"a"},{"Id":"b"}]`) },
		events: func(w io.Writer, gone <-chan struct{}) {
			for i := range flood {
				_, err := fmt.Fprintf(w, `{"Type":"container","Action":"health_status: healthy","Actor":{"ID":"%c","Attributes":{"name":"x","filler":"%0200d"}},"timeNano":%d}`+"\n", 'a'+i%2, i, time.Now().UnixNano())
				if err != nil {
					return
				}
				if i%5 == 0 {
					fmt.Fprintf(w, `{"Type":"container","Action":"exec_start: curl","Actor":{"ID":"other%d"},"timeNano":%d}`+"\n", i, time.Now().UnixNano())
				}
			}
			w.(http.Flusher).Flush()
			close(flooded)
			<-gone
		},
		inspect: func(w http.ResponseWriter, id string) {
			<-flooded
			looks.Add(1)
			io.WriteString(w, described(id, id, running()))
		},
	}
	var once sync.Once
	events := f.events
	f.events = func(w io.Writer, gone <-chan struct{}) { once.Do(func() { events(w, gone) }) }
	b := watch(t, serve(t, f))
	b.sees()
	b.eventually("both run", func() bool {
		return b.status("a").State == services.StateRunning && b.status("b").State == services.StateRunning
	})
	if n := looks.Load(); n > 100 {
		t.Errorf("got %d looks for %d events, want a few", n, flood)
	}
	if n := len(b.Overview().Services); n != 2 {
		t.Errorf("got %d containers, want 2", n)
	}
}
