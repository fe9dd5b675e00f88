use super::*;

fn error(yaml: &str) -> String {
    GatewayConfig::parse(yaml).expect_err(yaml).to_string()
}

/// Returns a file with a global plugin of this configuration.
fn with_plugin(name: &str, config: &str) -> String {
    format!("_format_version: \"3.0\"\nplugins:\n- name: {name}\n  config: {{{config}}}\n")
}

#[test]
fn file_of_this_repository_is_accepted() {
    let config = GatewayConfig::parse(crate::KONG_YML).unwrap();
    let hosts: Vec<(&str, u16)> = config.services.iter().map(|service| (service.host.as_str(), service.port)).collect();
    assert_eq!(
        hosts,
        [
            ("user-service", 3001),
            ("product-service", 3002),
            ("order-service", 3003),
            ("payment-service", 3004),
            ("user-service", 3001),
            ("product-service", 3002),
            ("order-service", 3003),
            ("payment-service", 3004),
        ]
    );
    let global = &config.plugins;
    assert!(global.cors.is_some() && global.correlation_id.is_some());
    assert!(global.prometheus.is_some() && global.rate_limiting.is_none());
    let transformer = global.request_transformer.as_ref().unwrap();
    for name in ["X-Request-Timeout-Ms", "traceparent", "tracestate", "baggage"] {
        assert!(transformer.removes(name), "{name}");
    }
    assert_eq!(global.size_limiting.as_ref().unwrap().limit(), 256 * 1024);
}

#[test]
fn only_api_route_groups_are_rate_limited() {
    let config = GatewayConfig::parse(crate::KONG_YML).unwrap();
    let mut limited = Vec::new();
    for service in &config.services {
        assert!(service.plugins.rate_limiting.is_none(), "{}", service.name.value.0);
        for route in &service.routes {
            if route.plugins().rate_limiting.is_some() {
                limited.push(route.name.value.0.as_str());
            }
        }
    }
    assert_eq!(
        limited,
        ["user-routes", "product-routes", "product-image-upload-routes", "order-routes", "payment-routes"]
    );
}

#[test]
fn invalid_yaml_is_rejected_with_its_line() {
    let version = "_format_version: \"3.0\"\n";
    let cases = [
        (format!("{version}services: [\n  }}\n"), "line 2: services: mismatched bracket"),
        (format!("{version}_transform: true\n_transform: true\n"), "line 3: duplicate mapping key"),
        (String::new(), "line 1: unexpected end of file"),
        (format!("{version}---\na: 1\n"), "line 3: only single YAML document"),
        ("- a\n".to_owned(), "line 1: expected mapping start"),
    ];
    for (yaml, expected) in cases {
        let error = error(&yaml);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn other_formats_than_3_0_are_rejected() {
    assert_eq!(error("_transform: true\n"), "line 1: field `_format_version` is missing");
    assert_eq!(error("_format_version: 3.0\n"), "line 1: _format_version: must be text: write \"3.0\" in quotes");
    assert_eq!(error("\n_format_version: \"2.1\"\n"), "line 2: _format_version: must be \"3.0\", not \"2.1\"");
}

/// Removes one line after the other, as the errors name them.
#[test]
fn every_error_names_its_line() {
    let yaml = r#"_format_version: "3.0"
servises: []
consumers: []
services:
- name: a
  url: http://a:3001
  retires: 5
  tls_verify: true
  read_timeout: soon
  routes:
  - name: a-routes
    paths:
    - /a
    - b
    - ~/c(?=d)
    hosts: [example.com]
    strip_path: "no"
  plugins:
  - name: request-id
  - name: key-auth
  - name: cors
    config:
      origin: "*"
      max_age: long
      private_network: true
"#;
    let mut lines: Vec<&str> = yaml.lines().collect();
    let expected = [
        (2, "servises: unknown field `servises`, expected one of _format_version, _transform, services, plugins"),
        (3, "consumers: field `consumers` is supported by Kong but not by this gateway; remove it"),
        (7, "services[0].retires: unknown field `retires`, expected one of name, url, "),
        (8, "services[0].tls_verify: field `tls_verify` is supported by Kong but not by this gateway; remove it"),
        (9, "services[0].read_timeout: must be a whole number from 1 to 2147483646, not \"soon\""),
        (14, "services[0].routes[0].paths[1]: path `b` must begin with `/`, or with `~/` as a regular expression"),
        (
            15,
            "services[0].routes[0].paths[1]: path `~/c(?=d)` is not a valid regular expression: error: look-around, including look-ahead and look-behind, is not supported",
        ),
        (16, "services[0].routes[0].hosts: field `hosts` is supported by Kong but not by this gateway; remove it"),
        (17, "services[0].routes[0].strip_path: must be true or false, not \"no\""),
        (19, "services[0].plugins[0].name: unknown value `request-id`, expected one of cors, request-size-limiting, "),
        (20, "services[0].plugins[0].name: `key-auth` is supported by Kong but not by this gateway; remove it"),
        (23, "services[0].plugins[0].config.origin: unknown field `origin`, expected one of origins, methods, "),
        (24, "services[0].plugins[0].config.max_age: must be a whole number from 0 to 2147483647, not \"long\""),
        (
            25,
            "services[0].plugins[0].config.private_network: unknown field `private_network`, expected one of origins, ",
        ),
    ];
    for (line, message) in expected {
        let error = error(&lines.join("\n"));
        assert!(error.starts_with(&format!("line {line}: {message}")), "{error}");
        lines[line - 1] = "";
    }
    GatewayConfig::parse(&lines.join("\n")).unwrap();
}

#[test]
fn invalid_services_and_routes_are_rejected() {
    let service = |rest: &str| format!("_format_version: \"3.0\"\nservices:\n- name: a\n{rest}\n");
    let route = |rest: &str| format!("  url: http://a\n  routes:\n  - name: r\n{rest}");
    let cases = [
        (
            "  url: user-service".to_owned(),
            "line 4: services[0].url: `user-service` is not a URL such as http://user-service:3001",
        ),
        (
            "  url: https://a:3001".to_owned(),
            "line 4: services[0].url: `https` is supported by Kong but not by this gateway; remove it",
        ),
        ("  tags: [x]".to_owned(), "line 3: services[0]: field `url` is missing"),
        (
            "  url: http://a\n  port: 3001".to_owned(),
            "line 3: services[0]: field `port` conflicts with `url`, which contains it; remove one",
        ),
        (
            "  host: a\n  protocol: grpc".to_owned(),
            "line 5: services[0].protocol: `grpc` is supported by Kong but not by this gateway; remove it",
        ),
        (
            "  host: a\n  port: 70000".to_owned(),
            "line 5: services[0].port: must be a whole number from 0 to 65535, not 70000",
        ),
        (
            "  host: a\n  port: \"80\"".to_owned(),
            "line 5: services[0].port: must be a whole number from 0 to 65535, not \"80\"",
        ),
        (
            "  host: a\n  path: docs".to_owned(),
            "line 5: services[0].path: path `docs` must begin with `/` and contain neither `//` nor `?`",
        ),
        ("  url: http://a\n- name: a\n  url: http://b".to_owned(), "line 5: service `a` is defined twice; rename one"),
        ("  url: http://a\n- name: ''\n  url: http://b".to_owned(), "line 5: services[1].name: must not be empty"),
        (route("    tags: []"), "line 7: services[0].routes[0]: field `paths` is missing"),
        (
            route("    paths: [/a b]"),
            "line 7: services[0].routes[0].paths[0]: path `/a b` contains a character that is not valid in a path",
        ),
        (
            route("    paths: [/a]\n    methods: [get]"),
            "line 8: services[0].routes[0].methods[0]: `get` is not a valid method: write it in capitals",
        ),
        (
            route("    paths: [/a]\n    path_handling: v1"),
            "line 8: services[0].routes[0].path_handling: `v1` is supported by Kong but not by this gateway; remove it",
        ),
        (
            route("    paths: [/a]\n    protocols: [https]"),
            "line 8: services[0].routes[0].protocols: must contain `http`: the gateway supports no other protocol",
        ),
        (
            "  url: http://a\n  routes:\n  - paths: [/a]".to_owned(),
            "line 6: services[0].routes[0]: field `name` is missing",
        ),
        (
            "  url: http://a\n  routes:\n  - {name: r, paths: [/a]}\n  - {name: r, paths: [/b]}".to_owned(),
            "line 7: route `r` is defined twice; rename one",
        ),
        ("  url: http://a\n  routes: none".to_owned(), "line 5: services[0].routes: expected sequence start"),
    ];
    for (rest, expected) in cases {
        assert_eq!(error(&service(&rest)), expected, "{rest}");
    }
}

#[test]
fn all_supported_fields_are_accepted() {
    let yaml = "_format_version: \"3.0\"\n_transform: true\nservices:\n- name: a\n  host: a\n  port: 3001\n  path: /v1\n  \
                protocol: http\n  retries: 0\n  connect_timeout: 1\n  read_timeout: 2\n  write_timeout: 3\n  tags: [x]\n  \
                enabled: true\n  routes:\n  - name: r\n    paths: [/a, '~/b/\\d+$']\n    methods: [GET]\n    \
                strip_path: false\n    preserve_host: true\n    protocols: [http, https]\n    tags: [y]\n    \
                regex_priority: 3\n    path_handling: v0\n    request_buffering: false\n    response_buffering: false\n    \
                plugins: []";
    GatewayConfig::parse(yaml).unwrap();
}

#[test]
fn null_counts_as_absent() {
    let yaml = "_format_version: \"3.0\"\nservices:\n- name: a\n  url: http://a\n  retries: null\n  enabled: ~\n  plugins:\n  \
                routes:\n  - {name: r, paths: [/], methods: null, strip_path: null, plugins: ~}\nplugins:\n- name: cors\n  config:\n";
    let config = GatewayConfig::parse(yaml).unwrap();
    assert_eq!(config.services[0].retries, 5);
    assert!(config.services[0].routes[0].strips_path() && config.plugins.cors.is_some());
}

#[test]
fn invalid_plugin_settings_are_rejected() {
    let unsupported = "is supported by Kong but not by this gateway; remove it";
    let cases = [
        (
            "cors",
            "methods: [FETCH]",
            "methods: must contain only methods of GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS, TRACE, CONNECT".to_owned(),
        ),
        ("cors", "headers: ['a b']", "headers[0]: `a b` is not a valid header name".to_owned()),
        (
            "cors",
            "origins: ['http://(']",
            "origins[0]: `http://(` is neither a valid origin nor a valid regular expression".to_owned(),
        ),
        (
            "correlation-id",
            "generator: snowflake",
            "generator: unknown value `snowflake`, expected one of uuid, uuid#counter".to_owned(),
        ),
        ("correlation-id", "generator: tracker", format!("generator: `tracker` {unsupported}")),
        ("correlation-id", "header_name: 'a b'", "header_name: `a b` is not a valid header name".to_owned()),
        (
            "prometheus",
            "per_consumer: 1",
            "per_consumer: must be true or false, not 1".to_owned(),
        ),
        (
            "prometheus",
            "status_codes: true",
            "status_codes: unknown field `status_codes`, expected one of status_code_metrics, latency_metrics, bandwidth_metrics, per_consumer, upstream_health_metrics".to_owned(),
        ),
        (
            "request-size-limiting",
            "size_unit: kb",
            "size_unit: unknown value `kb`, expected one of megabytes, kilobytes, bytes".to_owned(),
        ),
        (
            "request-transformer",
            "remove: {headers: ['a b']}",
            "remove.headers[0]: `a b` is not a valid header name".to_owned(),
        ),
        (
            "request-transformer",
            "remove: {headers: [Host]}",
            "remove.headers[0]: Kong never removes `Host`; remove it from the list".to_owned(),
        ),
        (
            "request-transformer",
            "remove: {querystring: [a]}",
            format!("remove.querystring[0]: this entry {unsupported}"),
        ),
        (
            "request-transformer",
            "remove: {header: [a]}",
            "remove.header: unknown field `header`, expected one of headers, body, querystring".to_owned(),
        ),
        ("request-transformer", "remove: [a]", "remove: expected mapping start".to_owned()),
        ("request-transformer", "rename: {headers: ['a:b']}", format!("rename.headers[0]: this entry {unsupported}")),
        ("request-transformer", "add: {headers: [a]}", format!("add.headers[0]: this entry {unsupported}")),
        ("request-transformer", "append: {body: ['a:b']}", format!("append.body[0]: this entry {unsupported}")),
        ("request-transformer", "replace: {uri: /x}", format!("replace.uri: this entry {unsupported}")),
        (
            "request-transformer",
            "add: {uri: /x}",
            format!("add.uri: this entry {unsupported}"),
        ),
        ("request-transformer", "http_method: POST", format!("http_method: this entry {unsupported}")),
        (
            "request-transformer",
            "dots_in_keys: true",
            "dots_in_keys: unknown field `dots_in_keys`, expected one of remove, rename, replace, add, append, http_method".to_owned(),
        ),
        ("rate-limiting", "limit_by: ip", "a limit such as `minute` is missing".to_owned()),
        (
            "rate-limiting",
            "minute: 0",
            "minute: must be a whole number from 1 to 2147483647, not 0".to_owned(),
        ),
        (
            "rate-limiting",
            "minute: 100, hour: 10",
            "`hour` must be at least 100, the limit of `minute`, not 10".to_owned(),
        ),
        ("rate-limiting", "minute: 1, limit_by: header", format!("limit_by: `header` {unsupported}")),
        (
            "rate-limiting",
            "minute: 1, policy: cluster",
            format!("policy: `cluster` {unsupported}"),
        ),
        ("rate-limiting", "minute: 1, policy: redis", "field `redis_host` is missing".to_owned()),
        (
            "rate-limiting",
            "minute: 1, redis: {host: redis}",
            "redis: unknown field `redis`, expected one of second, minute, ".to_owned(),
        ),
    ];
    for (plugin, config, expected) in cases {
        let error = error(&with_plugin(plugin, config));
        let message = error.strip_prefix("line 4: plugins[0].config").unwrap_or_else(|| panic!("{error}"));
        assert!(message.trim_start_matches(['.', ':', ' ']).starts_with(&expected), "{error}");
    }
}

#[test]
fn plugins_are_checked_at_every_level() {
    let twice = "_format_version: \"3.0\"\nplugins:\n- name: cors\n- name: cors\n";
    assert_eq!(error(twice), "line 3: plugins: plugin 1 repeats an earlier one; remove it");
    let by_reference = "_format_version: \"3.0\"\nplugins:\n- name: cors\n  service: a\n";
    assert_eq!(
        error(by_reference),
        "line 4: plugins[0].service: field `service` is supported by Kong but not by this gateway; remove it"
    );
    let deep = "_format_version: \"3.0\"\nservices:\n- name: a\n  url: http://a\n  routes:\n  - name: r\n    paths: [/]\n    \
                plugins:\n    - name: jwt\n";
    assert_eq!(
        error(deep),
        "line 9: services[0].routes[0].plugins[0].name: `jwt` is supported by Kong but not by this gateway; remove it"
    );
    let unnamed = "_format_version: \"3.0\"\nplugins:\n- config: {minute: 1}\n";
    assert_eq!(error(unnamed), "line 3: plugins[0]: field `name` is missing");
    assert_eq!(
        error(&with_plugin("rate-limiting", "").replace("  config: {}\n", "")),
        "line 3: plugins[0]: a limit such as `minute` is missing"
    );
}

#[test]
fn config_may_precede_the_name_of_its_plugin() {
    let plugin =
        |age: &str| format!("_format_version: \"3.0\"\nplugins:\n- config: {{max_age: {age}}}\n  name: cors\n");
    assert!(GatewayConfig::parse(&plugin("60")).unwrap().plugins.cors.is_some());
    assert_eq!(error(&plugin("long")), "line 3: plugins[0]: must be a whole number from 0 to 2147483647, not \"long\"");
}

#[test]
fn disabled_services_and_plugins_are_omitted() {
    let yaml = "_format_version: \"3.0\"\nservices:\n- {name: a, url: 'http://a', enabled: false}\n\
                plugins:\n- {name: cors, enabled: false}\n";
    let config = GatewayConfig::parse(yaml).unwrap();
    assert!(config.services.is_empty());
    assert!(config.plugins.cors.is_none());
}
