package governor

import (
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the certificate of httptest one that this process trusts, so that
// exchanges with TLS are reached as the real one is.
func TestMain(m *testing.M) {
	server := httptest.NewTLSServer(nil)
	roots, err := os.CreateTemp("", "roots-*.pem")
	if err == nil {
		err = pem.Encode(roots, &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	}
	server.Close()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("SSL_CERT_FILE", roots.Name())
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.Remove(roots.Name())
		os.Exit(code)
	}))
}
