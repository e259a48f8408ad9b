package dsp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"corridor"
)

func peerThat(t *testing.T, h http.HandlerFunc) (*Client, Peer, *bytes.Buffer) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	var log bytes.Buffer
	c := NewClient(ClientConfig{
		Token: func(_ context.Context, aud string) (string, error) { return "token-for-" + aud, nil },
		Log:   slog.New(slog.NewTextHandler(&log, nil)),
	})
	return c, Peer{ID: "did:web:peer.example", Base: srv.URL + "/dsp/"}, &log
}

func TestPostSendsWhatTheBindingWants(t *testing.T) {
	c, to, _ := peerThat(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/dsp/negotiations/request" || r.Header.Get("Content-Type") != MediaType || r.Header.Get("Authorization") != "Bearer token-for-did:web:peer.example" {
			t.Errorf("%s %v", r.URL.Path, r.Header)
		}
		if _, err := Decode[ContractRequestMessage](body); err != nil {
			t.Error(err)
		}
		w.WriteHeader(201)
		raw, _ := Encode(&ContractNegotiation{Pids: pids, State: Requested})
		_, _ = w.Write(raw)
	})
	m := &ContractRequestMessage{ConsumerPid: "c", CallbackAddress: "https://c.example", Offer: Offer{Policy: Policy{ID: "o", Target: "d", Permission: use}}}
	r, err := c.Post(t.Context(), to, PathFor(m, Provider), m)
	if err != nil {
		t.Fatal(err)
	}
	n, err := r.Negotiation()
	if err != nil || n.State != Requested || r.Status != 201 || r.Empty() {
		t.Errorf("%+v %v", n, err)
	}
	if _, err := c.Post(t.Context(), to, "/x", &ContractNegotiation{}); corridor.KindOf(err) != corridor.Invalid || !Permanent(err) {
		t.Errorf("an own message that is not valid: %v", err)
	}
}

func TestAnEmptyAnswerWithoutMediaTypeIsAnAcknowledgement(t *testing.T) {
	c, to, _ := peerThat(t, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil })
	r, err := c.Send(t.Context(), to, "/negotiations/x/events", []byte(`{}`))
	if err != nil || !r.Empty() || r.Status != 200 {
		t.Fatalf("%+v %v", r, err)
	}
	if _, err := r.Transfer(); err == nil {
		t.Error("nothing was read as a transfer")
	}
}

func TestRefusalsSayWhetherToTryAgain(t *testing.T) {
	const body = `{"@context":["` + ContextURL + `"],"@type":"ContractNegotiationError","providerPid":"p","consumerPid":"c","code":"refused_by_law","reason":["KZ PDL art. 16",{"@value":"second\nline"}]}`
	for _, c := range []struct {
		status    int
		body      string
		kind      corridor.Kind
		permanent bool
		says      string
	}{
		{400, body, corridor.Invalid, true, `answered 400: code "refused_by_law", KZ PDL art. 16; second line`},
		{400, "", corridor.Invalid, true, "answered 400"},
		{401, "", corridor.Unauthenticated, false, "401"},
		{403, body, corridor.Forbidden, true, "KZ PDL"},
		{404, "404 page not found", corridor.NotFound, false, `\"404 page not found\"`},
		{409, body, corridor.Conflict, false, "409"},
		{410, "", corridor.Gone, true, "410"},
		{413, "", corridor.Limited, true, "413"},
		{429, `{"code":7}`, corridor.Limited, false, `code "7"`},
		{451, "", corridor.Forbidden, true, "451"},
		{451, `{"reason":["` + strings.Repeat("suspended, ", 10) + `by order 2 (17/2026)"]}`, corridor.Forbidden, true, "by order 2 (17/2026)"},
		{451, `{"reason":["` + strings.Repeat("x", 500) + `"]}`, corridor.Forbidden, true, "xxx..."},
		{408, "", corridor.Unavailable, false, "408"},
		{418, "", corridor.Invalid, true, "418"},
		{500, strings.Repeat("x", 500), corridor.Unavailable, false, "xxx..."},
		{501, "", corridor.Unavailable, true, "501"},
		{503, `[1]`, corridor.Unavailable, false, "503"},
		{302, "", corridor.Invalid, true, "a redirect, which is not followed"},
		{400, `{"a":1,"a":2}`, corridor.Invalid, true, "400"},
		{400, `{"reason":[` + strings.Repeat(`"r",`, 50) + `"r"]}`, corridor.Invalid, true, "r; r"},
	} {
		t.Run(http.StatusText(c.status), func(t *testing.T) {
			cl, to, log := peerThat(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://169.254.169.254/")
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			_, err := cl.Get(t.Context(), to, "/x")
			var p *PeerError
			if !errors.As(err, &p) || p.Status != c.status || p.RetryAfter != 7*time.Second {
				t.Fatalf("%v", err)
			}
			if corridor.KindOf(err) != c.kind || Permanent(err) != c.permanent || p.Permanent() != c.permanent {
				t.Errorf("kind %s, permanent %v: %v", corridor.KindOf(err), Permanent(err), err)
			}
			if !strings.Contains(err.Error(), strings.ReplaceAll(c.says, `\"`, `"`)) || len(err.Error()) > 400 {
				t.Errorf("says %v", err)
			}
			if !strings.Contains(log.String(), "peer did not take the message") {
				t.Error("not logged")
			}
			if len(p.Reasons) > 10 {
				t.Error("too many reasons")
			}
		})
	}
}

func TestADroppedConnectionIsNamed(t *testing.T) {
	c, to, log := peerThat(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	_, err := c.Send(t.Context(), to, "/x", nil)
	if err == nil || Permanent(err) || corridor.KindOf(err) != corridor.Unavailable || !strings.Contains(err.Error(), "closed the connection without an answer") {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "closed the connection") {
		t.Errorf("log: %s", log)
	}
}

func TestHalfAnAnswerIsNoAnswer(t *testing.T) {
	c, to, _ := peerThat(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	if _, err := c.Get(t.Context(), to, "/x"); err == nil || Permanent(err) || !strings.Contains(err.Error(), "closed the connection") {
		t.Error(err)
	}
}

func TestAnAnswerWithoutEndIsCut(t *testing.T) {
	c, to, _ := peerThat(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, MaxMessage+1)) })
	if _, err := c.Get(t.Context(), to, "/x"); corridor.KindOf(err) != corridor.Limited || !Permanent(err) {
		t.Error(err)
	}
}

func TestASlowPeerAndACancelledCaller(t *testing.T) {
	hold := make(chan struct{})
	c, to, _ := peerThat(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(hold) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(ctx, to, "/x"); err == nil || Permanent(err) || !strings.Contains(err.Error(), "cancelled") || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := c.Get(ctx, to, "/x"); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Error(err)
	}
}

type refusingTransport struct{ err error }

func (r refusingTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, r.err }

func TestTheGuardsRefusalIsPermanent(t *testing.T) {
	c := NewClient(ClientConfig{HTTP: &http.Client{Transport: refusingTransport{&corridor.Error{Kind: corridor.Forbidden, Msg: "10.0.0.1 is a private address"}}}})
	_, err := c.Get(t.Context(), Peer{Base: "https://x.example"}, "/x")
	if !Permanent(err) || corridor.KindOf(err) != corridor.Forbidden || !strings.Contains(err.Error(), "private address") {
		t.Error(err)
	}
	c = NewClient(ClientConfig{HTTP: &http.Client{Transport: refusingTransport{errors.New("no route")}}})
	if _, err = c.Get(t.Context(), Peer{Base: "https://x.example"}, "/x"); Permanent(err) || !strings.Contains(err.Error(), "no route") {
		t.Error(err)
	}
}

func TestBadAddressesAndTokens(t *testing.T) {
	c := NewClient(ClientConfig{Token: func(context.Context, string) (string, error) { return "", errors.New("no key") }})
	for _, base := range []string{"", "ftp://x", "x.example", "https://a@b", "https://x.example?q"} {
		if _, err := c.Get(t.Context(), Peer{Base: base}, "/x"); !Permanent(err) || corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%q: %v", base, err)
		}
	}
	if _, err := c.Get(t.Context(), Peer{Base: "https://x.example"}, "/%zz"); !Permanent(err) {
		t.Error(err)
	}
	if _, err := c.Get(t.Context(), Peer{ID: "did:web:x", Base: "https://x.example"}, "/x"); err == nil || !strings.Contains(err.Error(), "token for did:web:x: no key") || Permanent(err) {
		t.Error(err)
	}
}

func TestCataloguePagesAndVersions(t *testing.T) {
	c, to, _ := peerThat(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/dsp/catalog/request":
			w.Header().Add("Link", `</dsp/catalog/request?p=0>; rel="previous", </dsp/catalog/request?p=2>; rel="next"`)
			raw, _ := Encode(&Catalog{ID: "urn:c", ParticipantID: "did:web:p.example", Dataset: []Dataset{dataset("urn:1")}})
			_, _ = w.Write(raw)
		case "/dsp/.well-known/dspace-version":
			if r.Header.Get("Authorization") != "" {
				t.Error("a token was sent")
			}
			_, _ = io.WriteString(w, `{"protocolVersions":[{"version":"2025-1","path":"/dsp","binding":"HTTPS"}]}`)
		case "/dsp/elsewhere":
			w.Header().Add("Link", `<https://evil.example/x>; rel=next`)
		default:
			w.WriteHeader(404)
		}
	})
	cat, r, err := c.Catalog(t.Context(), to, &CatalogRequestMessage{})
	if err != nil || len(cat.Dataset) != 1 || !strings.HasSuffix(r.Next, "/dsp/catalog/request?p=2") {
		t.Errorf("%v %+v", err, r)
	}
	v, err := c.Versions(t.Context(), to.Base)
	if err != nil || len(v.ProtocolVersions) != 1 {
		t.Error(err)
	}
	if r, err := c.Get(t.Context(), to, "/elsewhere"); err != nil || r.Next != "" {
		t.Errorf("next page on another host: %+v %v", r, err)
	}
	if _, err := c.Versions(t.Context(), to.Base+"/x"); corridor.KindOf(err) != corridor.NotFound {
		t.Error(err)
	}
	if _, _, err := c.Catalog(t.Context(), Peer{Base: to.Base + "/x"}, &CatalogRequestMessage{}); corridor.KindOf(err) != corridor.NotFound {
		t.Error(err)
	}
}

func TestACatalogueThatIsNoneIsRefused(t *testing.T) {
	c, to, _ := peerThat(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) })
	if _, _, err := c.Catalog(t.Context(), to, &CatalogRequestMessage{}); corridor.KindOf(err) != corridor.Invalid {
		t.Error(err)
	}
}

func TestATokenMayBringItsScheme(t *testing.T) {
	c, to, _ := peerThat(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Authorization")) })
	c.cfg.Token = func(context.Context, string) (string, error) { return "Basic abc", nil }
	if r, err := c.Get(t.Context(), to, "/x"); err != nil || string(r.Body) != "Basic abc" {
		t.Error(err)
	}
}

func TestRetryAfter(t *testing.T) {
	for in, want := range map[string]time.Duration{"": 0, "5": 5 * time.Second, "-1": 0, "x": 0, "999999999": time.Hour} {
		if got := retryAfter(in); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
}
