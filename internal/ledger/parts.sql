-- Which transfer a peer's receipt is about, so that some of many can be shown
-- without the others.
ALTER TABLE ledger_peer_receipts ADD COLUMN transfer TEXT NOT NULL DEFAULT ''; -- the peer's name for it; empty: of none
UPDATE ledger_peer_receipts SET transfer = COALESCE(json_extract(CAST(entry AS TEXT), '$.receipt.transfer'), '');
CREATE INDEX ledger_peer_receipts_transfer ON ledger_peer_receipts (agreement, transfer) WHERE agreement <> '';
