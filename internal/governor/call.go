package governor

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/http1"
)

// The headers that are ours. None of them reaches the exchange.
const (
	clientHeader   = "X-Hedgewatch-Client"
	priorityHeader = "X-Hedgewatch-Priority"
	// outcomeHeader marks an answer that is not the exchange's own.
	outcomeHeader = "X-Hedgewatch-Outcome"
	keyHeader     = "X-Mbx-Apikey"
)

// call is one request on its way to the exchange, byte for byte as it came.
type call struct {
	method, path, query string
	header              http1.Header
	body                []byte

	client string
	market binance.Market
	class  class
	cost   binance.Cost
	// row is the row of the weight table, negative for an endpoint it does not have.
	row int
	// endpoint is a label: what the table does not have is "other".
	endpoint string
	account  string
	signed   bool
	// gone tells whether the client has left; nil if the context does.
	gone func() bool
}

// maxPath is longer than any path of the exchange.
const maxPath = 128

// checkPath takes a path as it came and refuses what could mean one thing here and
// another there.
func checkPath(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("the path is longer than %d bytes", maxPath)
	}
	last := byte(0)
	for i := range len(path) {
		c := path[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '/' && c != '-' && c != '_' && c != '.' || (c == '/' || c == '.') && (last == '/' || last == '.') {
			return fmt.Errorf("the path is not one of the exchange's; use it as the exchange's documents write it")
		}
		last = c
	}
	return nil
}

// newCall judges a request. The error is for the client.
func (g *Governor) newCall(c call, said string) (*call, *problem) {
	s := g.setup.Load()
	switch c.method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		return nil, &problem{status: http.StatusMethodNotAllowed, outcome: outcomeInvalid, text: "the exchange has no such method"}
	}
	if err := checkPath(c.path); err != nil {
		return nil, &problem{status: http.StatusNotFound, outcome: outcomeInvalid, text: err.Error()}
	}
	var ok bool
	if c.market, ok = binance.MarketOf(c.path); !ok {
		return nil, &problem{status: http.StatusNotFound, outcome: outcomeInvalid, text: "no market has this path; the governor serves /api, /sapi, /fapi and /dapi"}
	}
	method := c.method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	form := string(c.body)
	c.signed = binance.IsSigned(c.query, form)
	params := c.query
	if form != "" {
		params += "&" + form
	}
	c.cost = s.table.Cost(method, c.path, params)
	g.correct(&c, method)
	c.class = classify(method, c.path, c.signed, said)
	c.account = s.accounts.of(c.header.Get(keyHeader))
	c.header = passed(c.header)
	return &c, nil
}

// correct replaces the table's price by what was learned.
func (g *Governor) correct(c *call, method string) {
	lessons := g.lessons[c.market]
	c.endpoint = otherLabel
	c.row = c.cost.Row
	switch {
	case c.cost.Endpoint == nil:
		if len(c.path) < maxPath {
			c.row = lessons.rowOf(method + " " + c.path)
		}
	default:
		c.endpoint = c.cost.Endpoint.Path
		if method != http.MethodGet {
			c.endpoint = method + " " + c.endpoint
		}
	}
	if c.cost.PerSymbol {
		c.row = 0
	}
	if c.funding() {
		// Its gate counts requests.
		c.cost.Weight, c.cost.Success, c.row = 1, 1, 0
	}
	c.reprice(lessons)
}

// reprice takes what was learned since the call was priced: it may have waited.
func (c *call) reprice(lessons *lessons) {
	if c.row == 0 {
		return
	}
	learned := lessons.weight(c.row, c.cost.Weight)
	if c.cost.Success == c.cost.Weight {
		c.cost.Success = learned
	}
	c.cost.Weight = learned
}

func (c *call) funding() bool { return c.cost.Endpoint != nil && c.cost.Endpoint.Funding }

// ask is what the call wants of its gate.
func (c *call) ask() ask {
	a := ask{client: c.client, class: c.class, weight: c.cost.Weight, gone: c.gone}
	if until, ok := binance.ValidUntil(c.query, string(c.body)); ok && c.signed {
		a.validUntil = until
	}
	return a
}

// public says that the answer is the same for everybody who asks now.
func (c *call) public() bool {
	return c.method == http.MethodGet && c.cost.Endpoint != nil && c.cost.Endpoint.Public &&
		!c.signed && len(c.body) == 0 && c.header.Get(keyHeader) == "" && c.header.Get("Range") == ""
}

// shareKey tells public calls apart; the encodings are other bytes of the same.
func (c *call) shareKey() string {
	return strings.Join([]string{c.path, c.query, c.header.Get("Accept-Encoding"), c.header.Get("X-Mbx-Time-Unit")}, "\x00")
}

// passed is the header without what ends here. It uses the memory of h.
func passed(h http1.Header) http1.Header {
	return slices.DeleteFunc(h.Passed(), func(f http1.Field) bool { return ends(f.Name) })
}

// ends says that a header ends here.
func ends(name string) bool {
	switch len(name) {
	case len(clientHeader):
		return http1.Is(name, clientHeader)
	case len(priorityHeader):
		return http1.Is(name, priorityHeader)
	case len("Authorization"):
		return http1.Is(name, "Authorization")
	case len("Host"):
		return http1.Is(name, "Host")
	case len("Expect"):
		return http1.Is(name, "Expect")
	}
	return false
}

// request is the call in the form of net/http. Its target stands in Opaque, which
// net/http sends as it is: a signature covers the query as the client wrote it.
func (c *call) request(base *url.URL) *http.Request {
	header := c.header.HTTP()
	// With one of these net/http sends again what may have been executed.
	header.Del("Idempotency-Key")
	header.Del("X-Idempotency-Key")
	if _, ok := header["User-Agent"]; !ok {
		header["User-Agent"] = []string{""} // Ours must not take its place.
	}
	r := &http.Request{
		Method: c.method, Header: header, Host: base.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL: &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: c.path, RawQuery: c.query},
	}
	if len(c.body) == 0 {
		r.Body = http.NoBody
		if c.method == http.MethodGet || c.method == http.MethodHead {
			r.Body = nil
		}
		return r
	}
	r.ContentLength = int64(len(c.body))
	// With it net/http can use another connection when not a byte was written to
	// the first, and only then: an order is never sent twice.
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.body)), nil }
	r.Body = io.NopCloser(bytes.NewReader(c.body))
	return r
}

// target is the path and the query as the client wrote them.
func (c *call) target() string {
	if c.query == "" {
		return c.path
	}
	return c.path + "?" + c.query
}

// problem is an answer of ours to a request that went nowhere, or nowhere known.
type problem struct {
	status  int
	outcome string
	code    int // In the exchange's numbering; 0 means -1003.
	text    string
	retry   time.Duration
}

func (p *problem) Error() string { return p.text }

const (
	outcomeSent         = "sent"
	outcomeCached       = "cached"
	outcomeShared       = "coalesced"
	outcomeInvalid      = "invalid"
	outcomeUnauthorized = "unauthorized"
	outcomeUnreachable  = "unreachable"
	outcomeBroken       = "broken"
	outcomeCanceled     = "canceled"
)

// problemOf turns a refusal into an answer that makes clients do what they do when
// the exchange itself refuses: 418 while banned, 429 for all that waiting cures.
func problemOf(r *refusal) *problem {
	p := &problem{status: http.StatusTooManyRequests, outcome: r.outcome, text: "Not sent: " + r.reason, retry: max(r.retry, time.Second)}
	switch r.outcome {
	case outcomeBanned:
		p.status = http.StatusTeapot
	case outcomeTooHeavy:
		p.status, p.retry = http.StatusBadRequest, 0
	}
	return p
}
