package profile

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// Seed publishes the datasets and takes in the agreements that the kit
// presupposes, by the operations that an operator has. Dir holds the data.
func Seed(ctx context.Context, x *exchange.Service, dir string) error {
	source := filepath.Join(dir, "data.csv")
	if err := os.WriteFile(source, []byte("id,value\n1,2\n"), 0o600); err != nil {
		return corridor.E(corridor.Unavailable, "the data of the test profile: %w", err)
	}
	publish := func(id string) error {
		policy, err := json.Marshal(terms("CD123:" + id + ":456"))
		if err != nil {
			return corridor.E(corridor.Internal, "terms: %w", err)
		}
		_, err = x.Publish(ctx, exchange.Publication{ID: id, Title: id, Source: source, Format: "csv", Policy: policy})
		return err
	}
	for _, g := range append(offered, group{transferrable + "00", 1}) {
		if err := g.each(publish); err != nil {
			return fmt.Errorf("a dataset of the test profile: %w", err)
		}
	}
	for _, side := range []struct {
		role   dsp.Role
		groups []group
	}{{dsp.Provider, agreedTo}, {dsp.Consumer, agreedFrom}} {
		for _, g := range side.groups {
			if err := g.each(func(id string) error { return adopt(ctx, x, id, side.role) }); err != nil {
				return fmt.Errorf("an agreement of the test profile: %w", err)
			}
		}
	}
	return nil
}

func adopt(ctx context.Context, x *exchange.Service, id string, role dsp.Role) error {
	a := exchange.Adoption{ID: id, Peer: KitID, Role: role, Dataset: transferrable + "0001", By: "the test profile", Reference: "the configuration of the kit"}
	if role == dsp.Consumer {
		a.Purpose, a.Terms = Purpose, terms("CD123:"+id+":456")
	}
	_, err := x.Adopt(ctx, a)
	return err
}

// terms is a policy that permits plain use.
func terms(id string) *dsp.Policy {
	return &dsp.Policy{ID: id, Permission: []dsp.Rule{{Action: "use"}}}
}
