-- Which transfer a peer's receipt is about, so that some of many can be shown
-- without the others.
ALTER TABLE ledger_peer_receipts ADD COLUMN transfer TEXT COLLATE "C" NOT NULL DEFAULT ''; -- the peer's name for it; empty: of none
-- A peer's text may hold what PostgreSQL has no text for, so the entry, which is
-- canonical JSON, is not read as JSON. The member comes after all others of its name.
UPDATE ledger_peer_receipts SET transfer = COALESCE(substring(convert_from(entry, 'UTF8') FROM '^.*"transfer":"([^"\\]*)"'), '');
CREATE INDEX ledger_peer_receipts_transfer ON ledger_peer_receipts (agreement, transfer) WHERE agreement <> '';
