package connectivity

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

func TestClockTakesTheShortestRoundTrip(t *testing.T) {
	begin := time.Unix(1_790_000_000, 0)
	// The exchange is 300 ms ahead; the ways there and back differ.
	read := func(c *clock, n int, there, back time.Duration, ahead time.Duration) {
		sent := begin.Add(time.Duration(n) * time.Second)
		c.observe(sent, sent.Add(there+back), sent.Add(there+ahead))
	}
	tests := []struct {
		name string
		do   func(c *clock)
		want sample
	}{
		{"one reading", func(c *clock) { read(c, 0, 20*time.Millisecond, 20*time.Millisecond, 300*time.Millisecond) }, sample{offset: 300 * time.Millisecond, error: 20 * time.Millisecond}},
		{"a slow answer is wrong by half", func(c *clock) {
			read(c, 0, 10*time.Millisecond, 10*time.Millisecond, 300*time.Millisecond)
			read(c, 1, 10*time.Millisecond, 890*time.Millisecond, 300*time.Millisecond)
		}, sample{offset: 300 * time.Millisecond, error: 10 * time.Millisecond}},
		{"a step of a clock forgets", func(c *clock) {
			read(c, 0, 10*time.Millisecond, 10*time.Millisecond, 300*time.Millisecond)
			read(c, 1, 40*time.Millisecond, 40*time.Millisecond, 0)
		}, sample{offset: 0, error: 40 * time.Millisecond}},
		{"old readings go", func(c *clock) {
			read(c, 0, 1*time.Millisecond, 1*time.Millisecond, 300*time.Millisecond)
			for n := range clockSamples {
				read(c, n+1, 5*time.Millisecond, 5*time.Millisecond, 302*time.Millisecond)
			}
		}, sample{offset: 302 * time.Millisecond, error: 5 * time.Millisecond}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c clock
			tt.do(&c)
			got, ok := c.best(time.Time{})
			if !ok || got.offset != tt.want.offset || got.error != tt.want.error {
				t.Errorf("got %v ± %v, want %v ± %v", got.offset, got.error, tt.want.offset, tt.want.error)
			}
		})
	}
	var c clock
	read(&c, 0, time.Millisecond, time.Millisecond, 0)
	if _, ok := c.best(begin.Add(time.Minute)); ok {
		t.Error("a reading of a minute ago is still told")
	}
}

func TestPatienceFollowsTheRate(t *testing.T) {
	tests := []struct {
		name   string
		frames int
		wait   time.Duration
		want   time.Duration
	}{
		{"unknown", 4, time.Second, unknownPatience},
		{"guessed by five frames", 5, time.Second, 80 * time.Second},
		{"guessed, and busy", 19, 10 * time.Millisecond, time.Minute},
		{"guessed, and hardly traded", 19, time.Minute, unknownPatience},
		{"busy", 1000, 10 * time.Millisecond, minPatience},
		{"each two seconds", 100, 2 * time.Second, 40 * time.Second},
		{"hardly traded", 100, time.Minute, 20 * time.Minute},
		{"bounded", 100, time.Hour, maxPatience},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r rate
			now := time.Unix(1_790_000_000, 0)
			for range tt.frames {
				r.frame(now)
				now = now.Add(tt.wait)
			}
			if got := r.patience().Round(time.Second); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// One outage is told as soon as the one before, more or less; a pause that comes
// again and again is how the stream is.
func TestPatienceLearnsPausesSlowly(t *testing.T) {
	var r rate
	now := time.Unix(1_790_000_000, 0)
	frames := func(n int, wait time.Duration) {
		for range n {
			now = now.Add(wait)
			r.frame(now)
		}
	}
	want := func(when string, want time.Duration) {
		t.Helper()
		if got := r.patience(); got != want {
			t.Errorf("%s: got %v, want %v", when, got, want)
		}
	}
	frames(50, 100*time.Millisecond)
	for _, patience := range []time.Duration{22500 * time.Millisecond, 33750 * time.Millisecond, 45 * time.Second, 45 * time.Second} {
		frames(1, 15*time.Second)
		frames(500, 100*time.Millisecond)
		want("after a pause of 15 s", patience)
	}
	frames(1, 20*time.Minute)
	want("after an outage of 20 minutes", 67500*time.Millisecond)
	r.lost()
	frames(1, time.Hour) // The connection was away.
	want("after a reconnection", 67500*time.Millisecond)
}

func TestChangesOfInfo(t *testing.T) {
	from := &info{
		status: map[string]string{"BTCUSDT": "TRADING", "ETHUSDT": "TRADING", "OLD": "TRADING"},
		limits: map[string]string{"REQUEST_WEIGHT 1m": "6000"},
	}
	to := &info{
		status: map[string]string{"BTCUSDT": "HALT", "ETHUSDT": "TRADING", "NEW": "TRADING"},
		limits: map[string]string{"REQUEST_WEIGHT 1m": "3000"},
	}
	want := []Change{
		{binance.Spot, "status", "BTCUSDT", "TRADING", "HALT"},
		{binance.Spot, "listed", "NEW", "", "TRADING"},
		{binance.Spot, "delisted", "OLD", "TRADING", ""},
		{binance.Spot, "limit", "REQUEST_WEIGHT 1m", "6000", "3000"},
	}
	if diff := cmp.Diff(want, changes(binance.Spot, from, to)); diff != "" {
		t.Error(diff)
	}
	if got := changes(binance.Spot, nil, to); got != nil {
		t.Errorf("the first reading changes %v", got)
	}
}

func TestConfigSaysAllThatIsWrong(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	c.Markets = []binance.Market{"spot", "forex", "spot"}
	c.ClockInterval = 0
	c.Symbols = map[binance.Market][]string{"coinm": {"BTCUSD_PERP"}}
	c.Streams = map[binance.Market][]string{"spot": {"BTCUSDT@trade", "btcusdt", "ethusdt@trade", "ethusdt@trade"}}
	c.StreamURLs = map[binance.Market]string{"spot": "stream.binance.com"}
	err := c.Validate()
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		`markets[1]: "forex"`, "markets[2]: spot is there twice", "clock_interval: 0s", `symbols: "coinm" is not`,
		`streams.spot[0]: "BTCUSDT@trade"`, `streams.spot[1]: "btcusdt"`, "streams.spot[3]: ethusdt@trade is there twice", "stream_urls.spot",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

func TestStreamsOfUSDMHaveTwoPaths(t *testing.T) {
	for stream, want := range map[string]string{
		"btcusdt@depth@100ms": "/public/stream", "btcusdt@bookTicker": "/public/stream", "btcusdt@aggTrade": "/market/stream", "btcusdt@kline_1m": "/market/stream",
	} {
		if got := streamPath(binance.USDM, stream); got != want {
			t.Errorf("%s: got %s, want %s", stream, got, want)
		}
	}
}

func FuzzReadInfo(f *testing.F) {
	f.Add(`{"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000}],"symbols":[{"symbol":"A","status":"HALT"}]}`)
	f.Add(`{"symbols":[{}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		i, err := readInfo(strings.NewReader(text))
		if err == nil && len(i.status) == 0 {
			t.Error("got no symbols and no error")
		}
	})
}

func FuzzStreamOf(f *testing.F) {
	f.Add([]byte(`{"stream":"btcusdt@trade","data":{"e":"trade","E":1}}`))
	f.Add([]byte(`{"data":{},"stream":"btcusdt@trade"}`))
	f.Add([]byte(`{"stream":"`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if name, _ := streamOf(frame); len(name) > len(frame)*6 {
			t.Errorf("got %q of %q", name, frame)
		}
	})
}
