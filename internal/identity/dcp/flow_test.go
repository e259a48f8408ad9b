package dcp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/identity"
	"corridor/internal/store"
)

var profiles = []Profile{VC20, VC11}

func TestACredentialGoesFromTheAuthorityToTheVerifier(t *testing.T) {
	for _, p := range profiles {
		t.Run(string(p), func(t *testing.T) {
			w := newWorld(t, p)
			wants(t, w.enter(), corridor.Forbidden, "MembershipCredential", w.authority.did, "no claim token", "ask the issuer")
			w.admit(t)
			must(t, w.enter())
			c, err := w.holder.wallet.Contents(context.Background())
			must(t, err)
			if len(c.Held) != 1 || c.Held[0].Profile != p || !strings.Contains(string(c.Held[0].Subject), `"level":"full"`) || c.Asked[0].Status != Issued {
				t.Errorf("the holder has %+v", c)
			}
			asked := w.holder.queries.Load()
			for range 3 {
				must(t, w.enter())
			}
			if n := w.holder.queries.Load(); n != asked {
				t.Errorf("a caller that is known was asked %d more times", n-asked)
			}
		})
	}
}

func TestWhatIsRevokedLetsNobodyIn(t *testing.T) {
	for _, p := range profiles {
		t.Run(string(p), func(t *testing.T) {
			w := newWorld(t, p)
			w.admit(t)
			must(t, w.enter())
			list, err := w.authority.issuer.Issued(context.Background(), w.holder.did)
			must(t, err)
			_, err = w.authority.issuer.Revoke(context.Background(), list[0].ID, "left the space")
			must(t, err)
			must(t, w.enter()) // the list is less than five minutes old
			w.clock.forward(listTTL)
			wants(t, w.enter(), corridor.Forbidden, "MembershipCredential", "under revocation")
			_, err = w.authority.issuer.Revoke(context.Background(), "urn:uuid:none", "")
			wants(t, err, corridor.NotFound, "was issued here")
		})
	}
}

// What an operator asks for and takes back is told in the transaction that does
// it, once; where it cannot be written down it does not happen.
func TestWhatTheOperatorDoesWithCredentialsIsTold(t *testing.T) {
	w, ctx := newWorld(t, VC20), context.Background()
	var told []string
	full := errors.New("the log is full")
	broken := full
	w.holder.wallet.cfg.Asked = func(_ context.Context, _ *store.Tx, a Asked) error {
		told = append(told, "asked "+a.Issuer)
		return broken
	}
	w.authority.issuer.cfg.Revoked = func(_ context.Context, _ *store.Tx, c IssuedCredential) error {
		told = append(told, "revoked of "+c.Holder)
		return broken
	}
	if _, err := w.holder.wallet.Ask(ctx, w.authority.did, []string{"MembershipCredential"}, VC20); !errors.Is(err, full) {
		t.Fatal(err)
	}
	if c, err := w.holder.wallet.Contents(ctx); err != nil || len(c.Asked) != 0 {
		t.Fatalf("%v %+v", err, c)
	}
	broken = nil
	w.admit(t)
	list, err := w.authority.issuer.Issued(ctx, w.holder.did)
	must(t, err)
	broken = full
	if _, err := w.authority.issuer.Revoke(ctx, list[0].ID, "left"); !errors.Is(err, full) {
		t.Fatal(err)
	}
	if list, err = w.authority.issuer.Issued(ctx, w.holder.did); err != nil || list[0].Revoked != 0 {
		t.Fatalf("%v %+v", err, list)
	}
	broken = nil
	for range 2 {
		_, err = w.authority.issuer.Revoke(ctx, list[0].ID, "left")
		must(t, err)
	}
	want := []string{"asked " + w.authority.did, "asked " + w.authority.did, "revoked of " + w.holder.did, "revoked of " + w.holder.did} // one of each in vain
	if !slices.Equal(told, want) {
		t.Errorf("%q, not %q", told, want)
	}
}

func TestACredentialThatExpiresLetsNobodyIn(t *testing.T) {
	w := newWorld(t, VC20)
	w.admit(t)
	must(t, w.enter())
	w.clock.forward(30*24*time.Hour + time.Hour)
	wants(t, w.enter(), corridor.Forbidden, "MembershipCredential")
}

func TestTrustIsPartial(t *testing.T) {
	w := newWorld(t, VC20)
	w.verifier.rules.Demands[0].Jurisdictions = []string{"CN"}
	must(t, w.enter()) // the holder is from KZ: nothing is demanded of it
	w.verifier.rules.Demands[0].Jurisdictions = []string{"CN", "KZ"}
	wants(t, w.enter(), corridor.Forbidden, "MembershipCredential")
	w.admit(t)
	must(t, w.enter())
	w.verifier.rules.Demands = append(w.verifier.rules.Demands, Demand{Type: "SectorCredential", Issuers: []string{w.authority.did}})
	wants(t, w.enter(), corridor.Forbidden, "SectorCredential")
	w.verifier.rules.Demands = []Demand{{Type: "MembershipCredential", Issuers: []string{w.verifier.did}}}
	wants(t, w.enter(), corridor.Forbidden, "MembershipCredential of "+w.verifier.did)
}

func TestATokenIsUsedUpBeforeACredentialServiceIsAsked(t *testing.T) {
	w := newWorld(t, VC20)
	w.admit(t)
	header := w.holder.calls(w.verifier)
	c, err := w.verifier.verifier.Prove(context.Background(), header)
	must(t, err)
	if c.Use != nil {
		t.Error("the token can be used again: its use is not noted")
	}
	c, err = w.verifier.verifier.Prove(context.Background(), header)
	must(t, err)
	wants(t, c.Use.Note(context.Background()), corridor.Unauthenticated, "used before") // as the server does before it answers
	if n := w.holder.queries.Load(); n != 1 {
		t.Errorf("the credential service was asked %d times", n)
	}
	header = w.holder.calls(w.verifier)
	c, err = w.verifier.verifier.Prove(context.Background(), header)
	must(t, err)
	if c.Use == nil {
		t.Error("the use of a known caller's token is not left for the change that it makes")
	}
}

func TestTheIssuerGivesToThoseAloneWhomTheAuthorityNames(t *testing.T) {
	w := newWorld(t, VC20)
	ctx := context.Background()
	_, err := w.verifier.wallet.Ask(ctx, w.authority.did, []string{"MembershipCredential"}, "")
	wants(t, err, corridor.Forbidden, "status 403")
	c, err := w.verifier.wallet.Contents(ctx)
	must(t, err)
	if len(c.Asked) != 1 || c.Asked[0].Status != Rejected {
		t.Errorf("the request stands as %+v", c.Asked)
	}
	_, err = w.holder.wallet.Ask(ctx, w.authority.did, []string{"PilotCredential"}, "")
	wants(t, err, corridor.NotFound, "PilotCredential", "MembershipCredential")
	_, err = w.holder.wallet.Ask(ctx, w.authority.did, []string{"MembershipCredential"}, VC11)
	wants(t, err, corridor.NotFound, string(VC20))
	caller := identity.Caller{DID: w.holder.did}
	_, err = w.authority.issuer.Request(ctx, caller, message(requestType, `"holderPid":"a","credentials":[{"id":"other"}]`))
	wants(t, err, corridor.NotFound, "metadata")
	for _, bad := range []string{`"credentials":[{"id":"membership"}]`, `"holderPid":"a"`, `"holderPid":"a","credentials":[]`, `"holderPid":"a","holderPid":"b","credentials":[{"id":"membership"}]`} {
		_, err = w.authority.issuer.Request(ctx, caller, message(requestType, bad))
		wants(t, err, corridor.Invalid)
	}
	place, err := w.authority.issuer.Request(ctx, caller, message(requestType, `"holderPid":"a","credentials":[{"id":"membership"}]`))
	must(t, err)
	id := place[strings.LastIndex(place, "/")+1:]
	_, err = w.authority.issuer.Status(ctx, identity.Caller{DID: w.verifier.did}, id)
	wants(t, err, corridor.NotFound, "no request")
	_, err = w.authority.issuer.Status(ctx, caller, id)
	must(t, err)
}

func message(typ, rest string) []byte {
	return []byte(`{"@context":["` + Context + `"],"type":"` + typ + `",` + rest + `}`)
}

func TestADeliveryIsTriedAgainUntilTheHolderTakesIt(t *testing.T) {
	w := newWorld(t, VC20)
	ctx := context.Background()
	var down = true
	w.holder.at("/holder/credentials", func(rw http.ResponseWriter, r *http.Request) {
		if down {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.holder.at("/holder/credentials", nil)
		w.holder.serve(rw, r)
	})
	w.admit(t)
	first, err := w.authority.issuer.Issued(ctx, "")
	must(t, err)
	if err := w.enter(); err == nil {
		t.Fatal("the holder was let in without its credential")
	}
	down = false
	next, err := w.authority.issuer.deliverDue(ctx)
	must(t, err)
	if want := w.clock.now().Add(firstPause); !next.Equal(want) {
		t.Errorf("the next attempt is at %s, not %s", next, want)
	}
	w.clock.forward(firstPause)
	w.authority.deliver()
	must(t, w.enter())
	again, err := w.authority.issuer.Issued(ctx, "")
	must(t, err)
	if len(first) != 1 || len(again) != 1 || first[0].ID != again[0].ID {
		t.Errorf("an attempt that failed made another credential: %v, %v", first, again)
	}
}

func TestWhatIsNoLongerGrantedWhenItIsDeliveredIsRejected(t *testing.T) {
	w := newWorld(t, VC20)
	ctx := context.Background()
	_, err := w.holder.wallet.Ask(ctx, w.authority.did, []string{"MembershipCredential"}, "")
	must(t, err)
	w.authority.rules.Issues[0].To = nil
	w.authority.deliver()
	c, err := w.holder.wallet.Contents(ctx)
	must(t, err)
	if len(c.Held) != 0 || c.Asked[0].Status != Rejected || !strings.Contains(c.Asked[0].Reason, "may not have") {
		t.Errorf("the holder has %+v", c)
	}
}

func TestOnlyWhatWasAskedForIsTakenIn(t *testing.T) {
	w := newWorld(t, VC20)
	ctx := context.Background()
	must(t, w.holder.wallet.Expect(ctx, Asked{PID: "pid", Issuer: w.authority.did, Types: []string{"MembershipCredential"}}))
	good := w.mint(t, nil)
	deliver := func(from *party, pid, typ, format, jwt string) error {
		raw, err := json.Marshal([]container{{Type: typ, Format: format, Payload: jwt}})
		must(t, err)
		return w.holder.wallet.Store(ctx, identity.Caller{DID: from.did}, message(storeType, `"issuerPid":"i","holderPid":"`+pid+`","status":"ISSUED","credentials":`+string(raw)))
	}
	wants(t, deliver(w.authority, "other", "MembershipCredential", string(VC20), good), corridor.Forbidden, "nothing was asked")
	wants(t, deliver(w.verifier, "pid", "MembershipCredential", string(VC20), good), corridor.Forbidden, "nothing was asked")
	wants(t, deliver(w.authority, "pid", "Other", string(VC20), good), corridor.Forbidden, "not asked for")
	wants(t, deliver(w.authority, "pid", "MembershipCredential", string(VC11), good), corridor.Invalid, "format")
	wants(t, deliver(w.authority, "pid", "MembershipCredential", "ldp_vc", good), corridor.Invalid, "format")
	wants(t, deliver(w.authority, "pid", "MembershipCredential", string(VC20), "e30.e30.e30"), corridor.Invalid, "not a JWT")
	wants(t, deliver(w.authority, "pid", "MembershipCredential", string(VC20), w.mint(t, func(d *Draft) { d.Holder = w.verifier.did })), corridor.Forbidden, "about")
	must(t, deliver(w.authority, "pid", "MembershipCredential", string(VC20), good))
	must(t, deliver(w.authority, "pid", "MembershipCredential", string(VC20), good))
	c, err := w.holder.wallet.Contents(ctx)
	must(t, err)
	if len(c.Held) != 1 {
		t.Errorf("%d credentials are held", len(c.Held))
	}
}

func TestAnAccessTokenOpensForItsVerifierAloneAndWhatItsScopesName(t *testing.T) {
	w := newWorld(t, VC20)
	w.admit(t)
	ctx := context.Background()
	token, err := w.holder.wallet.access.grant(w.verifier.did, []string{scopeOf("MembershipCredential")})
	must(t, err)
	ask := func(who, token, rest string) (int, error) {
		answer, err := w.holder.wallet.Query(ctx, identity.Caller{DID: who, AccessToken: token}, message(queryType, rest))
		r, _ := answer.(response)
		return len(r.Presentation), err
	}
	one := `"scope":["` + typeScope + `MembershipCredential"]`
	if n, err := ask(w.verifier.did, token, one); err != nil || n != 1 {
		t.Errorf("%d presentations, %v", n, err)
	}
	if n, err := ask(w.verifier.did, token, `"scope":["`+typeScope+`Other:read"]`); err != nil || n != 0 {
		t.Errorf("what the token does not name: %d presentations, %v", n, err)
	}
	_, err = ask(w.authority.did, token, one)
	wants(t, err, corridor.Unauthenticated, "access token")
	_, err = ask(w.verifier.did, "faketoken", one)
	wants(t, err, corridor.Unauthenticated, "access token")
	_, err = ask(w.verifier.did, token, `"presentationDefinition":{"id":"a"}`)
	if err != ErrNotOffered {
		t.Errorf("a presentation definition: %v", err)
	}
	for _, bad := range []string{one + `,"presentationDefinition":{"id":"a"}`, `"scope":[]`, `"presentationDefinition":{}`, `"presentationDefinition":null`, `"scope":["whatever"]`, `"scope":["` + typeScope + `A:write"]`} {
		_, err = ask(w.verifier.did, token, bad)
		wants(t, err, corridor.Invalid)
	}
	w.clock.forward(accessLife)
	_, err = ask(w.verifier.did, token, one)
	wants(t, err, corridor.Unauthenticated, "access token")
}

func TestAnOfferIsNotedForTheOperator(t *testing.T) {
	w := newWorld(t, VC20)
	ctx := context.Background()
	from := identity.Caller{DID: w.authority.did}
	must(t, w.holder.wallet.Offer(ctx, from, message(offerType, `"issuer":"`+w.authority.did+`","credentials":[{"id":"membership"}]`)))
	must(t, w.holder.wallet.Offer(ctx, from, message(offerType, `"issuer":"`+w.authority.did+`","credentials":[{"id":"membership"}]`)))
	c, err := w.holder.wallet.Contents(ctx)
	must(t, err)
	if len(c.Offered) != 1 || c.Offered[0].Credentials[0].ID != "membership" {
		t.Errorf("offers: %+v", c.Offered)
	}
	for _, bad := range []string{`"issuer":"did:web:other.example","credentials":[{"id":"a"}]`, `"credentials":[{"id":"a"}]`, `"issuer":"` + w.authority.did + `","credentials":[]`, `"issuer":"` + w.authority.did + `","credentials":[{"type":"CredentialObject"}]`} {
		wants(t, w.holder.wallet.Offer(ctx, from, message(offerType, bad)), corridor.Invalid)
	}
}

func TestRulesAreCheckedWithTheirPlace(t *testing.T) {
	for _, c := range []struct {
		rules Rules
		says  string
	}{
		{Rules{Demands: []Demand{{Type: "", Issuers: []string{"did:web:a.example"}}}}, "demands[0].type"},
		{Rules{Demands: []Demand{{Type: "A"}}}, "demands[0].issuers"},
		{Rules{Demands: []Demand{{Type: "A", Issuers: []string{"a.example"}}}}, "demands[0].issuers"},
		{Rules{Demands: []Demand{{Type: "A", Issuers: []string{"did:web:a.example"}, Jurisdictions: []string{"kz"}}}}, "demands[0].jurisdictions"},
		{Rules{Issues: []Offer{{ID: "", Type: "A", Days: 1}}}, "issues[0].id"},
		{Rules{Issues: []Offer{{ID: "a", Type: "A"}}}, "issues[0].days"},
		{Rules{Issues: []Offer{{ID: "a", Type: "A", Days: 1, Profile: "x"}}}, "issues[0].profile"},
		{Rules{Issues: []Offer{{ID: "a", Type: "A", Days: 1, Schema: "x"}}}, "issues[0].schema"},
		{Rules{Issues: []Offer{{ID: "a", Type: "A", Days: 1}, {ID: "a", Type: "B", Days: 1}}}, "issues[1].id"},
		{Rules{Issues: []Offer{{ID: "a", Type: "A", Days: 1, To: []Grant{{DID: "x"}}}}}, "issues[0].to[0].did"},
		{Rules{Issues: []Offer{{ID: "a", Type: "A", Days: 1, To: []Grant{{DID: "did:web:a.example", Claims: map[string]any{"id": "x"}}}}}}, "issues[0].to[0].claims"},
	} {
		wants(t, c.rules.Check(), corridor.Invalid, c.says)
	}
}

func TestThePartiesAreThoseOfWhomTheNodeKnows(t *testing.T) {
	peers, err := identity.NewPeers([]identity.Peer{{Participant: corridor.Participant{DID: "did:web:peer.example", Jurisdiction: "KZ"}}})
	must(t, err)
	rules := &Rules{Demands: []Demand{{Type: "A", Issuers: []string{"did:web:issuer.example"}}}, Issues: []Offer{{ID: "a", Type: "A", Days: 1, To: []Grant{{DID: "did:web:holder.example"}}}}}
	p := &Parties{Peers: peers, Rules: func() (*Rules, error) { return rules, nil }, Asked: func(_ context.Context, did string) (bool, error) { return did == "did:web:asked.example", nil }}
	for _, did := range []string{"did:web:peer.example", "did:web:issuer.example", "did:web:holder.example", "did:web:asked.example"} {
		_, err := p.Lookup(context.Background(), did)
		must(t, err)
	}
	_, err = p.Lookup(context.Background(), "did:web:stranger.example")
	wants(t, err, corridor.Forbidden, "not a known participant")
}

func TestWhatAPeerHasShownIsHeldAgainstItsIssuerWithoutACall(t *testing.T) {
	w := newWorld(t, VC20)
	ctx := context.Background()
	peer := identity.Peer{Participant: corridor.Participant{DID: w.holder.did, Jurisdiction: "KZ"}}
	const age = 30 * time.Second
	v := w.verifier.verifier
	wants(t, v.Standing(ctx, peer, age), corridor.Unauthenticated, "has shown nothing here", w.holder.did)
	w.admit(t)
	must(t, w.enter())
	must(t, v.Standing(ctx, peer, age))
	if n := w.verifier.changes.Load(); n != 1 {
		t.Errorf("%d changes were told of one that came", n)
	}
	other, err := NewVerifier(v.cfg) // of another node on the same database
	must(t, err)
	must(t, other.Standing(ctx, peer, age))

	list, err := w.authority.issuer.Issued(ctx, w.holder.did)
	must(t, err)
	_, err = w.authority.issuer.Revoke(ctx, list[0].ID, "left the space")
	must(t, err)
	must(t, v.Standing(ctx, peer, age)) // the list is not that old yet
	w.clock.forward(age)
	wants(t, v.Standing(ctx, peer, age), corridor.Forbidden, "under revocation")
	wants(t, other.Standing(ctx, peer, age), corridor.Forbidden, "under revocation")
	wants(t, w.enter(), corridor.Forbidden, "under revocation")
	if n := w.verifier.changes.Load(); n != 2 {
		t.Errorf("a caller that was let in and is not any more: %d changes were told, not 2", n)
	}
	w.verifier.rules.Demands[0].Jurisdictions = []string{"CN"}
	must(t, v.Standing(ctx, peer, age)) // nothing is demanded of it
	w.verifier.rules.Demands[0].Jurisdictions = nil
	w.admit(t) // anew: of two, the newest is shown
	w.clock.forward(time.Minute)
	must(t, w.enter())
	must(t, v.Standing(ctx, peer, age))
	w.clock.forward(31 * 24 * time.Hour)
	wants(t, v.Standing(ctx, peer, age), corridor.Forbidden, "MembershipCredential")
}

func TestTheSameCredentialsInAnotherOrderAreNoChange(t *testing.T) {
	w := newWorld(t, VC20)
	w.admit(t)
	v, ctx := w.verifier.verifier, context.Background()
	rules, err := v.cfg.Rules()
	must(t, err)
	all := func(*Credential) bool { return true }
	have, err := w.holder.wallet.held(ctx, all)
	must(t, err)
	w.clock.forward(time.Minute)
	w.admit(t) // anew: another one
	newer, err := w.holder.wallet.held(ctx, all)
	must(t, err)
	have = append(have, newer...)
	if len(have) < 2 || have[0].Raw == have[1].Raw {
		t.Fatalf("%d credentials", len(have))
	}
	demands := rules.demanded("KZ")
	must(t, v.remember(ctx, w.holder.did, have, demands))
	told := w.verifier.changes.Load()
	slices.Reverse(have)
	must(t, v.remember(ctx, w.holder.did, have, demands))
	if n := w.verifier.changes.Load(); n != told {
		t.Error("the same credentials in another order were told as a change")
	}
	must(t, v.remember(ctx, w.holder.did, have[:1], demands))
	if n := w.verifier.changes.Load(); n != told+1 {
		t.Errorf("%d changes were told of one that came", n-told)
	}
}

func TestAStatusListThatCannotBeHadIsNoAnswer(t *testing.T) {
	w := newWorld(t, VC20)
	w.admit(t)
	must(t, w.enter())
	have, err := w.verifier.verifier.remembered(context.Background(), w.holder.did)
	must(t, err)
	w.authority.at(strings.TrimPrefix(have[0].Status[0].List, w.authority.url), func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusServiceUnavailable) })
	w.clock.forward(time.Minute)
	peer := identity.Peer{Participant: corridor.Participant{DID: w.holder.did, Jurisdiction: "KZ"}}
	wants(t, w.verifier.verifier.Standing(context.Background(), peer, 30*time.Second), corridor.Unavailable, "cannot be had")
}
