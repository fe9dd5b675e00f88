-- Version of the event that refunded_total is of. 0 as long as every event about a refund came from a writer that did not
-- count them.
ALTER TABLE order_payments ADD COLUMN refund_version BIGINT NOT NULL DEFAULT 0;
