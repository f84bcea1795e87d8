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
	"sync/atomic"
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

// user is a name of the web config file. A proven password is remembered as a
// keyed digest, one per user, until the file is loaded again: the cache is
// bounded by construction and holds nothing that a guess could fill.
type user struct {
	hash   []byte
	proven atomic.Pointer[[sha256.Size]byte]
}

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
		key:   key,
		turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		seed:  maphash.MakeSeed(),
		tries: map[loginKey]*rate.Limiter{},
	}
}

// check returns nil if the request's credentials are good.
func (l *logins) check(a *access, r *http.Request) error {
	c, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	if c.token != "" {
		return checkToken(a.tokens, c.token)
	}
	return l.checkPassword(a, c, r)
}

func checkToken(tokens []token, secret string) error {
	hash := sha256.Sum256([]byte(secret))
	found := 0
	for _, t := range tokens { // All of them, so that the time tells nothing.
		found |= subtle.ConstantTimeCompare(hash[:], t.hash[:])
	}
	if found == 0 {
		return errWrong
	}
	return nil
}

func (l *logins) checkPassword(a *access, c credentials, r *http.Request) error {
	if len(a.users) == 0 {
		return errWrong // Only tokens get in.
	}
	tries := l.limiter(loginKey{clientPrefix(r.RemoteAddr), maphash.String(l.seed, c.user)})
	// Looked at before anything is compared: else a right guess would show
	// even while its author is held back.
	if tries.Tokens() < 1 {
		return errTooManyLogins
	}

	u, known := a.users[c.user]
	digest := l.digest(c.password)
	if known {
		if proven := u.proven.Load(); proven != nil && hmac.Equal(proven[:], digest[:]) {
			return nil
		}
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
	hash := a.decoy
	if known {
		hash = u.hash
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(c.password)) != nil || !known {
		return errWrong
	}
	u.proven.Store(&digest)
	l.forgive(r, c.user)
	return nil
}

func (l *logins) digest(password string) (out [sha256.Size]byte) {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(password))
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

// forgive drops the count of failures after a good login.
func (l *logins) forgive(r *http.Request, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.tries, loginKey{clientPrefix(r.RemoteAddr), maphash.String(l.seed, name)})
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
