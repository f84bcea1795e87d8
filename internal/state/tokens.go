package state

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"maps"
	"slices"
	"time"
)

// Token lets a program in. Its secret is shown once and kept as a hash.
type Token struct {
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"createdBy"`
	Expires   time.Time `json:"expires,omitzero"`
	LastUsed  time.Time `json:"lastUsed,omitzero"`
}

// tokenPrefix lets people and secret scanners see what a string is.
const tokenPrefix = "hw_"

func (a *accounts) loadTokens(ctx context.Context, db querier) error {
	return queryAll(ctx, db, func(scan func(...any) error) error {
		var hash []byte
		var t Token
		var created, expires, lastUsed int64
		if err := scan(&hash, &t.Name, &t.Role, &created, &t.CreatedBy, &expires, &lastUsed); err != nil {
			return err
		}
		t.Created, t.Expires, t.LastUsed = fromMillis(created), fromMillis(expires), fromMillis(lastUsed)
		a.tokens[digest(hash)] = t
		return nil
	}, "SELECT hash, name, role, created, created_by, expires, last_used FROM tokens WHERE length(hash) = 32")
}

// Tokens returns all tokens by name.
func (s *State) Tokens() (tokens []Token) {
	s.accounts.read(func() { tokens = slices.Collect(maps.Values(s.accounts.tokens)) })
	slices.SortFunc(tokens, func(a, b Token) int { return cmp.Compare(a.Name, b.Name) })
	return tokens
}

// CreateToken adds a token and returns its secret. Only Name, Role, CreatedBy
// and Expires of t count; no Expires means never.
func (s *State) CreateToken(ctx context.Context, t Token) (Token, string, error) {
	secret, _ := newSecret()
	secret = tokenPrefix + secret
	id := digest(sha256.Sum256([]byte(secret)))
	t.Created, t.LastUsed = time.Now().UTC().Truncate(time.Millisecond), time.Time{}
	check := func() error {
		switch {
		case !named(t.Name, " ._@+-"):
			return refuse(Invalid, "token name %q: use letters, digits, spaces and ._@+-, up to 100 of them", t.Name)
		case t.Role == NoRole:
			return refuse(Invalid, "token %q: a role is needed: viewer, editor or admin", t.Name)
		case !t.Expires.IsZero() && !t.Expires.After(t.Created):
			return refuse(Invalid, "token %q: it would expire in the past", t.Name)
		case len(s.accounts.tokens) >= maxTokens:
			return refuse(Invalid, "there are %d tokens already; that is the most", maxTokens)
		}
		for _, other := range s.accounts.tokens {
			if other.Name == t.Name {
				return refuse(Conflict, "token %q exists already", t.Name)
			}
		}
		return nil
	}
	err := s.changeAccounts(ctx, check, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO tokens (name, hash, role, created, created_by, expires, last_used) VALUES (?, ?, ?, ?, ?, ?, 0)",
			t.Name, id[:], t.Role, millis(t.Created), t.CreatedBy, millis(t.Expires))
		return err
	}, func() { s.accounts.tokens[id] = t })
	if err != nil {
		return Token{}, "", err
	}
	return t, secret, nil
}

// DeleteToken removes a token; it stops to work at once.
func (s *State) DeleteToken(ctx context.Context, name string) error {
	var id digest
	check := func() error {
		for d, t := range s.accounts.tokens {
			if t.Name == name {
				id = d
				return nil
			}
		}
		return refuse(NotFound, "token %q does not exist", name)
	}
	return s.changeAccounts(ctx, check, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM tokens WHERE name = ?", name)
		return err
	}, func() { delete(s.accounts.tokens, id) })
}

// Token returns the token of a secret and notes that it is used.
func (s *State) Token(secret string) (t Token, ok bool) {
	id := digest(sha256.Sum256([]byte(secret)))
	s.accounts.read(func() { t, ok = s.accounts.tokens[id] })
	now := time.Now().UTC()
	if !ok || !t.Expires.IsZero() && !now.Before(t.Expires) {
		return Token{}, false
	}
	if now.Sub(t.LastUsed) >= touchInterval {
		s.touchToken(id, now)
	}
	return t, true
}

func (s *State) touchToken(id digest, now time.Time) {
	s.accounts.mu.Lock()
	t, ok := s.accounts.tokens[id]
	if ok {
		t.LastUsed = now
		s.accounts.tokens[id] = t
	}
	s.accounts.mu.Unlock()
	if ok {
		s.queue.put(entry{kindTouch, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE tokens SET last_used = ? WHERE hash = ?", millis(now), id[:])
			return err
		}})
	}
}
