// Package server is the node's edge: the table of routes (routes.go), the
// shells that every request passes (shell.go), the rendering of errors
// (errors.go), and the management API (api.go). Handlers decode, call one use
// case of the exchange, and encode; nothing is decided here.
package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

// Base is the path of the Dataspace Protocol endpoints below the node's root.
const Base = "/dsp/" + dsp.Version

// Limits of one request.
const (
	maxBody     = dsp.MaxMessage
	maxInFlight = 512 // requests at once, streams not counted
	maxWait     = time.Minute
	callTimeout = 30 * time.Second
	fileTimeout = time.Hour // to compute the digest of a file that is published
)

// Verifier proves who calls (identity.TokenVerifier). If it can also Prove, the
// use of a message's token is noted with what the message changes.
type Verifier interface {
	Verify(ctx context.Context, authorization string) (identity.Caller, error)
}

type prover interface {
	Prove(ctx context.Context, authorization string) (identity.Caller, error)
}

// Config is what a server needs.
type Config struct {
	Exchange *exchange.Service
	Verifier Verifier
	Ledger   http.Handler // the node's log, served under /log/
	Plane    http.Handler // the node's streams, served under /data/; nil: the exchange's own
	// Crawler reads the catalogues of peers. Nil: none are read.
	Crawler *catalog.Crawler
	// Claims are the services of the Decentralized Claims Protocol. Nil: none.
	Claims *Claims
	// DID gives the node's DID document as it is now, served under
	// /.well-known/did.json.
	DID func() identity.Document
	// Trust gives the DID document of the trust service, served under TrustPath.
	// An empty TrustPath: there is none with a DID of its own.
	Trust     func() *identity.Document
	TrustPath string
	// Admin is the bearer token of the management API. Empty: the API is off.
	Admin  string
	Logger *slog.Logger // one line per request; nil: silent
}

type server struct {
	cfg   Config
	x     *exchange.Service
	admin [sha256.Size]byte
	slots chan struct{}
	log   *slog.Logger
}

// New makes the handler of a node.
func New(c Config) (http.Handler, error) {
	if c.Exchange == nil || c.Verifier == nil {
		return nil, corridor.E(corridor.Internal, "server: Exchange and Verifier are needed")
	}
	if c.Plane == nil {
		c.Plane = c.Exchange.Plane()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.DID == nil {
		c.DID = func() identity.Document { return identity.Document{} }
	}
	s := &server{cfg: c, x: c.Exchange, admin: sha256.Sum256([]byte(c.Admin)), slots: make(chan struct{}, maxInFlight), log: c.Logger}
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.pattern, s.shell(r))
	}
	return mux, nil
}

// HTTPServer makes a server whose limits stand against peers that send or
// read slowly. Streams set their own deadlines.
func HTTPServer(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// mayManage checks the bearer token in constant time. The API is for this
// machine: a request that came from elsewhere, or through a proxy, is refused
// even with the token.
func (s *server) mayManage(r *http.Request) error {
	if s.cfg.Admin == "" {
		return corridor.E(corridor.NotFound, "the management API of this node is off")
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return corridor.E(corridor.Forbidden, "the management API answers on this machine only")
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(given[:], s.admin[:]) != 1 {
		return &corridor.Error{Kind: corridor.Unauthenticated, Msg: "the management token is missing or wrong", Fix: "send Authorization: Bearer with the token of the node's token file"}
	}
	return nil
}
