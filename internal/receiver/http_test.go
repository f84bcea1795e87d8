package receiver

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestDoBoundsTheAnswerAndHidesTheURL(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat("s3cr3t ", 1<<12))
		for range 1000 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	client := server.Client()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/s3cr3t", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Do(client, req)
	if err != nil || len(a.Body) != maxAnswer {
		t.Fatalf("got %d bytes, error %v; want %d", len(a.Body), err, maxAnswer)
	}
	if shown := a.Shown("s3cr3t"); strings.Contains(shown, "s3cr3t") || len(shown) > maxShown {
		t.Errorf("got %d bytes to show: %.50q", len(shown), shown)
	}
	server.Close()
	if _, err := Do(client, req); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("got error %v, want one without the URL", err)
	}
}

func TestKindOf(t *testing.T) {
	dead := &Error{Kind: Dead, Err: errors.New("gone")}
	for want, err := range map[Kind]error{Dead: errors.Join(errors.New("x"), dead), Retry: errors.New("x")} {
		if got := KindOf(err); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, text := range []string{"1", "0.25", "-1", "1e400", "NaN", "Fri, 31 Dec 1999 23:59:59 GMT", "soon"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, ok := RetryAfter(http.Header{"Retry-After": {text}}, time.Unix(0, 0)); d < 0 || d > MaxPause || !ok && d != 0 {
			t.Errorf("%q: got %s, %t", text, d, ok)
		}
	})
}

func FuzzClip(f *testing.F) {
	f.Add("ü🔴x", 5)
	f.Fuzz(func(t *testing.T, text string, n int) {
		if n < 3 || n > 1000 || !utf8.ValidString(text) {
			return
		}
		if got := Clip(text, n); len(got) > n || !utf8.ValidString(got) {
			t.Errorf("Clip(%q, %d): got %q", text, n, got)
		}
	})
}
