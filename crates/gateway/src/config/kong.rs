//! Names of Kong 3.4.2 that the gateway does not support.

const FIELDS: &str = "
    _comment _ignore _info _plugin_configs _workspace acls basicauth_credentials ca_certificates certificates
    client_certificate consumer consumer_group consumer_groups consumers created_at destinations expression filter_chains
    headers hmacauth_credentials hosts https_redirect_status_code id instance_name jwt_secrets key_sets keyauth_credentials
    keys oauth2_credentials ordering parameters priority route routes run_on service snis sources targets tls_verify
    tls_verify_depth updated_at upstreams vaults";

/// Bundled plugins, protocols, and choices of fields.
const VALUES: &str = "
    acl acme aws-lambda azure-functions basic-auth bot-detection datadog file-log grpc-gateway grpc-web hmac-auth http-log
    ip-restriction jwt key-auth ldap-auth loggly oauth2 opentelemetry post-function pre-function proxy-cache
    request-termination response-ratelimiting response-transformer session statsd syslog tcp-log udp-log zipkin
    grpc grpcs https tcp tls tls_passthrough udp ws wss
    cluster header path service tracker v1";

/// Returns whether a field is one that only Kong supports.
pub(super) fn has_field(name: &str) -> bool {
    FIELDS.split_whitespace().any(|field| field == name)
}

/// Returns whether a value is one that only Kong supports.
pub(super) fn has_value(name: &str) -> bool {
    VALUES.split_whitespace().any(|value| value == name)
}
