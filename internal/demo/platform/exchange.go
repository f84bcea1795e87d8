package platform

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hedgewatch/hedgewatch/instrument"
)

const (
	requestTimeout = 10 * time.Second
	// maxAnswer bounds what is read of an answer; a page of bars has about 200 KB.
	maxAnswer = 4 << 20
)

// exchange asks the exchange, by way of the governor.
type exchange struct {
	base    string
	clients map[string]*http.Client // By account; "" is for public data.
	keys    map[string]Account
}

func newExchange(reg prometheus.Registerer, name string, cfg Config, logger *slog.Logger) (*exchange, error) {
	direct := map[instrument.Market]string{instrument.Spot: cfg.Exchange, instrument.USDM: cfg.Exchange}
	measured, err := instrument.NewBinance(reg, instrument.BinanceConfig{
		Client: name, Governor: cfg.Governor, Exchange: direct, Next: &http.Transport{MaxIdleConnsPerHost: 8}, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	// The dashboard of services has what they ask of others; this is all that these do.
	requests, err := instrument.NewHTTPClient(reg, instrument.HTTPClientConfig{})
	if err != nil {
		return nil, err
	}
	x := &exchange{base: cfg.Governor, clients: map[string]*http.Client{}, keys: map[string]Account{}}
	x.clients[""] = &http.Client{Transport: requests.Transport("exchange", measured.Transport("")), Timeout: requestTimeout}
	for _, a := range cfg.Accounts {
		x.clients[a.Name] = &http.Client{Transport: requests.Transport("exchange", measured.Transport(a.Name)), Timeout: requestTimeout}
		x.keys[a.Name] = a
	}
	return x, nil
}

// ask sends a request and reads its answer. With an account it is signed.
func (x *exchange) ask(ctx context.Context, method, path, account string, p url.Values, answer any) error {
	query := p.Encode()
	if account != "" {
		p.Set("timestamp", strconv.FormatInt(time.Now().UnixMilli(), 10))
		query = p.Encode()
		mac := hmac.New(sha256.New, []byte(x.keys[account].Secret))
		mac.Write([]byte(query))
		query += "&signature=" + hex.EncodeToString(mac.Sum(nil))
	}
	req, err := http.NewRequestWithContext(ctx, method, x.base+path+"?"+query, nil)
	if err != nil {
		return err
	}
	if account != "" {
		req.Header.Set("X-MBX-APIKEY", x.keys[account].Key)
	}
	resp, err := x.clients[account].Do(req)
	if err != nil {
		return fmt.Errorf("ask the exchange for %s: %w", path, cause(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the exchange's answer to %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the exchange for %s: %s: %.200s", path, resp.Status, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("read the exchange's answer to %s: %w", path, err)
	}
	return nil
}

// cause leaves out the URL, in which the signature stands.
func cause(err error) error {
	if e, ok := err.(*url.Error); ok { // http.Client returns it as it is.
		return e.Err
	}
	return err
}
