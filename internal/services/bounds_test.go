package services_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hedgewatch/hedgewatch/internal/services"
)

func answer(body string) *http.Response {
	return &http.Response{
		Body:    io.NopCloser(iotest.HalfReader(strings.NewReader(body))),
		Request: &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/containers/json", RawQuery: "token=x"}},
	}
}

func TestBodyBeyondItsBoundIsAnError(t *testing.T) {
	cases := map[string]struct {
		body string
		ok   bool
	}{
		"empty":     {"", true},
		"exact":     {strings.Repeat("x", 1000), true},
		"one more":  {strings.Repeat("x", 1001), false},
		"many more": {strings.Repeat("x", 1<<20), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			resp := answer(c.body)
			services.BoundBody(resp, 1000)
			got, err := io.ReadAll(resp.Body)
			if c.ok && (err != nil || string(got) != c.body) {
				t.Errorf("got %d bytes, %v; want all %d", len(got), err, len(c.body))
			}
			if !c.ok && (err == nil || len(got) > 1000 || !strings.Contains(err.Error(), "GET /containers/json is larger than 1000 bytes") || strings.Contains(err.Error(), "token")) {
				t.Errorf("got %d bytes, %v; want an error that names the answer and no secret", len(got), err)
			}
			if _, again := resp.Body.Read(make([]byte, 10)); !c.ok && again == nil {
				t.Error("got no error from the next read")
			}
		})
	}
}

func TestEndlessStreamIsBoundByItsLines(t *testing.T) {
	resp := answer(strings.Repeat(strings.Repeat("x", 999)+"\n", 5000))
	services.BoundLines(resp, 1000)
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != 5000*1000 {
		t.Errorf("got %d bytes, %v; want all lines", n, err)
	}
	resp = answer("ok\n" + strings.Repeat("x", 1<<20))
	services.BoundLines(resp, 1000)
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || n > 5000 {
		t.Errorf("got %d bytes, %v; want an error for the long line", n, err)
	}
}

func TestLogTailIsTheEndOfAllThatWasWritten(t *testing.T) {
	var tail services.LogTail
	var all []byte
	for range 200 {
		p := bytes.Repeat([]byte{byte('a' + rand.N(26))}, rand.N(3*services.MaxLogBytes/2))
		all = append(all, p...)
		if n, err := tail.Write(p); n != len(p) || err != nil {
			t.Fatalf("got %d, %v; want %d", n, err, len(p))
		}
		if want := all[max(0, len(all)-services.MaxLogBytes):]; !bytes.Equal(tail.Bytes(), want) {
			t.Fatalf("got %d bytes that are not the last %d", len(tail.Bytes()), len(want))
		}
		if cap(tail.Bytes()) > 2*services.MaxLogBytes {
			t.Fatalf("got room for %d bytes, want about %d", cap(tail.Bytes()), services.MaxLogBytes)
		}
	}
}
