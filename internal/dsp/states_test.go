package dsp

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"corridor"
)

var update = flag.Bool("update", false, "write docs/states.md")

var (
	allNegotiation = []Type{TypeContractRequest, TypeContractOffer, TypeAgreement, TypeVerification, TypeEventAccepted, TypeEventFinalized, TypeNegTermination}
	allTransfer    = []Type{TypeTransferRequest, TypeTransferStart, TypeCompletion, TypeSuspension, TypeTermination}
	roles          = []Role{Consumer, Provider}
)

// expectNegotiation is the digest of the protocol's text, written apart from
// the table: state, sender, message -> next state. What is not here is
// illegal.
const expectNegotiation = `
             C ContractRequestMessage                       REQUESTED
             P ContractOfferMessage                         OFFERED
REQUESTED    P ContractOfferMessage                         OFFERED
REQUESTED    P ContractAgreementMessage                     AGREED
REQUESTED    C ContractNegotiationTerminationMessage        TERMINATED
REQUESTED    P ContractNegotiationTerminationMessage        TERMINATED
OFFERED      C ContractRequestMessage                       REQUESTED
OFFERED      C ContractNegotiationEventMessage_ACCEPTED     ACCEPTED
OFFERED      C ContractNegotiationTerminationMessage        TERMINATED
OFFERED      P ContractNegotiationTerminationMessage        TERMINATED
ACCEPTED     P ContractAgreementMessage                     AGREED
ACCEPTED     C ContractNegotiationTerminationMessage        TERMINATED
ACCEPTED     P ContractNegotiationTerminationMessage        TERMINATED
AGREED       C ContractAgreementVerificationMessage         VERIFIED
AGREED       C ContractNegotiationTerminationMessage        TERMINATED
AGREED       P ContractNegotiationTerminationMessage        TERMINATED
VERIFIED     P ContractNegotiationEventMessage_FINALIZED    FINALIZED
VERIFIED     C ContractNegotiationTerminationMessage        TERMINATED
VERIFIED     P ContractNegotiationTerminationMessage        TERMINATED
`

const expectTransfer = `
             C TransferRequestMessage        REQUESTED
REQUESTED    P TransferStartMessage          STARTED
REQUESTED    C TransferTerminationMessage    TERMINATED
REQUESTED    P TransferTerminationMessage    TERMINATED
STARTED      C TransferSuspensionMessage     SUSPENDED
STARTED      P TransferSuspensionMessage     SUSPENDED
STARTED      C TransferCompletionMessage     COMPLETED
STARTED      P TransferCompletionMessage     COMPLETED
STARTED      C TransferTerminationMessage    TERMINATED
STARTED      P TransferTerminationMessage    TERMINATED
SUSPENDED    C TransferStartMessage          STARTED
SUSPENDED    P TransferStartMessage          STARTED
SUSPENDED    C TransferTerminationMessage    TERMINATED
SUSPENDED    P TransferTerminationMessage    TERMINATED
`

func expectation(t *testing.T, text string) map[string]State {
	t.Helper()
	out := map[string]State{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 3 {
			f = append([]string{""}, f...)
		}
		if len(f) == 4 {
			out[f[0]+" "+f[1]+" "+strings.ReplaceAll(f[2], "_", " ")] = State(f[3])
		}
	}
	return out
}

func TestTheTablesSayWhatTheProtocolSays(t *testing.T) {
	for _, c := range []struct {
		m      machine
		next   func(Role, State, Type, Role) (State, error)
		expect string
		types  []Type
	}{
		{negotiations(), NextNegotiation, expectNegotiation, allNegotiation},
		{transfers(), NextTransfer, expectTransfer, allTransfer},
	} {
		want, used := expectation(t, c.expect), 0
		for _, state := range c.m.states {
			for _, msg := range append(slices.Concat(allNegotiation, allTransfer), TypeCatalog, "") {
				for _, from := range roles {
					for _, role := range roles {
						got, err := c.next(role, state, msg, from)
						to, legal := want[fmt.Sprintf("%s %s %s", state, strings.ToUpper(string(from[:1])), msg)]
						switch {
						case legal && (err != nil || got != to):
							t.Errorf("%s: %s by %s in %q: got %q, %v; want %q", c.m.what, msg, from, state, got, err, to)
						case !legal && err == nil:
							t.Errorf("%s: %s by %s in %q is legal, leads to %q", c.m.what, msg, from, state, got)
						case !legal && got != state:
							t.Errorf("%s: an illegal %s moved %q to %q", c.m.what, msg, state, got)
						}
						if legal {
							used++
						}
					}
				}
			}
		}
		if used != 2*len(want) {
			t.Errorf("%s: %d of %d expected moves were tried", c.m.what, used/2, len(want))
		}
	}
}

func TestAnIllegalMoveSaysWhatIsAllowed(t *testing.T) {
	for _, c := range []struct {
		name     string
		err      func() error
		kind     corridor.Kind
		msg, fix string
	}{
		{"a verification while an offer is open", func() error {
			_, err := NextNegotiation(Provider, Offered, TypeVerification, Consumer)
			return err
		}, corridor.Conflict, "a negotiation that is OFFERED cannot take ContractAgreementVerificationMessage",
			"from here the consumer may send ContractRequestMessage or ContractNegotiationEventMessage ACCEPTED or ContractNegotiationTerminationMessage; the provider may send ContractNegotiationTerminationMessage"},
		{"our own early finalization", func() error {
			_, err := NextNegotiation(Provider, Agreed, TypeEventFinalized, Provider)
			return err
		}, corridor.Conflict, "a negotiation that is AGREED cannot send ContractNegotiationEventMessage FINALIZED", "from here the consumer may send"},
		{"anything after the end", func() error {
			_, err := NextNegotiation(Provider, Finalized, TypeNegTermination, Consumer)
			return err
		}, corridor.Conflict, "FINALIZED cannot take", "FINALIZED is final: open a new negotiation"},
		{"a consumer that finalizes", func() error {
			_, err := NextNegotiation(Provider, Verified, TypeEventFinalized, Consumer)
			return err
		}, corridor.Invalid, "a consumer never sends ContractNegotiationEventMessage FINALIZED in a negotiation", ""},
		{"a message of the other protocol", func() error {
			_, err := NextTransfer(Provider, Requested, TypeContractOffer, Provider)
			return err
		}, corridor.Invalid, "never sends ContractOfferMessage in a transfer", ""},
		{"a start before the request", func() error {
			_, err := NextTransfer(Consumer, None, TypeTransferStart, Provider)
			return err
		}, corridor.Conflict, "a transfer that is not begun cannot take TransferStartMessage", "the consumer may send TransferRequestMessage"},
		{"completion while suspended", func() error {
			_, err := NextTransfer(Provider, Suspended, TypeCompletion, Consumer)
			return err
		}, corridor.Conflict, "SUSPENDED cannot take TransferCompletionMessage", "TransferStartMessage"},
		{"a role that is none", func() error {
			_, err := NextTransfer("broker", Suspended, TypeCompletion, Consumer)
			return err
		}, corridor.Internal, `"broker" is not a role`, ""},
		{"a state of the other protocol", func() error {
			_, err := NextTransfer(Provider, Agreed, TypeCompletion, Consumer)
			return err
		}, corridor.Internal, `"AGREED" is not a state of a transfer`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var e *corridor.Error
			if !errors.As(c.err(), &e) {
				t.Fatal("no error")
			}
			if e.Kind != c.kind || !strings.Contains(e.Msg, c.msg) || !strings.Contains(e.Fix, c.fix) {
				t.Errorf("got %s: %v", e.Kind, e)
			}
		})
	}
}

func TestMovesListWhatNextAccepts(t *testing.T) {
	for _, from := range roles {
		for _, s := range negotiations().states {
			for _, m := range NegotiationMoves(s, from) {
				if _, err := NextNegotiation(from, s, m, from); err != nil {
					t.Error(err)
				}
			}
			if s.Final() && len(NegotiationMoves(s, from)) != 0 {
				t.Errorf("%s is final and has moves", s)
			}
		}
		for _, s := range transfers().states {
			for _, m := range TransferMoves(s, from) {
				if _, err := NextTransfer(from, s, m, from); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if Provider.Other() != Consumer || Consumer.Other() != Provider {
		t.Error("roles")
	}
}

// Two sides that exchange any messages, each refusing what its table refuses,
// end up in the same state, and a final state is never left.
func TestBothSidesStayInStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		next, types := NextNegotiation, allNegotiation
		if rapid.Bool().Draw(t, "transfer") {
			next, types = NextTransfer, allTransfer
		}
		mine, yours := None, None
		for range rapid.IntRange(1, 30).Draw(t, "messages") {
			msg, from := rapid.SampledFrom(types).Draw(t, "msg"), rapid.SampledFrom(roles).Draw(t, "from")
			was := mine
			a, errA := next(from, mine, msg, from)
			b, errB := next(from.Other(), yours, msg, from)
			if (errA == nil) != (errB == nil) || a != b {
				t.Fatalf("%s by %s in %q: sender %q %v, receiver %q %v", msg, from, was, a, errA, b, errB)
			}
			if was.Final() && errA == nil {
				t.Fatalf("%q was left by %s", was, msg)
			}
			mine, yours = a, b
		}
	})
}

func TestEveryStateIsReachable(t *testing.T) {
	for _, m := range []machine{negotiations(), transfers()} {
		seen := map[State]bool{None: true}
		for range m.states {
			for _, mv := range m.moves {
				if seen[mv.from] {
					seen[mv.to] = true
				}
			}
		}
		for _, s := range m.states {
			if !seen[s] {
				t.Errorf("%s: %q cannot be reached", m.what, s)
			}
		}
	}
}

func statesDoc() string {
	var b strings.Builder
	b.WriteString("# States of negotiations and transfers\n\nGenerated from the tables in `internal/dsp/states.go` by `go test ./internal/dsp -run StatesDoc -update`; a test fails when they differ.\n" +
		"C: the consumer sends the message, P: the provider, C P: either. A state changes when the message is acknowledged, on both\nsides. What is not drawn is refused with a client error and leaves the state as it is.\n")
	for _, m := range []machine{negotiations(), transfers()} {
		b.WriteString("\n## " + strings.ToUpper(m.what[:1]) + m.what[1:] + "\n```mermaid\nstateDiagram-v2\n")
		for _, mv := range m.moves {
			fmt.Fprintf(&b, "    %s --> %s: %s %s\n", node(mv.from), mv.to, initials(mv.by), label(mv.msg))
		}
		for _, s := range m.states {
			if s.Final() {
				fmt.Fprintf(&b, "    %s --> [*]\n", s)
			}
		}
		b.WriteString("```\n\n| in state | message | sent by | leads to |\n|---|---|---|---|\n")
		for _, mv := range m.moves {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", mv.from.words(), mv.msg, senders(mv.by), mv.to)
		}
	}
	b.WriteString("\nThe protocol is of two minds about who may start a suspended transfer again: its message table says the provider, its\n" +
		"HTTPS binding lets the consumer attempt it at the provider. The table allows both, and the side that receives the attempt\ndecides whether to agree.\n" +
		"\nEvery step can be taken by hand: `corridor answer` (offer, counter, accept, agree, verify, finalize), `corridor offer`, `start`,\n`suspend`, `resume`, `finish`, `terminate`, or the [management API](management-api.md). Which steps wait for a person is\nsaid with `manual` for a node, a peer or a dataset ([configuration](configuration.md)). An act that is not drawn here is refused.\n" +
		waitsDoc + strings.ReplaceAll(growingDoc, "'", "`"))
	return b.String()
}

const growingDoc = `
## Data that goes on
A dataset that grows ('corridor publish --growing', then 'corridor append') is offered in two ways, 'HttpData-PULL-NonFinite' and 'HttpData-PUSH-NonFinite'. Its transfer is a
non-finite one in the words of the protocol: it stays STARTED until one side completes, suspends or terminates it ('corridor transfer --goes-on').

* Each increment is a transfer process of its own below it, named as the transfer with '~' and the number behind it, from 1 without a gap. It begins
  STARTED when the consumer asks for 'GET {base}/transfers/{providerPid}~{number}/corridor-address', and ends COMPLETED with the
  TransferCompletionMessage of the consumer. The answer is a TransferStartMessage: without 'dataAddress' nothing was added yet; with it, 'corridor:facts' are the public
  facts of this increment. The same call gives a new token. An increment begins only when the one before it has been released.
* Its release, arrival and acknowledgement are receipts of its own, with number, bytes and rows ('increment'). Its copy has a term of its own; an arrival
  that is not confirmed shows by itself.
* Before each increment both sides ask their law, with the numbers of people in it, the policy, the approvals, orders and the life of the agreement.
  'count' counts increments, and the count of the year its people. What is refused does not begin: the side that refuses suspends the transfer with the
  reason. Duties that the law of today puts on the bytes must be in the plan that was agreed on, and an
  approval covers the numbers that it was given for.
* Nothing of an increment moves unless the transfer is STARTED. Suspended in the middle, it goes on where it was; when the transfer ends, an increment
  that is not complete ends with it and its part is deleted. Acts on one increment are refused: they belong to the transfer.
* With 'HttpData-PUSH-NonFinite' ('corridor transfer --goes-on --push') the provider begins an increment as soon as it was added and the one before it is confirmed, and offers it:
  'POST {base}/transfers/{consumerPid}~{number}/corridor-address' with a TransferStartMessage and its 'corridor:facts'. The consumer asks its own law, begins the increment and
  answers with a TransferStartMessage whose 'dataAddress' is where to push it, at the host of its callback address; a repeated offer gets a new token. When the consumer has all
  of it, its receipt is written before it says so; the TransferCompletionMessage is the provider's, or the consumer's where the transfer ended before.
* Whoever adds an increment nudges the consumers of the running transfers that fetch: 'POST {base}/transfers/{consumerPid}/corridor-look', without a body, one time. A nudge says
  only that now is a good time to ask: it counts from the peer of the agreement and for a transfer that is STARTED, at most one question in 200 ms comes of it, and
  one that is lost costs the wait for the next look.
* The consumer asks for the next increment when the transfer starts, at a nudge, at every 'corridor resume', and every 'look_every' (1 minute). With
  'manual: [fetch]' it asks when a person says so, and waits again when all is here.
* 'peer_limit' runs on both sides from the increment that began last.
* A peer that speaks the Dataspace Protocol only cannot confirm an increment and is refused.
`

const waitsDoc = `
## What waits, and until when
Nothing waits for ever. ` + "`corridor negotiations`, `transfers` and `status`" + `, and the member ` + "`waiting`" + ` of the management API, say of each process that
is not at its end on whom it waits (` + "`on`), since when, why, what can happen next, and `by` when the node does by itself what `then` says" + `:

| waits for | until | then |
|---|---|---|
| a message of ours that is on its way; ` + "`retry`" + ` is the next attempt | 24 hours from its first attempt | it is given up. A process that cannot go on without it ends; a final word (FINALIZED, COMPLETED) is left to a person |
| the peer's next word, or data that it fetches or pushes | ` + "`peer_limit`" + `, 90 days | the node ends it |
| data that this node fetches or pushes | 24 hours without progress | the node gives up, and a person resumes or ends it |
| whether that data may move, where an issuer of the peer's credentials does not answer; ` + "`retry`" + ` is the next attempt, each pause as long as it has stood still, at most five minutes | 24 hours | the same; a refusal is left to a person at once |
| a person of this node; whoever suspended a transfer, on either side | ` + "`person_limit`" + `, 180 days | the node ends it |

* What the node ends, it ends as ` + "`terminate`" + ` does: TERMINATED with the code ` + "`expired`" + ` and who has waited from when until when, a receipt, and the
  protocol's termination message to the peer. Both sides have such dates; the first one ends it for both.
* Nothing happens by itself before that date where a person of this node has to act.
* A wait keeps its date while its reason stays, over restarts too; data that moves puts it off. What came due while the node was down is done at its
  start. Of several nodes on one database one sees to it, by lease. The limits belong to all of them ([configuration](configuration.md)).
* A clock that has gone on by more than a week since the node was last there is doubted, at a start and while it runs: no wait in this table ends by
  it (a message whose 24 hours it ends is kept unsent), no copy is deleted at the end of its term and no people of past years are forgotten, and
  ` + "`corridor status` says so (`clock`)" + `, until a peer's signed token or a witness's cosignature is of that time too, or a person starts the
  node with ` + "`corridor serve --clock-is-right`" + `. A node that was really away so long waits for the first word of a peer.
* Neither limit can be switched off; a limit may be years.
`

func node(s State) string {
	if s == None {
		return "[*]"
	}
	return string(s)
}

func initials(by []Role) string {
	if len(by) == 2 {
		return "C P"
	}
	return strings.ToUpper(string(by[0][:1]))
}

func senders(by []Role) string {
	if len(by) == 2 {
		return "either"
	}
	return string(by[0])
}

// label shortens a message's name for the drawing.
func label(t Type) string {
	return strings.NewReplacer("ContractNegotiationEventMessage ", "", "ContractAgreementVerification", "Verification",
		"ContractNegotiation", "", "Contract", "", "Transfer", "", "Message", "").Replace(string(t))
}

func TestStatesDoc(t *testing.T) {
	const file = "../../docs/states.md"
	want := statesDoc()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/states.md differs from the tables; run: go test ./internal/dsp -run StatesDoc -update")
	}
}

func BenchmarkNextNegotiation(b *testing.B) {
	for b.Loop() {
		if _, err := NextNegotiation(Provider, Agreed, TypeVerification, Consumer); err != nil {
			b.Fatal(err)
		}
	}
}
