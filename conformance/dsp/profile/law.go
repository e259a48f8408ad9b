package profile

import (
	"embed"
	"fmt"
	"io/fs"
	"testing/fstest"

	"corridor/internal/law"
	"corridor/packs"
)

// The ends of every flow in a kit's run: the node is in one country without
// law, the kit in another.
const (
	NodeCountry = "XA"
	KitCountry  = "XB"
)

//go:embed law
var permissive embed.FS

// Law loads the law of the two countries that have none, and no other.
func Law() (*law.Library, error) {
	files := fstest.MapFS{}
	for _, f := range []struct {
		from fs.FS
		name string
		path string
	}{
		{packs.FS(), "vocabulary.yaml", "vocabulary.yaml"}, {packs.FS(), "obligations.yaml", "obligations.yaml"}, {packs.FS(), "calendars.json", "calendars.json"},
		{permissive, "xa/pack.yaml", "law/xa/pack.yaml"}, {permissive, "xb/pack.yaml", "law/xb/pack.yaml"},
	} {
		raw, err := fs.ReadFile(f.from, f.path)
		if err != nil {
			return nil, fmt.Errorf("the law of the test profile: %w", err)
		}
		files[f.name] = &fstest.MapFile{Data: raw}
	}
	return law.Load(files)
}
