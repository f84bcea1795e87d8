package api_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// provider is an identity provider that says what a test wants it to.
type provider struct {
	*httptest.Server
	key    *rsa.PrivateKey
	nonce  string // of the last login, as a browser would carry it
	verify string // the challenge of the last login
	claims map[string]any
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	p := &provider{key: key}
	mux := http.NewServeMux()
	answer := func(pattern string, body func(*http.Request) any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			must(t, json.NewEncoder(w).Encode(body(r)))
		})
	}
	answer("/.well-known/openid-configuration", func(*http.Request) any {
		return map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
			"jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"},
		}
	})
	answer("/keys", func(*http.Request) any {
		return map[string]any{"keys": []any{map[string]string{
			"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig",
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		}}}
	})
	answer("/token", func(r *http.Request) any {
		challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if r.FormValue("code") != "good" || base64.RawURLEncoding.EncodeToString(challenge[:]) != p.verify {
			return map[string]string{"error": "invalid_grant"}
		}
		return map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.token(t)}
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// token signs the claims.
func (p *provider) token(t *testing.T) string {
	claims := map[string]any{"iss": p.URL, "sub": "42", "aud": "hw", "exp": time.Now().Add(time.Minute).Unix(), "nonce": p.nonce}
	for name, value := range p.claims {
		claims[name] = value
	}
	body, err := json.Marshal(claims)
	must(t, err)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	hash := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, hash[:])
	must(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// browse sends a GET with cookies and keeps new ones.
func browse(h http.Handler, cookies map[string]string, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "http://localhost"+path, nil)
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		cookies[c.Name] = c.Value
	}
	return w
}

func TestLoginByIdentityProvider(t *testing.T) {
	idp := newProvider(t)
	s := newSystem(t)
	s.cfg.Login.OIDC = &state.OIDC{Issuer: idp.URL, ClientID: "hw", ClientSecret: "s3cret", Admins: []string{"ops"}, Viewers: []string{"traders"}}
	h := s.handler(t)
	if w := ask(h, "GET", "/metrics"); w.Code != 401 {
		t.Fatalf("an identity provider is configured: got %d, want 401", w.Code)
	}
	_, err := s.deps.State.CreateUser(t.Context(), state.NewUser{Name: "local", Role: state.Admin, Password: "a long password"})
	must(t, err)

	// logIn goes to the provider and comes back with what change makes of it.
	logIn := func(claims map[string]any, to string, change func(cookies map[string]string, q url.Values)) (string, *httptest.ResponseRecorder) {
		t.Helper()
		idp.claims = claims
		cookies := map[string]string{}
		w := browse(h, cookies, "/api/hw/v1/oidc/login?to="+url.QueryEscape(to))
		there, err := url.Parse(w.Header().Get("Location"))
		must(t, err)
		sent := there.Query()
		if w.Code != 302 || sent.Get("client_id") != "hw" || !strings.HasSuffix(sent.Get("redirect_uri"), "/api/hw/v1/oidc/callback") {
			t.Fatalf("got %d %s %s, want a redirect to the provider", w.Code, there, w.Body)
		}
		idp.nonce, idp.verify = sent.Get("nonce"), sent.Get("code_challenge")
		back := url.Values{"code": {"good"}, "state": {sent.Get("state")}}
		change(cookies, back)
		w = browse(h, cookies, "/api/hw/v1/oidc/callback?"+back.Encode())
		session := get[sessionAnswer](t, browse(h, cookies, "/api/hw/v1/session"), 200)
		return session.User + "/" + session.Role, w
	}
	asIs := func(map[string]string, url.Values) {}
	ann := map[string]any{"preferred_username": "ann", "groups": []string{"traders", "ops"}}
	for _, tc := range []struct {
		name   string
		claims map[string]any
		to     string
		change func(map[string]string, url.Values)
		want   string
		goesTo string
	}{
		{"an admin", ann, "/d/fills?x=1", asIs, "ann/admin", "/d/fills?x=1"},
		{"who is a viewer now", map[string]any{"preferred_username": "ann", "groups": "traders"}, "/", asIs, "ann/viewer", "/"},
		{"to another site", ann, "//evil.example", asIs, "ann/admin", "/"},
		{"to another site, in disguise", ann, `/\evil.example`, asIs, "ann/admin", "/"},
		{"without a role", map[string]any{"preferred_username": "eve", "groups": []string{"others"}}, "/", asIs, "/", ""},
		{"without a name", map[string]any{"groups": []string{"ops"}}, "/", asIs, "/", ""},
		{"with a local user's name", map[string]any{"preferred_username": "local", "groups": []string{"ops"}}, "/", asIs, "/", ""},
		{"with another's name", map[string]any{"sub": "43", "preferred_username": "ann", "groups": []string{"ops"}}, "/", asIs, "/", ""},
		{"for another client", map[string]any{"aud": "other", "preferred_username": "ann", "groups": []string{"ops"}}, "/", asIs, "/", ""},
		{"with an old token", map[string]any{"exp": 1, "preferred_username": "ann", "groups": []string{"ops"}}, "/", asIs, "/", ""},
		{"with another login's token", map[string]any{"nonce": "x", "preferred_username": "ann", "groups": []string{"ops"}}, "/", asIs, "/", ""},
		{"in another browser", ann, "/", func(c map[string]string, _ url.Values) { delete(c, "hedgewatch_oidc") }, "/", ""},
		{"with a made-up state", ann, "/", func(c map[string]string, q url.Values) { c["hedgewatch_oidc"] = "x"; q.Set("state", "x") }, "/", ""},
		{"with a bad code", ann, "/", func(_ map[string]string, q url.Values) { q.Set("code", "bad") }, "/", ""},
		{"refused there", ann, "/", func(_ map[string]string, q url.Values) { q.Set("error", "access_denied") }, "/", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			who, w := logIn(tc.claims, tc.to, tc.change)
			if who != tc.want || w.Header().Get("Location") != tc.goesTo {
				t.Errorf("got %q, to %q: %d %s; want %q, to %q", who, w.Header().Get("Location"), w.Code, w.Body, tc.want, tc.goesTo)
			}
			if strings.Contains(w.Body.String(), "s3cret") {
				t.Errorf("the answer shows the secret: %s", w.Body)
			}
		})
	}
	if got := fmt.Sprintf("%+v %v", *s.cfg.Login.OIDC, s.cfg.Login.OIDC); strings.Contains(got, "s3cret") {
		t.Errorf("got %s, which shows the secret", got)
	}
}

func TestProviderThatIsDown(t *testing.T) {
	s := newSystem(t)
	s.cfg.Login.OIDC = &state.OIDC{Issuer: "http://127.0.0.1:1", ClientID: "hw", DefaultRole: "viewer"}
	if w := ask(s.handler(t), "GET", "/api/hw/v1/oidc/login"); w.Code != 502 || !strings.Contains(w.Body.String(), "ask the identity provider") {
		t.Errorf("got %d %s, want 502 and who does not answer", w.Code, w.Body)
	}
	s.cfg.Login.OIDC = nil
	if w := ask(s.handler(t), "GET", "/api/hw/v1/oidc/login"); w.Code != 404 {
		t.Errorf("without a provider: got %d %s, want 404", w.Code, w.Body)
	}
}

// Whoever follows a link gets no JSON and no question for a password, but the login
// page with the reason.
func TestRefusedLoginIsExplainedOnThePage(t *testing.T) {
	idp := newProvider(t)
	s := newSystem(t)
	s.cfg.Login.OIDC = &state.OIDC{Issuer: idp.URL, ClientID: "hw", ClientSecret: "s3cret"}
	h := s.handler(t)
	for _, path := range []string{"/api/hw/v1/oidc/callback?state=x", "/api/hw/v1/oidc/callback?error=access_denied"} {
		r := httptest.NewRequest("GET", "http://localhost"+path, nil)
		r.Header.Set("Accept", "text/html,*/*")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		cookies := w.Result().Cookies()
		if w.Code != 303 || w.Header().Get("Location") != "/" || w.Header().Get("WWW-Authenticate") != "" || len(cookies) != 1 ||
			!strings.Contains(cookies[0].Value, "log%20in%20again") || cookies[0].MaxAge > 60 {
			t.Errorf("%s: got %d to %q, %v, cookies %v", path, w.Code, w.Header().Get("Location"), w.Header(), cookies)
		}
	}
}
