package api_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/tsdbutil"
	"github.com/prometheus/prometheus/web"
	"google.golang.org/protobuf/encoding/prototext"
)

const protobufAccept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

// upstream serves the same database with Prometheus' own web server.
func (s *system) upstream(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	external, err := url.Parse("http://" + l.Addr().String())
	must(t, err)
	handler := web.New(s.deps.Logger, &web.Options{
		ListenAddresses: []string{l.Addr().String()}, ExternalURL: external, RoutePrefix: "/",
		Storage: upstreamStorage{s.db}, LocalStorage: upstreamStorage{s.db}, ExemplarStorage: s.db,
		LookbackDelta: 5 * time.Minute, MaxConnections: 8, ReadTimeout: time.Minute,
		RemoteReadConcurrencyLimit: 1, Parser: s.deps.Parser,
		Registerer: prometheus.NewRegistry(), Gatherer: s.reg, Flags: map[string]string{},
	})
	cfg := s.deps.Config()
	must(t, handler.ApplyConfig(&cfg))
	handler.SetReady(web.Ready)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- handler.Run(ctx, []net.Listener{l}, "") }()
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		cancel()
		must(t, <-done)
	})
	return external.String()
}

type upstreamStorage struct{ *tsdb.DB }

func (u upstreamStorage) Stats(label string, limit int) (*tsdb.Stats, error) {
	return database(u).Stats(label, limit)
}
func (u upstreamStorage) BlockMetas() ([]tsdb.BlockMeta, error) { return database(u).BlockMetas() }
func (u upstreamStorage) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return database(u).WALReplayStatus()
}

var _ storage.Storage = upstreamStorage{}

// TestFederationMatchesPrometheus compares our answers with those of
// Prometheus' own handler over the same database.
func TestFederationMatchesPrometheus(t *testing.T) {
	s := newSystem(t)
	app := s.db.Appender(context.Background())
	now := time.Now().UnixMilli()
	add := func(h *histogram.Histogram, ls ...string) {
		_, err := app.AppendHistogram(0, labels.FromStrings(ls...), now-1000, h, nil)
		must(t, err)
	}
	add(tsdbutil.GenerateTestCustomBucketsHistogram(3), "__name__", "orders_seconds", "job", "nhcb")
	add(tsdbutil.GenerateTestGaugeHistogram(3), "__name__", "depth", "job", "gauge")
	for _, ls := range []labels.Labels{
		labels.FromStrings("__name__", "depth", "job", "float"), // The same name as a histogram.
		labels.FromStrings("__name__", "placed", "site", "own", "instance", "i:1"),
		labels.FromStrings("__name__", "größe", "mit.punkt", "ja"),
		labels.FromStrings("nameless", "yes"),
	} {
		_, err := app.Append(0, ls, now-2000, 1.5)
		must(t, err)
	}
	must(t, app.Commit())
	ours, _ := s.start(t)
	theirs := s.upstream(t)

	for _, query := range []string{
		"",
		"match[]=fills_total",
		"match[]=delisted",
		"match[]={job=~\".%2B\"}",
		"match[]=fills_total&match[]={job=\"engine\"}",
		"match[]={__name__!=\"\"}",
		"match[]={nameless=\"yes\"}",
		"match[]=depth&match[]=orders_seconds",
		"match[]=nothing",
		"match[]=broken{",
		"match[]={}",
		"match[]=%zz",
	} {
		for _, accept := range []string{
			"", "text/plain;version=0.0.4", "text/plain;version=1.0.0;escaping=allow-utf-8", protobufAccept,
			"application/openmetrics-text", "*/*",
		} {
			t.Run(query+" "+accept, func(t *testing.T) {
				got := do(t, "GET", ours+"/federate?"+query, "", "Accept", accept)
				want := do(t, "GET", theirs+"/federate?"+query, "", "Accept", accept)
				if got.status != want.status {
					t.Fatalf("got %d %s, want %d %s", got.status, got.body, want.status, want.body)
				}
				if got.status != 200 {
					return
				}
				if g, w := got.header.Get("Content-Type"), want.header.Get("Content-Type"); g != w {
					t.Fatalf("got content type %q, want %q", g, w)
				}
				if diff := cmp.Diff(metricsOf(t, want), metricsOf(t, got)); diff != "" {
					t.Errorf("ours differs from Prometheus' (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// metricsOf is an answer as sorted lines, because series of one name come in
// no promised order.
func metricsOf(t *testing.T, a answer) []string {
	t.Helper()
	var lines []string
	if !strings.Contains(a.header.Get("Content-Type"), "protobuf") {
		for line := range strings.Lines(a.body) {
			lines = append(lines, line)
		}
	} else {
		dec := expfmt.NewDecoder(bytes.NewReader([]byte(a.body)), expfmt.NewFormat(expfmt.TypeProtoDelim))
		for {
			var family dto.MetricFamily
			err := dec.Decode(&family)
			if err == io.EOF {
				break
			}
			must(t, err)
			for _, m := range family.Metric {
				// The text of a message has random spaces, on purpose.
				lines = append(lines, family.GetName()+" "+family.GetType().String()+" "+strings.ReplaceAll(prototext.MarshalOptions{}.Format(m), "  ", " "))
			}
		}
	}
	sort.Strings(lines)
	return lines
}

func FuzzFederate(f *testing.F) {
	for _, seed := range []string{"up", `{job="x"}`, `{__name__=~"a.*",b!~"c|d"}`, "{}", "a{", `{"größe"}`, "\xff", "up[5m]", "sum(up)"} {
		f.Add(seed)
	}
	handler := newSystem(f).handler(f)
	f.Fuzz(func(t *testing.T, match string) {
		r := httptest.NewRequest("GET", "/federate?"+url.Values{"match[]": {match}}.Encode(), nil)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 {
			t.Errorf("match[]=%q: got %d %s, want 200 or 400", match, w.Code, w.Body)
		}
	})
}
