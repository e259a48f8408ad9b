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
