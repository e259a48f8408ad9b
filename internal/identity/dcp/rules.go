package dcp

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"corridor"
	"corridor/internal/identity"
)

// Rules are what an operator lays down about credentials: which are demanded
// of whom, and which this node issues to whom. Nothing demanded and nothing
// issued is the default.
type Rules struct {
	Demands []Demand `yaml:"demands"`
	Issues  []Offer  `yaml:"issues"`
}

// Demand is a credential that callers must present.
type Demand struct {
	Type    string   `yaml:"type"`    // such as MembershipCredential
	Issuers []string `yaml:"issuers"` // DIDs whose word is taken for it
	// Jurisdictions are those of the callers that it is demanded of: trust may
	// be partial. Empty: of all.
	Jurisdictions []string `yaml:"jurisdictions"`
	Scope         string   `yaml:"scope"` // what is asked of the caller's credential service; empty: by type
}

// Offer is a credential that this node issues.
type Offer struct {
	ID      string  `yaml:"id"` // stable; of the CredentialObject
	Type    string  `yaml:"type"`
	Profile Profile `yaml:"profile"` // empty: vc20-bssl/jwt
	Days    int     `yaml:"days"`    // of validity
	Schema  string  `yaml:"schema"`  // address of a JSON Schema for credentialSubject; empty: none
	To      []Grant `yaml:"to"`      // who may have it; nobody else
}

// Grant lets a holder have a credential, and says what stands in it.
type Grant struct {
	DID    string         `yaml:"did"`
	Claims map[string]any `yaml:"claims"`
}

// maxDays bounds how long a credential may live that this node issues.
const maxDays = 3660

// Check says what is wrong with the rules, and where.
func (r *Rules) Check() error {
	for i := range r.Demands {
		if err := r.Demands[i].check(fmt.Sprintf("demands[%d]", i)); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for i := range r.Issues {
		o := &r.Issues[i]
		at := fmt.Sprintf("issues[%d]", i)
		if err := o.check(at); err != nil {
			return err
		}
		if seen[o.ID] {
			return &corridor.Error{Kind: corridor.Invalid, Where: at + ".id", Msg: o.ID + " is given twice"}
		}
		seen[o.ID] = true
	}
	return nil
}

// metBy says whether a credential is what is demanded.
func (d *Demand) metBy(c *Credential) bool {
	return contains(c.Types, d.Type) && contains(d.Issuers, c.Issuer)
}

func (d *Demand) check(at string) error {
	if err := checkType(at+".type", d.Type); err != nil {
		return err
	}
	if len(d.Issuers) == 0 {
		return &corridor.Error{Kind: corridor.Invalid, Where: at + ".issuers", Msg: "nobody is trusted for " + d.Type, Fix: "list the DIDs of its issuers"}
	}
	for _, did := range d.Issuers {
		if _, err := identity.WebURL(did); err != nil {
			return &corridor.Error{Kind: corridor.Invalid, Where: at + ".issuers", Msg: "not usable", Err: err}
		}
	}
	for _, j := range d.Jurisdictions {
		if len(j) != 2 || strings.ToUpper(j) != j {
			return &corridor.Error{Kind: corridor.Invalid, Where: at + ".jurisdictions", Msg: fmt.Sprintf("%q is not a country", clip(j)), Fix: "write two capital letters (ISO 3166-1)"}
		}
	}
	if d.Scope == "" {
		d.Scope = scopeOf(d.Type)
	}
	return nil
}

func (o *Offer) check(at string) error {
	if o.ID == "" || strings.ContainsAny(o.ID, " \t\n") {
		return &corridor.Error{Kind: corridor.Invalid, Where: at + ".id", Msg: "is missing or has spaces", Fix: "give it a name that stays, such as membership-2026"}
	}
	if err := checkType(at+".type", o.Type); err != nil {
		return err
	}
	if o.Profile == "" {
		o.Profile = VC20
	}
	if o.Profile != VC20 && o.Profile != VC11 {
		return &corridor.Error{Kind: corridor.Invalid, Where: at + ".profile", Msg: fmt.Sprintf("%q is not a profile", clip(string(o.Profile))), Fix: "use " + string(VC20) + " or " + string(VC11)}
	}
	if o.Days < 1 || o.Days > maxDays {
		return &corridor.Error{Kind: corridor.Invalid, Where: at + ".days", Msg: fmt.Sprintf("%d days", o.Days), Fix: fmt.Sprintf("write how many days it is valid, from 1 to %d", maxDays)}
	}
	if u, err := url.Parse(o.Schema); o.Schema != "" && (err != nil || u.Host == "") {
		return &corridor.Error{Kind: corridor.Invalid, Where: at + ".schema", Msg: "is not an address"}
	}
	for j, g := range o.To {
		if _, err := identity.WebURL(g.DID); err != nil {
			return &corridor.Error{Kind: corridor.Invalid, Where: fmt.Sprintf("%s.to[%d].did", at, j), Msg: "not usable", Err: err}
		}
		if _, has := g.Claims["id"]; has {
			return &corridor.Error{Kind: corridor.Invalid, Where: fmt.Sprintf("%s.to[%d].claims", at, j), Msg: "id is the holder's DID and is not given"}
		}
	}
	return nil
}

func checkType(at, typ string) error {
	if typ == "" || typ == credentialType || strings.ContainsAny(typ, ": \t\n") || len(typ) > 128 {
		return &corridor.Error{Kind: corridor.Invalid, Where: at, Msg: fmt.Sprintf("%q is not a type of credential", clip(typ)), Fix: "write one word, such as MembershipCredential"}
	}
	return nil
}

// Laid gives the rules as they are now. An error of it refuses: rules that
// cannot be read let nobody in.
type Laid func() (*Rules, error)

// demanded lists what a caller from a jurisdiction must present.
func (r *Rules) demanded(jurisdiction string) []Demand {
	var out []Demand
	for _, d := range r.Demands {
		if len(d.Jurisdictions) == 0 || contains(d.Jurisdictions, jurisdiction) {
			out = append(out, d)
		}
	}
	return out
}

// offer finds what is issued under an id, or, failing that, the first of a type
// and profile.
func (r *Rules) offer(id string) (Offer, bool) {
	for _, o := range r.Issues {
		if o.ID == id {
			return o, true
		}
	}
	return Offer{}, false
}

// Grants decides who may have what (the authority's own books may stand behind
// it). Rules are one.
type Grants interface {
	// Grant gives the claims of a credential for a holder, or an error of kind
	// Forbidden that says why there is none.
	Grant(ctx context.Context, holder string, o Offer) (map[string]any, error)
}

// Grant implements Grants by the list in the rules.
func (r *Rules) Grant(_ context.Context, holder string, o Offer) (map[string]any, error) {
	for _, g := range o.To {
		if g.DID == holder {
			return g.Claims, nil
		}
	}
	return nil, &corridor.Error{Kind: corridor.Forbidden, Msg: fmt.Sprintf("%s may not have %s from this issuer", clip(holder), o.Type), Fix: "ask the authority to admit you"}
}

// Parties is the directory of those who may call the services of this package:
// the peers of the node, the issuers that it trusts or has asked, and those to
// whom it issues.
type Parties struct {
	Peers identity.Directory
	Rules Laid
	// Asked says whether this node has asked an issuer for a credential.
	Asked func(ctx context.Context, did string) (bool, error)
}

// Lookup implements identity.Directory.
func (p *Parties) Lookup(ctx context.Context, did string) (identity.Peer, error) {
	peer, err := p.Peers.Lookup(ctx, did)
	if err == nil || corridor.KindOf(err) != corridor.Forbidden {
		return peer, err
	}
	rules, rerr := p.Rules()
	if rerr != nil {
		return identity.Peer{}, rerr
	}
	if rules.names(did) {
		return identity.Peer{Participant: corridor.Participant{DID: did}}, nil
	}
	if p.Asked != nil {
		asked, aerr := p.Asked(ctx, did)
		if aerr != nil {
			return identity.Peer{}, aerr
		}
		if asked {
			return identity.Peer{Participant: corridor.Participant{DID: did}}, nil
		}
	}
	return identity.Peer{}, err
}

// names says whether the rules speak of a DID.
func (r *Rules) names(did string) bool {
	for _, d := range r.Demands {
		if contains(d.Issuers, did) {
			return true
		}
	}
	for _, o := range r.Issues {
		for _, g := range o.To {
			if g.DID == did {
				return true
			}
		}
	}
	return false
}
