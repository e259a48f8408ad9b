package exchange_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"corridor/internal/dsp"
	"corridor/internal/identity"
)

// inCatalogue is a dataset as a catalogue shows it.
func inCatalogue(id string) string {
	return fmt.Sprintf(`{"@type":"Dataset","@id":%q,"hasPolicy":[{"@type":"Offer","@id":"o","permission":[{"action":"use"}]}],"distribution":[{"@type":"Distribution","format":"HttpData-PULL","accessService":"urn:s"}]}`, id)
}

// elsewhere is a nested catalogue of which only the place is given.
func elsewhere(id, did, base string) string {
	return fmt.Sprintf(`{"@type":"Catalog","@id":%q,"participantId":%q,"service":[{"@type":"DataService","@id":"urn:s","endpointURL":%q}]}`, id, did, base)
}

func (r *rogue) catalogue(datasets, nested string) {
	page := fmt.Sprintf(`{"@context":[%q],"@type":"Catalog","@id":"urn:c","participantId":%q,"dataset":[%s],"catalog":[%s]}`, dsp.ContextURL, r.who.DID, datasets, nested)
	r.pages = map[string]func([]byte) []byte{dsp.CatalogRequestPath: func([]byte) []byte { return []byte(page) }}
}

func TestNestedCataloguesAreReadWhereTheirParticipantsAnnounceThem(t *testing.T) {
	n, r := withRogue(t)
	second, stranger := newRogue(t, "KZ"), newRogue(t, "KZ")
	if err := n.peers.Replace([]identity.Peer{{Participant: r.who, Address: r.base()}, {Participant: second.who, Address: second.base()}}); err != nil {
		t.Fatal(err)
	}
	inline := fmt.Sprintf(`{"@type":"Catalog","@id":"urn:n","participantId":"did:web:third.example","dataset":[%s],"catalog":[{"@type":"Catalog","@id":"urn:nn","dataset":[%s]}]}`, inCatalogue("inline"), inCatalogue("deeper"))
	part := fmt.Sprintf(`{"@type":"Catalog","@id":"urn:part","dataset":[%s]}`, inCatalogue("part"))
	r.catalogue(inCatalogue("own"), strings.Join([]string{inline, part,
		elsewhere("urn:second", second.who.DID, second.base()),
		elsewhere("urn:lie", second.who.DID, stranger.base()),                            // not where it announces itself
		elsewhere("urn:who", stranger.who.DID, stranger.base()),                          // nobody whom the operator knows
		elsewhere("urn:us", n.who.DID, n.base()),                                         // this node itself
		elsewhere("urn:again", r.who.DID, r.base()),                                      // a cycle of one
		`{"@type":"Catalog","@id":"urn:empty","participantId":"` + second.who.DID + `"}`, // nothing at all
	}, ","))
	second.catalogue(inCatalogue("second"), elsewhere("urn:back", r.who.DID, r.base())) // a cycle of two
	list, unread, err := n.x.PeerCatalogue(within(t, 10*time.Second), r.who.DID, "")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, l := range list {
		got[l.ID] = l.Peer
	}
	want := map[string]string{"own": "", "inline": "did:web:third.example", "deeper": "did:web:third.example", "part": "", "second": second.who.DID}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(list) != len(want) {
		t.Errorf("%v", got)
	}
	why := fmt.Sprint(unread)
	if len(unread) != 3 || !strings.Contains(why, "announces no service") || !strings.Contains(why, "not a known participant") || !strings.Contains(why, "names no service") {
		t.Errorf("%s", why)
	}
	stranger.mu.Lock()
	defer stranger.mu.Unlock()
	for _, h := range stranger.heard {
		t.Errorf("a stranger was asked: %s", h.path)
	}
}

func TestNestedCataloguesEnd(t *testing.T) {
	n, r := withRogue(t)
	var many []string
	for i := range 40 {
		many = append(many, elsewhere(fmt.Sprint("urn:", i), r.who.DID, fmt.Sprintf("%s/part-%d", r.base(), i)))
	}
	r.catalogue(inCatalogue("own"), strings.Join(many, ","))
	_, unread, err := n.x.PeerCatalogue(within(t, 20*time.Second), r.who.DID, "")
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.heard) != 1+16 || len(unread) == 0 || !strings.Contains(unread[0].Why, "more than 16 catalogues") {
		t.Errorf("%d requests, %v", len(r.heard), unread)
	}
}
