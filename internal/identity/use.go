package identity

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// TokenUse is the one use of a caller's token.
type TokenUse struct {
	Issuer string
	ID     string    // jti
	Until  time.Time // it must be remembered until then

	replay ReplayStore
	noted  atomic.Bool
}

// Note makes the use durable by itself, unless it has been noted. An error of
// kind Unauthenticated says that the token was used before.
func (u *TokenUse) Note(ctx context.Context) error {
	if u.noted.Load() {
		return nil
	}
	fresh, err := u.replay.Use(ctx, u.Issuer, u.ID, u.Until)
	if err != nil {
		return fmt.Errorf("token replay store: %w", err)
	}
	if !fresh {
		return u.Again()
	}
	u.noted.Store(true)
	return nil
}

// Noted says that the use is durable: with a change that was committed.
func (u *TokenUse) Noted() { u.noted.Store(true) }

// Again refuses a token that was used before.
func (u *TokenUse) Again() error {
	return refuse("the token was used before", "make a new token for every request")
}
