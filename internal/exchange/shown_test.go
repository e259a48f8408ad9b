package exchange_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

// issuer says of the peers of a node whether their credentials stand.
type issuer struct {
	word atomic.Pointer[corridor.Error]
}

func (i *issuer) ask(context.Context, identity.Peer, time.Duration) error {
	if e := i.word.Load(); e != nil {
		return e
	}
	return nil
}

var revoked = &corridor.Error{Kind: corridor.Forbidden, Msg: "not shown: MembershipCredential", Why: "the credential is under revocation"}

func TestACredentialThatIsRevokedInTheMiddleOfAStreamEndsIt(t *testing.T) {
	for _, who := range []string{"provider", "consumer"} {
		t.Run("the "+who+" asks", func(t *testing.T) {
			var word issuer
			cn, kz, mine, theirs, tap := runningBetween(t, func(cn, kz *node) {
				if who == "provider" {
					cn.credentials = word.ask
				} else {
					kz.credentials = word.ask
				}
			})
			asks := cn
			if who == "consumer" {
				asks = kz
			}
			word.word.Store(revoked) // nobody tells the node
			for n, pid := range map[*node]string{cn: theirs, kz: mine} {
				tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
				refused(t, tr.Reason, []string{"MembershipCredential", "under revocation"})
			}
			close(tap) // the stream could go on now; it must not
			agreement := kz.only().Agreement
			asks.untilAgreement(agreement, exchange.AgreementSuspended)
			if n := asks.streams(); n != 0 {
				t.Errorf("%d streams run on", n)
			}
			if files := inbox(t, kz); len(files) != 0 {
				t.Errorf("%v", files)
			}
			if !asks.receiptTypes()[corridor.ReceiptAgreementSuspended] {
				t.Error("the stop is no receipt")
			}
			_, err := asks.x.Resume(context.Background(), map[string]string{"provider": theirs, "consumer": mine}[who])
			refuses(t, err, corridor.RefusedByLaw, "under revocation")

			word.word.Store(nil)
			asks.x.PeerChanged(map[string]string{"provider": kz.who.DID, "consumer": cn.who.DID}[who]) // it shows another one
			asks.untilAgreement(agreement, exchange.AgreementInForce)
			_, err = asks.x.Resume(within(t, 10*time.Second), map[string]string{"provider": theirs, "consumer": mine}[who])
			ok(t, err)
			if tr := kz.untilTransfer(mine, over); tr.State != dsp.Completed {
				t.Errorf("%s %v", tr.State, tr.Reason)
			}
		})
	}
}

func TestAPeerThatIsStruckOffLosesItsStream(t *testing.T) {
	cn, kz, _, theirs, tap := running(t)
	defer close(tap)
	ok(t, cn.peers.Replace(nil))
	tr := cn.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
	refused(t, tr.Reason, []string{kz.who.DID})
}

// and lets a test see the requests that come to a node.
func and(wrap func(http.Handler) http.Handler, sees func(path string)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		inner := wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sees(r.URL.Path)
			inner.ServeHTTP(w, r)
		})
	}
}

func TestAnIssuerThatIsSilentEndsNoStreamAtOnce(t *testing.T) {
	var word issuer
	asked := make(chan struct{}, 10_000)
	var streams atomic.Int64
	cn, kz, mine, theirs, tap := running(t, func(cn *node) {
		cn.wrap = and(cn.wrap, func(path string) {
			if strings.HasPrefix(path, "/data/") {
				streams.Add(1)
			}
		})
		cn.credentials = func(ctx context.Context, p identity.Peer, age time.Duration) error {
			err := word.ask(ctx, p, age)
			if err != nil {
				asked <- struct{}{}
			}
			return err
		}
	})
	word.word.Store(corridor.E(corridor.Unavailable, "the status list cannot be had"))
	for range 3 {
		<-asked // it is asked again and again
	}
	word.word.Store(nil)
	close(tap)
	if tr := kz.untilTransfer(mine, over); tr.State != dsp.Completed {
		t.Errorf("%s %v", tr.State, tr.Reason)
	}
	cn.untilTransfer(theirs, over)
	if n := streams.Load(); n != 1 {
		t.Errorf("the data was asked for %d times: a stream was cut", n)
	}
}

func TestAPeerThatHasShownNothingYetShowsItToGoOn(t *testing.T) {
	var word issuer
	cn, kz, mine, _, tap := running(t, func(cn *node) {
		cn.credentials = word.ask
		cn.wrap = and(cn.wrap, func(path string) {
			if strings.HasSuffix(path, "/corridor-address") { // a message of the peer: it shows what it has
				word.word.Store(nil)
			}
		})
	})
	word.word.Store(&corridor.Error{Kind: corridor.Unauthenticated, Msg: "it has shown nothing here"})
	close(tap)
	if tr := kz.untilTransfer(mine, over); tr.State != dsp.Completed {
		t.Fatalf("%s %v", tr.State, tr.Reason)
	}
	if a := cn.untilAgreement(kz.only().Agreement, exchange.AgreementInForce); len(a.Reason) != 0 {
		t.Errorf("%v", a.Reason)
	}
}
