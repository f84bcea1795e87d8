package api

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash/maphash"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"
)

const (
	// A client address may try a user's password ten times at once, then once
	// in ten seconds.
	loginBurst    = 10
	loginInterval = 10 * time.Second
	// maxLoginKeys bounds the memory of the throttle.
	maxLoginKeys = 4096
	// loginWait is how long a login waits for its turn at bcrypt.
	loginWait = 5 * time.Second
)

var (
	errNoCredentials  = errors.New("authentication required: send a user and password, or a bearer token")
	errBadHeader      = errors.New("authorization header not understood: use Basic or Bearer")
	errWrong          = errors.New("wrong user, password or token")
	errTooManyLogins  = errors.New("too many failed logins from this address; try again later")
	errBusyWithLogins = errors.New("too many logins at once; try again later")
)

// credentials are what an Authorization header carries.
type credentials struct {
	user, password string
	token          string // set for Bearer
}

// parseAuthorization reads the value of an Authorization header.
func parseAuthorization(header string) (credentials, error) {
	if header == "" {
		return credentials{}, errNoCredentials
	}
	scheme, value, _ := strings.Cut(header, " ")
	value = strings.TrimSpace(value)
	switch strings.ToLower(scheme) {
	case "bearer":
		if value != "" {
			return credentials{token: value}, nil
		}
	case "basic":
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return credentials{}, errBadHeader
		}
		if name, password, ok := strings.Cut(string(raw), ":"); ok {
			return credentials{user: name, password: password}, nil
		}
	}
	return credentials{}, errBadHeader
}

// logins checks credentials. It spends a bounded share of the processors on
// bcrypt and slows down guessing.
type logins struct {
	key   []byte        // of the digests; new in every process
	turns chan struct{} // one slot per password that is being checked
	seed  maphash.Seed

	mu    sync.Mutex
	tries map[loginKey]*rate.Limiter
	// proven holds a keyed digest of each user's right password, so that bcrypt
	// runs once: a guess cannot fill it.
	proven map[string][sha256.Size]byte
}

// loginKey is who tries to be whom. Different users behind one proxy do not
// lock each other out. An IPv6 client is its /64, which is all its own.
type loginKey struct {
	client netip.Prefix
	user   uint64
}

func newLogins() *logins {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // Never fails, as documented.
	return &logins{
		key:    key,
		turns:  make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		seed:   maphash.MakeSeed(),
		tries:  map[loginKey]*rate.Limiter{},
		proven: map[string][sha256.Size]byte{},
	}
}

// findToken returns the name of a token of the web config file.
func findToken(tokens []token, secret string) (name string, ok bool) {
	hash := sha256.Sum256([]byte(secret))
	for _, t := range tokens { // All of them, so that the time tells nothing.
		if subtle.ConstantTimeCompare(hash[:], t.hash[:]) == 1 {
			name, ok = t.name, true
		}
	}
	return name, ok
}

// login is a password to be checked.
type login struct {
	user, password string
	hash           []byte
	known          bool // else there is no such user, and no hash
}

// check returns nil if the password is right.
func (l *logins) check(r *http.Request, try login) error {
	tries := l.limiter(loginKey{clientPrefix(r.RemoteAddr), maphash.String(l.seed, try.user)})
	// Looked at before anything is compared: else a right guess would show
	// even while its author is held back.
	if tries.Tokens() < 1 {
		return errTooManyLogins
	}
	digest := l.digest(try)
	if try.known && l.isProven(try.user, digest) {
		return nil
	}

	turn := time.NewTimer(loginWait)
	defer turn.Stop()
	select {
	case l.turns <- struct{}{}:
		defer func() { <-l.turns }()
	case <-turn.C:
		return errBusyWithLogins
	case <-r.Context().Done():
		return errBusyWithLogins
	}
	if !tries.Allow() { // Others with the same key may have been before us.
		return errTooManyLogins
	}
	hash := try.hash
	if !try.known {
		hash = []byte(decoy)
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(try.password)) != nil || !try.known {
		return errWrong
	}
	l.prove(r, try.user, digest)
	return nil
}

// decoy is the hash of a password that nobody knows. It is compared with when
// the user does not exist, so that the time an answer takes tells nothing.
const decoy = "$2a$10$cx6on8X2iKSuBc8bzd.j1eyM.MMPTG7PYkKm3Dt9Tjc.O0t6ak0Xq"

func (l *logins) isProven(user string, digest [sha256.Size]byte) bool {
	l.mu.Lock()
	proven, ok := l.proven[user]
	l.mu.Unlock()
	return ok && hmac.Equal(proven[:], digest[:])
}

// prove remembers a right password, and forgets the wrong ones before it.
func (l *logins) prove(r *http.Request, user string, digest [sha256.Size]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.proven) >= maxLoginKeys { // Of users who are gone, most of them.
		clear(l.proven)
	}
	l.proven[user] = digest
	delete(l.tries, loginKey{clientPrefix(r.RemoteAddr), maphash.String(l.seed, user)})
}

// digest is new when the user's hash is: an old password is then not proven.
func (l *logins) digest(try login) (out [sha256.Size]byte) {
	mac := hmac.New(sha256.New, l.key)
	mac.Write(try.hash)
	mac.Write([]byte{0})
	mac.Write([]byte(try.password))
	mac.Sum(out[:0])
	return out
}

func (l *logins) limiter(key loginKey) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lim, ok := l.tries[key]; ok {
		return lim
	}
	if len(l.tries) >= maxLoginKeys {
		l.makeRoom()
	}
	lim := rate.NewLimiter(rate.Every(loginInterval), loginBurst)
	l.tries[key] = lim
	return lim
}

// makeRoom forgets who has behaved again, and if that frees nothing, anyone.
func (l *logins) makeRoom() {
	for key, lim := range l.tries {
		if lim.Tokens() >= loginBurst {
			delete(l.tries, key)
		}
	}
	for key := range l.tries {
		if len(l.tries) < maxLoginKeys {
			return
		}
		delete(l.tries, key)
	}
}

// clientPrefix is the connection's peer. Forwarding headers are not believed:
// anyone can send them.
func clientPrefix(remote string) netip.Prefix {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{} // Not a TCP connection; all of those are one client.
	}
	ip := peer.Addr().Unmap()
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
