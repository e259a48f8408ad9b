package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/editions"
	"corridor/packs"
	"corridor/verify"
)

// trio is the demo in three countries. It is the demo between two, with a third
// organisation, an authority in each country, and a compact between them.
type trio struct {
	*demo
	cn, ru, kz *party
	bodies     map[string]authorityDir // by country
	compact    []byte

	first  string // agreement from China on the file of shipments
	second string // from Russia, with an approval
	huge   streaming
}

// trioSteps is the table of contents of the demo in three countries.
func trioSteps(d *demo) []demoStep {
	t := &trio{demo: d, bodies: map[string]authorityDir{}}
	return []demoStep{
		{"bodies", "three.bodies", t.signCompact},
		{"nodes", "three.nodes", t.openNodes},
		{"admitted", "three.admitted", t.admit},
		{"cn-kz", "three.cnkz", t.fromChina},
		{"ru-kz", "three.rukz", t.fromRussia},
		{"stop", "three.stop", t.stop},
		{"refused", "three.refused", t.refused},
		{"lift", "three.lift", t.lift},
		{"cosign", "three.cosign", t.readCosignatures},
		{"bundles", "three.bundles", t.proveAll},
		{"tamper", "tamper", t.tamper},
	}
}

// app is this program's own commands, as an authority would give them, with
// their words left out.
func (t *trio) app(ctx context.Context) *app {
	return &app{ctx: ctx, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
}

// signCompact makes the three authorities, lets them sign a compact, and serves
// their feeds.
func (t *trio) signCompact() error {
	var members []string
	rows := [][]string{}
	for _, c := range []struct{ country, suite string }{{"CN", verify.SM2}, {"RU", verify.GOST256}, {"KZ", verify.P256}} {
		body, err := t.found(c.country, c.suite)
		if err != nil {
			return err
		}
		t.bodies[c.country] = body
		members = append(members, t.place(bodyPlace(c.country), "entry.json"))
		rows = append(rows, []string{body.entry.Name, t.words.t(c.country), t.words.t("signs", c.suite), body.key.KeyID()})
	}
	t.show.table(rows)
	file := t.place("compact.json")
	draft := compactDraftCmd{ID: "steppe-trade", Version: 1, Title: "Trade and transport between three states", Member: members, Credential: []string{corridor.TypeAdmission},
		Open: []string{"1:CN>KZ=non_personal,personal", "2:RU>KZ=non_personal,govt_restricted"}, Until: corridor.DateOf(time.Now().AddDate(1, 0, 0)).String(), Out: file}
	if err := draft.Run(t.app(t.ctx)); err != nil {
		return err
	}
	for _, country := range []string{"CN", "RU", "KZ"} {
		raw, err := readBounded(file)
		if err != nil {
			return err
		}
		if _, _, err := verify.Compact(raw); err == nil {
			return fmt.Errorf("the compact binds before the authority of %s has signed it", country)
		}
		err = compactSignCmd{inAuthority: inAuthority{Dir: t.place(bodyPlace(country))}, File: file}.Run(t.app(t.ctx))
		if err != nil && country == "KZ" { // before the last one, a signature still lacks
			return err
		}
	}
	return t.showCompact(file)
}

func bodyPlace(country string) string { return "authority-" + strings.ToLower(country) }

// found makes an authority on a free port, where its feed is served until the
// demo ends.
func (t *trio) found(country, suite string) (authorityDir, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return authorityDir{}, corridor.E(corridor.Unavailable, "no port on 127.0.0.1: %w", err)
	}
	dir := t.place(bodyPlace(country))
	err = authorityInitCmd{Dir: dir, DID: "did:web:authority.example." + strings.ToLower(country), Jurisdiction: country, Name: t.words.t("body." + country), Suite: suite,
		Feed: "http://" + l.Addr().String() + "/feed.json", Refresh: 10 * time.Minute, Life: 24 * time.Hour}.Run(t.app(t.ctx))
	if err != nil {
		return authorityDir{}, err
	}
	body, err := openAuthority(dir)
	if err != nil {
		return body, err
	}
	t.scene.group.Go(func() error { return body.serve(t.app(t.scene.ctx), l) })
	return body, nil
}

func (t *trio) showCompact(file string) (err error) {
	if t.compact, err = os.ReadFile(file); err != nil {
		return corridor.Unreadable(err)
	}
	doc, body, err := verify.Compact(t.compact)
	if err != nil {
		return err
	}
	suites := map[string]string{}
	for _, s := range doc.Signatures {
		suites[s.Key] = s.Suite
	}
	if len(suites) != 3 {
		return fmt.Errorf("the compact has the signatures %v", suites)
	}
	t.show.say(t.words.t("three.compact", body.Title, body.Version))
	for _, o := range body.Opens {
		t.show.say(t.words.t("three.article", o.Article, t.words.t(o.From), t.words.t(o.To), strings.Join(o.Classes, ", ")))
	}
	t.show.aside(t.words.t("three.closed"))
	t.show.note("compact", file)
	t.show.note("digest", doc.Digest())
	t.show.note("signatures", suites)
	return nil
}

// openNodes makes and opens the three nodes and the witness.
func (t *trio) openNodes() (err error) {
	s := &t.scene
	if s.rules, err = editions.Compile(packs.FS(), editions.UserImages()); err != nil {
		return err
	}
	for _, p := range []struct {
		into                 **party
		name, country, suite string
	}{{&t.cn, "yangtze", "CN", verify.SM2}, {&t.kz, "caspian", "KZ", verify.P256}, {&t.ru, "volga", "RU", verify.GOST256}} {
		if *p.into, err = t.newParty("node-"+strings.ToLower(p.country), p.name, p.country, p.suite); err != nil {
			return err
		}
		s.others = append(s.others, *p.into)
	}
	s.exporter, s.importer = t.cn, t.kz
	return t.openParties()
}

// admit lets each authority admit the organisation of its country, and the
// nodes adopt the compact. They are open once they have heard all authorities.
func (t *trio) admit() error {
	for _, p := range t.scene.parties() {
		body := t.bodies[p.country]
		until := corridor.DateOf(time.Now().AddDate(1, 0, 0)).String()
		err := authorityAdmitCmd{inAuthority: inAuthority{Dir: body.dir}, Participant: p.cfg.DID, Name: p.name, Until: until}.Run(t.app(t.ctx))
		if err != nil {
			return err
		}
		f, err := body.feed()
		if err != nil {
			return err
		}
		t.show.say(t.words.t("three.admits", body.entry.Name, p.name, f.Last))
		t.show.note(p.country, map[string]any{"participant": p.cfg.DID, "feed": body.entry.Feed, "number": f.Number})
	}
	if err := t.scene.signs(t.ctx); err != nil {
		return err
	}
	for _, p := range t.scene.parties() {
		if _, err := p.exchange.AdoptCompact(t.ctx, t.compact); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(t.ctx)
	for _, p := range t.scene.parties() {
		g.Go(func() error { return heardAll(ctx, p) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	t.show.say(t.words.t("three.heard"))
	return nil
}

// heardAll waits until a node has the feeds of all authorities.
func heardAll(ctx context.Context, p *party) error {
	return until(ctx, "the feeds of the authorities at "+p.name, func() (bool, error) {
		for _, f := range p.exchange.Feeds() {
			if f.State != "fresh" {
				return false, nil
			}
		}
		return true, nil
	})
}

// until looks at something that rings no bell, until it is so.
func until(ctx context.Context, what string, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := so(); err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}
