package state

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"time"
)

const (
	// A session ends when it was not used for sessionIdle, and after
	// sessionLife at the latest.
	sessionIdle = 7 * 24 * time.Hour
	sessionLife = 30 * 24 * time.Hour
)

// Session is one login in a browser.
type Session struct {
	User string
	// File tells that the user stands in the web config file.
	File    bool
	Created time.Time
	Seen    time.Time
	Client  string
}

// Expires is when the session ends if it is not used again.
func (s Session) Expires() time.Time {
	idle, life := s.Seen.Add(sessionIdle), s.Created.Add(sessionLife)
	if idle.Before(life) {
		return idle
	}
	return life
}

func (a *accounts) loadSessions(ctx context.Context, db querier) error {
	return queryAll(ctx, db, func(scan func(...any) error) error {
		var id []byte
		var session Session
		var created, seen int64
		if err := scan(&id, &session.User, &session.File, &created, &seen, &session.Client); err != nil {
			return err
		}
		session.Created, session.Seen = fromMillis(created), fromMillis(seen)
		a.sessions[digest(id)] = session
		return nil
	}, "SELECT id, user, file, created, seen, client FROM sessions WHERE length(id) = 32")
}

func (a *accounts) forgetSessions(user string) {
	for id, session := range a.sessions {
		if session.User == user && !session.File {
			delete(a.sessions, id)
		}
	}
}

// oldestSession is the one that was not used for the longest time.
func (a *accounts) oldestSession() (oldest *digest) {
	var seen time.Time
	for id, session := range a.sessions {
		if oldest == nil || session.Seen.Before(seen) {
			oldest, seen = &id, session.Seen
		}
	}
	return oldest
}

// StartSession remembers a login and returns the secret for the cookie. Beyond
// the bound it ends the session that was not used for the longest time.
func (s *State) StartSession(ctx context.Context, session Session) (secret string, err error) {
	secret, id := newSecret()
	now := time.Now().UTC().Truncate(time.Millisecond)
	session.Created, session.Seen = now, now
	var evicted *digest
	check := func() error {
		if len(s.accounts.sessions) >= maxSessions {
			evicted = s.accounts.oldestSession()
		}
		return nil
	}
	return secret, s.changeAccounts(ctx, check, func(tx *sql.Tx) error {
		if evicted != nil {
			if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE id = ?", evicted[:]); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO sessions (id, user, file, created, seen, client) VALUES (?, ?, ?, ?, ?, ?)",
			id[:], session.User, session.File, millis(now), millis(now), session.Client); err != nil || session.File {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE users SET last_login = ? WHERE name = ?", millis(now), session.User)
		return err
	}, func() {
		if evicted != nil {
			delete(s.accounts.sessions, *evicted)
		}
		s.accounts.sessions[id] = session
		if u, ok := s.accounts.users[session.User]; ok && !session.File {
			u.LastLogin = now
			s.accounts.users[u.Name] = u
		}
	})
}

// Session returns the session of a cookie's secret and notes that it is used.
func (s *State) Session(secret string) (session Session, ok bool) {
	id := digest(sha256.Sum256([]byte(secret)))
	s.accounts.read(func() { session, ok = s.accounts.sessions[id] })
	now := time.Now().UTC()
	if !ok || !now.Before(session.Expires()) {
		return Session{}, false
	}
	if now.Sub(session.Seen) >= touchInterval {
		s.touchSession(id, now)
	}
	return session, true
}

func (s *State) touchSession(id digest, now time.Time) {
	s.accounts.mu.Lock()
	session, ok := s.accounts.sessions[id]
	if ok {
		session.Seen = now
		s.accounts.sessions[id] = session
	}
	s.accounts.mu.Unlock()
	if ok {
		s.queue.put(entry{kindTouch, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE sessions SET seen = ? WHERE id = ?", millis(now), id[:])
			return err
		}})
	}
}

// EndSession forgets a session; that there is none is fine.
func (s *State) EndSession(ctx context.Context, secret string) error {
	id := digest(sha256.Sum256([]byte(secret)))
	return s.changeAccounts(ctx, func() error { return nil }, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE id = ?", id[:])
		return err
	}, func() { delete(s.accounts.sessions, id) })
}

// tidySessions forgets those that have expired.
func (s *State) tidySessions(ctx context.Context, now time.Time) error {
	return s.changeAccounts(ctx, func() error { return nil }, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE seen <= ? OR created <= ?",
			millis(now.Add(-sessionIdle)), millis(now.Add(-sessionLife)))
		return err
	}, func() {
		for id, session := range s.accounts.sessions {
			if !now.Before(session.Expires()) {
				delete(s.accounts.sessions, id)
			}
		}
	})
}
