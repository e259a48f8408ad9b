-- What authorities have signed and receipts or agreements quote by its digest:
-- compacts and orders, also those that a later version has replaced, that were
-- withdrawn, or that only the peer was given. doc is the signed document.
CREATE TABLE signed_documents (
    digest TEXT PRIMARY KEY,
    doc    TEXT NOT NULL
);
INSERT INTO signed_documents (digest, doc) SELECT digest, doc FROM compacts;
INSERT INTO signed_documents (digest, doc) SELECT digest, doc FROM orders;

-- The compact with whose keys an order was checked; '' where it was taken
-- before that was kept.
ALTER TABLE orders ADD COLUMN compact TEXT NOT NULL DEFAULT '';
