package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/ledger"
	"corridor/internal/plane"
	"corridor/internal/store"
)

// Publication is what an operator puts into the catalogue. The facts come
// from a scan and are the operator's own statement once published: they
// describe the data as it leaves, after the plan.
type Publication struct {
	ID          string                       `json:"id"`
	Title       string                       `json:"title"`
	Description string                       `json:"description,omitempty"`
	Source      string                       `json:"source"` // path of the file
	Format      string                       `json:"format"`
	Keywords    []string                     `json:"keywords,omitempty"`
	Facts       corridor.Facts               `json:"facts"`
	Public      []string                     `json:"public,omitempty"`   // facts that the catalogue shows; absent: all but the exporter's own affairs
	Plan        json.RawMessage              `json:"plan,omitempty"`     // plane.Plan
	Policy      json.RawMessage              `json:"policy,omitempty"`   // {"permission": [...]}; absent: plain use
	Evidence    map[string]corridor.Evidence `json:"evidence,omitempty"` // by obligation, for duties owed before the transfer
	Subject     *catalog.Subject             `json:"subject,omitempty"`  // which column names a person; absent: all are counted as different from others
}

// private lists the facts that the catalogue does not show unless asked to:
// they say how the exporter stands with its authorities.
func private() []string {
	return []string{"subjects_ytd", "sensitive_subjects_ytd", "vehicles", "filings", "assessments", "exporter_traits", "mechanism", "filing", "impact_assessment"}
}

// Publish puts a dataset into the catalogue, or a new edition of it in place
// of the old one. The source is read once for its digest.
func (s *Service) Publish(ctx context.Context, p Publication) (catalog.Dataset, error) {
	d := catalog.Dataset{ID: p.ID, Title: p.Title, Description: p.Description, Keywords: p.Keywords, Format: p.Format,
		Facts: p.Facts, Public: p.Public, Plan: p.Plan, Evidence: p.Evidence, Subject: p.Subject, Published: s.now().UTC()}
	if err := checkID(p.ID); err != nil {
		return d, err
	}
	if d.Title == "" {
		d.Title = p.ID
	}
	var err error
	if d.Source, err = filepath.Abs(p.Source); err != nil {
		return d, corridor.E(corridor.Invalid, "source: %w", err)
	}
	if d.SHA256, d.Bytes, err = digestFile(ctx, d.Source); err != nil {
		return d, err
	}
	if err := s.checkFacts(&d); err != nil {
		return d, err
	}
	if d.Offer, err = offerFor(p); err != nil {
		return d, err
	}
	t, err := readTerms(d.Offer.Policy)
	if err != nil {
		return d, err
	}
	plan, refused := makePlan(d, t, nil)
	if refused != nil {
		return d, refused
	}
	if err := s.checkPlan(ctx, d, plan); err != nil {
		return d, err
	}
	if err := s.countDataset(ctx, d); err != nil {
		return d, err
	}
	facts, err := corridor.Canonical(d.Facts)
	if err != nil {
		return d, err
	}
	policy, err := corridor.Canonical(policyOf(d.Offer))
	if err != nil {
		return d, err
	}
	st := &step{dataset: &d, receipts: []receipt{{body: corridor.Receipt{Type: corridor.ReceiptDatasetPublished, Dataset: d.ID,
		Digests: map[string]string{"source": d.SHA256, "offer": corridor.Digest(policy)}}, secrets: []ledger.Secret{{Name: "facts", Value: facts}}}}}
	return d, s.commit(ctx, st)
}

// countDataset reads the people of a dataset that says which column names
// them, so that decisions need not.
func (s *Service) countDataset(ctx context.Context, d catalog.Dataset) error {
	if err := s.checkSubject(d.Subject); err != nil {
		return err
	}
	sets, err := s.setsOf(ctx, d, s.thisYear().Name())
	if err != nil {
		return err
	}
	return checkCounted(d, sets)
}

// checkPlan holds the plan against the file itself: a stage that names a
// column which is not there would protect nothing.
func (s *Service) checkPlan(ctx context.Context, d catalog.Dataset, plan plane.Plan) error {
	if err := plan.Validate(); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if len(plan.Stages) == 0 {
		return nil
	}
	src, err := s.files.Source(d.Source, d.SHA256).Open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = plane.Check(ctx, src, plan)
	return err
}

func checkID(id string) error {
	if id == "" || len(id) > 200 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '/' || r == '\\' }) {
		return &corridor.Error{Kind: corridor.Invalid, Where: "id", Msg: fmt.Sprintf("%q is not a dataset id", clip(id)), Fix: "use up to 200 letters, digits and signs, without spaces and slashes"}
	}
	return nil
}

// checkFacts lets the law engine read the facts, so that a wrong name or value
// is found at publication and not in the first negotiation.
func (s *Service) checkFacts(d *catalog.Dataset) error {
	if d.Facts == nil {
		d.Facts = corridor.Facts{}
	}
	here, there := s.cfg.Self.Jurisdiction, "CN" // any other: only names and values are looked at
	if here == there {
		there = "KZ"
	}
	if _, err := s.cfg.Law.Prepare(corridor.Flow{Date: s.today(), Origin: here, Destination: there, Facts: d.Facts}); err != nil {
		return fmt.Errorf("facts: %w", err)
	}
	if d.Public != nil {
		return nil
	}
	d.Public = []string{}
	for name := range d.Facts {
		if !slices.Contains(private(), name) {
			d.Public = append(d.Public, name)
		}
	}
	slices.Sort(d.Public)
	return nil
}

func offerFor(p Publication) (dsp.Offer, error) {
	o := dsp.Offer{Policy: dsp.Policy{Permission: []dsp.Rule{{Action: actionUse}}}}
	if len(p.Policy) > 0 {
		o = dsp.Offer{}
		if err := json.Unmarshal(p.Policy, &o.Policy); err != nil {
			return o, corridor.E(corridor.Invalid, "policy: %w", err)
		}
	}
	if o.ID == "" {
		o.ID = p.ID + ":offer"
	}
	o.Target, o.Assignee = "", ""
	return o, nil
}

func digestFile(ctx context.Context, path string) (digest string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "the source cannot be read", Err: err}
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", 0, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "the source is not a regular file"}
	}
	h := sha256.New()
	size, err = io.Copy(h, readUntil{ctx, f})
	if err != nil {
		return "", 0, corridor.E(corridor.Invalid, "%s: %w", path, err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), size, nil
}

// readUntil reads until its context ends.
type readUntil struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (r readUntil) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Datasets lists what this node offers.
func (s *Service) Datasets(ctx context.Context, p Page) (page []catalog.Dataset, next string, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		page, next, err = catalog.List(ctx, tx, catalog.Filter{}, p.After, p.limit())
		return err
	})
	return page, next, err
}

// Catalogue answers a peer's request for the catalogue. What our law denies
// for the peer's country is not shown as obtainable. Next is where the
// following page begins.
func (s *Service) Catalogue(ctx context.Context, c identity.Caller, m *dsp.CatalogRequestMessage, after string) (*dsp.Catalog, string, error) {
	filter, err := catalog.ParseFilter(m.Filter)
	if err != nil {
		return nil, "", err
	}
	var page []catalog.Dataset
	var next string
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		page, next, err = catalog.List(ctx, tx, filter, after, catalog.MaxPage)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	out := &dsp.Catalog{ID: s.cfg.Self.DID + ":catalogue", ParticipantID: s.cfg.Self.DID, Title: s.cfg.Self.Name, Service: []dsp.DataService{s.service()}}
	for _, d := range page {
		if s.obtainable(d, c.Peer.Participant) != nil {
			continue
		}
		view, err := d.DCAT(s.service())
		if err != nil {
			return nil, "", err
		}
		out.Dataset = append(out.Dataset, view)
	}
	return out, next, nil
}

func (s *Service) service() dsp.DataService {
	return dsp.DataService{ID: s.cfg.Self.DID + "#dsp", EndpointURL: s.cfg.Base}
}

// CatalogueDataset answers a peer's request for one dataset. One that cannot
// be obtained is not there.
func (s *Service) CatalogueDataset(ctx context.Context, c identity.Caller, id string) (*dsp.Dataset, error) {
	var d catalog.Dataset
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		d, err = catalog.Get(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.obtainable(d, c.Peer.Participant) != nil {
		return nil, noSuch("dataset", id)
	}
	view, err := d.DCAT(s.service())
	return &view, err
}

// obtainable says why a dataset can never go to a participant, whatever the
// purpose; nil if it may.
func (s *Service) obtainable(d catalog.Dataset, peer corridor.Participant) error {
	t, err := readTerms(d.Offer.Policy)
	if err != nil {
		return err
	}
	if !t.country.admits(peer.Jurisdiction) {
		return corridor.E(corridor.Forbidden, "the offer does not admit recipients in %s", peer.Jurisdiction)
	}
	f := d.Facts.Clone()
	participantFacts(f, s.cfg.Self, peer)
	delete(f, "purpose") // any: only a denial for all of them counts
	decision, err := s.cfg.Law.DecideSide(corridor.Flow{Date: s.today(), Origin: s.cfg.Self.Jurisdiction, Destination: peer.Jurisdiction, Facts: f}, corridor.Export)
	if err != nil {
		return err
	}
	if decision.Outcome == corridor.Deny {
		return refusal(decision)
	}
	return nil
}

// Reach says for one dataset which known peers may see it, and why not.
type Reach struct {
	Peer         string              `json:"peer"`
	Jurisdiction string              `json:"jurisdiction"`
	Shown        bool                `json:"shown"`
	Why          string              `json:"why,omitempty"`
	Cites        []corridor.Citation `json:"cites,omitempty"`
}

// Reaches tells the operator to whom a dataset is shown.
func (s *Service) Reaches(ctx context.Context, id string) ([]Reach, error) {
	d, err := s.dataset(ctx, id)
	if err != nil {
		return nil, noSuch("dataset", id)
	}
	out := []Reach{}
	for _, p := range s.Peers() {
		r := Reach{Peer: p.DID, Jurisdiction: p.Jurisdiction, Shown: true}
		if why := s.obtainable(d, p.Participant); why != nil {
			_, reason, cites := explain(why)
			r.Shown, r.Why, r.Cites = false, strings.Join(reason, "; "), cites
		}
		out = append(out, r)
	}
	return out, nil
}

// Peers lists the participants that this node knows.
func (s *Service) Peers() []identity.Peer {
	all, ok := s.cfg.Directory.(interface{ All() []identity.Peer })
	if !ok {
		return []identity.Peer{}
	}
	list := all.All()
	slices.SortFunc(list, func(a, b identity.Peer) int { return strings.Compare(a.DID, b.DID) })
	return list
}
