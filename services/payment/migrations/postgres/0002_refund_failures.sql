-- Intents that webhooks named and that are fetched next (a JSON array of ids), and the trace of the last such webhook.
ALTER TABLE payments ADD COLUMN hints TEXT;
ALTER TABLE payments ADD COLUMN trace TEXT;

-- Number of the attempt of what is owed; from the fifth on a failure waits for a person.
ALTER TABLE refunds ADD COLUMN attempts BIGINT NOT NULL DEFAULT 1;
ALTER TABLE refunds ADD COLUMN needs_attention BOOLEAN NOT NULL DEFAULT false;
-- Paid back by hand, outside the provider; and whether the provider has paid it too.
ALTER TABLE refunds ADD COLUMN settled BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE refunds ADD COLUMN paid_twice BOOLEAN NOT NULL DEFAULT false;
-- Who asked for it: `admin:<id>` or `service:<id>`; null where the service itself did.
ALTER TABLE refunds ADD COLUMN actor TEXT;
-- The provider's ids of attempts that a person repeated (a JSON array).
ALTER TABLE refunds ADD COLUMN former TEXT;

CREATE INDEX refunds_needing_attention ON refunds (id) WHERE needs_attention;
