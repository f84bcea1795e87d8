package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hedgewatch/hedgewatch/internal/demo/platform"
	"github.com/hedgewatch/hedgewatch/internal/exchangesim"
	"github.com/hedgewatch/hedgewatch/internal/services"
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
			breakIt: func(ctx context.Context) error { return d.sup.tell(ctx, platform.KlineCrawler, false, nil) },
			repair:  func(ctx context.Context) error { return d.sup.tell(ctx, platform.KlineCrawler, true, nil) },
		},
		{
			Name: "drop-rows", Title: "Drop rows", Alert: "AuditRowsMissing", Within: 30,
			Does:    "A trigger in the database swallows the bars of ETHUSDT; the crawler believes that they are stored.",
			breakIt: func(ctx context.Context) error { return d.sql(ctx, dropRows) },
			repair: func(ctx context.Context) error {
				if err := d.sql(ctx, keepRows); err != nil {
					return err
				}
				return d.ask(ctx, http.MethodPost, "/backfill", url.Values{"span": {"30m"}})
			},
		},
		{
			Name: "alter-row", Title: "Alter a row", Alert: "AuditRowsWrong", Within: 30,
			Does:    "The newest fill that is older than ten seconds gets a quantity of 0.",
			breakIt: func(ctx context.Context) error { return d.sql(ctx, alterRow) },
			repair:  func(ctx context.Context) error { return d.sql(ctx, restoreRow) },
		},
		{
			Name: "flood", Title: "Flood the exchange", Alert: "BackfillFloodsExchange", Within: 30,
			Does: "The kline crawler asks for the last hour again and again, in pages of ten bars.",
			breakIt: func(ctx context.Context) error {
				return d.ask(ctx, http.MethodPost, "/backfill", url.Values{"span": {"1h"}, "page": {"10"}, "forever": {"true"}})
			},
			repair: func(ctx context.Context) error { return d.ask(ctx, http.MethodDelete, "/backfill", nil) },
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
			Does: "PostgreSQL is ended at once, with all connections to it.",
			breakIt: func(context.Context) error {
				d.database.cut()
				d.sup.observeDatabase(services.GaveUp, &services.Exit{Signal: 3, At: time.Now()})
				return nil
			},
			repair: func(ctx context.Context) error {
				if err := d.database.start(ctx); err != nil {
					return err
				}
				d.sup.observeDatabase(services.Running, nil)
				return nil
			},
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
			Name: "silence-stream", Title: "Silence a stream", Alert: "BinanceStreamSilent", Within: 60,
			Does: "The trades of BTCUSDT are no longer sent; the connection stands.",
			breakIt: func(context.Context) error {
				return d.exchange.Inject(exchangesim.Fault{Kind: exchangesim.Silence, Stream: "trade"})
			},
			repair: func(context.Context) error { d.exchange.Clear(exchangesim.Silence); return nil },
		},
		{
			Name: "discord-down", Title: "Take Discord down", Alert: "NotificationsNotDelivered", Within: 90,
			Does: "Discord answers 503 while there is something to tell; after a minute the second channel hears of it.",
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

const (
	dropRows = `
		CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
		CREATE TRIGGER swallow BEFORE INSERT ON klines FOR EACH ROW WHEN (NEW.symbol = 'ETHUSDT') EXECUTE FUNCTION swallow()`
	keepRows = `DROP TRIGGER swallow ON klines; DROP FUNCTION swallow()`
	alterRow = `
		CREATE TABLE altered AS SELECT id, qty FROM ts_user_trades
			WHERE time < now() - interval '10 seconds' ORDER BY time DESC LIMIT 1;
		UPDATE ts_user_trades t SET qty = 0 FROM altered a WHERE t.id = a.id`
	restoreRow = `UPDATE ts_user_trades t SET qty = a.qty FROM altered a WHERE t.id = a.id; DROP TABLE altered`
)

// sql runs statements, all or none of them.
func (d *Demo) sql(ctx context.Context, statements string) error {
	return d.database.do(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, statements)
		return err
	})
}

// ask asks the kline crawler for something.
func (d *Demo) ask(ctx context.Context, method, path string, p url.Values) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+d.sup.address(platform.KlineCrawler)+path+"?"+p.Encode(), nil)
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
	return d.sup.tell(ctx, name, true, text)
}

func unchanged(c platform.Config) platform.Config { return c }

func withLeak(c platform.Config) platform.Config {
	c.LeakBytesPerSecond = 128 << 20
	return c
}

func withoutGovernor(c platform.Config) platform.Config {
	c.Governor = ""
	return c
}
