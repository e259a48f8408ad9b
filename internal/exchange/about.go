package exchange

import "corridor"

// About is what a gateway says of itself to anybody: what a counterparty needs
// to know before it negotiates. Nothing in it is believed without the proof
// that goes with it.
type About struct {
	DID          string                `json:"did"`
	Jurisdiction string                `json:"jurisdiction"`
	Suite        string                `json:"suite"`    // of its signatures
	Compacts     []corridor.CompactRef `json:"compacts"` // in force, without article
	Time         string                `json:"time"`
}

// About says who this node is.
func (s *Service) About() About {
	out := About{DID: s.cfg.Self.DID, Jurisdiction: s.cfg.Self.Jurisdiction, Suite: s.cfg.Signer.Suite(), Compacts: []corridor.CompactRef{}, Time: corridor.Moment(s.now())}
	for _, c := range s.Compacts() {
		if c.InForce {
			out.Compacts = append(out.Compacts, corridor.CompactRef{ID: c.ID, Version: c.Version, Digest: c.Digest})
		}
	}
	return out
}
