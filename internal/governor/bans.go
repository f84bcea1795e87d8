package governor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// BanEvent says that the exchange refuses an address of ours.
type BanEvent struct {
	Market binance.Market
	Egress string
	// Kind is banned, firewall or region.
	Kind         string
	Since, Until time.Time
	// Client and Endpoint sent the request that was refused.
	Client, Endpoint string
	// Count is how many bans this address had in three days: each is longer than
	// the one before.
	Count int
}

// What the exchange does if it does not say for how long; API docs, 2026-07.
const (
	shortestBan = 2 * time.Minute
	firewallBan = 5 * time.Minute
	// regionPause is between tries where the region may not use the exchange.
	regionPause = time.Minute
)

// banMemory is how long a ban makes the next one longer.
const banMemory = binance.LongestBan

// ban is what one host of the exchange has against one address. Reading it takes
// no lock.
type ban struct {
	market binance.Market
	egress string
	state  atomic.Pointer[banState]
}

type banState struct {
	Market binance.Market `json:"market"`
	Egress string         `json:"egress"`
	Kind   string         `json:"kind"`
	Since  time.Time      `json:"since"`
	Until  time.Time      `json:"until"`
	Count  int            `json:"count"`
}

func (b *ban) until(now time.Time) time.Time {
	if s := b.state.Load(); s != nil && now.Before(s.Until) {
		return s.Until
	}
	return time.Time{}
}

func (b *ban) active(now time.Time) bool { return !b.until(now).IsZero() }

// banBook keeps all bans, in memory and in a file: a process that starts again
// during a ban must not be the reason for a longer one.
type banBook struct {
	path string

	mu   sync.Mutex
	bans map[string]*ban
}

const banFileName = "bans.json"

// openBans reads the file of the last run. A file that cannot be read is an error:
// to guess that there is no ban is the most expensive guess there is.
func openBans(dir string) (*banBook, error) {
	b := &banBook{path: filepath.Join(dir, banFileName), bans: make(map[string]*ban)}
	text, err := os.ReadFile(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read bans of the last run: %w", err)
	}
	var states []banState
	if err := json.Unmarshal(text, &states); err != nil {
		return nil, fmt.Errorf("read bans of the last run: %s: %w; if the address is not banned, delete the file", b.path, err)
	}
	for _, s := range states {
		b.of(s.Market, s.Egress).state.Store(&s)
	}
	return b, nil
}

// of returns the ban of a host and an egress, whether there is one or not.
func (b *banBook) of(m binance.Market, egress string) *ban {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := string(m.Host()) + "/" + egress
	found := b.bans[key]
	if found == nil {
		found = &ban{market: m.Host(), egress: egress}
		b.bans[key] = found
	}
	return found
}

// start begins or extends a ban and writes it down. It returns what to tell people
// if the ban is a new one, nil if it is known.
func (b *banBook) start(on *ban, v binance.Verdict, now time.Time) (*BanEvent, error) {
	wait := v.RetryAfter
	switch {
	case v.Kind == binance.Firewall && wait == 0:
		wait = firewallBan
	case v.Kind == binance.Region:
		wait = regionPause
	case wait == 0:
		wait = shortestBan
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	next := banState{
		Market: on.market, Egress: on.egress, Kind: v.Kind.String(),
		Since: now.Round(0), Until: now.Add(wait).Round(0), Count: 1,
	}
	old := on.state.Load()
	known := false
	if old != nil {
		// A region goes on being the wrong one: that is one event, not one a minute.
		known = now.Before(old.Until) || next.Kind == binance.Region.String() && old.Kind == next.Kind
		if now.Sub(old.Until) < banMemory {
			next.Count = old.Count
			if !known {
				next.Count++
			}
		}
		if known {
			next.Since = old.Since
		}
		if old.Until.After(next.Until) {
			next.Until = old.Until
		}
	}
	on.state.Store(&next)
	err := b.save(now)
	if known {
		return nil, err
	}
	return &BanEvent{
		Market: on.market, Egress: on.egress, Kind: next.Kind,
		Since: next.Since, Until: next.Until, Count: next.Count,
	}, err
}

// save replaces the file as a whole, so that a crash leaves the old one or the new.
func (b *banBook) save(now time.Time) error {
	states := make([]banState, 0, len(b.bans))
	for _, ban := range b.bans {
		if s := ban.state.Load(); s != nil && now.Sub(s.Until) < banMemory {
			states = append(states, *s)
		}
	}
	text, err := json.MarshalIndent(states, "", "\t")
	if err != nil {
		return err
	}
	if err := replaceFile(b.path, append(text, '\n')); err != nil {
		return fmt.Errorf("write down a ban: %w; a restart would not know of it", err)
	}
	return nil
}

func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // It is gone already if all went well.
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
