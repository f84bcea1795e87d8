package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/bcrypt"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

func FuzzParseAuthorization(f *testing.F) {
	for _, seed := range []string{"", "Basic", "Basic YTpi", "basic  YTpi ", "Bearer x", "bearer", "Basic YQ==", "Basic !", "Digest a", "\x00 \xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseAuthorization(header)
		if err != nil {
			if c != (credentials{}) {
				t.Errorf("%q: got %+v beside the error %v", header, c, err)
			}
			return
		}
		if strings.HasPrefix(strings.ToLower(header), "bearer ") {
			if c.token == "" {
				t.Errorf("%q: got no token and no error", header)
			}
			return
		}
		// What Basic accepts must say what the standard library reads in it.
		value := strings.TrimSpace(header[len("basic "):])
		r := http.Request{Header: http.Header{"Authorization": {"Basic " + value}}}
		if user, password, ok := r.BasicAuth(); !ok || user != c.user || password != c.password {
			t.Errorf("%q: got %q %q, want %q %q", base64.StdEncoding.EncodeToString([]byte(header)), c.user, c.password, user, password)
		}
	})
}

func TestThrottleMemoryIsBounded(t *testing.T) {
	l := newLogins()
	for i := range maxLoginKeys + 500 {
		lim := l.limiter(loginKey{clientPrefix(fmt.Sprintf("10.0.%d.%d:1", i/256, i%256)), 1})
		lim.Allow() // Otherwise it could be forgotten without loss.
	}
	if got := len(l.tries); got > maxLoginKeys {
		t.Errorf("got %d entries, want at most %d", got, maxLoginKeys)
	}
}

func TestClientPrefix(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:1":              "192.0.2.7/32",
		"[::ffff:192.0.2.7]:1":     "192.0.2.7/32",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1":         "fe80::/64",
		"@":                        "invalid Prefix",
	} {
		if got := clientPrefix(remote).String(); got != want {
			t.Errorf("%s: got %s, want %s", remote, got, want)
		}
	}
}

// TestChangedFilesAreNoticed: a file is loaded again when it changes, once,
// and a bad one leaves the running state.
func TestChangedFilesAreNoticed(t *testing.T) {
	dir := t.TempDir()
	path, token := filepath.Join(dir, "web.yml"), filepath.Join(dir, "token")
	stamp := time.Now()
	write := func(file, content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		stamp = stamp.Add(time.Second) // Coarse file clocks must not matter here.
		if err := os.Chtimes(file, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	write(token, strings.Repeat("a", minTokenLength))
	write(path, "bearer_tokens: [{name: x, token_file: token}]")

	var log strings.Builder
	db, err := state.New(state.Config{Dir: dir}, state.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() // Nothing is written.
	s := &Server{cfg: Config{WebConfigFile: path, MaxConnections: 1}, deps: Deps{Logger: slog.New(slog.NewTextHandler(&log, nil)), State: db}}
	s.metrics = newMetrics(prometheus.NewRegistry(), s)
	g := &gate{server: s, logins: newLogins()}
	g.login.Store(&state.LoginConfig{})
	commit, err := g.prepare()
	if err != nil {
		t.Fatal(err)
	}
	commit()
	accepts := func(secret string) bool {
		_, ok := findToken(g.current.Load().tokens, secret)
		return ok
	}

	write(token, strings.Repeat("b", minTokenLength))
	g.refresh()
	if accepts(strings.Repeat("a", minTokenLength)) || !accepts(strings.Repeat("b", minTokenLength)) {
		t.Error("the changed token file was not loaded")
	}
	write(path, "bearer_tokens: [{}]")
	g.refresh()
	g.refresh()
	if !accepts(strings.Repeat("b", minTokenLength)) {
		t.Error("a bad file replaced the running state")
	}
	if got := strings.Count(log.String(), "not reloaded"); got != 1 {
		t.Errorf("got %d lines about one bad file, want 1:\n%s", got, log.String())
	}
}

// BenchmarkPassword is what the gate adds to each request of a user whose
// password was right before.
func BenchmarkPassword(b *testing.B) {
	l := newLogins()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.DefaultCost)
	if err != nil {
		b.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), "GET", "/", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:1"
	for b.Loop() {
		if err := l.check(r, login{user: "ann", password: "secret", hash: hash, known: true}); err != nil {
			b.Fatal(err)
		}
	}
}
