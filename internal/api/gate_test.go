package api_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/hedgewatch/hedgewatch/internal/api"
	"github.com/hedgewatch/hedgewatch/internal/state"
)

const goodToken = "dGhpcyBpcyBhIGdvb2QgdG9rZW4"

func hashed(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	must(t, err)
	return string(h)
}

// webConfig writes a web config file and makes the system use it.
func (s *system) webConfig(t testing.TB, content string) string {
	t.Helper()
	s.cfg.WebConfigFile = filepath.Join(s.dir, "web.yml")
	must(t, os.WriteFile(s.cfg.WebConfigFile, []byte(content), 0o600))
	return s.cfg.WebConfigFile
}

// ask sends a request to a handler as if it came from a client address.
func ask(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, nil)
	for i := 0; i < len(headers); i += 2 {
		switch headers[i] {
		case "Host":
			r.Host = headers[i+1]
		case "From":
			r.RemoteAddr = headers[i+1]
		default:
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func writeFile(path, content string) error { return os.WriteFile(path, []byte(content), 0o600) }

func basic(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func TestLogin(t *testing.T) {
	s := newSystem(t)
	sum := sha256.Sum256([]byte(goodToken))
	must(t, os.WriteFile(filepath.Join(s.dir, "token"), []byte("a-token-from-a-file-0123\n"), 0o600))
	s.webConfig(t, fmt.Sprintf(`
basic_auth_users: {ann: %q}
bearer_tokens:
  - {name: grafana, sha256: %s}
  - {name: writer, token_file: token}
http_server_config:
  headers: {X-Frame-Options: deny}
`, hashed(t, "sésame:2"), hex.EncodeToString(sum[:])))
	h := s.handler(t)

	for _, tc := range []struct {
		name, path, auth string
		status           int
	}{
		{"no credentials", "/metrics", "", 401},
		{"the page itself, which shows the login", "/", "", 200},
		{"Alertmanager API", "/api/v2/alerts", "", 401},
		{"profiles", "/debug/pprof/", "", 401},
		{"health is open", "/-/healthy", "", 200},
		{"readiness is open", "/-/ready", "", 200},
		{"Alertmanager health is open", "/alertmanager/-/ready", "", 200},
		{"password", "/metrics", basic("ann", "sésame:2"), 200},
		{"password again, remembered", "/metrics", basic("ann", "sésame:2"), 200},
		{"wrong password", "/metrics", basic("ann", "sesame"), 401},
		{"wrong password after a right one", "/metrics", basic("ann", "sésame:2 "), 401},
		{"unknown user", "/metrics", basic("bob", "sésame:2"), 401},
		{"token", "/metrics", "Bearer " + goodToken, 200},
		{"token, scheme in lower case", "/metrics", "bearer " + goodToken, 200},
		{"token of a file", "/metrics", "Bearer a-token-from-a-file-0123", 200},
		{"wrong token", "/metrics", "Bearer nope", 401},
		{"hash instead of token", "/metrics", "Bearer " + hex.EncodeToString(sum[:]), 401},
		{"token as password", "/metrics", basic("grafana", goodToken), 401},
		{"unknown scheme", "/metrics", "Digest abc", 401},
		{"no value", "/metrics", "Basic", 401},
		{"wrong token where none is needed", "/api/hw/v1/session", "Bearer nope", 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := ask(h, "GET", tc.path, "Authorization", tc.auth)
			if w.Code != tc.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tc.status)
			}
			if got := len(w.Header().Values("WWW-Authenticate")); (got == 2) != (tc.status == 401) {
				t.Errorf("got %d challenges with status %d", got, w.Code)
			}
			if got := w.Header().Get("X-Frame-Options"); got != "deny" {
				t.Errorf("got X-Frame-Options %q, want the configured one", got)
			}
		})
	}
}

// TestPublicRouteHasCredentialsOfItsOwn: what needs no login of ours sees the
// header as it came, and nobody is named, even by a user with a wrong password.
func TestPublicRouteHasCredentialsOfItsOwn(t *testing.T) {
	s := newSystem(t)
	s.webConfig(t, fmt.Sprintf("basic_auth_users: {ann: %q}", hashed(t, "right")))
	s.deps.Routes = []api.Route{{
		Method: http.MethodPost, Path: "/beat/{name}", Summary: "Beat.", Public: true, BeforeReady: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who := api.ActorFrom(r.Context())
			fmt.Fprintf(w, "%s|%s|%s", r.Header.Get("Authorization"), who.Name, who.Role)
		}),
	}}
	h := s.handler(t)
	for _, auth := range []string{"", "Bearer of-the-beat", "Digest x", basic("ann", "wrong")} {
		w := ask(h, "POST", "/api/hw/v1/beat/backup", "Authorization", auth)
		if want := auth + "||" + state.NoRole.String(); w.Code != 200 || w.Body.String() != want {
			t.Errorf("Authorization %q: got %d %q, want 200 %q", auth, w.Code, w.Body, want)
		}
	}
}

func TestPasswordGuessingIsThrottled(t *testing.T) {
	s := newSystem(t)
	s.webConfig(t, fmt.Sprintf("basic_auth_users: {ann: %q, bob: %q}", hashed(t, "right"), hashed(t, "right")))
	synctest.Test(t, func(t *testing.T) {
		h := s.handler(t)
		try := func(from, user, password string) int {
			return ask(h, "GET", "/metrics", "From", from, "Authorization", basic(user, password)).Code
		}
		for i := range 10 {
			if got := try("192.0.2.1:1", "ann", "wrong"); got != 401 {
				t.Fatalf("guess %d: got %d, want 401", i, got)
			}
		}
		for _, tc := range []struct {
			name, from, user, password string
			want                       int
		}{
			{"held back", "192.0.2.1:2", "ann", "wrong", 429},
			{"held back even if right, or guesses would show", "192.0.2.1:2", "ann", "right", 429},
			{"another user of the same proxy", "192.0.2.1:2", "bob", "right", 200},
			{"another address", "192.0.2.2:1", "ann", "right", 200},
			{"another IPv6 network", "[2001:db8::1]:1", "ann", "right", 200},
		} {
			if got := try(tc.from, tc.user, tc.password); got != tc.want {
				t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
			}
		}
		time.Sleep(11 * time.Second)
		if got := try("192.0.2.1:1", "ann", "right"); got != 200 {
			t.Errorf("after a while: got %d, want 200", got)
		}
	})
}

func TestRateLimitOfWebConfig(t *testing.T) {
	s := newSystem(t)
	s.webConfig(t, "rate_limit: {burst: 2, interval: 1h}")
	h := s.handler(t)
	for i, want := range []int{200, 200, 429} {
		if got := ask(h, "GET", "/metrics").Code; got != want {
			t.Errorf("request %d: got %d, want %d", i, got, want)
		}
	}
	if got := ask(h, "GET", "/-/healthy").Code; got != 200 {
		t.Errorf("health: got %d, want 200", got)
	}
}

func TestBadWebConfigsSayWhatIsWrong(t *testing.T) {
	good := hashed(t, "x")
	s := newSystem(t)
	must(t, os.WriteFile(filepath.Join(s.dir, "short"), []byte("abc"), 0o600))
	for _, tc := range []struct{ name, content, want string }{
		{"unknown key", "basic_users: {}", "field basic_users not found"},
		{"not YAML", "a: [", "line 1"},
		{"plain password", "basic_auth_users: {ann: secret}", `user "ann": the password must be a bcrypt hash`},
		{"colon", fmt.Sprintf("basic_auth_users: {'a:b': %q}", good), "colon"},
		{"slow hash", "basic_auth_users: {ann: $2y$30$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}", "cost 30"},
		{"token without name", "bearer_tokens: [{sha256: ab}]", "bearer_tokens[0]: name is missing"},
		{"token without secret", "bearer_tokens: [{name: a}]", "either sha256 or token_file"},
		{"token with both", "bearer_tokens: [{name: a, sha256: ab, token_file: c}]", "either sha256 or token_file"},
		{"token in clear", "bearer_tokens: [{name: a, sha256: hunter2}]", "64 hexadecimal digits"},
		{"token file missing", "bearer_tokens: [{name: a, token_file: missing}]", "no such file"},
		{"short token", "bearer_tokens: [{name: a, token_file: short}]", "holds 3 characters"},
		{"header", "http_server_config: {headers: {Server: x}}", `header "Server" cannot be set`},
		{"header value", "http_server_config: {headers: {X-Frame-Options: perhaps}}", "perhaps"},
		{"rate", "rate_limit: {burst: 3}", "interval and burst"},
		{"half a key pair", "tls_server_config: {cert_file: a.crt}", "key"},
		{"two faults", "bearer_tokens: [{name: a}]\nrate_limit: {burst: 3}", "sha256 or token_file"},
		{"two faults, the other", "bearer_tokens: [{name: a}]\nrate_limit: {burst: 3}", "interval and burst"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := s.webConfig(t, tc.content)
			_, err := s.server()
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want an error with %q and the file's name", err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "secret\"")) {
				t.Errorf("got %v, which shows a secret", err)
			}
		})
	}
}

func TestReloadOfWebConfig(t *testing.T) {
	s := newSystem(t)
	path := s.webConfig(t, fmt.Sprintf("basic_auth_users: {ann: %q}", hashed(t, "old")))
	server, err := s.server()
	must(t, err)
	status := func(password string) int {
		return ask(server.Handler(), "GET", "/metrics", "Authorization", basic("ann", password)).Code
	}

	must(t, os.WriteFile(path, []byte("basic_auth_users: {ann: broken}"), 0o600))
	if _, err := server.Prepare(state.LoginConfig{}); err == nil {
		t.Error("got no error for a bad file")
	}
	if got := status("old"); got != 200 {
		t.Errorf("after a bad file: got %d, want 200", got)
	}

	must(t, os.WriteFile(path, []byte(fmt.Sprintf("basic_auth_users: {ann: %q}", hashed(t, "new"))), 0o600))
	commit, err := server.Prepare(state.LoginConfig{})
	must(t, err)
	if got := status("old"); got != 200 {
		t.Errorf("before commit: got %d, want 200", got)
	}
	commit()
	if old, fresh := status("old"), status("new"); old != 401 || fresh != 200 {
		t.Errorf("after commit: got %d for the old and %d for the new password, want 401 and 200", old, fresh)
	}
}

// TestBrowsers: what a page of another site may make its visitor's browser do.
func TestBrowsers(t *testing.T) {
	s := newSystem(t)
	s.cfg.ExternalURL = &url.URL{Scheme: "https", Host: "watch.example"}
	for _, tc := range []struct {
		name, cors, method string
		headers            []string
		want               int
	}{
		{"program without Origin", "", "POST", nil, 200},
		{"our own page", "", "POST", []string{"Origin", "http://localhost", "Sec-Fetch-Site", "same-origin"}, 200},
		{"our own page behind a proxy", "", "POST", []string{"Origin", "https://watch.example"}, 200},
		{"foreign page", "", "POST", []string{"Origin", "http://evil.example"}, 403},
		{"foreign page, new browser", "", "PUT", []string{"Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"foreign form without Origin", "", "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"sandboxed page", "", "POST", []string{"Origin", "null"}, 403},
		{"foreign page that CORS names", `https://good\.example`, "POST", []string{"Origin", "https://good.example"}, 200},
		{"foreign page that CORS does not name", `https://good\.example`, "POST", []string{"Origin", "https://good.example.evil.example"}, 403},
		{"rebound name", "", "GET", []string{"Host", "evil.example:9090"}, 421},
		{"IPv4 address", "", "GET", []string{"Host", "127.0.0.1:9090"}, 200},
		{"IPv6 address", "", "GET", []string{"Host", "[::1]:9090"}, 200},
		{"localhost with port", "", "GET", []string{"Host", "LOCALHOST:9090"}, 200},
		{"external URL", "", "GET", []string{"Host", "watch.example"}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.cfg.CORSOrigin, s.reloads = tc.cors, 0
			path := "/-/reload"
			if tc.method == "GET" {
				path = "/api/v1/labels"
			}
			if got := ask(s.handler(t), tc.method, path, tc.headers...); got.Code != tc.want {
				t.Errorf("got %d %s, want %d", got.Code, got.Body, tc.want)
			}
			if changed := s.reloads > 0; changed != (tc.method != "GET" && tc.want == 200) {
				t.Errorf("got %d reloads with status %d", s.reloads, tc.want)
			}
		})
	}
}

func TestCrossOriginReadsNeedCORS(t *testing.T) {
	s := newSystem(t)
	for cors, want := range map[string]string{"": "", ".*": "*", "https://a.example": "https://a.example"} {
		s.cfg.CORSOrigin = cors
		w := ask(s.handler(t), "GET", "/api/v1/labels", "Origin", "https://a.example")
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("CORS %q: got %q, want %q", cors, got, want)
		}
	}
}

// TestFirstStart: on an address that others can reach, nobody gets in without
// the password that is printed once.
func TestFirstStart(t *testing.T) {
	s := newSystem(t)
	var printed bytes.Buffer
	s.deps.Stderr = &printed
	s.cfg.ListenAddresses = []string{"0.0.0.0:0"} // Never bound: Handler needs no listener.
	server, err := s.server()
	must(t, err)
	if w := ask(server.Handler(), "GET", "/metrics"); w.Code != 403 {
		t.Errorf("before there is a user: got %d %s, want 403", w.Code, w.Body)
	}

	// Spelled like this the loopback address counts as a name, which could
	// resolve to anything; so the test need not open a port to the network.
	s.cfg.ListenAddresses = []string{"LOCALHOST:0"}
	server, err = s.server()
	must(t, err)
	must(t, server.Listen())
	defer server.Close()
	found := regexp.MustCompile(`password +(\w+)`).FindStringSubmatch(printed.String())
	if found == nil {
		t.Fatalf("got %q, want a password", printed.String())
	}

	// The next start knows the user, prints nothing, and asks for a password
	// that nobody has read in a log.
	printed.Reset()
	second, err := s.server()
	must(t, err)
	for name, want := range map[string]int{found[1]: 403, "wrong": 401, "": 401} {
		if w := ask(second.Handler(), "GET", "/metrics", "Authorization", basic("admin", name)); w.Code != want {
			t.Errorf("password %q: got %d %s, want %d", name, w.Code, w.Body, want)
		}
	}
	must(t, s.deps.State.SetPassword(t.Context(), "admin", "my own password"))
	for name, want := range map[string]int{found[1]: 401, "my own password": 200} {
		if w := ask(second.Handler(), "GET", "/metrics", "Authorization", basic("admin", name)); w.Code != want {
			t.Errorf("after the change, password %q: got %d %s, want %d", name, w.Code, w.Body, want)
		}
	}
	if printed.Len() > 0 {
		t.Errorf("the second start printed %q", printed.String())
	}
}

func TestTLS(t *testing.T) {
	s := newSystem(t)
	pool := x509.NewCertPool()
	serial := func(n int64) {
		certificate, key := selfSigned(t, n)
		pool.AppendCertsFromPEM(certificate)
		must(t, os.WriteFile(filepath.Join(s.dir, "tls.crt"), certificate, 0o600))
		must(t, os.WriteFile(filepath.Join(s.dir, "tls.key"), key, 0o600))
	}
	serial(1)
	s.webConfig(t, fmt.Sprintf("tls_server_config: {cert_file: tls.crt, key_file: tls.key}\nbasic_auth_users: {ann: %q}", hashed(t, "x")))
	server, base, _ := s.serve(t)

	get := func() *http.Response {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
		defer tr.CloseIdleConnections()
		req, err := http.NewRequest("GET", strings.Replace(base, "http://", "https://", 1)+"/metrics", nil)
		must(t, err)
		req.SetBasicAuth("ann", "x")
		resp, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Do(req)
		must(t, err)
		must(t, resp.Body.Close())
		return resp
	}
	resp := get()
	if resp.StatusCode != 200 || resp.ProtoMajor != 2 {
		t.Errorf("got %s %s, want 200 over HTTP/2", resp.Proto, resp.Status)
	}

	serial(2)
	commit, err := server.Prepare(state.LoginConfig{})
	must(t, err)
	commit()
	if got := get().TLS.PeerCertificates[0].SerialNumber.Int64(); got != 2 {
		t.Errorf("got certificate %d, want the renewed one", got)
	}

	s.webConfig(t, "{}")
	if _, err := server.Prepare(state.LoginConfig{}); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("switching TLS off: got %v, want an error that says to restart", err)
	}
	if got := do(t, "GET", base+"/metrics", ""); got.status != 400 {
		t.Errorf("plain HTTP to a TLS port: got %d, want 400", got.status)
	}
}

func selfSigned(t testing.TB, serial int64) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint("test ", serial)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}
