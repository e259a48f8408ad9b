package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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
	Metadata    *catalog.Metadata            `json:"metadata,omitempty"` // DCAT-AP
	Facts       corridor.Facts               `json:"facts"`
	Public      []string                     `json:"public,omitempty"`   // facts that the catalogue shows; absent: all but the exporter's own affairs
	Plan        json.RawMessage              `json:"plan,omitempty"`     // plane.Plan
	Policy      json.RawMessage              `json:"policy,omitempty"`   // {"permission": [...]}; absent: plain use
	Evidence    map[string]corridor.Evidence `json:"evidence,omitempty"` // by obligation, for duties owed before the transfer
	Manual      []string                     `json:"manual,omitempty"`   // steps that wait for a person: agree, finalize, start
	Subject     *catalog.Subject             `json:"subject,omitempty"`  // which column names a person; absent: all are counted as different from others
	Growing     bool                         `json:"growing,omitempty"`  // the file is the first increment; more are added (Append)
}

// private lists the facts that the catalogue does not show unless asked to:
// they say how the exporter stands with its authorities.
func private() []string {
	return []string{"subjects_ytd", "sensitive_subjects_ytd", "vehicles", "filings", "assessments", "exporter_traits", "mechanism", "filing", "impact_assessment"}
}

// Publish puts a dataset into the catalogue, or a new edition of it in place
// of the old one. The source is read once for its digest.
func (s *Service) Publish(ctx context.Context, p Publication) (catalog.Dataset, error) {
	d, r, err := s.prepare(ctx, p)
	if err != nil {
		return d, err
	}
	return d, s.commit(ctx, &step{datasets: []catalog.Dataset{d}, receipts: []receipt{r}})
}

// PublishAll publishes several datasets in one transaction, each with its
// receipt: all of them or none.
func (s *Service) PublishAll(ctx context.Context, list []Publication) (Published, error) {
	if len(list) == 0 || len(list) > catalog.MaxPut {
		return Published{}, &corridor.Error{Kind: corridor.Limited, Msg: fmt.Sprintf("%d datasets; one publication takes 1 to %d", len(list), catalog.MaxPut), Fix: "send them in several parts"}
	}
	st := &step{}
	seen := map[string]bool{}
	for i, p := range list {
		d, r, err := s.prepare(ctx, p)
		if err == nil && seen[d.ID] {
			err = corridor.E(corridor.Invalid, "%q stands in the list twice", d.ID)
		}
		if err != nil {
			return Published{}, inItem(i, err)
		}
		seen[d.ID] = true
		st.datasets, st.receipts = append(st.datasets, d), append(st.receipts, r)
	}
	return Published{Datasets: len(list)}, s.commit(ctx, st)
}

// inItem says in which of several publications a mistake is.
func inItem(i int, err error) error {
	at := fmt.Sprintf("datasets[%d]", i)
	var e *corridor.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", at, err)
	}
	there := *e
	if there.Where = at; e.Where != "" {
		there.Where += "." + e.Where
	}
	return &there
}

// Published says how many datasets were published.
type Published struct {
	Datasets int `json:"datasets"`
}

// Withdrawn says what was taken out of the catalogue.
type Withdrawn struct {
	ID string `json:"id"`
}

// Withdraw takes a dataset out of the catalogue. Nobody can ask for it any
// more; agreements about it go on.
func (s *Service) Withdraw(ctx context.Context, id string) (Withdrawn, error) {
	st := &step{receipts: []receipt{{body: corridor.Receipt{Type: corridor.ReceiptDatasetWithdrawn, Dataset: id}}},
		inside: func(ctx context.Context, tx *store.Tx) error {
			if err := catalog.Withdraw(ctx, tx, id); err != nil {
				return err
			}
			return s.catalogueChanged(ctx, tx)
		}}
	return Withdrawn{ID: id}, s.commit(ctx, st)
}

// prepare checks a publication and makes of it the dataset and its receipt.
func (s *Service) prepare(ctx context.Context, p Publication) (d catalog.Dataset, r receipt, err error) {
	d = catalog.Dataset{ID: p.ID, Title: p.Title, Description: p.Description, Keywords: p.Keywords, Format: p.Format,
		Facts: p.Facts, Public: p.Public, Plan: p.Plan, Evidence: p.Evidence, Subject: p.Subject, Manual: p.Manual, Growing: p.Growing, Published: s.now().UTC()}
	if err := checkID(p.ID); err != nil {
		return d, r, err
	}
	if err := CheckSteps("manual", p.Manual); err != nil {
		return d, r, err
	}
	if d.Title == "" {
		d.Title = p.ID
	}
	if p.Metadata != nil {
		m, err := p.Metadata.Check()
		if err != nil {
			return d, r, err
		}
		d.Metadata = &m
	}
	if d.Source, err = filepath.Abs(p.Source); err != nil {
		return d, r, corridor.E(corridor.Invalid, "source: %w", err)
	}
	if d.SHA256, d.Bytes, err = digestFile(ctx, d.Source); err != nil {
		return d, r, err
	}
	if err := s.checkGrowth(ctx, d); err != nil {
		return d, r, err
	}
	if err := s.checkFacts(&d); err != nil {
		return d, r, err
	}
	if d.Offer, err = offerFor(p); err != nil {
		return d, r, err
	}
	if err := s.checkDelivery(ctx, d); err != nil {
		return d, r, err
	}
	r, err = publicationReceipt(d)
	return d, r, err
}

// checkDelivery holds the terms, the plan and the count of people against
// the file.
func (s *Service) checkDelivery(ctx context.Context, d catalog.Dataset) error {
	t, err := readTerms(d.Offer.Policy)
	if err != nil {
		return err
	}
	for i := range t.permissions {
		plan, refused := makePlan(d, t.permissions[i].stages, nil)
		if refused != nil {
			return refused
		}
		if err := s.checkPlan(ctx, d, plan); err != nil {
			return err
		}
	}
	return s.countDataset(ctx, d)
}

func publicationReceipt(d catalog.Dataset) (receipt, error) {
	facts, err := corridor.Canonical(d.Facts)
	if err != nil {
		return receipt{}, err
	}
	policy, err := corridor.Canonical(policyOf(d.Offer))
	if err != nil {
		return receipt{}, err
	}
	return receipt{body: corridor.Receipt{Type: corridor.ReceiptDatasetPublished, Dataset: d.ID,
		Digests: map[string]string{"source": d.SHA256, "offer": corridor.Digest(policy)}}, secrets: []ledger.Secret{{Name: "facts", Value: facts}}}, nil
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

// Datasets lists what this node offers, in the order of first publication.
func (s *Service) Datasets(ctx context.Context, by map[string]string, p Page) (list []catalog.Dataset, next string, err error) {
	filter, err := catalog.NewFilter(by)
	if err != nil {
		return nil, "", err
	}
	place, err := catalog.ParsePlace(p.After, "")
	if err != nil {
		return nil, "", err
	}
	var page catalog.Page[catalog.Entry]
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		page, err = catalog.List(ctx, tx, filter, place, p.limit())
		return err
	})
	for _, e := range page.Rows {
		d, err := e.Dataset()
		if err != nil {
			return nil, "", err
		}
		list = append(list, d)
	}
	return list, page.Next, err
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
