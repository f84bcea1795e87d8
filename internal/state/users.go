package state

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
)

const (
	minPassword = 10
	// maxPassword is where bcrypt stops to look.
	maxPassword = 72
	// FirstUser is the administrator of the first start.
	FirstUser = "admin"
)

// User is somebody who can log in.
type User struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Provider is the identity provider's name for a user who logs in there,
	// and has no password here.
	Provider string `json:"provider,omitempty"`
	// MustChange tells that somebody else chose the password.
	MustChange bool      `json:"mustChange"`
	Disabled   bool      `json:"disabled"`
	Created    time.Time `json:"created"`
	LastLogin  time.Time `json:"lastLogin,omitzero"`

	hash string
}

// Hash is the bcrypt hash of the password; empty if there is none.
func (u User) Hash() []byte { return []byte(u.hash) }

// named reports whether a name begins with a letter or a digit, of any script, and
// has up to 100 of them and of the characters in others. (As a regular expression
// this takes 3 MB.)
func named(name, others string) bool {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > 100 {
		return false
	}
	for i, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && (i == 0 || !strings.ContainsRune(others, r)) {
			return false
		}
	}
	return name != ""
}

func checkName(name string) error {
	if !named(name, "._@+-") {
		return refuse(Invalid, "user name %q: use letters, digits and ._@+-, up to 100 of them", name)
	}
	return nil
}

// hashPassword refuses what is too easy or too long and hashes the rest.
func hashPassword(name, password string) (string, error) {
	switch {
	case len(password) < minPassword:
		return "", refuse(Invalid, "password is too short: use at least %d characters", minPassword)
	case len(password) > maxPassword:
		return "", refuse(Invalid, "password is too long: use at most %d bytes", maxPassword)
	case strings.EqualFold(password, name):
		return "", refuse(Invalid, "password is the user name; choose another one")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	return string(hash), err
}

func (a *accounts) loadUsers(ctx context.Context, db querier) error {
	return queryAll(ctx, db, func(scan func(...any) error) error {
		var u User
		var created, lastLogin int64
		if err := scan(&u.Name, &u.Role, &u.hash, &u.Provider, &u.MustChange, &u.Disabled, &created, &lastLogin); err != nil {
			return err
		}
		u.Created, u.LastLogin = fromMillis(created), fromMillis(lastLogin)
		a.users[u.Name] = u
		return nil
	}, "SELECT name, role, hash, provider, must_change, disabled, created, last_login FROM users")
}

// User returns a user by name.
func (s *State) User(name string) (u User, ok bool) {
	s.accounts.read(func() { u, ok = s.accounts.users[name] })
	return u, ok
}

// HasUsers tells whether anybody can be asked to log in.
func (s *State) HasUsers() (has bool) {
	s.accounts.read(func() { has = len(s.accounts.users) > 0 })
	return has
}

// Users returns all users by name.
func (s *State) Users() (users []User) {
	s.accounts.read(func() { users = slices.Collect(maps.Values(s.accounts.users)) })
	slices.SortFunc(users, func(a, b User) int { return cmp.Compare(a.Name, b.Name) })
	return users
}

// NewUser is what creates a user.
type NewUser struct {
	Name     string `json:"name"`
	Role     Role   `json:"role"`
	Password string `json:"password"`
}

// CreateUser adds a user, who must choose another password at the first login.
// The first one must be an administrator.
func (s *State) CreateUser(ctx context.Context, n NewUser) (User, error) {
	if err := checkName(n.Name); err != nil {
		return User{}, err
	}
	hash, err := hashPassword(n.Name, n.Password)
	if err != nil {
		return User{}, err
	}
	u := User{Name: n.Name, Role: n.Role, hash: hash, MustChange: true, Created: time.Now().UTC().Truncate(time.Millisecond)}
	return u, s.addUser(ctx, u)
}

// CreateFirstUser adds the administrator of the first start and returns the
// password, which nobody will see again.
func (s *State) CreateFirstUser(ctx context.Context) (password string, err error) {
	password = rand.Text()
	_, err = s.CreateUser(ctx, NewUser{Name: FirstUser, Role: Admin, Password: password})
	return password, err
}

func (s *State) addUser(ctx context.Context, u User) error {
	users := s.accounts.users
	check := func() error {
		_, taken := users[u.Name]
		switch {
		case taken:
			return refuse(Conflict, "user %q exists already", u.Name)
		case u.Role == NoRole:
			return refuse(Invalid, "user %q: a role is needed: viewer, editor or admin", u.Name)
		case len(users) == 0 && u.Role != Admin && u.Provider == "":
			return refuse(Invalid, "the first user must be an admin, or nobody could add others")
		case len(users) >= maxUsers:
			return refuse(Invalid, "there are %d users already; that is the most", maxUsers)
		}
		return nil
	}
	return s.changeAccounts(ctx, check, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO users (name, role, hash, provider, must_change, disabled, created, last_login) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			u.Name, u.Role, u.hash, u.Provider, u.MustChange, u.Disabled, millis(u.Created), millis(u.LastLogin))
		return err
	}, func() { users[u.Name] = u })
}

// UserChange is what an administrator changes of a user; nil leaves it.
type UserChange struct {
	Role     *Role   `json:"role,omitempty"`
	Disabled *bool   `json:"disabled,omitempty"`
	Password *string `json:"password,omitempty"`
}

// ChangeUser changes a user. A new password, and being disabled, end all
// sessions.
func (s *State) ChangeUser(ctx context.Context, name string, c UserChange) (User, error) {
	hash := ""
	if c.Password != nil {
		var err error
		if hash, err = hashPassword(name, *c.Password); err != nil {
			return User{}, err
		}
	}
	return s.updateUser(ctx, name, hash != "" || c.Disabled != nil && *c.Disabled, func(u *User) error {
		if hash != "" && u.Provider != "" {
			return refuse(Invalid, "user %q logs in at the identity provider and has no password here", name)
		}
		if c.Role != nil {
			u.Role = *c.Role
		}
		if c.Disabled != nil {
			u.Disabled = *c.Disabled
		}
		if hash != "" {
			u.hash, u.MustChange = hash, true
		}
		return nil
	})
}

// SetPassword is how users change their own password. It ends all sessions.
func (s *State) SetPassword(ctx context.Context, name, password string) error {
	u, _ := s.User(name)
	if u.hash != "" && bcrypt.CompareHashAndPassword(u.Hash(), []byte(password)) == nil {
		return refuse(Invalid, "the new password is the old one; choose another one")
	}
	hash, err := hashPassword(name, password)
	if err != nil {
		return err
	}
	_, err = s.updateUser(ctx, name, true, func(u *User) error {
		if u.Provider != "" {
			return refuse(Invalid, "user %q logs in at the identity provider and has no password here", name)
		}
		u.hash, u.MustChange = hash, false
		return nil
	})
	return err
}

func (s *State) updateUser(ctx context.Context, name string, endSessions bool, change func(*User) error) (User, error) {
	var u User
	check := func() error {
		was, ok := s.accounts.users[name]
		if !ok {
			return refuse(NotFound, "user %q does not exist", name)
		}
		u = was
		if err := change(&u); err != nil {
			return err
		}
		if (u.Role != Admin || u.Disabled) && s.lastAdmin(name) {
			return refuse(Conflict, "user %q is the last admin; make another one first", name)
		}
		return nil
	}
	err := s.changeAccounts(ctx, check, func(tx *sql.Tx) error {
		if endSessions {
			if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE user = ? AND NOT file", name); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE users SET role = ?, hash = ?, must_change = ?, disabled = ? WHERE name = ?",
			u.Role, u.hash, u.MustChange, u.Disabled, name)
		return err
	}, func() {
		s.accounts.users[name] = u
		if endSessions {
			s.accounts.forgetSessions(name)
		}
	})
	return u, err
}

// lastAdmin tells whether no other user could manage users.
func (s *State) lastAdmin(name string) bool {
	u := s.accounts.users[name]
	if u.Role != Admin || u.Disabled {
		return false
	}
	for _, other := range s.accounts.users {
		if other.Name != name && other.Role == Admin && !other.Disabled {
			return false
		}
	}
	return true
}

// DeleteUser removes a user and ends all sessions. The last admin goes last.
func (s *State) DeleteUser(ctx context.Context, name string) error {
	users := s.accounts.users
	check := func() error {
		if _, ok := users[name]; !ok {
			return refuse(NotFound, "user %q does not exist", name)
		}
		if len(users) > 1 && s.lastAdmin(name) {
			return refuse(Conflict, "user %q is the last admin; make another one first", name)
		}
		return nil
	}
	return s.changeAccounts(ctx, check, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE user = ? AND NOT file", name); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM users WHERE name = ?", name)
		return err
	}, func() {
		delete(users, name)
		s.accounts.forgetSessions(name)
	})
}

// ProviderLogin is what an identity provider says of somebody.
type ProviderLogin struct {
	Name     string
	Provider string // its own, unchanging name for the user
	Role     Role
}

// LogInFromProvider creates or updates the user that an identity provider
// vouches for. It refuses a name that somebody else has here.
func (s *State) LogInFromProvider(ctx context.Context, l ProviderLogin) error {
	if err := checkName(l.Name); err != nil {
		return err
	}
	u, known := s.User(l.Name)
	switch {
	case l.Role == NoRole:
		return refuse(Invalid, "user %q has no role here", l.Name)
	case !known:
		return s.addUser(ctx, User{Name: l.Name, Role: l.Role, Provider: l.Provider, Created: time.Now().UTC().Truncate(time.Millisecond)})
	case u.Provider != l.Provider:
		return refuse(Conflict, "user %q exists already and is somebody else", l.Name)
	case u.Disabled:
		return refuse(Invalid, "user %q is disabled", l.Name)
	case u.Role == l.Role:
		return nil
	}
	_, err := s.ChangeUser(ctx, l.Name, UserChange{Role: &l.Role})
	return err
}
