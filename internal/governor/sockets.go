package governor

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// maxSocketsShown bounds what is shown of the open WebSockets.
const maxSocketsShown = 50

// SocketStatus is an open connection to a WebSocket API of the exchange.
type SocketStatus struct {
	Market   binance.Market `json:"market"`
	Client   string         `json:"client"`
	Egress   string         `json:"egress"`
	OpenedAt time.Time      `json:"openedAt"`
	// Asked is how many requests have gone over it, Waiting those without an answer.
	Asked   int64 `json:"asked"`
	Waiting int   `json:"waiting"`
	// LastAsked is when the last one went.
	LastAsked time.Time `json:"lastAsked,omitzero"`
}

// openSockets are the connections that frames pass through.
type openSockets struct {
	mu   sync.Mutex
	open map[*socket]time.Time
}

// add notes a connection until release is called.
func (o *openSockets) add(s *socket) (release func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = make(map[*socket]time.Time)
	}
	o.open[s] = time.Now()
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.open, s)
	}
}

// status returns those that are open for the longest.
func (o *openSockets) status() []SocketStatus {
	all := []SocketStatus{}
	o.mu.Lock()
	for s, since := range o.open {
		all = append(all, s.status(since))
	}
	o.mu.Unlock()
	slices.SortFunc(all, func(a, b SocketStatus) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.Client, b.Client))
	})
	return all[:min(len(all), maxSocketsShown)]
}

func (s *socket) status(since time.Time) SocketStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SocketStatus{
		Market: s.call.market, Client: s.call.client, Egress: s.egress, OpenedAt: since,
		Asked: s.count, Waiting: len(s.pending), LastAsked: s.lastAsked,
	}
}
