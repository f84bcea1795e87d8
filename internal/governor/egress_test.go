package governor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// tellAddress answers with the address that a request came from.
var tellAddress = answers(func(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	_, _ = io.WriteString(w, host)
})

func through(egress Egress) func(*Config) {
	return func(c *Config) { c.Egress = []Egress{egress} }
}

func TestRequestsLeaveByTheirLocalAddress(t *testing.T) {
	p := newProxy(t, tellAddress, through(Egress{Name: "a", LocalAddress: "127.0.0.2"}))
	for range 3 {
		resp, body := p.do(t, http.MethodGet, "/api/v3/account?signature=x", "")
		expect(t, resp, http.StatusOK, "")
		if body != "127.0.0.2" {
			t.Errorf("the exchange saw %s, want 127.0.0.2", body)
		}
	}
}

func TestExchangeWithTLS(t *testing.T) {
	for _, test := range []struct{ name, host string }{{"trusted", "127.0.0.1"}, {"not its name", "localhost"}} {
		t.Run(test.name, func(t *testing.T) {
			var opened atomic.Int64
			exchange := httptest.NewUnstartedServer(tellAddress)
			exchange.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					opened.Add(1)
				}
			}
			exchange.Config.ErrorLog = log.New(io.Discard, "", 0)
			exchange.StartTLS()
			defer exchange.Close()
			p := newProxyAt(t, strings.Replace(exchange.URL, "127.0.0.1", test.host, 1), t.TempDir())
			await(t, "the exchange's clock is read, or refused", func() bool { return p.metric(t, "hedgewatch_binance_responses_total") > 2 })
			for range 3 {
				resp, body := p.do(t, http.MethodPost, "/api/v3/order?signature=x", "")
				if test.host == "localhost" {
					expect(t, resp, http.StatusServiceUnavailable, outcomeUnreachable)
					continue
				}
				expect(t, resp, http.StatusOK, "")
				if body != "127.0.0.1" {
					t.Errorf("got %q", body)
				}
			}
			if n := opened.Load(); test.host != "localhost" && n > 8 {
				t.Errorf("%d connections were opened, want them to be used again", n)
			}
		})
	}
}

// An upstream proxy sees where we go, and nothing of what is said.
func TestRequestsPassAnUpstreamProxy(t *testing.T) {
	exchange := httptest.NewTLSServer(tellAddress)
	defer exchange.Close()
	var tunnels, denied atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "Basic dXNlcjpodW50ZXIy" {
			denied.Add(1)
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		if r.Method != http.MethodConnect {
			t.Errorf("the proxy was asked to %s", r.Method)
			return
		}
		tunnels.Add(1)
		to, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer to.Close()
		w.WriteHeader(http.StatusOK)
		from, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer from.Close()
		go func() {
			defer from.Close()
			_, _ = io.Copy(from, to)
		}()
		_, _ = io.Copy(to, from)
	}))
	defer proxy.Close()
	u, _ := url.Parse(proxy.URL)
	u.User = url.UserPassword("user", "hunter2")
	p := newProxyAt(t, exchange.URL, t.TempDir(), through(Egress{Name: "a", Proxy: Secret(u.String())}))
	for range 3 {
		resp, _ := p.do(t, http.MethodPost, "/api/v3/order?signature=x", "")
		expect(t, resp, http.StatusOK, "")
	}
	if tunnels.Load() == 0 || denied.Load() > 0 {
		t.Errorf("%d tunnels, %d denied; want tunnels only", tunnels.Load(), denied.Load())
	}
	if all := p.log.String() + p.exposed(t); strings.Contains(all, "hunter2") {
		t.Error("the proxy's password is shown")
	}
}

// A proxy that refuses is not an order whose fate is unknown.
func TestProxyThatRefusesMeansNotSent(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer refusing.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, proxy := range []string{refusing.URL, gone.URL} {
		p := newProxyAt(t, "https://127.0.0.1:1", t.TempDir(), through(Egress{Name: "a", Proxy: Secret(proxy)}))
		resp, _ := p.do(t, http.MethodPost, "/api/v3/order?signature=x", "")
		expect(t, resp, http.StatusServiceUnavailable, outcomeUnreachable)
	}
}

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.issue("ca")
	return a
}

// issue writes name.crt and name.key; the first one signs itself.
func (a *authority) issue(name string) (cert, key string) {
	a.t.Helper()
	check := func(err error) {
		a.t.Helper()
		if err != nil {
			a.t.Fatal(err)
		}
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	first := a.cert == nil
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: first, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if first {
		a.cert, a.key = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	check(err)
	if first {
		a.cert, err = x509.ParseCertificate(der)
		check(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	check(err)
	cert, key = filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")
	check(os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	return cert, key
}

func TestCertificatesNameClients(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := ours.issue("governor")
	p := newProxy(t, tellAddress, func(c *Config) {
		c.TLS = TLS{CertFile: cert, KeyFile: key, ClientCAFile: filepath.Join(ours.dir, "ca.crt")}
	})
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	ask := func(by *authority, http2 bool) error {
		config := &tls.Config{RootCAs: roots}
		if by != nil {
			pair, err := tls.LoadX509KeyPair(by.issue("syncer"))
			if err != nil {
				t.Fatal(err)
			}
			// It is shown even to a server that does not ask for its authority.
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: http2}
		defer transport.CloseIdleConnections()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+p.Addr().String()+"/api/v3/account?signature=x", nil)
		r.Header.Set(clientHeader, "somebody-else")
		resp, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			return err
		}
		readAll(resp)
		if resp.StatusCode != http.StatusOK || (resp.ProtoMajor == 2) != http2 {
			t.Errorf("got %s over %s", resp.Status, resp.Proto)
		}
		return nil
	}
	for _, http2 := range []bool{false, true} {
		if err := ask(ours, http2); err != nil {
			t.Error(err)
		}
	}
	for name, by := range map[string]*authority{"none": nil, "of another authority": theirs} {
		if err := ask(by, false); err == nil {
			t.Errorf("certificate %s: got an answer", name)
		}
	}
	if all := p.exposed(t); !strings.Contains(all, `"syncer"`) || strings.Contains(all, "somebody-else") {
		t.Error("the client is not named by its certificate")
	}
}

// A part of this process is a client like others, without a socket.
func TestTransportNeedsNoSocket(t *testing.T) {
	exchange := httptest.NewServer(tellAddress)
	defer exchange.Close()
	p := newProxyAt(t, exchange.URL, t.TempDir())
	client := &http.Client{Transport: p.Transport("auditor", "backfill")}
	before := p.metric(t, "hedgewatch_governor_requests_total")
	resp, err := client.Get("https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m")
	if err != nil {
		t.Fatal(err)
	}
	if body := readAll(resp); body != "127.0.0.1" {
		t.Errorf("got %q", body)
	}
	await(t, "the request is counted", func() bool { return p.metric(t, "hedgewatch_governor_requests_total") > before })
	if all := p.exposed(t); !strings.Contains(all, `"auditor"`) || !strings.Contains(all, `"backfill"`) {
		t.Error("the request does not count for its client and priority")
	}
	callers := p.Status().Markets[0].Callers
	found := false
	for _, c := range callers {
		found = found || c.Client == "auditor" && c.Endpoint == "/api/v3/klines"
	}
	if !found {
		t.Errorf("callers are %v, want the auditor among them", callers)
	}
}
