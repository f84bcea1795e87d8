package governor

import (
	"crypto/sha256"
	"crypto/tls"
	"net/http"
	"strings"

	"github.com/hedgewatch/hedgewatch/internal/http1"
)

// unnamed is a client that does not say who it is.
const unnamed = "unnamed"

// tokens are the names of clients by the hash of their token, so that a comparison
// takes as long for a wrong token as for a right one.
type tokens map[[sha256.Size]byte]string

func newTokens(clients []Client) tokens {
	t := make(tokens, len(clients))
	for _, c := range clients {
		t[sha256.Sum256([]byte(c.Token))] = c.Name
	}
	return t
}

// authenticate names the client of a request. With tokens or certificates its name
// is what they say; without, on a loopback address, it is what the client says.
func (g *Governor) authenticate(header http1.Header, secure *tls.ConnectionState) (string, *problem) {
	s := g.setup.Load()
	if secure != nil && len(secure.VerifiedChains) > 0 {
		if cn := secure.VerifiedChains[0][0].Subject.CommonName; name.MatchString(cn) {
			return cn, nil
		}
		return unnamed, nil
	}
	if len(s.tokens) > 0 {
		token, _ := strings.CutPrefix(header.Get("Authorization"), "Bearer ")
		if client, ok := s.tokens[sha256.Sum256([]byte(token))]; ok {
			return client, nil
		}
		return "", &problem{status: http.StatusUnauthorized, outcome: outcomeUnauthorized, code: -2015, text: "Not sent: the governor does not know this client; send Authorization: Bearer and its token"}
	}
	said := header.Get(clientHeader)
	if !name.MatchString(said) {
		return unnamed, nil
	}
	return strings.Clone(said), nil // The name lives longer than the head that it is a part of.
}
