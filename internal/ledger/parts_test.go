package ledger

import (
	"testing"

	"corridor"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
)

// What peers have shown before it was kept which transfer it is about finds its
// way into the proof of that transfer.
func TestReceiptsOfPeersThatAreHereAlreadyAreGivenTheirTransfer(t *testing.T) {
	kz := start(t, newPerson("kz.example"), temp(t))
	kz.append(t, corridor.Receipt{Agreement: "a"})
	kz.append(t, corridor.Receipt{Agreement: "a", Transfer: "t~1", Reason: "no text: \x00"})
	place := storetest.Place(t)
	db, err := store.Open(t.Context(), place, Migrations[:3]...)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		for i := range int64(2) {
			p := kz.handed(t, i)
			if _, err := tx.Exec(t.Context(), `INSERT INTO ledger_peer_receipts (origin, idx, leaf, entry, proof, vkey, issuer, matter, agreement) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				p.Log.Origin, i, corridor.LeafHash(p.Entry), p.Entry, p.Proof, p.Log.VKey, p.Issuer, "a", "a"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	uz := start(t, newPerson("uz.example"), place)
	for transfer, want := range map[string]int{"": 1, "t~1": 1, "t~2": 0} {
		list, err := uz.log.peerReceipts(t.Context(), receiptsOfTransfer, "a", transfer, maxExport)
		if err != nil || len(list) != want {
			t.Errorf("%q: %d, not %d: %v", transfer, len(list), want, err)
		}
	}
}
