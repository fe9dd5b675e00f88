-- The trace of the request that caused the webhook, which goes on with it (W3C trace context).
ALTER TABLE deliveries ADD COLUMN traceparent TEXT;
-- The same for what is decided about a refund later.
ALTER TABLE refunds ADD COLUMN traceparent TEXT;
