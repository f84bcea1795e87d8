package alerting

import (
	"context"
	"net"
	"sync"
	"time"
)

// connections dials for the receivers of one configuration, so that the idle
// connections which their HTTP clients keep can be closed with them.
type connections struct {
	dialer net.Dialer

	mu   sync.Mutex
	open map[*connection]struct{}
}

func newConnections() *connections {
	return &connections{
		dialer: net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second},
		open:   make(map[*connection]struct{}),
	}
}

type connection struct {
	net.Conn
	owner *connections
}

func (c *connections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	tracked := &connection{Conn: conn, owner: c}
	c.mu.Lock()
	c.open[tracked] = struct{}{}
	c.mu.Unlock()
	return tracked, nil
}

func (c *connection) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.open, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

// closeAll closes what is open. The clients notice; their errors concern nobody.
func (c *connections) closeAll() {
	c.mu.Lock()
	open := c.open
	c.open = make(map[*connection]struct{})
	c.mu.Unlock()
	for conn := range open {
		_ = conn.Conn.Close()
	}
}
