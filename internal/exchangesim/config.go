package exchangesim

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// Config is a simulated exchange. Its zero value is usable.
type Config struct {
	// Seed determines all market data, and the keys of accounts that have none.
	Seed uint64
	// Now is the exchange's clock before any skew; time.Now if it is nil. It may
	// run faster than real time.
	Now func() time.Time
	// Since is when trading began; 30 days before the exchange is made if it is zero.
	Since time.Time
	// Symbols are DefaultSymbols if there are none.
	Symbols []Symbol
	// Accounts is one called "demo" if there are none.
	Accounts []Account
	// Limits of a market are the documented ones if there are none.
	Limits map[binance.Market][]binance.Limit
	// Strikes is how many 429 an address gets in three days before it is banned;
	// 10 if it is 0. The exchange does not document it.
	Strikes int
	// Burst is how many requests of an address in a second the firewall lets pass;
	// 2000 if it is 0. The exchange does not document it.
	Burst int
	// ClientIP tells the address of a request. Without it that is the header
	// X-Exchangesim-Address if there is one, else the connection's.
	ClientIP func(*http.Request) string
	// Sockets changes the documented limits of WebSockets.
	Sockets Sockets
}

// Sockets are the limits of WebSockets; zero means the documented one.
type Sockets struct {
	MaxAge     time.Duration // 24 h.
	PingEvery  time.Duration // 20 s, futures 3 min.
	PongWithin time.Duration // 60 s, futures 10 min.
	// Connects is how many connections an address may open in 5 minutes.
	Connects int
}

// Symbol is something that is traded.
type Symbol struct {
	Market      binance.Market
	Name        string
	Base, Quote string
	// Price is about where it trades.
	Price string
	// PriceDigits and QuantityDigits are the decimals of prices and quantities; they
	// are 8 together at most.
	PriceDigits, QuantityDigits int
	// TradesPerMinute is the average; a minute has up to twice as many. Below 10
	// there are minutes without trades.
	TradesPerMinute int
	// Recorded are bars of a minute in the order of time. If there are any, they are
	// served instead of generated ones, and the symbol has no single trades.
	Recorded []Bar
}

// Account is somebody who trades.
type Account struct {
	Name string
	// Key and Secret are made from the seed if they are empty.
	Key, Secret string
}

// DefaultSymbols are a few of each market, some of them hardly traded.
func DefaultSymbols() []Symbol {
	return []Symbol{
		{Market: binance.Spot, Name: "BTCUSDT", Base: "BTC", Quote: "USDT", Price: "61000", PriceDigits: 2, QuantityDigits: 5, TradesPerMinute: 120},
		{Market: binance.Spot, Name: "ETHUSDT", Base: "ETH", Quote: "USDT", Price: "2600", PriceDigits: 2, QuantityDigits: 4, TradesPerMinute: 80},
		{Market: binance.Spot, Name: "SOLUSDT", Base: "SOL", Quote: "USDT", Price: "150", PriceDigits: 2, QuantityDigits: 3, TradesPerMinute: 40},
		{Market: binance.Spot, Name: "ETHBTC", Base: "ETH", Quote: "BTC", Price: "0.0426", PriceDigits: 5, QuantityDigits: 3, TradesPerMinute: 4},
		{Market: binance.USDM, Name: "BTCUSDT", Base: "BTC", Quote: "USDT", Price: "61000", PriceDigits: 2, QuantityDigits: 3, TradesPerMinute: 160},
		{Market: binance.USDM, Name: "ETHUSDT", Base: "ETH", Quote: "USDT", Price: "2600", PriceDigits: 2, QuantityDigits: 3, TradesPerMinute: 120},
		{Market: binance.USDM, Name: "AVAXUSDT", Base: "AVAX", Quote: "USDT", Price: "25", PriceDigits: 3, QuantityDigits: 0, TradesPerMinute: 6},
		{Market: binance.COINM, Name: "BTCUSD_PERP", Base: "BTC", Quote: "USD", Price: "61000", PriceDigits: 1, QuantityDigits: 0, TradesPerMinute: 30},
	}
}

// DefaultLimits are the documented limits: spot 2026-04-02 and exchangeInfo of
// 2025-08, USDⓈ-M 2026-05-28, COIN-M exchangeInfo of 2025-08.
func DefaultLimits() map[binance.Market][]binance.Limit {
	limit := func(t binance.LimitType, window time.Duration, n int64) binance.Limit {
		return binance.Limit{Type: t, Window: window, Count: n}
	}
	return map[binance.Market][]binance.Limit{
		binance.Spot: {
			limit(binance.RequestWeight, time.Minute, 6000),
			limit(binance.Orders, 10*time.Second, 100),
			limit(binance.Orders, 24*time.Hour, 200_000),
			limit(binance.RawRequests, 5*time.Minute, 300_000),
		},
		binance.USDM: {
			limit(binance.RequestWeight, time.Minute, 2400),
			limit(binance.Orders, time.Minute, 1200),
			limit(binance.Orders, 10*time.Second, 300),
		},
		binance.COINM: {
			limit(binance.RequestWeight, time.Minute, 2400),
			limit(binance.Orders, time.Minute, 1200),
		},
	}
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Since.IsZero() {
		c.Since = c.Now().Add(-30 * 24 * time.Hour)
	}
	if len(c.Symbols) == 0 {
		c.Symbols = DefaultSymbols()
	}
	if len(c.Accounts) == 0 {
		c.Accounts = []Account{{Name: "demo"}}
	}
	limits := DefaultLimits()
	for m, l := range c.Limits {
		limits[m] = l
	}
	c.Limits = limits
	if c.Strikes == 0 {
		c.Strikes = 10
	}
	if c.Burst == 0 {
		c.Burst = 2000
	}
	if c.ClientIP == nil {
		c.ClientIP = clientIP
	}
	if c.Sockets.MaxAge == 0 {
		c.Sockets.MaxAge = 24 * time.Hour
	}
	if c.Sockets.Connects == 0 {
		c.Sockets.Connects = 300
	}
	return c
}

// addressHeader lets a test be many clients.
const addressHeader = "X-Exchangesim-Address"

func clientIP(r *http.Request) string {
	if address := r.Header.Get(addressHeader); address != "" {
		return address
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// madeKey is a key of 64 characters as the exchange's are.
func madeKey(seed uint64, purpose string) string {
	sum := sha256.Sum256(binaryAppend([]byte("exchangesim "+purpose+" "), seed))
	return hex.EncodeToString(sum[:])
}
