package profile

import "corridor/internal/dsp"

// act is what the node's operator does at one point of a test.
type act string

// The acts, each one public operation of the exchange.
const (
	offer     act = "offer"
	counter   act = "counter"
	agree     act = "agree"
	accept    act = "accept"
	verify    act = "verify"
	finalize  act = "finalize"
	terminate act = "terminate"
	start     act = "start"
	suspend   act = "suspend"
	resume    act = "resume"
	complete  act = "complete"
)

// move says: when the process has come to a state for the nth time, act. The
// kit's tests are told apart by the dataset of a negotiation and by the
// agreement of a transfer.
type move struct {
	at  dsp.State
	nth int
	do  act
}

func once(at dsp.State, do act) move  { return move{at, 1, do} }
func again(at dsp.State, do act) move { return move{at, 2, do} }

// Key names one negotiation or one transfer of a test.
type Key string

// Script is what the operator does in each test of the DSP TCK. A test that is
// not in it, and a state that is not, wants a connector that waits.
func Script() map[Key][]move {
	return map[Key][]move{
		// contract negotiations in which the node provides
		"ACN0101": {once(dsp.Requested, offer)},
		"ACN0102": {once(dsp.Requested, offer), again(dsp.Requested, terminate)},
		"ACN0103": {once(dsp.Requested, offer), once(dsp.Accepted, agree), once(dsp.Verified, finalize)},
		"ACN0104": {once(dsp.Requested, agree), once(dsp.Verified, finalize)},
		"ACN0201": {once(dsp.Requested, terminate)},
		"ACN0203": {once(dsp.Requested, agree)},
		"ACN0204": {once(dsp.Requested, offer)},
		"ACN0205": {once(dsp.Requested, offer), once(dsp.Offered, terminate)},
		"ACN0206": {once(dsp.Requested, offer), once(dsp.Accepted, terminate)},
		"ACN0207": {once(dsp.Requested, agree), once(dsp.Verified, terminate)},
		"ACN0301": {once(dsp.Requested, agree), once(dsp.Verified, finalize)},
		"ACN0302": {once(dsp.Requested, offer)},
		"ACN0303": {once(dsp.Requested, offer)},
		"ACN0304": {once(dsp.Requested, offer)},

		// contract negotiations in which the node consumes
		"ACNC0101": {once(dsp.Offered, accept), once(dsp.Agreed, verify)},
		"ACNC0102": {once(dsp.Offered, counter)},
		"ACNC0103": {once(dsp.Offered, terminate)},
		"ACNC0104": {once(dsp.Agreed, verify)},
		"ACNC0202": {once(dsp.Requested, terminate)},
		"ACNC0203": {once(dsp.Agreed, terminate)},
		"ACNC0205": {once(dsp.Offered, accept)},
		"ACNC0206": {once(dsp.Agreed, verify)},
		"ACNC0304": {once(dsp.Offered, accept)},
		"ACNC0305": {once(dsp.Offered, accept)},
		"ACNC0306": {once(dsp.Offered, accept)},

		// transfers in which the node provides
		"ATP0101": {once(dsp.Requested, start), once(dsp.Started, terminate)},
		"ATP0102": {once(dsp.Requested, start), once(dsp.Started, complete)},
		"ATP0103": {once(dsp.Requested, start), once(dsp.Started, suspend), once(dsp.Suspended, terminate)},
		"ATP0104": {once(dsp.Requested, start), once(dsp.Started, suspend), once(dsp.Suspended, resume), again(dsp.Started, complete)},
		"ATP0105": {once(dsp.Requested, terminate)},
		"ATP0201": {once(dsp.Requested, start)},
		"ATP0202": {once(dsp.Requested, start)},
		"ATP0203": {once(dsp.Requested, start)},
		"ATP0303": {once(dsp.Requested, start)},
		"ATP0304": {once(dsp.Requested, start)},
		"ATP0305": {once(dsp.Requested, start)},
		"ATP0306": {once(dsp.Requested, start)},

		// transfers in which the node consumes
		"ATPC0201": {once(dsp.Started, terminate)},
		"ATPC0202": {once(dsp.Started, complete)},
		"ATPC0203": {once(dsp.Started, suspend), once(dsp.Suspended, terminate)},
		"ATPC0205": {once(dsp.Requested, terminate)},
	}
}

// group is a run of numbered tests: ACN02 with 7 is ACN0201 to ACN0207.
type group struct {
	prefix string
	tests  int
}

func (g group) each(f func(id string) error) error {
	for i := range g.tests {
		if err := f(g.prefix + string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10))); err != nil {
			return err
		}
	}
	return nil
}

// What the kit presupposes: datasets that it asks for, and agreements that
// nobody negotiates with it. CAT0103 must not be there.
var (
	offered       = []group{{"ACN01", 4}, {"ACN02", 7}, {"ACN03", 4}, {"CAT01", 2}}
	agreedTo      = []group{{"ATP01", 5}, {"ATP02", 5}, {"ATP03", 6}}
	agreedFrom    = []group{{"ATPC01", 5}, {"ATPC02", 5}, {"ATPC03", 6}}
	transferrable = "ATP"
)
