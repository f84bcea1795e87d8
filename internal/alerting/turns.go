package alerting

import "sync"

// turns lets the notifications of a group go one after the other.
type turns struct {
	mu     sync.Mutex
	groups map[string]*turn
}

type turn struct {
	sync.Mutex
	users int // guarded by turns.mu
}

// take waits for the group's turn. The caller calls done when it is over.
func (t *turns) take(group string) (done func()) {
	t.mu.Lock()
	if t.groups == nil {
		t.groups = make(map[string]*turn)
	}
	g := t.groups[group]
	if g == nil {
		g = &turn{}
		t.groups[group] = g
	}
	g.users++
	t.mu.Unlock()
	g.Lock()
	return func() {
		g.Unlock()
		t.mu.Lock()
		defer t.mu.Unlock()
		if g.users--; g.users == 0 {
			delete(t.groups, group)
		}
	}
}
