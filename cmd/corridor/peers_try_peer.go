package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/identity/dcp"
	"corridor/verify"
)

// The steps that look at who is there, and at what both sides need of each
// other.

// compareVersions reads the version document, which was asked for with the
// clock.
func (t *peerTrial) compareVersions(context.Context) trialStep {
	err := t.answers
	if err == nil {
		err = t.answer.useful()
	}
	var doc *dsp.VersionDocument
	if err == nil {
		doc, err = dsp.DecodeVersions(t.answer.body)
	}
	if err != nil {
		return failedWith(err, "let the peer's operator see that its gateway answers "+dsp.VersionPath)
	}
	v, ok := doc.Find(dsp.Version)
	if !ok {
		var theirs []string
		for _, p := range doc.ProtocolVersions[:min(len(doc.ProtocolVersions), 10)] {
			theirs = append(theirs, inBrief(p.Version+" over "+p.Binding))
		}
		return failed("both sides need Dataspace Protocol "+dsp.Version+" over HTTPS", "the peer speaks %s; this node speaks %s over HTTPS", strings.Join(theirs, ", "), dsp.Version)
	}
	if t.base == "" {
		t.base = dsp.Join(t.root, v.Path)
	}
	if v.Auth != nil {
		t.demands = v.Auth.Protocol
	}
	return found("Dataspace Protocol %s at %s", dsp.Version, inBrief(v.Path))
}

// resolveDID reads the DID document as the node would, and holds it against
// the address.
func (t *peerTrial) resolveDID(ctx context.Context) trialStep {
	if t.did == "" {
		return notApplicable("its DID is not known")
	}
	fix := "let the peer's operator serve the DID document of " + t.did
	doc, err := identity.NewResolver(identity.ResolverConfig{HTTP: t.http}).Resolve(ctx, t.did)
	if errors.Is(err, context.DeadlineExceeded) {
		return failed(fix, "its DID document is not had in time")
	}
	if err != nil {
		return failedWith(err, fix)
	}
	t.doc = doc
	tokens, objects := t.keysFor(doc.CapabilityInvocation), t.keysFor(doc.AssertionMethod)
	switch elsewhere, announced := t.elsewhere(); {
	case len(tokens) == 0:
		return failed("let the peer list a P-256 or Ed25519 key under capabilityInvocation", "its document has no key for tokens that this node can check")
	case !announced && (t.known == nil || t.known.Address == ""):
		return failed("let the peer announce a "+identity.CatalogService+" or "+identity.DataService+", or name its address: corridor peers add --address", "its document announces no address of the Dataspace Protocol")
	case elsewhere != "" && !strings.HasPrefix(t.given, "did:"):
		return failed("use the address that the document announces, or the DID of whoever is at this one", "%s announces %s, not %s", t.did, elsewhere, t.root)
	case elsewhere != "":
		return warned("look at that host too: corridor peers test "+elsewhere, "its document announces %s, which is another host than that of its DID", elsewhere)
	}
	return found("its id is right; %d keys, for tokens %s, for what it signs %s", len(doc.VerificationMethod), strings.Join(tokens, ", "), orNone(objects))
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none that this node can check"
	}
	return strings.Join(list, ", ")
}

// keysFor names the suites of those keys that this node can check.
func (t *peerTrial) keysFor(ids []string) []string {
	var out []string
	for _, m := range t.doc.VerificationMethod {
		if suite := verify.SuiteOf(m.JWK); suite != "" && slices.Contains(ids, m.ID) && !slices.Contains(out, suite) {
			out = append(out, suite)
		}
	}
	return out
}

// elsewhere is where the document says that the peer is, if that is not where
// it was asked.
func (t *peerTrial) elsewhere() (root string, announced bool) {
	for _, kind := range []string{identity.CatalogService, identity.DataService} {
		at, ok := t.doc.Endpoint(kind)
		if !ok {
			continue
		}
		announced = true
		if r := rootOf(at); r != t.root && root == "" {
			root = inBrief(r)
		}
		if base, ok := strings.CutSuffix(strings.TrimRight(at, "/"), "/catalog"); ok && t.base == "" && root == "" {
			t.base = base
		}
	}
	return root, announced
}

// compareSuites compares what each side signs with what the other can check. A
// document shows what its owner signs with.
func (t *peerTrial) compareSuites(context.Context) trialStep {
	if t.doc == nil {
		return notApplicable("its keys are not known")
	}
	objects := t.keysFor(t.doc.AssertionMethod)
	plain := t.known != nil && t.known.Plain != nil
	switch {
	case plain:
		return notApplicable("a plain peer signs no decision and no agreement")
	case len(objects) == 0:
		return failed("let the peer's operator use one of "+strings.Join(verify.Suites(), ", ")+"; a peer that is no Corridor is added with --plain", "it signs agreements with no key that this node can check")
	}
	all := t.suites()
	ours := t.cfg.Suite
	if !slices.Contains(all, ours) && ours != verify.Ed25519 && ours != verify.P256 {
		return warned("ask its operator whether its software checks "+ours+"; every Corridor does", "it signs with %s, which this node checks; this node signs with %s, and nothing in its document shows that it can check that", strings.Join(objects, ", "), ours)
	}
	return found("it signs with %s, this node with %s; in its document: %s", strings.Join(objects, ", "), ours, strings.Join(all, ", "))
}

// suites are those of all its keys.
func (t *peerTrial) suites() []string {
	ids := make([]string, len(t.doc.VerificationMethod))
	for i, m := range t.doc.VerificationMethod {
		ids[i] = m.ID
	}
	return t.keysFor(ids)
}

// findPeer says what the operator has vouched for.
func (t *peerTrial) findPeer(context.Context) trialStep {
	switch {
	case t.did == "":
		return notApplicable("its DID is not known")
	case t.did == t.cfg.DID:
		return notApplicable("this is the node itself")
	case t.known == nil:
		return warned("corridor peers add --did "+t.did+" --jurisdiction CC, if you can vouch for its country", "%s is not on the list of peers", t.did)
	}
	p := t.known
	said := []string{"under the law of " + p.Jurisdiction}
	if p.Type != "" {
		said = append(said, p.Type)
	}
	if len(p.Traits) > 0 {
		said = append(said, "traits "+strings.Join(p.Traits, " "))
	}
	switch {
	case p.Flags == nil:
		said = append(said, "recipient_flags not stated")
	case len(p.Flags) == 0:
		said = append(said, "no recipient_flags")
	default:
		said = append(said, "recipient_flags "+strings.Join(p.Flags, " "))
	}
	if p.LogVKey == "" && p.Plain == nil {
		said = append(said, "the key of its log as it tells it")
	}
	if p.Plain != nil {
		said = append(said, "plain: this node decides both sides")
	}
	return found("%s: %s", shown(p.Name, p.DID), strings.Join(said, "; "))
}

// notRunning is the finding of a step for which the node must run.
func (t *peerTrial) notRunning() trialStep {
	return notApplicable("the node does not answer: %s", inBrief(t.away))
}

// compareCredentials holds what each side demands against what the other has.
func (t *peerTrial) compareCredentials(ctx context.Context) trialStep {
	rules, err := t.rules.load()
	if err != nil {
		return failedWith(err, "")
	}
	demanded := []string{}
	for _, d := range rules.Demands {
		if t.known == nil || len(d.Jurisdictions) == 0 || slices.Contains(d.Jurisdictions, t.known.Jurisdiction) {
			demanded = append(demanded, d.Type)
		}
	}
	asks := strings.EqualFold(t.demands, "DCP")
	if !asks && len(demanded) == 0 {
		return notApplicable("neither side says that it demands credentials")
	}
	if len(demanded) > 0 && t.doc != nil {
		if _, ok := t.doc.Endpoint(dcp.CredentialService); !ok {
			return failed("let the peer announce its credential service in its DID document", "this node demands %s, and the peer's DID document names no service to ask for it", strings.Join(demanded, ", "))
		}
	}
	said := "this node demands " + strings.Join(demanded, ", ") + " of it"
	if len(demanded) == 0 {
		said = "this node demands nothing of it"
	}
	if !asks {
		return found("%s; it does not say that it demands any", said)
	}
	if t.node == nil {
		return t.notRunning()
	}
	var have dcp.Contents
	if err := t.node.get(ctx, "/api/credentials", nil, &have); err != nil {
		return failedWith(err, "")
	}
	types := []string{}
	for _, h := range have.Held {
		types = append(types, h.Type)
	}
	if len(types) == 0 {
		return warned("ask an issuer whom the peer trusts: corridor credentials request", "it wants callers to prove themselves by DCP, and this node holds no credential; %s", said)
	}
	return found("it wants callers to prove themselves by DCP, and this node holds %s; %s", strings.Join(types, ", "), said)
}

// askCatalogue makes the first request that a peer has to take: by the running
// node with its credentials, or with its key alone where it does not know the
// peer yet.
func (t *peerTrial) askCatalogue(ctx context.Context) trialStep {
	switch {
	case t.did == "" || t.base == "":
		return notApplicable("it is not known where the peer speaks the Dataspace Protocol")
	case t.did == t.cfg.DID:
		return notApplicable("this is the node itself")
	case t.node == nil:
		f := t.notRunning()
		f.Fix = "start it: the peer reads its DID document to know who asks"
		return f
	}
	if t.known != nil {
		var p struct {
			Items []listing `json:"items"`
		}
		if err := t.node.get(ctx, "/api/catalogue", url.Values{"peer": {t.did}}, &p); err != nil {
			return t.refusedBy(err)
		}
		return found("it shows this node %d datasets", len(p.Items))
	}
	client := dsp.NewClient(dsp.ClientConfig{HTTP: t.http, Token: t.token})
	cat, _, err := client.Catalog(ctx, dsp.Peer{ID: t.did, Base: t.base}, &dsp.CatalogRequestMessage{})
	if err != nil {
		return t.refusedBy(err)
	}
	return found("it shows this node %d datasets", len(cat.Dataset))
}

// refusedBy says what a refusal usually means.
func (t *peerTrial) refusedBy(err error) trialStep {
	fix := "ask the peer's operator to look at its log"
	switch corridor.KindOf(err) {
	case corridor.Unauthenticated:
		fix = "the peer could not make sure that it is this node: it must reach " + t.cfg.DID + "'s DID document, and its clock must be right"
		if strings.EqualFold(t.demands, "DCP") {
			fix += "; it may also want a credential that this node does not hold"
		}
	case corridor.Forbidden, corridor.NotFound:
		fix = "the peer's operator has to admit this node: corridor peers add --did " + t.cfg.DID + " --jurisdiction " + t.cfg.Jurisdiction
	case corridor.Limited:
		fix = "try again later"
	}
	var pe *dsp.PeerError
	if errors.As(err, &pe) && pe.Status > 0 && len(pe.Reasons) > 0 {
		return failed(fix, "it refuses the request (status %d): %s", pe.Status, inBrief(strings.Join(pe.Reasons, "; ")))
	}
	f := failedWith(err, fix)
	f.Found, f.Fix = "it did not answer a request for its catalogue as it should: "+f.Found, fix
	return f
}

// compareCompacts looks for the compacts under which the two countries stand.
func (t *peerTrial) compareCompacts(ctx context.Context) trialStep {
	switch {
	case t.known == nil:
		return notApplicable("its country is not known: it is not on the list of peers")
	case t.node == nil:
		return t.notRunning()
	}
	var p page[exchange.AdoptedCompact]
	if err := t.node.get(ctx, "/api/compacts", nil, &p); err != nil {
		return failedWith(err, "")
	}
	var said, closed []string
	us, them := t.cfg.Jurisdiction, t.known.Jurisdiction
	for _, c := range p.Items {
		if !slices.Contains(c.Members, t.cfg.Jurisdiction) || !slices.Contains(c.Members, t.known.Jurisdiction) {
			continue
		}
		name := fmt.Sprintf("%s, version %d (%s)", c.ID, c.Version, c.Digest)
		if !c.InForce {
			closed = append(closed, name+": "+c.Why)
			continue
		}
		if differ := t.otherPacks(c.Packs); differ != "" {
			return warned("install the editions that the compact names: corridor packs install", "%s is in force; %s", name, differ)
		}
		said = append(said, fmt.Sprintf("%s, version %d (%s), in force%s", c.ID, c.Version, c.Digest, packsOf(c.Packs)))
	}
	switch {
	case len(said) > 0:
		return found("%s", strings.Join(said, "; "))
	case len(closed) > 0:
		return failed("let the authorities sign a new version", "no compact between %s and %s is in force: %s", us, them, strings.Join(closed, "; "))
	case t.cfg.NeedCompact:
		return failed("adopt one: corridor compacts adopt FILE", "this node requires a compact, and holds none between %s and %s", us, them)
	}
	return notApplicable("no compact between %s and %s is adopted here: the law alone decides", us, them)
}

func packsOf(packs map[string]string) string {
	out := ""
	for _, id := range slices.Sorted(maps.Keys(packs)) {
		out += ", " + id + " " + packs[id]
	}
	return out
}

// otherPacks says which packs of this node are not those that a compact names.
func (t *peerTrial) otherPacks(named map[string]string) string {
	for _, have := range t.packs.Items {
		if want, ok := named[have.ID]; ok && want != have.Digest {
			return fmt.Sprintf("it names the pack %s with the digest %s, and this node decides with %s", have.ID, want, have.Digest)
		}
	}
	return ""
}
