package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
)

// rogue is a participant that is not a gateway: it has keys and a DID
// document, says whatever a test lets it say, and keeps what it is told.
type rogue struct {
	t      *testing.T
	who    corridor.Participant
	srv    *httptest.Server
	keys   *identity.Keys
	tokens *identity.Tokens

	mu        sync.Mutex
	heard     []heardMessage
	redirect  string                              // where it sends whoever asks; empty: nowhere
	names     []identity.Service                  // more services of its DID document
	announces string                              // where its DID document says that it is; empty: where it is
	status    int                                 // of its answers
	pages     map[string]func(body []byte) []byte // what it answers with, by end of path
	came      chan struct{}
}

type heardMessage struct {
	path string
	body []byte
}

func newRogue(t *testing.T, country string) *rogue {
	t.Helper()
	r := &rogue{t: t, status: http.StatusOK, came: make(chan struct{}, 1000)}
	r.srv = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.srv.Close)
	did, err := identity.WebDID(r.srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	if r.keys, err = identity.OpenKeys(filepath.Join(t.TempDir(), "keys"), did, "Ed25519"); err != nil {
		t.Fatal(err)
	}
	if r.tokens, err = identity.NewTokens(did, r.keys.Token, nil); err != nil {
		t.Fatal(err)
	}
	r.who = corridor.Participant{DID: did, Name: "rogue", Jurisdiction: country, Type: "private", Flags: []string{}, Traits: []string{}}
	return r
}

func (r *rogue) base() string { return r.srv.URL + "/dsp/2025-1" }

func (r *rogue) serve(w http.ResponseWriter, q *http.Request) {
	if strings.HasSuffix(q.URL.Path, "/did.json") {
		r.mu.Lock()
		base, root := r.base(), r.srv.URL
		if r.announces != "" {
			base, root = r.announces, r.announces
		}
		r.mu.Unlock()
		doc := r.keys.Document(base, root)
		doc.Service = append(doc.Service, r.names...)
		json.NewEncoder(w).Encode(doc)
		return
	}
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	r.heard = append(r.heard, heardMessage{q.URL.Path, body})
	status, redirect := r.status, r.redirect
	r.mu.Unlock()
	if redirect != "" {
		http.Redirect(w, q, redirect+q.URL.Path, http.StatusTemporaryRedirect)
		return
	}
	w.WriteHeader(status)
	for end, page := range r.pages {
		if strings.HasSuffix(q.URL.Path, end) && status == http.StatusOK {
			w.Write(page(body))
		}
	}
	select {
	case r.came <- struct{}{}:
	default:
	}
}

func (r *rogue) answerWith(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// wait gives the first message that came to a path with this end.
func (r *rogue) wait(suffix string) []byte {
	r.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		r.mu.Lock()
		for _, h := range r.heard {
			if strings.HasSuffix(h.path, suffix) {
				r.mu.Unlock()
				return h.body
			}
		}
		r.mu.Unlock()
		select {
		case <-r.came:
		case <-deadline:
			r.t.Fatalf("nothing came to %s", suffix)
		}
	}
}

func (r *rogue) token(n *node) string {
	r.t.Helper()
	token, err := r.tokens.Issue(context.Background(), n.who.DID)
	if err != nil {
		r.t.Fatal(err)
	}
	return "Bearer " + token
}

type reply struct {
	status int
	body   []byte
}

func (a reply) kind() string {
	var o struct {
		Type string `json:"@type"`
	}
	json.Unmarshal(a.body, &o)
	return o.Type
}

func (a reply) reason() string {
	var o struct {
		Reason []string `json:"reason"`
	}
	json.Unmarshal(a.body, &o)
	return strings.Join(o.Reason, "; ")
}

// call makes one request with the given Authorization header.
func call(t *testing.T, n *node, method, path, authorization string, body []byte) reply {
	t.Helper()
	req, err := http.NewRequest(method, n.base()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, out}
}

// say sends a message as a well-behaved client would.
func (r *rogue) say(n *node, to dsp.Role, m dsp.Message) reply {
	r.t.Helper()
	body, err := dsp.Encode(m)
	if err != nil {
		r.t.Fatal(err)
	}
	return call(r.t, n, http.MethodPost, dsp.PathFor(m, to), r.token(n), body)
}

func (r *rogue) get(n *node, path string) reply {
	r.t.Helper()
	return call(r.t, n, http.MethodGet, path, r.token(n), nil)
}

// decision signs a decision of this participant's own side.
func (r *rogue) decision(provider, consumer, dataset string, change ...func(*corridor.DecisionStatement)) json.RawMessage {
	r.t.Helper()
	st := corridor.DecisionStatement{Version: 1, Issuer: r.who.DID, Provider: provider, Consumer: consumer, Dataset: dataset, Time: dsp.FormatTime(time.Now()),
		Decision: corridor.Decision{Jurisdiction: r.who.Jurisdiction, Side: corridor.Import, Outcome: corridor.Allow, Best: corridor.Allow, Worst: corridor.Allow}}
	if provider == r.who.DID {
		st.Decision.Side = corridor.Export
	}
	for _, f := range change {
		f(&st)
	}
	raw, err := corridor.Canonical(st)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.signed(raw)
}

func (r *rogue) signed(statement json.RawMessage) json.RawMessage {
	r.t.Helper()
	sig, err := identity.SignObject(context.Background(), r.keys.National, statement)
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := corridor.Canonical(corridor.SignedDecision{Statement: statement, Signature: sig})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// request is a good contract request.
func (r *rogue) request(n *node, pid, dataset string) *dsp.ContractRequestMessage {
	m := &dsp.ContractRequestMessage{ConsumerPid: pid, CallbackAddress: r.base()}
	m.Offer.ID, m.Offer.Target, m.Offer.Permission = dataset+":offer", dataset, []dsp.Rule{{Action: "use"}}
	m.Flow = json.RawMessage(`{"purpose":"trade_logistics"}`)
	m.Decision = r.decision(n.who.DID, r.who.DID, dataset)
	return m
}

// opened sends a request that must be taken, and gives the provider's pid.
func (r *rogue) opened(n *node, m *dsp.ContractRequestMessage) string {
	r.t.Helper()
	a := r.say(n, dsp.Provider, m)
	if a.status != http.StatusCreated {
		r.t.Fatalf("request: %d %s", a.status, a.body)
	}
	view, err := dsp.Decode[dsp.ContractNegotiation](a.body)
	if err != nil {
		r.t.Fatal(err)
	}
	return view.ProviderPid
}

// verification signs the agreement that came.
func (r *rogue) verification(agreement []byte) *dsp.ContractAgreementVerificationMessage {
	r.t.Helper()
	m, err := dsp.Decode[dsp.ContractAgreementMessage](agreement)
	if err != nil {
		r.t.Fatal(err)
	}
	signed, err := corridor.DecodeAgreement(m.Agreement.Agreement)
	if err != nil {
		r.t.Fatal(err)
	}
	sig, err := identity.SignObject(context.Background(), r.keys.National, signed.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	out := &dsp.ContractAgreementVerificationMessage{Pids: m.Pids}
	if out.Signature, err = json.Marshal(sig); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// withRogue is a gateway in China and a rogue in Kazakhstan that know each
// other.
func withRogue(t *testing.T, change ...func(*node)) (*node, *rogue) {
	t.Helper()
	n, r := newNode(t, "cn", "CN", "SM2"), newRogue(t, "KZ")
	for _, f := range change {
		f(n)
	}
	if err := n.peers.Replace([]identity.Peer{{Participant: r.who, Address: r.base()}}); err != nil {
		t.Fatal(err)
	}
	n.start()
	t.Cleanup(func() { n.stop() })
	return n, r
}

// provides lets the rogue offer a dataset: its catalogue shows it, and a
// request for it gets a pid.
func (r *rogue) provides(dataset string) {
	r.t.Helper()
	d := catalog.Dataset{ID: dataset, Title: dataset, Facts: plainFacts(), Offer: dsp.Offer{Policy: dsp.Policy{ID: dataset + ":offer", Permission: []dsp.Rule{{Action: "use"}}}}}
	for name := range d.Facts {
		d.Public = append(d.Public, name)
	}
	view, err := d.DCAT(dsp.DataService{ID: r.who.DID + "#dsp", EndpointURL: r.base()})
	if err != nil {
		r.t.Fatal(err)
	}
	page, err := dsp.Encode(&view)
	if err != nil {
		r.t.Fatal(err)
	}
	r.pages = map[string]func([]byte) []byte{
		dsp.DatasetPath(dataset): func([]byte) []byte { return page },
		dsp.NegotiationRequestPath: func(body []byte) []byte {
			m, err := dsp.Decode[dsp.ContractRequestMessage](body)
			if err != nil {
				return nil
			}
			out, _ := dsp.Encode(&dsp.ContractNegotiation{Pids: dsp.Pids{ProviderPid: "urn:uuid:p", ConsumerPid: m.ConsumerPid}, State: dsp.Requested})
			return out
		},
	}
}

// agreement answers the node's request with an agreement, changed at will
// before and after it is signed.
func (r *rogue) agreement(n *node, change func(*corridor.Agreement), after func(*dsp.ContractAgreementMessage)) *dsp.ContractAgreementMessage {
	r.t.Helper()
	m, err := dsp.Decode[dsp.ContractRequestMessage](r.wait(dsp.NegotiationRequestPath))
	if err != nil {
		r.t.Fatal(err)
	}
	var theirs, ours corridor.SignedDecision
	if err := json.Unmarshal(m.Decision, &theirs); err != nil {
		r.t.Fatal(err)
	}
	if err := json.Unmarshal(r.decision(r.who.DID, n.who.DID, m.Offer.Target), &ours); err != nil {
		r.t.Fatal(err)
	}
	policy, err := corridor.Canonical(dsp.Policy{ID: m.Offer.ID, Permission: m.Offer.Permission})
	if err != nil {
		r.t.Fatal(err)
	}
	a := corridor.Agreement{Version: 1, ID: "urn:uuid:agreement", Provider: r.who, Consumer: n.who, Dataset: m.Offer.Target, Policy: policy,
		Decisions: []corridor.SignedDecision{ours, theirs}, Purpose: "trade_logistics", Obligations: []string{},
		Logs: map[string]corridor.LogRef{r.who.DID: {}, n.who.DID: n.log.Ref()}}
	if change != nil {
		change(&a)
	}
	sig, err := identity.SignObject(context.Background(), r.keys.National, a)
	if err != nil {
		r.t.Fatal(err)
	}
	out := &dsp.ContractAgreementMessage{Pids: dsp.Pids{ProviderPid: "urn:uuid:p", ConsumerPid: m.ConsumerPid}}
	out.Agreement.Policy = dsp.Policy{ID: a.ID, Target: a.Dataset, Assigner: r.who.DID, Assignee: n.who.DID, Permission: m.Offer.Permission}
	out.Agreement.Timestamp = dsp.FormatTime(time.Now())
	if out.Agreement.Agreement, err = corridor.Canonical(corridor.SignedAgreement{Body: a, Signatures: []corridor.Signature{sig}}); err != nil {
		r.t.Fatal(err)
	}
	if after != nil {
		after(out)
	}
	return out
}
