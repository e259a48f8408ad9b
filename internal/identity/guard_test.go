package identity

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"corridor"
)

func TestWhichAddressesAreClosed(t *testing.T) {
	const (
		open    = 0 // always
		setting = 1 // with allow_private
		never   = 2
	)
	for addr, want := range map[string]int{
		"93.184.216.34": open, "8.8.8.8": open, "2606:4700::1111": open, "172.32.0.1": open, "100.128.0.1": open, "198.20.0.1": open,
		"::ffff:8.8.8.8": open, "64:ff9b::8.8.8.8": open, "2002:808:808::1": open,
		"127.0.0.1": setting, "127.255.255.254": setting, "::1": setting, "::ffff:127.0.0.1": setting,
		"10.0.0.1": setting, "172.16.0.1": setting, "172.31.255.255": setting, "192.168.1.1": setting, "fd12::1": setting, "fc00::1": setting,
		"::ffff:10.1.2.3": setting, "64:ff9b::10.0.0.1": setting, "64:ff9b:1::10.0.0.1": setting, "2002:a00:1::1": setting, "::10.0.0.1": setting,
		"100.64.0.1": setting, "100.127.255.255": setting,
		"169.254.169.254": never, "::ffff:169.254.169.254": never, "64:ff9b::169.254.169.254": never, "fd00:ec2::254": never, "100.100.100.200": never,
		"169.254.1.1": never, "fe80::1": never, "fe80::1%eth0": never, "0.0.0.0": never, "::": never, "0.1.2.3": never, "::ffff:0.0.0.0": never,
		"224.0.0.1": never, "239.255.255.250": never, "ff02::1": never, "255.255.255.255": never, "240.0.0.1": never,
		"192.0.2.1": never, "198.51.100.1": never, "203.0.113.9": never, "198.18.0.1": never, "192.0.0.8": never, "192.88.99.1": never,
		"2001:db8::1": never, "2001::1": never, "3fff::1": never, "fec0::1": never, "100::1": never, "4000::1": never, "::2:3": never,
	} {
		a := netip.MustParseAddr(addr)
		closed, private := Guard{}.check(a, false), Guard{AllowPrivate: true}.check(a, false)
		if (closed == nil) != (want == open) || (private == nil) != (want != never) {
			t.Errorf("%s: %v / %v", addr, closed, private)
		}
		if want == setting {
			wants(t, closed, corridor.Forbidden, "set allow_private: true")
		}
		if want == open {
			wants(t, Guard{AllowPrivate: true}.check(a, true), corridor.Forbidden, "plain http")
		}
		if want == setting && (Guard{AllowPrivate: true}).check(a, true) != nil {
			t.Errorf("%s: plain http is closed although allowed", addr)
		}
	}
}

// However an IPv4 address is dressed up as IPv6, it is judged the same.
func TestDisguisesDoNotHelp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "v4"))
		v4 := netip.AddrFrom4(b)
		want := Guard{}.check(v4, false) == nil
		nat := netip.MustParseAddr("64:ff9b::").As16()
		copy(nat[12:], b[:])
		six := netip.MustParseAddr("2002::").As16()
		copy(six[2:], b[:])
		for _, a := range []netip.Addr{netip.AddrFrom16(v4.As16()), netip.AddrFrom16(nat), netip.AddrFrom16(six)} {
			if got := (Guard{}).check(a, false) == nil; got != want {
				t.Fatalf("%s: %v, as %s: %v", v4, want, a, got)
			}
		}
	})
}

func TestTheClientDoesNotReachLoopback(t *testing.T) {
	hit := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer srv.Close()
	_, err := GuardedClient(false).Get(srv.URL)
	wants(t, err, corridor.Forbidden, "127.0.0.1 is a loopback address")
	_, err = GuardedClient(false).Get(strings.Replace(srv.URL, "127.0.0.1", "localhost", 1))
	wants(t, err, corridor.Forbidden, "is a loopback address")
	if !Blocked(err) || hit {
		t.Error("reached")
	}
	resp, err := GuardedClient(true).Get(srv.URL)
	must(t, err)
	resp.Body.Close()
	if !hit {
		t.Error("allow_private does not open loopback")
	}
}

func TestABareConnectionIsGuardedToo(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	at := srv.Listener.Addr().String()
	_, err := Guard{}.Dial(t.Context(), at, false)
	wants(t, err, corridor.Forbidden, "127.0.0.1 is a loopback address")
	_, err = Guard{AllowPrivate: true}.Dial(t.Context(), "169.254.169.254:80", true)
	wants(t, err, corridor.Forbidden, "is a metadata service")
	_, err = Guard{}.Dial(t.Context(), "8.8.8.8:80", true)
	wants(t, err, corridor.Forbidden, "plain http to 8.8.8.8")
	conn, err := Guard{AllowPrivate: true}.Dial(t.Context(), at, true)
	must(t, err)
	conn.Close()
}

func TestTheClientFollowsNoRedirect(t *testing.T) {
	hit := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/inside" {
			hit = true
		}
		http.Redirect(w, r, "/inside", http.StatusFound)
	}))
	defer srv.Close()
	resp, err := GuardedClient(true).Get(srv.URL)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound || hit {
		t.Error(resp.Status)
	}
}

func TestTheClientUsesNoProxyAndNoOtherScheme(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") }))
	defer srv.Close()
	c := GuardedClient(true)
	resp, err := c.Get(srv.URL)
	must(t, err)
	resp.Body.Close()
	c.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodPost, "ftp://example.org", strings.NewReader("x"))
	must(t, err)
	_, err = c.Do(req)
	wants(t, err, corridor.Forbidden, `"ftp:"`)
	wants(t, Guard{}.control(t.Context(), "udp", "1.1.1.1:53", nil), corridor.Forbidden, "network udp")
	wants(t, Guard{}.control(t.Context(), "tcp", "example.org:80", nil), corridor.Forbidden, "cannot be checked")
	wants(t, Guard{}.control(context.WithValue(t.Context(), plainKey{}, true), "tcp", "8.8.8.8:80", nil), corridor.Forbidden, "plain http")
	must(t, Guard{}.control(t.Context(), "tcp6", "[2606:4700::1111]:443", nil))
}

func TestTheClientBoundsTheBody(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := 100
		if r.URL.Path == "/over" {
			size = 101
		}
		if r.URL.Query().Has("chunked") {
			w.(http.Flusher).Flush()
		}
		_, _ = w.Write(make([]byte, size))
	}))
	defer srv.Close()
	c := Guard{AllowPrivate: true, MaxBody: 100}.Client()
	for path, ok := range map[string]bool{"/": true, "/?chunked": true, "/over": false, "/over?chunked": false} {
		resp, err := c.Get(srv.URL + path)
		var body []byte
		if err == nil {
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if ok && (err != nil || len(body) != 100) {
			t.Errorf("%s: %d %v", path, len(body), err)
		}
		if !ok {
			wants(t, err, corridor.Limited, "over the limit of 100 bytes")
		}
	}
	b := &boundedBody{ReadCloser: io.NopCloser(strings.NewReader("abc")), left: 2, max: 2}
	_, err := io.ReadAll(b)
	_, again := b.Read(make([]byte, 1))
	wants(t, err, corridor.Limited, "")
	wants(t, again, corridor.Limited, "")
}

func TestTheClientChecksCertificates(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	_, err := GuardedClient(true).Get(srv.URL)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("an unknown certificate: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	resp, err := Guard{AllowPrivate: true, Roots: roots}.Client().Get(srv.URL)
	must(t, err)
	resp.Body.Close()
}

func TestManyMessagesAtOnceComeBackToTheConnectionsThatTheyHad(t *testing.T) {
	const atOnce = 48 // messages that the outbox sends
	var opened atomic.Int32
	var here sync.WaitGroup
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		here.Done()
		here.Wait() // all of them are under way
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	c := GuardedClient(true)
	defer c.CloseIdleConnections()
	for range 3 {
		here.Add(atOnce)
		var g errgroup.Group
		for range atOnce {
			g.Go(func() error {
				resp, err := c.Get(srv.URL)
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, resp.Body)
				return errors.Join(err, resp.Body.Close())
			})
		}
		must(t, g.Wait())
	}
	if n := opened.Load(); n != atOnce {
		t.Errorf("%d connections were opened for three times %d requests", n, atOnce)
	}
}
