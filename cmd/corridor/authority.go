package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"corridor"
	"corridor/internal/identity"
	"corridor/verify"
)

// authorityCmd is what the body of a jurisdiction does: it keeps its own key
// and its own file of acts, and needs no node.
type authorityCmd struct {
	Init    authorityInitCmd    `cmd:"" help:"Make an authority: its key, its entry for compacts, its empty feed."`
	Admit   authorityAdmitCmd   `cmd:"" help:"Admit a participant."`
	Revoke  authorityRevokeCmd  `cmd:"" help:"Revoke the admission of a participant."`
	Suspend authoritySuspendCmd `cmd:"" help:"Order that a participant, a dataset, a class of data, a direction or everything stops."`
	Lift    authorityLiftCmd    `cmd:"" help:"Order that a suspension ends."`
	Approve authorityApproveCmd `cmd:"" help:"Sign the approval that a participant asks for, with conditions and an end."`
	Refuse  authorityRefuseCmd  `cmd:"" help:"Sign the refusal of an approval that a participant asks for."`
	Feed    authorityFeedCmd    `cmd:"" help:"Sign the feed of orders anew, or serve it and sign it in time."`
	Compact compactCmd          `cmd:"" help:"Draft, sign and show compacts."`
}

// authorityDir is the directory of an authority: keys/, entry.json (what a
// compact says of it), settings.json, and public/ (what a web server may serve:
// feed.json and orders/). All that it has ordered stands in the feed.
type authorityDir struct {
	dir      string
	entry    corridor.Authority
	settings authoritySettings
	key      identity.Signer
}

type authoritySettings struct {
	Suite   string `json:"suite"`
	Refresh int64  `json:"refresh"` // seconds
	Life    int64  `json:"life"`    // seconds
}

func (d authorityDir) feedFile() string { return filepath.Join(d.dir, "public", "feed.json") }

func (d authorityDir) orderFile(number int64) string {
	return filepath.Join(d.dir, "public", "orders", fmt.Sprintf("%d.json", number))
}

type authorityInitCmd struct {
	speech
	Dir          string        `required:"" type:"path" help:"Directory of the authority. It must not hold one yet."`
	DID          string        `required:"" name:"did" help:"Its DID." placeholder:"did:web:HOST"`
	Jurisdiction string        `required:"" help:"The country that it speaks for (two letters)." placeholder:"CC"`
	Name         string        `required:"" help:"Its name."`
	Suite        string        `default:"Ed25519" help:"The signature suite of all that it signs."`
	Feed         string        `help:"Where its feed will be served. Without it, orders reach nodes only by hand or pushed." placeholder:"URL"`
	TrustService []string      `help:"DIDs of the services that may state that signatures of its country's participants are valid. Without any, each participant's own counts." placeholder:"DID"`
	Refresh      time.Duration `default:"10m" help:"How often nodes ask for the feed."`
	Life         time.Duration `default:"24h" help:"How long a feed may be relied on. Nodes that get no newer one close their corridors."`
}

// Help gives an example.
func (authorityInitCmd) Help() string {
	return `Example:
  corridor authority init --dir tda --did did:web:tda.gov.kz --jurisdiction KZ --name 'Trade Data Authority' --feed https://tda.gov.kz/feed.json
keys/ stays with the authority. entry.json goes to the other members, who put it into the compact.`
}

// Run makes the directory.
func (c authorityInitCmd) Run(a *app) error {
	if _, err := os.Lstat(filepath.Join(c.Dir, "entry.json")); err == nil {
		return corridor.E(corridor.Conflict, "%s holds an authority already", c.Dir)
	}
	d := authorityDir{dir: c.Dir, settings: authoritySettings{Suite: c.Suite, Refresh: int64(c.Refresh / time.Second), Life: int64(c.Life / time.Second)}}
	var err error
	if d.key, err = identity.OpenAuthority(filepath.Join(c.Dir, "keys"), c.DID, c.Suite); err != nil {
		return err
	}
	anchor, err := identity.AnchorOf(d.key)
	if err != nil {
		return err
	}
	d.entry = corridor.Authority{ID: c.DID, Jurisdiction: c.Jurisdiction, Name: c.Name, Anchors: []corridor.Anchor{anchor}, Feed: c.Feed, TrustServices: c.TrustService}
	if err := d.entry.Check(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(c.Dir, "public", "orders"), 0o755); err != nil {
		return corridor.Unwritable(c.Dir, err)
	}
	if err := d.sign(a, corridor.Feed{Type: corridor.TypeFeed, Authority: c.DID, Jurisdiction: c.Jurisdiction, Orders: []corridor.Sealed{}, Admissions: []corridor.Sealed{}}, time.Now()); err != nil {
		return err
	}
	for name, v := range map[string]any{"settings.json": d.settings, "entry.json": d.entry} {
		raw, err := corridor.Canonical(v)
		if err == nil {
			err = replaceFile(filepath.Join(c.Dir, name), append(raw, '\n'))
		}
		if err != nil {
			return err
		}
	}
	return a.print("%s\n  the authority of %s, signs with %s\n  key %s\n  entry for compacts: %s\n", c.DID, c.Jurisdiction, c.Suite, anchor.ID, filepath.Join(c.Dir, "entry.json"))
}

// openAuthority reads the directory of an authority. The key that is there must
// be the one that its entry names.
func openAuthority(dir string) (authorityDir, error) {
	d := authorityDir{dir: dir}
	for name, into := range map[string]any{"entry.json": &d.entry, "settings.json": &d.settings} {
		raw, err := readBounded(filepath.Join(dir, name))
		if err != nil {
			return d, err
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return d, &corridor.Error{Kind: corridor.Invalid, Where: filepath.Join(dir, name), Msg: "cannot be read", Fix: "restore it from a backup", Err: err}
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "keys", "authority.pem")); err != nil {
		return d, &corridor.Error{Kind: corridor.Invalid, Where: filepath.Join(dir, "keys"), Msg: "the key of the authority is not there", Fix: "restore it from a backup", Err: err}
	}
	var err error
	if d.key, err = identity.OpenAuthority(filepath.Join(dir, "keys"), d.entry.ID, d.settings.Suite); err != nil {
		return d, err
	}
	for _, a := range d.entry.Anchors {
		if a.ID == d.key.KeyID() {
			return d, nil
		}
	}
	return d, &corridor.Error{Kind: corridor.Invalid, Where: dir, Msg: "the key in keys/ is not the one that entry.json names", Fix: "restore the directory from a backup"}
}

// feed reads what the authority has ordered so far. A file that was changed by
// another hand is refused.
func (d authorityDir) feed() (corridor.Feed, error) {
	raw, err := readBounded(d.feedFile())
	if err != nil {
		return corridor.Feed{}, err
	}
	_, f, err := verify.Feed(raw, []corridor.Authority{d.entry})
	if err != nil {
		return f, fmt.Errorf("%s: %w", d.feedFile(), err)
	}
	return f, nil
}

// sign numbers a feed anew, signs it and puts it in the old one's place.
func (d authorityDir) sign(a *app, f corridor.Feed, now time.Time) error {
	f.Number++
	f.Refresh = d.settings.Refresh
	f.ThisUpdate, f.NextUpdate = corridor.Moment(now), corridor.Moment(now.Add(time.Duration(d.settings.Life)*time.Second))
	if err := f.Check(); err != nil {
		return err
	}
	doc, err := identity.SealAndSign(a.ctx, d.key, f)
	if err != nil {
		return err
	}
	raw, err := doc.Encode()
	if err != nil {
		return err
	}
	if len(raw) > corridor.MaxFeed {
		return corridor.E(corridor.Limited, "the feed would have %d bytes, over the limit of %d", len(raw), corridor.MaxFeed)
	}
	return replaceFile(d.feedFile(), raw)
}

// replaceFile puts a new file in an old one's place: a reader sees one or the
// other, whole.
func replaceFile(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".corridor-*")
	if err != nil {
		return corridor.Unwritable(path, err)
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(corridor.Unwritable(path, err), os.Remove(tmp.Name()))
	}
	return nil
}

// act signs an act under the next number. The file of an order is made first,
// and only once: two acts at a time cannot take one number.
func (d authorityDir) act(a *app, make func(number int64) (body any, order bool, err error)) (int64, []byte, error) {
	f, err := d.feed()
	if err != nil {
		return 0, nil, err
	}
	number := f.Last + 1
	body, order, err := make(number)
	if err != nil {
		return 0, nil, err
	}
	doc, err := identity.SealAndSign(a.ctx, d.key, body)
	if err != nil {
		return 0, nil, err
	}
	raw, err := doc.Encode()
	if err != nil {
		return 0, nil, err
	}
	if err := d.reread(raw, order); err != nil {
		return 0, nil, err
	}
	if err := writeWhole(d.orderFile(number), raw); err != nil {
		return 0, nil, &corridor.Error{Kind: corridor.Conflict, Where: d.orderFile(number), Msg: "another act has taken this number, or an earlier one broke off", Fix: "look into the file; if its act does not stand in public/feed.json, move it away", Err: err}
	}
	f.Last = number
	if order {
		f.Orders = append(f.Orders, doc)
	} else {
		f.Admissions = append(f.Admissions, doc)
	}
	return number, raw, d.sign(a, f, time.Now())
}

// reread holds an act against what every node will ask of it.
func (d authorityDir) reread(raw []byte, order bool) error {
	var err error
	if order {
		_, _, err = verify.Order(raw, []corridor.Authority{d.entry})
	} else {
		_, _, err = verify.Admission(raw, []corridor.Authority{d.entry})
	}
	return err
}

// readBounded reads a file that is no larger than a document may be.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, corridor.Unreadable(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, corridor.MaxFeed+1))
	switch {
	case err != nil:
		return nil, corridor.Unreadable(err)
	case len(raw) > corridor.MaxFeed:
		return nil, &corridor.Error{Kind: corridor.Limited, Where: path, Msg: fmt.Sprintf("is over the limit of %d bytes", corridor.MaxFeed)}
	}
	return raw, nil
}
