package dsp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"corridor"
)

// Peer is whom the client speaks to.
type Peer struct {
	ID   string // audience of the token, usually a DID
	Base string // base address of the peer's endpoints, such as a callback address
}

// ClientConfig is what a Client needs.
type ClientConfig struct {
	// HTTP carries the requests. It must be guarded against forged
	// addresses and must not follow redirects: see internal/identity.
	HTTP *http.Client
	// Token makes the Authorization header's bearer token for an audience,
	// anew for every attempt. Nil sends none.
	Token func(ctx context.Context, audience string) (string, error)
	// MaxResponse bounds an answer in bytes. Zero means MaxMessage;
	// catalogues are always bounded by MaxCatalog.
	MaxResponse int64
	// Log gets one line for every attempt that failed. Nil is silent.
	Log *slog.Logger
}

// Client sends messages to peers. It is safe for concurrent use.
type Client struct {
	cfg ClientConfig
}

// NewClient makes a client.
func NewClient(cfg ClientConfig) *Client {
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if cfg.MaxResponse <= 0 {
		cfg.MaxResponse = MaxMessage
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{cfg: cfg}
}

// Reply is a peer's answer to a message it accepted. The protocol lets the
// body be empty, and lets the media type be anything.
type Reply struct {
	Status int
	Body   []byte
	Next   string // address of the next page, from the Link header

	head http.Header
}

// Empty says whether the peer answered without a body.
func (r *Reply) Empty() bool { return len(bytes.TrimSpace(r.Body)) == 0 }

// Negotiation reads the answer to a contract request or offer.
func (r *Reply) Negotiation() (*ContractNegotiation, error) {
	return Decode[ContractNegotiation](r.Body)
}

// Transfer reads the answer to a transfer request.
func (r *Reply) Transfer() (*TransferProcess, error) { return Decode[TransferProcess](r.Body) }

// Post validates, writes and sends a message to path at the peer.
func (c *Client) Post(ctx context.Context, to Peer, path string, m Message) (*Reply, error) {
	body, err := Encode(m)
	if err != nil {
		return nil, err
	}
	limit := c.cfg.MaxResponse
	if m.Type() == TypeCatalogRequest {
		limit = MaxCatalog
	}
	return c.do(ctx, http.MethodPost, to, path, body, limit)
}

// Send posts a body that Encode wrote earlier, as an outbox does.
func (c *Client) Send(ctx context.Context, to Peer, path string, body []byte) (*Reply, error) {
	return c.do(ctx, http.MethodPost, to, path, body, c.cfg.MaxResponse)
}

// Get reads path at the peer.
func (c *Client) Get(ctx context.Context, to Peer, path string) (*Reply, error) {
	return c.do(ctx, http.MethodGet, to, path, nil, c.cfg.MaxResponse)
}

// Catalog asks the peer for the first page of its catalogue.
func (c *Client) Catalog(ctx context.Context, to Peer, req *CatalogRequestMessage) (*Catalog, *Reply, error) {
	r, err := c.Post(ctx, to, CatalogRequestPath, req)
	if err != nil {
		return nil, nil, err
	}
	cat, err := Decode[Catalog](r.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("catalogue of %s: %w", to.ID, err)
	}
	return cat, r, nil
}

// Versions reads the version document under a peer's root address, without
// a token, as the protocol wants.
func (c *Client) Versions(ctx context.Context, root string) (*VersionDocument, error) {
	plain := &Client{cfg: c.cfg}
	plain.cfg.Token = nil
	r, err := plain.do(ctx, http.MethodGet, Peer{Base: root}, VersionPath, nil, c.cfg.MaxResponse)
	if err != nil {
		return nil, err
	}
	return DecodeVersions(r.Body)
}

func (c *Client) do(ctx context.Context, method string, to Peer, path string, body []byte, limit int64) (*Reply, error) {
	target := Join(to.Base, path)
	req, err := c.request(ctx, method, to, target, body)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	reply, err := c.exchange(req, limit)
	if err != nil {
		c.cfg.Log.WarnContext(ctx, "peer did not take the message", "method", method, "url", target, "peer", to.ID,
			"took", time.Since(start), "permanent", Permanent(err), "error", err)
		return nil, err
	}
	return reply, nil
}

func (c *Client) request(ctx context.Context, method string, to Peer, target string, body []byte) (*http.Request, error) {
	if err := address("address", to.Base); err != nil || to.Base == "" {
		return nil, &PeerError{permanent: true, err: &corridor.Error{Kind: corridor.Invalid, Msg: "the peer's address " + strconv.Quote(clip(to.Base)) + " cannot be used", Err: err}}
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, &PeerError{permanent: true, err: corridor.E(corridor.Invalid, "the peer's address cannot be used: %w", err)}
	}
	req.Header.Set("Accept", MediaType+", "+LDMediaType+";q=0.9")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", MediaType)
	}
	if c.cfg.Token != nil {
		token, err := c.cfg.Token(ctx, to.ID)
		if err != nil {
			return nil, fmt.Errorf("token for %s: %w", to.ID, err)
		}
		if !strings.Contains(token, " ") { // else it brings its own scheme
			token = "Bearer " + token
		}
		req.Header.Set("Authorization", token)
	}
	return req, nil
}

// usualAnswer is how much room a peer gets by announcing a length.
const usualAnswer = 64 << 10

func (c *Client) exchange(req *http.Request, limit int64) (*Reply, error) {
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return nil, noAnswer(req, err)
	}
	defer resp.Body.Close()
	var read bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= usualAnswer {
		read.Grow(int(n) + bytes.MinRead) // ReadFrom wants that much room to see the end
	}
	_, err = read.ReadFrom(io.LimitReader(resp.Body, limit+1))
	body := read.Bytes()
	if err != nil {
		return nil, noAnswer(req, err)
	}
	if int64(len(body)) > limit {
		return nil, &PeerError{Status: resp.StatusCode, permanent: true,
			err: corridor.E(corridor.Limited, "the answer of %s is over the limit of %d bytes", req.URL.Host, limit)}
	}
	unchanged := resp.StatusCode == http.StatusNotModified && req.Header.Get("If-None-Match") != ""
	if resp.StatusCode >= 200 && resp.StatusCode < 300 || unchanged {
		return &Reply{Status: resp.StatusCode, Body: body, Next: nextLink(resp), head: resp.Header}, nil
	}
	return nil, refused(req, resp, body)
}

// nextLink finds rel="next" in the Link header, resolved and kept on the host
// that was asked, so that a page cannot lead the caller elsewhere.
func nextLink(resp *http.Response) string {
	for _, h := range resp.Header.Values("Link") {
		for part := range strings.SplitSeq(h, ",") {
			target, params, _ := strings.Cut(strings.TrimSpace(part), ">")
			params = strings.ReplaceAll(params, " ", "")
			if !strings.HasPrefix(target, "<") || !strings.Contains(params, `;rel="next"`) && !strings.Contains(params, ";rel=next") {
				continue
			}
			u, err := resp.Request.URL.Parse(target[1:])
			if err == nil && u.Host == resp.Request.URL.Host && u.Scheme == resp.Request.URL.Scheme {
				return u.String()
			}
		}
	}
	return ""
}

// noAnswer explains a request that got no whole answer.
func noAnswer(req *http.Request, err error) error {
	var ce *corridor.Error
	if errors.As(err, &ce) && ce.Kind == corridor.Forbidden { // the guard of our own client
		return &PeerError{permanent: true, err: ce}
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	e := corridor.E(corridor.Unavailable, "no answer from %s: %w", req.URL.Host, err)
	var ne net.Error
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		e.Msg = req.URL.Host + " closed the connection without an answer"
		e.Fix = "the peer may have failed on the message itself: look at its log"
	case errors.Is(err, context.Canceled):
		e.Msg = "the request to " + req.URL.Host + " was cancelled"
	case errors.As(err, &ne) && ne.Timeout():
		e.Msg = req.URL.Host + " did not answer in time"
	}
	return &PeerError{err: e}
}
