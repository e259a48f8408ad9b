package faults

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// increments is how many a dataset that grows has at the end of a scene, the
// first included.
const increments = 5

// goesOn says whether a transfer is one that goes on, and not an increment.
func goesOn(t exchange.Transfer) bool {
	return t.Format == catalog.FormatGrowing || t.Format == catalog.FormatGrowingPush
}

// add adds the next increment, after a while: often while the one before it is
// still on its way.
func (p *play) add(number int) {
	time.Sleep(within(p.w.die.about("add", fmt.Sprint(number)), time.Millisecond, 12*time.Second))
	var b bytes.Buffer
	fmt.Fprintln(&b, "awb,weight,port,contact")
	for i := range fileRows / number {
		fmt.Fprintf(&b, "KZ%d%07d,%d,Aktau,person%d@example.cn\n", number, i, 10+i%90, i)
	}
	path := filepath.Join(p.w.dir, fmt.Sprintf("added-%d.csv", number))
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		p.w.wrong("%v", err)
	}
	p.w.added = append(p.w.added, b.Bytes())
	p.persist(p.w.cn, fmt.Sprintf("add increment %d", number), func(ctx context.Context, x *exchange.Service) (bool, error) {
		list, _, err := x.Increments(ctx, dataset, exchange.Page{})
		return len(list) >= number, err
	}, func(ctx context.Context, x *exchange.Service) error {
		_, err := x.Append(ctx, dataset, exchange.Addition{Source: path, Number: int64(number), Facts: corridor.Facts{"subjects_in_file": 0}})
		return err
	})
}

// sent is what a transfer, or an increment, brings.
func (w *world) sent(number int64) []byte {
	if number < 2 {
		return w.stage.content
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.added[number-2]
}

// begun asks for the data that goes on and waits until it is started.
func (p *play) begun(format string) (mine, theirs string) {
	mine = p.transfer(p.agreed(p.ask("trade_logistics")), format)
	t := p.transferOf(p.w.kz, mine, "the start", func(t exchange.Transfer) bool { return t.State == dsp.Started || over(t) })
	return mine, t.PeerPID
}

// here waits until an increment is complete on both sides. What has stopped,
// people on both sides take up again.
func (p *play) here(mine, theirs string, number int) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		done := 0
		for s, pid := range map[*site]string{p.w.kz: mine, p.w.cn: theirs} {
			l := s.up()
			ctx, cancel := context.WithTimeout(l.ctx, 20*time.Second)
			t, err := l.x.AwaitTransfer(ctx, fmt.Sprintf("%s~%d", pid, number), over)
			cancel()
			if err == nil && t.State != dsp.Completed {
				panic(stopped{fmt.Sprintf("%s: increment %d is %s: %s %v", s.name, number, t.State, t.Code, t.Reason)})
			}
			if err == nil {
				done++
			}
		}
		if done == 2 {
			return
		}
		sleep(p.w.kz.up().ctx, time.Second)
		for _, s := range []*site{p.w.cn, p.w.kz} {
			p.resume(s)
		}
	}
	panic(stopped{fmt.Sprintf("increment %d does not arrive", number)})
}

func (p *play) complete(s *site, pid string) {
	p.persist(s, "complete what goes on", func(ctx context.Context, x *exchange.Service) (bool, error) {
		t, err := x.TransferByPID(ctx, pid)
		return err == nil && t.State.Final(), err
	}, func(ctx context.Context, x *exchange.Service) error {
		_, err := x.Complete(ctx, pid)
		return err
	})
}

// goesOn adds to what is sent already, and ends it when all has arrived.
func (p *play) goesOn(format string) {
	mine, theirs := p.begun(format)
	for number := 2; number <= increments; number++ {
		p.add(number)
	}
	p.here(mine, theirs, increments)
	p.complete(p.w.cn, theirs)
	p.transferOf(p.w.kz, mine, "the end", over)
}

// goesOnAfterPauses does so while either side suspends it.
func (p *play) goesOnAfterPauses(format string) {
	mine, theirs := p.begun(format)
	for number := 2; number <= increments; number++ {
		p.add(number)
		s, pid := p.w.kz, mine
		if number%2 == 0 {
			s, pid = p.w.cn, theirs
		}
		p.persist(s, "suspend what goes on", func(ctx context.Context, x *exchange.Service) (bool, error) {
			t, err := x.TransferByPID(ctx, pid)
			return err == nil && (t.State == dsp.Suspended || t.State.Final()), err
		}, func(ctx context.Context, x *exchange.Service) error {
			_, err := x.Suspend(ctx, pid, "a pause")
			return err
		})
		time.Sleep(within(p.w.die.about("pause", s.name, number), time.Millisecond, 5*time.Second))
		p.here(mine, theirs, number)
	}
	p.complete(p.w.kz, mine)
	p.transferOf(p.w.cn, theirs, "the end", over)
}

// endsWhatGoesOn lets either side end it while something is on its way.
func (p *play) endsWhatGoesOn(format string) {
	mine, theirs := p.begun(format)
	for number := 2; number <= increments; number++ {
		p.add(number)
	}
	r := p.w.die.about("the end of what goes on")
	s, pid := p.w.kz, mine
	if r.IntN(2) == 0 {
		s, pid = p.w.cn, theirs
	}
	time.Sleep(within(r, time.Millisecond, 3*time.Second))
	if r.IntN(2) == 0 {
		p.complete(s, pid)
	} else {
		p.persist(s, "terminate what goes on", func(ctx context.Context, x *exchange.Service) (bool, error) {
			t, err := x.TransferByPID(ctx, pid)
			return err == nil && t.State.Final(), err
		}, func(ctx context.Context, x *exchange.Service) error {
			_, err := x.TerminateTransfer(ctx, pid, "not needed any more")
			return err
		})
	}
	p.transferOf(p.w.kz, mine, "the end", over)
	p.transferOf(p.w.cn, theirs, "the end", over)
}

// judgeIncrements: each increment has left and arrived once, in the order of
// the numbers, and what arrived has left.
func (w *world) judgeIncrements(cn, kz *view) {
	if len(w.added) == 0 {
		return
	}
	released, received, confirmed := cn.numbers(corridor.ReceiptTransferReleased), kz.numbers(corridor.ReceiptTransferReceived), cn.numbers(corridor.ReceiptTransferAcknowledged)
	slices.Sort(confirmed)
	for what, got := range map[string][]int64{"released": released, "received": received, "confirmed": confirmed} {
		for i, n := range got {
			if n != int64(i+1) {
				w.wrong("increments %s: %v", what, got)
				break
			}
		}
	}
	if len(received) > len(released) || len(released) > len(received)+1 || !slices.Equal(received, confirmed) {
		w.wrong("increments released: %v, received: %v, confirmed: %v", released, received, confirmed)
	}
	for _, t := range kz.tra {
		theirs, known := findTransfer(cn, t.PID)
		if goesOn(t) && known && len(received) == len(released) && (t.Bytes != theirs.Bytes || t.Rows != theirs.Rows) {
			w.wrong("the increments have %d bytes here and %d there", t.Bytes, theirs.Bytes)
		}
	}
}

// numbers lists the increments that the receipts of one type tell of, in order.
func (v *view) numbers(kind string) (out []int64) {
	for _, leaf := range v.leaves {
		if r := leaf.Receipt; r.Type == kind && r.Increment != nil {
			out = append(out, r.Increment.Number)
		}
	}
	return out
}
