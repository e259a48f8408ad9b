package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/server"
)

// The steps that look at the way to a peer.

// findAddress takes a DID or an address, and finds the other.
func (t *peerTrial) findAddress(context.Context) trialStep {
	list, err := t.peers.load()
	if err != nil {
		return failedWith(err, "")
	}
	var f trialStep
	if strings.HasPrefix(t.given, "did:") {
		f = t.fromDID(list)
	} else {
		f = t.fromURL(list)
	}
	if t.root == "" {
		t.closed = "it is not known where the peer is"
	}
	return f
}

func (t *peerTrial) fromDID(list []identity.Peer) trialStep {
	at, err := identity.WebURL(t.given)
	if err != nil {
		return failedWith(err, "")
	}
	t.did = t.given
	for i := range list {
		if list[i].DID == t.did {
			t.known = &list[i]
		}
	}
	if t.known != nil && t.known.Address != "" {
		at, t.base = t.known.Address, strings.TrimRight(t.known.Address, "/")
	}
	if t.root = rootOf(at); t.root == "" {
		return failed("correct the peer's address in "+t.peers.path, "%q is not an address that can be called", inBrief(at))
	}
	return found("%s is at %s", t.did, t.root)
}

func (t *peerTrial) fromURL(list []identity.Peer) trialStep {
	const fix = "give a DID such as did:web:gateway.example.kz, or an address such as https://gateway.example.kz"
	u, err := url.Parse(t.given)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return failed(fix, "%q is neither a DID nor an address", inBrief(t.given))
	}
	t.root = rootOf(t.given)
	for i := range list {
		at, err := identity.WebURL(list[i].DID)
		if err == nil && (rootOf(at) == t.root || list[i].Address != "" && rootOf(list[i].Address) == t.root) {
			t.known, t.did = &list[i], list[i].DID
			t.base = strings.TrimRight(list[i].Address, "/")
			return found("%s is on the list of peers as %s", t.root, t.did)
		}
	}
	path := strings.TrimSuffix(strings.TrimRight(u.Path, "/"), server.Base)
	if t.did, err = identity.WebDID(t.root + path); err != nil {
		return warned("give its DID", "no DID follows from this address: %s", plainly(err))
	}
	return found("%s would be %s", t.root, t.did)
}

// rootOf is scheme and host of an address.
func rootOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// findName resolves the host, and asks the guard about it, as every request of
// the node does.
func (t *peerTrial) findName(ctx context.Context) trialStep {
	if t.root == "" {
		return notApplicable("%s", t.closed)
	}
	u, err := url.Parse(t.root)
	if err != nil {
		return failedWith(err, "")
	}
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		t.closed = "its host has no address"
		return failed("compare the name with what the peer's operator says; look at this machine's name server", "%s has no address: %s", u.Hostname(), reasonOf(err))
	}
	names := make([]string, 0, len(list))
	for _, a := range list[:min(len(list), 8)] {
		names = append(names, a.Unmap().String())
	}
	if err := t.guard.Check(ctx, t.root); err != nil {
		t.closed = "this node does not call such an address"
		return failedWith(err, "")
	}
	return found("%s is %s, which this node may call", u.Hostname(), strings.Join(names, ", "))
}

// reasonOf leaves out what a person knows already.
func reasonOf(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the name is not known"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there"
	case errors.As(err, &op) && op.Timeout():
		return "no answer in time"
	}
	return inBrief(err.Error())
}

func (t *peerTrial) dial(ctx context.Context) (net.Conn, error) {
	u, err := url.Parse(t.root)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "%w", err)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return t.guard.Dial(ctx, net.JoinHostPort(u.Hostname(), port), u.Scheme == "http")
}

func (t *peerTrial) connect(ctx context.Context) trialStep {
	began := t.now()
	conn, err := t.dial(ctx)
	if identity.Blocked(err) {
		t.closed = "this node does not call such an address"
		return failedWith(err, "")
	}
	if err != nil {
		t.closed = "there is no connection"
		return failed("let the peer's operator see whether its node runs; look at the firewalls on both sides", "%s: %s", t.root, reasonOf(err))
	}
	defer conn.Close()
	return found("connected to %s in %d ms", conn.RemoteAddr(), t.now().Sub(began).Milliseconds())
}

// soon is how early the end of a certificate is told.
const soon = 21 * 24 * time.Hour

// secure looks at the certificate by itself, so that each thing that is wrong
// with it has its own explanation. Nothing is sent on this connection.
func (t *peerTrial) secure(ctx context.Context) trialStep {
	u, err := url.Parse(t.root)
	if err != nil || u.Scheme == "http" {
		return notApplicable("plain http: %s is reached without TLS, which this node does on this machine and in inner networks alone", t.root)
	}
	conn, err := t.dial(ctx)
	if err != nil {
		return failed("", "the connection cannot be made again: %s", reasonOf(err))
	}
	defer conn.Close()
	// The chain and the name are judged below.
	c := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12, InsecureSkipVerify: true})
	if err := c.HandshakeContext(ctx); err != nil {
		var record tls.RecordHeaderError
		if errors.As(err, &record) {
			return failed("let the peer's operator put TLS on this port", "what answers there does not speak TLS")
		}
		return failed("let the peer's operator offer TLS 1.2 or 1.3", "no TLS 1.2 or 1.3 can be agreed on: %s", reasonOf(err))
	}
	return t.judge(c.ConnectionState(), u.Hostname())
}

func (t *peerTrial) judge(s tls.ConnectionState, host string) trialStep {
	leaf, between := s.PeerCertificates[0], x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	until, now := leaf.NotAfter.UTC().Format(time.DateOnly), t.now()
	_, err := leaf.Verify(x509.VerifyOptions{Roots: t.guard.Roots, Intermediates: between, CurrentTime: now})
	var unknown x509.UnknownAuthorityError
	switch {
	case now.After(leaf.NotAfter):
		return failed("let the peer's operator renew it", "its certificate ended on %s", until)
	case now.Before(leaf.NotBefore):
		return failed("compare this machine's clock with the peer's", "its certificate begins on %s only", leaf.NotBefore.UTC().Format(time.DateOnly))
	case leaf.VerifyHostname(host) != nil:
		return failed("let the peer's operator serve a certificate for this name", "its certificate is not for %s, but for %s", host, inBrief(strings.Join(namesOn(leaf), ", ")))
	case errors.As(err, &unknown):
		return failed("let the peer's operator serve the whole chain, of an authority that this machine's system trusts", "its certificate is signed by %q, which this machine does not trust, or the chain is not whole", inBrief(leaf.Issuer.String()))
	case err != nil:
		return failed("let the peer's operator look at its certificate", "its certificate is not accepted: %s", reasonOf(err))
	case leaf.NotAfter.Sub(now) < soon:
		return warned("let the peer's operator renew it in time", "%s; its certificate ends on %s", tls.VersionName(s.Version), until)
	}
	return found("%s; its certificate is for %s and good until %s", tls.VersionName(s.Version), host, until)
}

func namesOn(c *x509.Certificate) []string {
	names := c.DNSNames[:min(len(c.DNSNames), 10)]
	for _, a := range c.IPAddresses[:min(len(c.IPAddresses), 10)] {
		names = append(names, a.String())
	}
	if len(names) == 0 {
		return []string{"no name"}
	}
	return names
}

// trialAnswer is what a peer answered to a question without a token.
type trialAnswer struct {
	url    string
	status int
	date   string
	middle time.Time // between question and answer, by our clock
	place  string    // where it redirects to
	body   []byte
}

// maxTrialAnswer bounds what is read of a version document.
const maxTrialAnswer = 256 << 10

func (t *peerTrial) ask(ctx context.Context, address string) (*trialAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "%w", err)
	}
	req.Header.Set("Accept", "application/json")
	began := t.now()
	resp, err := t.http.Do(req)
	if err != nil {
		return nil, unanswered(address, err)
	}
	defer resp.Body.Close()
	a := &trialAnswer{url: address, status: resp.StatusCode, date: resp.Header.Get("Date"), place: resp.Header.Get("Location"), middle: began.Add(t.now().Sub(began) / 2)}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxTrialAnswer+1))
	if err == nil && len(a.body) > maxTrialAnswer {
		err = corridor.E(corridor.Limited, "%s is over %d bytes long", address, maxTrialAnswer)
	} else if err != nil {
		err = unanswered(address, err)
	}
	return a, err
}

func unanswered(address string, err error) error {
	var e *corridor.Error
	if errors.As(err, &e) {
		return err
	}
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return corridor.E(corridor.Unavailable, "%s is not answered in time", address)
		}
		err = u.Err
	}
	return corridor.E(corridor.Unavailable, "%s is not answered: %s", address, reasonOf(err))
}

// useful says what keeps an answer from being one.
func (a *trialAnswer) useful() error {
	switch {
	case a.status/100 == 3:
		return &corridor.Error{Kind: corridor.Unavailable, Msg: fmt.Sprintf("%s redirects to %q, where this node does not go", a.url, inBrief(a.place)), Fix: "let the peer serve it there itself, or use its final address"}
	case a.status != http.StatusOK:
		return &corridor.Error{Kind: corridor.Unavailable, Msg: fmt.Sprintf("%s answers with status %d", a.url, a.status), Fix: "let the peer's operator serve it there"}
	}
	return nil
}

// compareClocks reads the time of an answer. The header has whole seconds.
func (t *peerTrial) compareClocks(ctx context.Context) trialStep {
	t.answer, t.answers = t.ask(ctx, t.root+dsp.VersionPath)
	if t.answer == nil {
		return notApplicable("the peer tells no time: %s", plainly(t.answers))
	}
	theirs, err := http.ParseTime(t.answer.date)
	if err != nil {
		return notApplicable("the peer tells no time")
	}
	apart := theirs.Sub(t.answer.middle.Truncate(time.Second))
	size := max(apart, -apart)
	const fix = "let both machines set their clocks by the network (NTP)"
	switch {
	case apart > identity.ClockSkew:
		return failed(fix, "the peer's clock is %s ahead of ours: tokens are refused", size)
	case apart < -identity.ClockSkew:
		return failed(fix, "the peer's clock is %s behind ours: tokens are refused", size)
	case apart > identity.ClockSkew/2:
		return warned(fix, "the peer's clock is %s ahead of ours", size)
	case apart < -identity.ClockSkew/2:
		return warned(fix, "the peer's clock is %s behind ours", size)
	}
	return found("the clocks are within %s", max(size, time.Second))
}
