package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/receiver"
)

func poster(t *testing.T, address string) *Poster {
	t.Helper()
	p, err := NewPoster(Endpoint{
		URL: commoncfg.Secret(address), HMACSecret: "s3cr3t", Headers: map[string]commoncfg.Secret{"X-Team": "sync"},
		HTTPConfig: commoncfg.DefaultHTTPClientConfig, Timeout: model.Duration(5 * time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestPostIsSigned(t *testing.T) {
	address, requests := serve(t, 204)
	if err := poster(t, address+"/hook").Post(t.Context(), "plan-1", []byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	r := <-requests
	mac := hmac.New(sha256.New, []byte("s3cr3t"))
	mac.Write([]byte("plan-1." + r.header.Get("webhook-timestamp") + `.{"a":1}`))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.header.Get("webhook-signature") != want ||
		r.header.Get("webhook-id") != "plan-1" || r.header.Get("X-Team") != "sync" || r.body != `{"a":1}` {
		t.Errorf("got %v with %s", r.header, r.body)
	}
}

func TestPostSaysWhetherToTryAgain(t *testing.T) {
	for _, tt := range []struct {
		status int
		header []string
		want   receiver.Kind
	}{{400, nil, receiver.Rejected}, {503, nil, receiver.Retry}, {429, []string{"Retry-After", "7"}, receiver.Paced}, {410, nil, receiver.Dead}} {
		address, _ := serve(t, tt.status, tt.header...)
		var refusal *receiver.Error
		if err := poster(t, address).Post(t.Context(), "x", nil); !errors.As(err, &refusal) || refusal.Kind != tt.want {
			t.Errorf("%d: got %v, want %v", tt.status, err, tt.want)
		}
	}
	if err := poster(t, "http://127.0.0.1:1/token-of-mine").Post(t.Context(), "x", nil); err == nil || strings.Contains(err.Error(), "token-of-mine") {
		t.Errorf("got %v, want an error that does not show the path", err)
	}
}

func TestEndpointsThatCannotWork(t *testing.T) {
	for want, e := range map[string]Endpoint{
		"one of url and url_file": {},
		"it is no URL":            {URL: "hunter2"},
		"timeout":                 {URL: "http://h", Timeout: model.Duration(time.Hour)},
		"set by hedgewatch":       {URL: "http://h", Headers: map[string]commoncfg.Secret{"webhook-id": "1"}},
	} {
		if err := e.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
