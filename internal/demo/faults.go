package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/demo/platform"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
)

// A fault is something that can be broken for real, and repaired.
type fault struct {
	// Name is what the command line calls it.
	Name  string `json:"name"`
	Title string `json:"title"`
	// Does says what really happens.
	Does string `json:"does"`
	// Alert is what will arrive, and Within how long that takes at most on an idle
	// machine, in seconds.
	Alert  string `json:"alert"`
	Within int    `json:"within_seconds"`

	breakIt, repair func(context.Context) error
}

// faults are all faults of the panel, in the order in which it shows them.
func (d *Demo) faults() []*fault {
	return []*fault{
		{
			Name: "stop-crawler", Title: "Stop a crawler", Alert: "PlatformServiceDown", Within: 10,
			Does:    "The process of the kline crawler is ended and not started again.",
			breakIt: func(ctx context.Context) error { return d.sup.tell(ctx, platform.KlineCrawler, order{stop: true}) },
			repair:  func(ctx context.Context) error { return d.sup.tell(ctx, platform.KlineCrawler, order{start: true}) },
		},
		{
			Name: "drop-rows", Title: "Drop rows", Alert: "AuditRowsMissing", Within: 30,
			Does:    "A trigger in the database swallows the bars of ETHUSDT; the crawler believes that they are stored.",
			breakIt: func(ctx context.Context) error { return d.sql(ctx, d.database.texts().dropRows) },
			repair: func(ctx context.Context) error {
				if err := d.sql(ctx, d.database.texts().keepRows); err != nil {
					return err
				}
				if err := d.backfill(ctx, 30*time.Minute); err != nil {
					return fmt.Errorf("rows are stored again, but nobody fetches what is missing: %w; is the crawler stopped?", err)
				}
				return nil
			},
		},
		{
			Name: "alter-row", Title: "Alter a row", Alert: "AuditRowsWrong", Within: 30,
			Does:    "The newest fill gets a quantity of 0.",
			breakIt: d.alterRow,
			repair:  func(ctx context.Context) error { return d.sql(ctx, d.database.texts().restoreRow) },
		},
		{
			Name: "flood", Title: "Flood the exchange", Alert: "BackfillFloodsExchange", Within: 30,
			Does:    "A release of the kline crawler asks for the last hour again and again, in pages of ten bars.",
			breakIt: func(ctx context.Context) error { return d.reconfigure(ctx, platform.KlineCrawler, withFlood) },
			repair:  func(ctx context.Context) error { return d.reconfigure(ctx, platform.KlineCrawler, unchanged) },
		},
		{
			Name: "leak", Title: "Leak memory", Alert: "ServiceFailing", Within: 30,
			Does:    fmt.Sprintf("A release of the reporting API keeps 128 MiB a second; at %d MiB it is killed, over and over.", memoryLimit>>20),
			breakIt: func(ctx context.Context) error { return d.reconfigure(ctx, platform.ReportingAPI, withLeak) },
			repair:  func(ctx context.Context) error { return d.reconfigure(ctx, platform.ReportingAPI, unchanged) },
		},
		{
			Name: "break-config", Title: "Break a configuration", Alert: "ServiceFailing", Within: 20,
			Does:    "The order router is started with a configuration that lacks the governor's address.",
			breakIt: func(ctx context.Context) error { return d.reconfigure(ctx, platform.OrderRouter, withoutGovernor) },
			repair:  func(ctx context.Context) error { return d.reconfigure(ctx, platform.OrderRouter, unchanged) },
		},
		{
			Name: "cut-database", Title: "Cut the database", Alert: "ServiceFailing", Within: 20,
			Does: d.database.texts().cut, breakIt: d.database.cut, repair: d.database.start,
		},
		{
			Name: "skew-clock", Title: "Skew the clock", Alert: "BinanceClockOffset", Within: 40,
			Does: "The exchange's clock goes 1.5 s ahead of this host's.",
			breakIt: func(context.Context) error {
				return d.exchange.Inject(exchangesim.Fault{Kind: exchangesim.Skew, Amount: 1.5})
			},
			repair: func(context.Context) error { d.exchange.Clear(exchangesim.Skew); return nil },
		},
		{
			Name: "silence-stream", Title: "Silence a stream", Alert: "BinanceStreamSilent", Within: 30,
			Does: "The order book of BTCUSDT is no longer sent; the connection stands.",
			breakIt: func(context.Context) error {
				return d.exchange.Inject(exchangesim.Fault{Kind: exchangesim.Silence, Stream: "depth"})
			},
			repair: func(context.Context) error { d.exchange.Clear(exchangesim.Silence); return nil },
		},
		{
			Name: "discord-down", Title: "Take Discord down", Alert: "MessagesWait", Within: 30,
			Does: "Discord answers 503 while there is something to tell; the second channel hears of it.",
			breakIt: func(ctx context.Context) error {
				d.inbox.down.Store(true)
				return d.sup.event(ctx, map[string]any{
					"state": "raised", "name": "DemoSomethingToTell", "severity": "info",
					"annotations": map[string]string{"summary": "Something to tell while Discord is down."},
				})
			},
			repair: func(ctx context.Context) error {
				d.inbox.down.Store(false)
				return d.sup.event(ctx, map[string]any{"state": "cleared", "name": "DemoSomethingToTell", "severity": "info"})
			},
		},
	}
}

// sql runs statements, all or none of them.
func (d *Demo) sql(ctx context.Context, statements string) error {
	return withStore(ctx, d.database, func(store *platform.Store) error {
		_, err := store.Execute(ctx, statements)
		return err
	})
}

// alterRow waits for a fill that it can alter: a platform that has just begun has
// none.
func (d *Demo) alterRow(ctx context.Context) error {
	return withStore(ctx, d.database, func(store *platform.Store) error {
		for {
			changed, err := store.Execute(ctx, d.database.texts().alterRow)
			if err != nil || changed > 0 {
				return err
			}
			if _, err := store.Execute(ctx, d.database.texts().restoreRow); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("there is no fill to alter: %w", ctx.Err())
			case <-time.After(250 * time.Millisecond):
			}
		}
	})
}

// backfill has the kline crawler ask again for what it may lack.
func (d *Demo) backfill(ctx context.Context, span time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	address := "http://" + d.sup.address(platform.KlineCrawler) + "/backfill?span=" + span.String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // The status says enough.
		return fmt.Errorf("the kline crawler answers %s: %s", resp.Status, bytes.TrimSpace(text))
	}
	return nil
}

// reconfigure starts a service anew with another configuration.
func (d *Demo) reconfigure(ctx context.Context, name string, change func(platform.Config) platform.Config) error {
	text, err := json.MarshalIndent(change(d.sup.children[name].config), "", "  ")
	if err != nil {
		return err
	}
	return d.sup.tell(ctx, name, order{config: text})
}

func unchanged(c platform.Config) platform.Config { return c }

func withFlood(c platform.Config) platform.Config {
	c.BackfillForever = true
	return c
}

func withLeak(c platform.Config) platform.Config {
	c.LeakBytesPerSecond = 128 << 20
	return c
}

func withoutGovernor(c platform.Config) platform.Config {
	c.Governor = ""
	return c
}
