package stream_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/hedgewatch/hedgewatch/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a running Hub.
type stage struct {
	*stream.Hub
	t    *testing.T
	reg  *prometheus.Registry
	stop func()
}

func newStage(t *testing.T) *stage {
	t.Helper()
	reg := prometheus.NewRegistry()
	hub, err := stream.New(reg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(ctx) }()
	s := &stage{Hub: hub, t: t, reg: reg, stop: func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}}
	return s
}

// wire is a response that is written to one end of a connection.
type wire struct {
	net.Conn
	header http.Header
}

func (w wire) Header() http.Header { return w.header }
func (w wire) WriteHeader(int)     {}
func (w wire) Flush()              {}

// page is somebody who reads a stream.
type page struct {
	s      *stage
	conn   net.Conn
	leave  func()
	ended  chan struct{}
	events chan event
}

type event struct {
	at   time.Time
	name string
	data string
}

// open starts a stream that nobody reads yet.
func (s *stage) open() *page {
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(s.t.Context())
	p := &page{s: s, conn: theirs, leave: cancel, ended: make(chan struct{}), events: make(chan event, 1000)}
	go func() {
		defer close(p.ended)
		defer ours.Close()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/stream", nil)
		s.ServeHTTP(wire{ours, http.Header{}}, r)
	}()
	return p
}

func (p *page) read() {
	go func() {
		defer close(p.events)
		var e event
		for lines := bufio.NewScanner(p.conn); lines.Scan(); {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
			case "event":
				e = event{at: time.Now(), name: value}
			case "data":
				e.data = value
			case "":
				p.events <- e
			}
		}
	}()
}

// changes returns the topics that were told until now, and when.
func (p *page) changes() (topics []string, at []time.Time) {
	p.s.t.Helper()
	synctest.Wait()
	for {
		select {
		case e, ok := <-p.events:
			if !ok {
				return topics, at
			}
			if e.name != "changed" {
				continue
			}
			var list []string
			if err := json.Unmarshal([]byte(e.data), &list); err != nil {
				p.s.t.Fatalf("got %q: %v", e.data, err)
			}
			topics, at = append(topics, list...), append(at, e.at)
		default:
			return topics, at
		}
	}
}

func TestChangeIsToldAtOnceAndToEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		a, b := s.open(), s.open()
		a.read()
		b.read()
		synctest.Wait()
		now := time.Now()
		s.Changed(stream.Alerts | stream.Deliveries)
		for _, p := range []*page{a, b} {
			got, at := p.changes()
			if diff := cmp.Diff([]string{"alerts", "deliveries"}, got); diff != "" || !at[0].Equal(now) {
				t.Errorf("got %s later (-want +got):\n%s", at[0].Sub(now), diff)
			}
		}
		a.leave()
		<-a.ended
		s.stop() // Ends what is still read.
		<-b.ended
	})
}

// Who comes asks for everything; what changed before is no news then.
func TestWhatNobodyReadsIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		synctest.Wait()
		s.Changed(stream.Governor)
		p := s.open()
		p.read()
		synctest.Wait()
		s.Changed(stream.Alerts)
		if got, _ := p.changes(); !slices.Equal(got, []string{"alerts"}) {
			t.Errorf("got %v, want the change of alerts only", got)
		}
		p.leave()
		<-p.ended
		s.Changed(stream.Governor)
		p = s.open()
		p.read()
		time.Sleep(time.Second)
		if got, _ := p.changes(); len(got) > 0 {
			t.Errorf("got %v, want nothing", got)
		}
		s.stop()
		<-p.ended
	})
}

// A storm of changes is a few events, and its last change is told.
func TestStormIsToldSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		p := s.open()
		p.read()
		synctest.Wait()
		for range 10_000 {
			time.Sleep(time.Millisecond)
			s.Changed(stream.Alerts)
			s.Changed(stream.Samples)
		}
		last := time.Now()
		time.Sleep(2 * time.Second)
		got, at := p.changes()
		alerts := len(slices.DeleteFunc(slices.Clone(got), func(n string) bool { return n != "alerts" }))
		if samples := len(got) - alerts; alerts > 55 || alerts < 45 || samples > 7 || samples < 5 {
			t.Errorf("got %d events for alerts and %d for samples in ten seconds, want five and a half a second", alerts, samples)
		}
		if len(at) == 0 || at[len(at)-1].Before(last) {
			t.Error("the last change was not told")
		}
		s.stop()
		<-p.ended
	})
}

func TestQuietStreamHasHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		p := s.open()
		p.read()
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		hello := <-p.events
		var says stream.Hello
		if err := json.Unmarshal([]byte(hello.data), &says); err != nil || hello.name != "hello" || says.HeartbeatSeconds != 5 || len(says.Topics) != 10 || slices.Contains(says.Topics, "") {
			t.Errorf("got %+v first, want a hello", hello)
		}
		if n := len(p.events); n != 12 {
			t.Errorf("got %d events in a quiet minute, want a beat every five seconds", n)
		}
		s.stop()
		<-p.ended
	})
}

// Who does not read is dropped, and what waits for them is no more than a set of
// topics.
func TestSlowReaderIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		p := s.open()
		for range 1000 {
			s.Changed(stream.Alerts)
			time.Sleep(20 * time.Millisecond)
		}
		synctest.Wait()
		select {
		case <-p.ended:
		default:
			t.Fatal("a reader who took nothing for 20 s is still served")
		}
		if n, err := testutil.GatherAndCount(s.reg, "hedgewatch_stream_slow_readers_total"); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		want := "# HELP hedgewatch_stream_slow_readers_total Streams of changes that were ended because their reader did not read.\n# TYPE hedgewatch_stream_slow_readers_total counter\nhedgewatch_stream_slow_readers_total 1\n"
		if err := testutil.GatherAndCompare(s.reg, strings.NewReader(want), "hedgewatch_stream_slow_readers_total"); err != nil {
			t.Error(err)
		}
		s.stop()
	})
}

func TestReadersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		pages := make([]*page, stream.MaxReaders)
		for i := range pages {
			pages[i] = s.open()
			pages[i].read()
		}
		synctest.Wait()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/stream", nil))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("got %d %q for one more, want 503", w.Code, w.Body)
		}
		pages[0].leave()
		<-pages[0].ended
		again := s.open()
		again.read()
		synctest.Wait()
		s.Changed(stream.Audit)
		if got, _ := again.changes(); !slices.Equal(got, []string{"audit"}) {
			t.Errorf("got %v after somebody left, want audit", got)
		}
		s.stop()
		for _, p := range append(pages, again) {
			<-p.ended
		}
	})
}
