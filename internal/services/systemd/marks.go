package systemd

import (
	"sync"

	"github.com/godbus/dbus/v5"
)

// marks are units that have changed since they were taken last. However fast
// signals come, there are no more of them than units.
type marks struct {
	wake chan struct{} // One slot.
	gone chan struct{} // Closed when no more come.

	mu    sync.Mutex
	paths map[dbus.ObjectPath]bool
}

func newMarks() *marks {
	return &marks{wake: make(chan struct{}, 1), gone: make(chan struct{}), paths: map[dbus.ObjectPath]bool{}}
}

func (m *marks) add(path dbus.ObjectPath) {
	m.mu.Lock()
	m.paths[path] = true
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *marks) take() []dbus.ObjectPath {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]dbus.ObjectPath, 0, len(m.paths))
	for path := range m.paths {
		list = append(list, path)
	}
	clear(m.paths)
	return list
}

func (m *marks) close() { close(m.gone) }
