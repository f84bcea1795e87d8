package state

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"sync"
	"time"
)

const (
	maxUsers    = 1000
	maxTokens   = 1000
	maxSessions = 10_000
	// touchInterval is how exact "last used" is.
	touchInterval = time.Minute
)

// digest is what we keep of a secret of ours. Secrets are random, so a plain
// hash is enough.
type digest [sha256.Size]byte

// newSecret returns a secret with 130 bits of chance, and its digest.
func newSecret() (secret string, d digest) {
	secret = rand.Text()
	return secret, sha256.Sum256([]byte(secret))
}

// accounts are the users, tokens and sessions, all of them in memory: nobody
// waits for a disk to be let in. This process is the only one that writes the
// tables, and writes them first.
type accounts struct {
	// changing orders changes of tables and maps; it is held during the write.
	changing sync.Mutex

	mu       sync.RWMutex
	users    map[string]User
	tokens   map[digest]Token
	sessions map[digest]Session
}

func loadAccounts(db *sql.DB) (*accounts, error) {
	a := &accounts{users: map[string]User{}, tokens: map[digest]Token{}, sessions: map[digest]Session{}}
	ctx := context.Background()
	for _, load := range []func(context.Context, querier) error{a.loadUsers, a.loadTokens, a.loadSessions} {
		if err := load(ctx, db); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// read runs look while nothing changes.
func (a *accounts) read(look func()) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	look()
}

// changeAccounts checks and writes a change, then makes it visible. One change
// at a time: check may rely on what it reads.
func (s *State) changeAccounts(ctx context.Context, check func() error, write func(tx *sql.Tx) error, show func()) error {
	a := s.accounts
	a.changing.Lock()
	defer a.changing.Unlock()
	var err error
	if a.read(func() { err = check() }); err != nil {
		return err
	}
	if err := s.write(ctx, write); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	show()
	return nil
}
