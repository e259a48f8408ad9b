// Package profile sets a node up for the public test kit of the Decentralized
// Claims Protocol: what an operator would write into peers.yaml and
// credentials.yaml, a token endpoint that plays the kit's way to get an access
// token, and the trigger with which the kit makes a participant call.
//
// It is a test package. The program holds it only when it is built with the tag
// conformance, behind a hidden command. Everything else is the node as it is.
package profile

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity/dcp"
	"corridor/internal/server"
)

// What the kit and the node agree on.
const (
	Correlation  = "corridor-kit-request" // holderPid of what the node "asked" the kit's issuer for
	ClientID     = "corridor-kit"
	ClientSecret = "corridor-kit-secret"
	Membership   = "MembershipCredential"
	SensitiveTyp = "SensitiveDataCredential"
	Trigger      = "/tck/trigger"
	STS          = "/tck/sts"
)

// DID is the identifier of one of the parts that the kit plays: holder, issuer,
// verifier, thirdparty.
func DID(kit, part string) (string, error) {
	u, err := url.Parse(kit)
	if err != nil || u.Port() == "" {
		return "", corridor.E(corridor.Invalid, "the kit's address %q has no port", kit)
	}
	return "did:web:" + u.Hostname() + "%3A" + u.Port() + ":" + part, nil
}

// Peers is the peers.yaml for a kit: whoever may call the node as a participant.
func Peers(kit, country string) (string, error) {
	var b strings.Builder
	b.WriteString("peers:\n")
	for _, part := range []string{"holder", "verifier", "thirdparty"} {
		did, err := DID(kit, part)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "  - {did: %q, jurisdiction: %s, type: private, flags: []}\n", did, country)
	}
	return b.String(), nil
}

// Credentials is the credentials.yaml for a kit: its issuer is trusted, and its
// holder may have two credentials.
func Credentials(kit string) (string, error) {
	issuer, err := DID(kit, "issuer")
	if err != nil {
		return "", err
	}
	holder, err := DID(kit, "holder")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "demands:\n  - {type: %s, issuers: [%q]}\nissues:\n", Membership, issuer)
	for _, typ := range []string{Membership, SensitiveTyp} {
		fmt.Fprintf(&b, "  - {id: %s-11, type: %s, profile: %s, days: 1, to: [{did: %q, claims: {foo: bar}}]}\n", strings.ToLower(typ), typ, dcp.VC11, holder)
	}
	return b.String(), nil
}

// Expect notes what the node asked the kit's issuer for.
func Expect(ctx context.Context, w *dcp.Wallet, kit string) error {
	issuer, err := DID(kit, "issuer")
	if err != nil {
		return err
	}
	return w.Expect(ctx, dcp.Asked{PID: Correlation, Issuer: issuer, Types: []string{Membership, SensitiveTyp}})
}

// Endpoints adds the kit's two to a node.
func Endpoints(node http.Handler, w *dcp.Wallet) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", node)
	mux.HandleFunc("POST "+STS+"/token", sts(w))
	mux.HandleFunc("POST "+Trigger, trigger(node))
	return mux
}

// sts gives an access token the way the kit asks for one: OAuth 2, client
// credentials (DCP 1.0, section 4.3.2, which is not normative). A node needs
// none: it makes its tokens itself.
func sts(w *dcp.Wallet) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
		same := func(key, want string) bool {
			return subtle.ConstantTimeCompare([]byte(r.PostFormValue(key)), []byte(want)) == 1
		}
		if !same("client_id", ClientID) || !same("client_secret", ClientSecret) || !same("grant_type", "client_credentials") {
			http.Error(rw, "wrong client", http.StatusUnauthorized)
			return
		}
		token, err := w.IssueFor(r.Context(), r.PostFormValue("audience"), strings.Fields(r.PostFormValue("bearer_access_scope")))
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(5 * time.Minute / time.Second)})
	}
}

// trigger makes of the kit's trigger a real request for the catalogue, under
// the same token. The kit's own is in a form of JSON-LD that names no context.
func trigger(node http.Handler) http.HandlerFunc {
	const ask = `{"@context":["` + dsp.ContextURL + `"],"@type":"CatalogRequestMessage"}`
	return func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(rw, r.Body, 64<<10))
		again := r.Clone(r.Context())
		again.URL.Path = server.Base + "/catalog/request"
		again.Body, again.ContentLength = io.NopCloser(bytes.NewReader([]byte(ask))), int64(len(ask))
		node.ServeHTTP(rw, again)
	}
}
