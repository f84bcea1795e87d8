package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gogo/protobuf/proto"
	"github.com/golang/snappy"
	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	configutil "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

const (
	write1 = "application/x-protobuf"
	write2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
)

func pushed1(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := proto.Marshal(&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{
		Labels:  []prompb.Label{{Name: "__name__", Value: name}},
		Samples: []prompb.Sample{{Timestamp: time.Now().UnixMilli(), Value: 7}},
	}}})
	must(t, err)
	return raw
}

func pushed2(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := proto.Marshal(&writev2.Request{
		Symbols: []string{"", "__name__", name},
		Timeseries: []writev2.TimeSeries{{
			LabelsRefs: []uint32{1, 2},
			Samples:    []writev2.Sample{{Timestamp: time.Now().UnixMilli(), Value: 7}},
		}},
	})
	must(t, err)
	return raw
}

func otlp(name string) pmetricotlp.ExportRequest {
	m := pmetric.NewMetrics()
	metric := m.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(name)
	p := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetIntValue(7)
	p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	return pmetricotlp.NewExportRequestFromMetrics(m)
}

// TestPush writes by every protocol and reads the sample back.
func TestPush(t *testing.T) {
	base, _ := newSystem(t).start(t)
	proto2, err := otlp("by_otlp_protobuf").MarshalProto()
	must(t, err)
	json, err := otlp("by_otlp_json").MarshalJSON()
	must(t, err)
	zipped, err := otlp("by_otlp_gzip").MarshalJSON()
	must(t, err)

	for _, tc := range []struct {
		name, path, contentType, encoding string
		body                              []byte
		status                            int
	}{
		{"by_write_1", "write", write1, "snappy", snappy.Encode(nil, pushed1(t, "by_write_1")), 204},
		{"by_write_1_bare", "write", "", "", snappy.Encode(nil, pushed1(t, "by_write_1_bare")), 204},
		{"by_write_2", "write", write2, "snappy", snappy.Encode(nil, pushed2(t, "by_write_2")), 204},
		{"by_otlp_protobuf", "otlp/v1/metrics", "application/x-protobuf", "", proto2, 200},
		{"by_otlp_json", "otlp/v1/metrics", "application/json; charset=utf-8", "", json, 200},
		{"by_otlp_gzip", "otlp/v1/metrics", "application/json", "gzip", gz(t, zipped), 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := do(t, "POST", base+"/api/v1/"+tc.path, string(tc.body), "Content-Type", tc.contentType, "Content-Encoding", tc.encoding)
			if got.status != tc.status {
				t.Fatalf("got %d %s, want %d", got.status, got.body, tc.status)
			}
			if tc.contentType == write2 && got.header.Get("X-Prometheus-Remote-Write-Samples-Written") != "1" {
				t.Errorf("got headers %v, want one sample written", got.header)
			}
			if q := do(t, "GET", base+"/api/v1/query?query="+tc.name, ""); !strings.Contains(q.body, `"7"`) {
				t.Errorf("got %s, want the pushed 7", q.body)
			}
		})
	}
}

// TestPushRefusesBadBodies pins the status and the text of every kind of bad push.
func TestPushRefusesBadBodies(t *testing.T) {
	base, _ := newSystem(t).start(t)
	good := snappy.Encode(nil, pushed1(t, "x"))
	bomb := append([]byte{0x80, 0x80, 0x80, 0x80, 0x08}, good...) // Claims 2 GiB.
	inflated := gz(t, bytes.Repeat([]byte("a"), 33<<20))
	huge := strings.Repeat("a", 33<<20)

	for _, tc := range []struct {
		name, path, contentType, encoding, body string
		status                                  int
		want                                    string
	}{
		{"write: JSON", "write", "application/json", "", "{}", 415, "send remote write 1"},
		{"write: unknown message", "write", write1 + ";proto=a.B", "snappy", string(good), 415, "a.B"},
		{"write: zstd", "write", write1, "zstd", string(good), 415, `"zstd"`},
		{"write: not snappy", "write", write1, "snappy", "", 400, "not a snappy block"},
		{"write: truncated snappy", "write", write1, "snappy", string(good[:len(good)-3]), 400, "corrupt"},
		{"write: truncated protobuf", "write", write1, "snappy", string(snappy.Encode(nil, pushed1(t, "x")[:10])), 400, "EOF"},
		{"write: claims 2 GiB", "write", write1, "snappy", string(bomb), 413, "32 MiB"},
		{"write: 33 MiB", "write", write1, "snappy", huge, 413, "32 MiB"},
		{"read: JSON", "read", "application/json", "", "{}", 415, "remote read"},
		{"read: garbage", "read", write1, "snappy", "garbage", 400, ""},
		{"otlp: no type", "otlp/v1/metrics", "", "", "{}", 415, "send OTLP metrics"},
		{"otlp: text", "otlp/v1/metrics", "text/plain", "", "{}", 415, "send OTLP metrics"},
		{"otlp: zstd", "otlp/v1/metrics", "application/json", "zstd", "{}", 415, `"zstd"`},
		{"otlp: broken JSON", "otlp/v1/metrics", "application/json", "", "{", 400, ""},
		{"otlp: not gzip", "otlp/v1/metrics", "application/json", "gzip", "{}", 400, "not gzip"},
		{"otlp: truncated gzip", "otlp/v1/metrics", "application/json", "gzip", string(gz(t, []byte("{}"))[:12]), 400, "ends early"},
		{"otlp: inflates to 33 MiB", "otlp/v1/metrics", "application/json", "gzip", string(inflated), 413, "32 MiB"},
		{"query: 11 MiB form", "query", "application/x-www-form-urlencoded", "", "query=" + huge[:11<<20], 413, "10 MiB"},
		{"query: broken form", "query", "application/x-www-form-urlencoded", "", "query=%zz", 400, "%zz"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := do(t, "POST", base+"/api/v1/"+tc.path, tc.body, "Content-Type", tc.contentType, "Content-Encoding", tc.encoding)
			if got.status != tc.status || !strings.Contains(got.body, tc.want) {
				t.Errorf("got %d %q, want %d and a text with %q", got.status, got.body, tc.status, tc.want)
			}
		})
	}
}

// TestPushCutOffMidBody closes the sending side in the middle of a body.
func TestPushCutOffMidBody(t *testing.T) {
	base, _ := newSystem(t).start(t)
	for _, tc := range []struct{ name, head string }{
		{"announced length", "Content-Length: 100\r\n\r\nabc"},
		{"chunked", "Transfer-Encoding: chunked\r\n\r\n10\r\nabc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
			must(t, err)
			defer conn.Close()
			must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
			fmt.Fprintf(conn, "POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n%s", write1, tc.head)
			must(t, conn.(*net.TCPConn).CloseWrite())
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			must(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			must(t, err)
			if resp.StatusCode != 400 || !strings.Contains(string(body), "ends early") {
				t.Errorf("got %d %q, want 400 that says the body ends early", resp.StatusCode, body)
			}
		})
	}
}

// TestReceiversAreOffUnlessEnabled: the answers say which flag is missing.
func TestReceiversAreOffUnlessEnabled(t *testing.T) {
	s := newSystem(t)
	s.cfg.EnableRemoteWriteReceiver, s.cfg.EnableOTLPReceiver, s.cfg.EnableAdmin = false, false, false
	base, _ := s.start(t)
	good := string(snappy.Encode(nil, pushed1(t, "x")))
	if got := do(t, "POST", base+"/api/v1/write", good); got.status != 404 || !strings.Contains(got.body, "--web.enable-remote-write-receiver") {
		t.Errorf("write: got %d %q", got.status, got.body)
	}
	if got := do(t, "POST", base+"/api/v1/otlp/v1/metrics", "{}", "Content-Type", "application/json"); got.status != 404 || !strings.Contains(got.body, "--web.enable-otlp-receiver") {
		t.Errorf("otlp: got %d %q", got.status, got.body)
	}
	if got := do(t, "POST", base+"/api/v1/admin/tsdb/snapshot", ""); got.status != 500 || !strings.Contains(got.body, "admin APIs disabled") {
		t.Errorf("admin: got %d %q", got.status, got.body)
	}
}

// TestRemoteRead reads over both response types with the embedded client.
func TestRemoteRead(t *testing.T) {
	base, _ := newSystem(t).start(t)
	target, err := url.Parse(base + "/api/v1/read")
	must(t, err)
	for name, kind := range map[string]prompb.ReadRequest_ResponseType{
		"samples":         prompb.ReadRequest_SAMPLES,
		"streamed chunks": prompb.ReadRequest_STREAMED_XOR_CHUNKS,
	} {
		t.Run(name, func(t *testing.T) {
			client, err := remote.NewReadClient("test", &remote.ClientConfig{
				URL: &configutil.URL{URL: target}, Timeout: model.Duration(10 * time.Second),
				ChunkedReadLimit: 1 << 20, WriteProtoMsg: remoteapi.WriteV1MessageType,
				AcceptedResponseTypes: []prompb.ReadRequest_ResponseType{kind},
				HTTPClientConfig:      configutil.HTTPClientConfig{},
			})
			must(t, err)
			now := time.Now()
			query, err := remote.ToQuery(now.Add(-time.Hour).UnixMilli(), now.UnixMilli(),
				[]*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "__name__", "fills_total")}, nil)
			must(t, err)
			set, err := client.Read(context.Background(), query, true)
			must(t, err)
			samples := 0
			for set.Next() {
				if got := set.At().Labels().Get("site"); got != "lab" {
					t.Errorf("got external label site=%q, want lab", got)
				}
				for it := set.At().Iterator(nil); it.Next() == chunkenc.ValFloat; {
					samples++
				}
			}
			must(t, set.Err())
			if samples != 20 {
				t.Errorf("got %d samples, want 20", samples)
			}
		})
	}
}

func gz(t *testing.T, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(raw)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}
