package store_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage/remote"

	"github.com/hedgewatch/hedgewatch/internal/store"
)

func TestRemoteWriteSendsToAnotherStore(t *testing.T) {
	for _, message := range []remoteapi.WriteMessageType{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType} {
		t.Run(string(message), func(t *testing.T) {
			receiver := start(t, store.Config{Dir: t.TempDir()}, "")
			srv := httptest.NewServer(remote.NewWriteHandler(promslog.NewNopLogger(), receiver.reg, receiver,
				remoteapi.MessageTypes{message}, false, false, false))
			defer srv.Close()
			sender := start(t, store.Config{Dir: t.TempDir()}, fmt.Sprintf(`
global: {external_labels: {from: sender}}
remote_write:
- {url: '%s', protobuf_message: '%s', send_native_histograms: true}
`, srv.URL, message))

			var last int64
			within(t, "remote write", func() bool {
				// What was appended before the queue reads along is not sent.
				last = time.Now().UnixMilli()
				app := sender.Appender(t.Context())
				for _, err := range []error{
					second(app.Append(0, labels.FromStrings(model.MetricNameLabel, "f"), last, 42)),
					second(app.AppendHistogram(0, labels.FromStrings(model.MetricNameLabel, "h"), last, nil,
						&histogram.FloatHistogram{Count: 2, Sum: 5, ZeroCount: 2})),
					app.Commit(),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				return strings.Contains(receiver.query(`f{from="sender"}`, last), "=> 42 ") &&
					strings.Contains(receiver.query(`histogram_sum(h{from="sender"})`, last), "=> 5 ")
			})
			if err := sender.stop(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestRemoteReadAnswersWhatIsNotLocal(t *testing.T) {
	far := start(t, store.Config{Dir: t.TempDir()}, "")
	now := time.Now().UnixMilli()
	far.mustAppend("far", now, 7)
	srv := httptest.NewServer(remote.NewReadHandler(promslog.NewNopLogger(), far.reg, far,
		func() promconfig.Config { return *parse(t, "") }, 1e6, 4, 1<<20))
	defer srv.Close()
	near := start(t, store.Config{Dir: t.TempDir()}, "")
	near.mustAppend("near", now, 1)
	if got := near.query("far or near", now); strings.Contains(got, "far") {
		t.Fatalf("got %s before remote read is configured", got)
	}
	commit, err := near.Prepare(parse(t, fmt.Sprintf("remote_read: [{url: '%s', read_recent: true}]", srv.URL)))
	if err != nil {
		t.Fatal(err)
	}
	commit()
	if got := near.query("far + on() near", now); !strings.Contains(got, "=> 8 ") {
		t.Errorf("got %s, want 8", got)
	}
	if got := near.queryWith(near.Local(), "far or near", now); strings.Contains(got, "far") {
		t.Errorf("Local got %s, want the local series only", got)
	}

	// A remote end that fails is a warning, not an error.
	srv.Config.Handler = http.NotFoundHandler()
	if got := near.query("near", now); !strings.Contains(got, "near => 1 ") {
		t.Errorf("with a broken remote end got %s, want the local series", got)
	}
}
