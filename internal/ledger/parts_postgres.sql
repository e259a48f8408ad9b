-- Which transfer a peer's receipt is about, so that some of many can be shown
-- without the others.
ALTER TABLE ledger_peer_receipts ADD COLUMN transfer TEXT COLLATE "C" NOT NULL DEFAULT ''; -- the peer's name for it; empty: of none
UPDATE ledger_peer_receipts SET transfer = COALESCE(convert_from(entry, 'UTF8')::jsonb #>> '{receipt,transfer}', '');
CREATE INDEX ledger_peer_receipts_transfer ON ledger_peer_receipts (agreement, transfer) WHERE agreement <> '';
