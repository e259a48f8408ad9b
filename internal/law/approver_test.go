package law

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"corridor"
	"corridor/packs"
)

// A provision names an authority through a duty that only an authority
// discharges: the decision says so, and leaves the rest to the firm.
func TestADecisionSaysWhoApproves(t *testing.T) {
	lib := shipped(t)
	named := 0
	for _, o := range lib.obligations.all {
		if o.Approver == "" {
			continue
		}
		if named++; o.Approver != corridor.ByAuthority || o.When != "before" {
			t.Errorf("%s: approver %q, when %s", o.ID, o.Approver, o.When)
		}
	}
	if named < 18 {
		t.Errorf("%d duties name an authority", named)
	}
	d, err := lib.DecideSide(corridor.Flow{Date: date(t, "2026-11-26"), Origin: "CN", Destination: "KZ", Assume: "ordinary_private_exporter",
		Facts: corridor.Facts{"data_classes": []any{"govt_restricted"}, "subjects_in_file": 0, "deid": "none", "purpose": "research", "ai_role": "none"}}, corridor.Export)
	if err != nil || d.Outcome != corridor.NeedsApproval {
		t.Fatalf("%v %s %v", err, d.Outcome, d.Questions)
	}
	list := d.Demands()
	if len(list) == 0 || !slices.ContainsFunc(list, func(x corridor.Demand) bool {
		return x.Rule == "cn.secrets.64" && x.By == corridor.ByAuthority && slices.Contains(x.Duties, "seek_competent_authority_approval") && len(x.Articles) > 0
	}) {
		t.Errorf("%+v", list)
	}
	for i := range d.Duties {
		d.Duties[i].Approver = ""
	}
	if list = d.Demands(); list[0].By != corridor.ByFirm {
		t.Errorf("%+v", list)
	}
}

func TestAnApproverThatIsNobodyIsRefused(t *testing.T) {
	fsys := fstest.MapFS{}
	for _, name := range []string{"vocabulary.yaml", "obligations.yaml", "assumptions.yaml", "calendars.json", "actions.yaml"} {
		data, err := fs.ReadFile(packs.FS(), name)
		if err != nil {
			t.Fatal(err)
		}
		fsys[name] = &fstest.MapFile{Data: bytes.ReplaceAll(data, []byte("approver: authority"), []byte("approver: neighbour"))}
	}
	if _, err := Load(fsys); err == nil || !strings.Contains(err.Error(), "approver") {
		t.Errorf("%v", err)
	}
}
