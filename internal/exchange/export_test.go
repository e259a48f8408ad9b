package exchange

import (
	"context"
	"time"
)

// ArrivalsDue looks at the releases whose deadline has passed.
func (s *Service) ArrivalsDue(ctx context.Context) error {
	_, err := s.arrivalsDue(ctx)
	return err
}

// ShareArrivals says how long questions to one peer may begin in a pass.
func (s *Service) ShareArrivals(d time.Duration) { s.arrivalShare = d }

// ExpiryDue ends what has waited too long.
func (s *Service) ExpiryDue(ctx context.Context) error {
	_, err := s.expiryDue(ctx)
	return err
}

// StillLeft is how long a stream may still be without progress.
func (s *Service) StillLeft(ctx context.Context, pid string) time.Duration {
	return s.stillLeft(ctx, pid)
}

// Occupy keeps the background at work, with no place left, until Run ends.
func (s *Service) Occupy() {
	for range 2 * cap(s.side) {
		s.background(func(ctx context.Context) { <-ctx.Done() })
	}
}

// DeletionsDue deletes the copies whose term has ended.
func (s *Service) DeletionsDue(ctx context.Context) error {
	_, err := s.deletionsDue(ctx)
	return err
}

// ForgetPeople forgets the people of past years.
func (s *Service) ForgetPeople(ctx context.Context) { s.forgetPeople(ctx) }

// Recover looks for fetches as after the end of another node, and says whether
// one is asked for, at once or later.
func (s *Service) Recover(ctx context.Context, pid string) (wanted, later bool, err error) {
	err = s.recover(ctx)
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	return s.run.queue[pid], s.run.pauses[pid] != nil, err
}

// AskAfterAnother puts a question about a peer, where this node has put the
// first about it before and another node has answered that.
func (s *Service) AskAfterAnother(ctx context.Context, peer string) error {
	s.asking.later(peer, 1, time.Hour, true)
	return s.reviewPeer(ctx, peer)
}

// RunAsking leads the questions about peers.
func (s *Service) RunAsking(ctx context.Context) error { return s.runAsking(ctx) }

// MayBeLate says that a message may be given up at its deadline.
func (s *Service) MayBeLate(ctx context.Context) error { return s.mayBeLate(ctx) }

// NegotiationVersion reads a negotiation and gives its version.
func (s *Service) NegotiationVersion(ctx context.Context, pid string) (int64, error) {
	n, err := s.Negotiation(ctx, pid)
	return n.version, err
}

// TransferVersion reads a transfer and gives its version.
func (s *Service) TransferVersion(ctx context.Context, pid string) (int64, error) {
	t, err := s.TransferByPID(ctx, pid)
	return t.version, err
}

// AgreementVersion reads an agreement and gives its version.
func (s *Service) AgreementVersion(ctx context.Context, id string) (int64, error) {
	a, err := s.Agreement(ctx, id)
	return a.version, err
}

// Touch writes a transfer again as it is.
func (s *Service) Touch(ctx context.Context, pid string) (Transfer, error) {
	return s.actTransfer(ctx, pid, func(*Transfer, *step) error { return nil })
}

// Held says whether what this node sends is held up.
func (s *Service) Held() bool { return s.gate.Held() }
