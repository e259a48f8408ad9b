package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"corridor"
)

// AllowPrivateSetting is the configuration key that a refusal names.
const AllowPrivateSetting = "allow_private"

// Guard describes an HTTP client for addresses that strangers supply.
type Guard struct {
	// AllowPrivate lets the client reach loopback, private and
	// carrier-grade NAT addresses, over plain http too. Link-local,
	// metadata, multicast and reserved addresses stay closed.
	AllowPrivate bool
	// Timeout bounds a whole request, body included. Zero means none, for
	// streams that are bounded by other means; the connection, handshake
	// and header always have their own limits.
	Timeout time.Duration
	// MaxBody bounds a response body in bytes. Zero means none.
	MaxBody int64
	// Roots are the accepted certificate authorities. Nil: the system's.
	Roots *x509.CertPool
}

const (
	connectTimeout = 10 * time.Second
	headerTimeout  = 30 * time.Second
	maxHeader      = 64 << 10
)

// GuardedClient is the client for messages between gateways: 30 seconds, 32
// MiB.
func GuardedClient(allowPrivate bool) *http.Client {
	return Guard{AllowPrivate: allowPrivate, Timeout: 30 * time.Second, MaxBody: 32 << 20}.Client()
}

// Client makes the client. It checks every address when the socket is
// opened, after names are resolved, so that a name cannot change in between;
// it follows no redirects, uses no proxy, and speaks plain http only to
// loopback and private addresses, if those are allowed at all.
func (g Guard) Client() *http.Client {
	t := &http.Transport{
		DialContext:            g.dialer().DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: g.Roots},
		TLSHandshakeTimeout:    connectTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    64, // the outbox sends 48 messages at once
		MaxResponseHeaderBytes: maxHeader,
	}
	return &http.Client{
		Transport:     &guarded{next: t, maxBody: g.MaxBody},
		Timeout:       g.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (g Guard) dialer() *net.Dialer {
	return &net.Dialer{Timeout: connectTimeout, ControlContext: g.control}
}

// Dial opens a connection as the client does, for whoever looks at the
// connection itself. Plain says that no TLS follows on it.
func (g Guard) Dial(ctx context.Context, address string, plain bool) (net.Conn, error) {
	return g.dialer().DialContext(context.WithValue(ctx, plainKey{}, plain), "tcp", address)
}

type plainKey struct{}

// guarded checks the scheme and bounds the body.
type guarded struct {
	next    http.RoundTripper
	maxBody int64
}

// RoundTrip implements http.RoundTripper.
func (g *guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	switch req.URL.Scheme {
	case "https":
	case "http":
		req = req.WithContext(context.WithValue(req.Context(), plainKey{}, true))
	default:
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, &corridor.Error{Kind: corridor.Forbidden, Msg: fmt.Sprintf("addresses of the form %q are not used", clip(req.URL.Scheme)+":")}
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil || g.maxBody <= 0 {
		return resp, err
	}
	if resp.ContentLength > g.maxBody {
		resp.Body.Close()
		return nil, tooLong(req.URL.Host, g.maxBody)
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: g.maxBody, host: req.URL.Host, max: g.maxBody}
	return resp, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (g *guarded) CloseIdleConnections() {
	if c, ok := g.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func tooLong(host string, limit int64) error {
	return corridor.E(corridor.Limited, "the answer of %s is over the limit of %d bytes", host, limit)
}

type boundedBody struct {
	io.ReadCloser
	left, max int64
	host      string
}

// Read gives an error, not an end, when the limit is passed.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLong(b.host, b.max)
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n - 1, tooLong(b.host, b.max)
	}
	return n, err
}

// control runs between name resolution and connect.
func (g Guard) control(ctx context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" && network != "tcp" {
		return &corridor.Error{Kind: corridor.Forbidden, Msg: "network " + network + " is not used for peers"}
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &corridor.Error{Kind: corridor.Forbidden, Msg: "address " + clip(address) + " cannot be checked", Err: err}
	}
	plain, _ := ctx.Value(plainKey{}).(bool)
	return g.check(at.Addr(), plain)
}

// check says whether an address may be connected to.
func (g Guard) check(a netip.Addr, plain bool) error {
	what, private := classify(a)
	switch {
	case what != "" && private && g.AllowPrivate:
		return nil
	case what != "" && private:
		return &corridor.Error{Kind: corridor.Forbidden, Msg: fmt.Sprintf("%s is %s", a, what),
			Why: "requests that a peer causes must not reach inside networks", Fix: "if the peer really is there, set " + AllowPrivateSetting + ": true"}
	case what != "":
		return &corridor.Error{Kind: corridor.Forbidden, Msg: fmt.Sprintf("%s is %s", a, what),
			Why: "no peer can be at such an address", Fix: "use the peer's public address"}
	case plain:
		return &corridor.Error{Kind: corridor.Forbidden, Msg: fmt.Sprintf("plain http to %s", a),
			Why: "messages carry tokens; over an open network they need TLS", Fix: "use the peer's https address"}
	}
	return nil
}

// Check says beforehand whether the client would connect to an address, so
// that a peer hears at once of one that it gives in vain. It is no protection
// by itself: the client checks again when it connects.
func (g Guard) Check(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return corridor.E(corridor.Invalid, "%q is not an address that can be called", clip(address))
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return corridor.E(corridor.Unavailable, "%s: %w", clip(u.Hostname()), err)
	}
	for _, a := range found {
		if err = g.check(a, u.Scheme == "http"); err == nil {
			return nil
		}
	}
	return err
}

// Blocked says whether err is the guard's refusal of an address.
func Blocked(err error) bool {
	var e *corridor.Error
	return errors.As(err, &e) && e.Kind == corridor.Forbidden
}

// classify names what keeps an address from being a public unicast one;
// private says that a setting may open it. The specials inside private space
// (cloud metadata services) come first.
func classify(a netip.Addr) (what string, private bool) {
	if a.Zone() != "" {
		return "a link-local address", false
	}
	a = a.Unmap()
	if v4, ok := embedded(a); ok {
		what, private = classify(v4)
		if what != "" {
			return what + " inside " + a.String(), private
		}
		return "", false
	}
	switch {
	case a == netip.AddrFrom4([4]byte{169, 254, 169, 254}), a == netip.AddrFrom4([4]byte{100, 100, 100, 200}), a == netip.MustParseAddr("fd00:ec2::254"):
		return "a metadata service", false
	case a.IsUnspecified():
		return "the unspecified address", false
	case a.IsLoopback():
		return "a loopback address", true
	case a.IsLinkLocalUnicast():
		return "a link-local address", false
	case a.IsMulticast():
		return "a multicast address", false
	case a.IsPrivate():
		return "a private address", true
	}
	for _, r := range reserved() {
		if r.prefix.Contains(a) {
			return r.what, r.private
		}
	}
	if a.Is6() && !netip.MustParsePrefix("2000::/3").Contains(a) {
		return "a reserved address", false
	}
	return "", false
}

type reservedRange struct {
	prefix  netip.Prefix
	what    string
	private bool
}

// reserved lists the special-purpose ranges of the IANA registries that
// net/netip does not know.
func reserved() []reservedRange {
	p := netip.MustParsePrefix
	return []reservedRange{
		{p("100.64.0.0/10"), "a carrier-grade NAT address", true},
		{p("0.0.0.0/8"), "a reserved address", false},
		{p("192.0.0.0/24"), "a reserved address", false},
		{p("192.0.2.0/24"), "a documentation address", false},
		{p("198.51.100.0/24"), "a documentation address", false},
		{p("203.0.113.0/24"), "a documentation address", false},
		{p("192.88.99.0/24"), "a reserved address", false},
		{p("198.18.0.0/15"), "a benchmarking address", false},
		{p("240.0.0.0/4"), "a reserved address", false},
		{p("2001::/23"), "a reserved address", false},
		{p("2001:db8::/32"), "a documentation address", false},
		{p("3fff::/20"), "a documentation address", false},
	}
}

// embedded gives the IPv4 address that an IPv6 address would be carried to:
// NAT64 (well-known and local prefix), 6to4, IPv4-compatible.
func embedded(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() {
		return a, false
	}
	b := a.As16()
	v4 := func(i int) (netip.Addr, bool) { return netip.AddrFrom4([4]byte(b[i : i+4])), true }
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a), netip.MustParsePrefix("64:ff9b:1::/48").Contains(a):
		return v4(12)
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return v4(2)
	case netip.MustParsePrefix("::/96").Contains(a) && !a.IsUnspecified() && !a.IsLoopback():
		return v4(12)
	}
	return a, false
}
