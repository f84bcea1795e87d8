package exchangesim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// recvWindow, by API docs, rest-api.md, 2026-07.
const (
	defaultRecvWindow = 5000
	longestRecvWindow = 60_000
	// mostAhead is how far a timestamp may lie in the future.
	mostAhead = 1000
)

// Sign is the signature of a payload for an account's secret.
func Sign(secret, payload string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(payload))
	return hex.EncodeToString(mac.Sum(nil))
}

// authorize finds the account, and checks signature and timestamp.
func (c *call) authorize(q request, r *route) *fail {
	if r.security == public {
		return nil
	}
	if q.key == "" {
		return refuse(http.StatusUnauthorized, -2014, "API-key format invalid.")
	}
	c.account = c.accountOf(q.key)
	if c.account == nil {
		return refuse(http.StatusUnauthorized, -2015, "Invalid API-key, IP, or permissions for action.")
	}
	if r.security == keyed {
		return nil
	}
	sent, err := strconv.ParseInt(q.params.Get("timestamp"), 10, 64)
	if err != nil {
		return missing("timestamp")
	}
	if q.params.Get("signature") == "" {
		return missing("signature")
	}
	const microseconds = 1e14
	if sent > microseconds {
		sent /= 1000
	}
	recv := float64(defaultRecvWindow)
	if text := q.params.Get("recvWindow"); text != "" {
		recv, err = strconv.ParseFloat(text, 64)
		if err != nil || !(recv >= 0) {
			return refuse(http.StatusBadRequest, -1100, "Illegal characters found in parameter 'recvWindow'; legal range is '[0-9]{1,20}'.")
		}
		if recv > longestRecvWindow {
			return refuse(http.StatusBadRequest, -1131, "recvWindow must be less than 60000")
		}
	}
	now := c.at.UnixMilli()
	if sent >= now+mostAhead {
		return refuse(http.StatusBadRequest, -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
	}
	if now-sent > int64(recv) {
		return refuse(http.StatusBadRequest, -1021, "Timestamp for this request is outside of the recvWindow.")
	}
	if !hmac.Equal([]byte(Sign(c.account.Secret, q.payload)), []byte(q.params.Get("signature"))) {
		return refuse(http.StatusBadRequest, -1022, "Signature for this request is not valid.")
	}
	return nil
}

func missing(name string) *fail {
	return refuse(http.StatusBadRequest, -1102, "Mandatory parameter '%s' was not sent, was empty/null, or malformed.", name)
}

// countOrders counts new orders against the account, in each of its windows.
func (c *call) countOrders(r *route) *fail {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.account.counts[c.market]
	for _, l := range counts {
		n := r.orders
		if l.length > shortest(counts) {
			n = r.ordersLong
		}
		if l.roll(c.at).used+n > l.Count {
			f := refuse(http.StatusTooManyRequests, -1015, "Too many new orders; current limit is %d orders per %s.", l.Count, l.length)
			f.retry = l.left(c.at)
			return f
		}
	}
	for _, l := range counts {
		n := r.orders
		if l.length > shortest(counts) {
			n = r.ordersLong
		}
		l.used += n
	}
	c.orders = counts
	return nil
}

func shortest(all []*limited) time.Duration {
	least := all[0].length
	for _, l := range all {
		least = min(least, l.length)
	}
	return least
}
