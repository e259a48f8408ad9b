package dsp

import (
	"bytes"
	"testing"

	"corridor"
)

// What keeps a node from answering names its disk or its database: that is for
// the operator, and no peer's matter.
func TestAPeerDoesNotLearnWhereTheDatabaseIs(t *testing.T) {
	err := &corridor.Error{Kind: corridor.Unavailable, Where: "postgres://db.inside.example:5432/corridor", Msg: "the database cannot be reached", Fix: "start the server db.inside.example"}
	for _, what := range []Type{TypeCatalogRequest, TypeTransferRequest, TypeContractRequest} {
		body, eerr := Encode(ErrorBody(what, "urn:uuid:p", "urn:uuid:c", err))
		if eerr != nil || bytes.Contains(body, []byte("inside")) || !bytes.Contains(body, []byte("cannot be reached")) {
			t.Errorf("%s: %v", body, eerr)
		}
	}
}
