package governor

import (
	"slices"
	"time"
)

// maxQueuedClients bounds how many clients are told apart in a queue; the others
// share one place.
const maxQueuedClients = 200

// queue is what waits in one class of a gate, by client. It is fair by weight: the
// client goes first that has been served the least, and one that comes back after
// a pause cannot claim what it did not ask for then.
type queue struct {
	clients []*clientQueue // That have something waiting.
	served  map[string]int64
	clock   int64 // What the client had been served that went last.
	length  int
	weight  int64
}

type clientQueue struct {
	name    string
	served  int64
	waiting []*ticket
}

// ticket is a request that waits for its turn.
type ticket struct {
	ask      ask
	since    time.Time
	deadline time.Time
	// granted receives the lease, or nil if the deadline passed.
	granted chan *lease
	done    bool // Granted or given up; under the gate's lock.
}

func (q *queue) push(t *ticket) {
	q.length++
	q.weight += t.ask.weight
	name := t.ask.client
	at := slices.IndexFunc(q.clients, func(c *clientQueue) bool { return c.name == name })
	if at < 0 && len(q.clients) >= maxQueuedClients {
		name = ""
		at = slices.IndexFunc(q.clients, func(c *clientQueue) bool { return c.name == name })
	}
	if at < 0 {
		q.clients = append(q.clients, &clientQueue{name: name, served: max(q.clock, q.served[name])})
		at = len(q.clients) - 1
	}
	q.clients[at].waiting = append(q.clients[at].waiting, t)
}

// order sorts the clients: the least served first.
func (q *queue) order() {
	slices.SortStableFunc(q.clients, func(a, b *clientQueue) int {
		switch {
		case a.served < b.served:
			return -1
		case a.served > b.served:
			return 1
		}
		return 0
	})
}

// take removes the ticket at a place of a client's, which is served now or given up.
func (q *queue) take(c *clientQueue, at int, served bool) *ticket {
	t := c.waiting[at]
	c.waiting = slices.Delete(c.waiting, at, at+1)
	q.length--
	q.weight -= t.ask.weight
	if served {
		q.clock = max(q.clock, c.served)
		c.served += max(t.ask.weight, 1)
	}
	if len(c.waiting) == 0 {
		q.clients = slices.DeleteFunc(q.clients, func(other *clientQueue) bool { return other == c })
		if q.served == nil || len(q.served) > maxQueuedClients {
			q.served = make(map[string]int64)
		}
		q.served[c.name] = c.served
	}
	return t
}

// remove takes out a ticket that was given up.
func (q *queue) remove(t *ticket) {
	for _, c := range q.clients {
		if at := slices.Index(c.waiting, t); at >= 0 {
			q.take(c, at, false)
			return
		}
	}
}
