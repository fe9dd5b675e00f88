use super::*;

fn problems(yaml: &str) -> Vec<String> {
    match GatewayConfig::parse(yaml) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}

/// A file with one service and one route, and `config` as the settings of a global plugin.
fn with_plugin(name: &str, config: &str) -> String {
    format!("_format_version: \"3.0\"\nplugins:\n- name: {name}\n  config: {{{config}}}\n")
}

#[test]
fn the_file_of_this_repository_is_accepted() {
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
    assert_eq!(global.size_limiting.as_ref().unwrap().limit, 256 * 1024);
}

#[test]
fn only_the_four_groups_of_routes_have_a_rate_limit() {
    let config = GatewayConfig::parse(crate::KONG_YML).unwrap();
    let mut limited = Vec::new();
    for service in &config.services {
        assert!(service.plugins.rate_limiting.is_none(), "{}", service.name);
        for route in &service.routes {
            if route.plugins.rate_limiting.is_some() {
                limited.push(route.name.as_str());
            }
        }
    }
    assert_eq!(limited, ["user-routes", "product-routes", "order-routes", "payment-routes"]);
}

#[test]
fn what_is_no_yaml_is_refused_with_its_line() {
    let found = problems("_format_version: \"3.0\"\nservices: [\n  }\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("line 3: not YAML: "), "{found:?}");
    let found = problems("_format_version: \"3.0\"\n_transform: true\n_transform: true\n");
    assert!(found[0].starts_with("line 3: not YAML: "), "{found:?}");
    assert_eq!(problems(""), ["line 1: the file is empty"]);
    assert_eq!(
        problems("_format_version: \"3.0\"\n---\na: 1\n"),
        ["line 3: a second document: the file is one document"]
    );
    assert_eq!(problems("- a\n"), ["line 1: the file must be an object with named fields"]);
}

#[test]
fn only_format_3_is_read() {
    assert_eq!(problems("_transform: true\n"), ["line 1: field `_format_version` of the file is missing"]);
    assert_eq!(problems("_format_version: 3.0\n"), ["line 1: field `_format_version` of the file must be text"]);
    assert_eq!(problems("\n_format_version: \"2.1\"\n"), ["line 2: `_format_version` must be \"3.0\", not \"2.1\""]);
}

#[test]
fn every_problem_is_named_at_once_each_with_its_line() {
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
    let found = problems(yaml);
    let expected = [
        "line 2: field `servises` of the file is not known",
        "line 3: field `consumers` of the file: Kong knows it, the local gateway cannot honour it",
        "line 7: field `retires` of service `a` is not known",
        "line 8: field `tls_verify` of service `a`: Kong knows it, the local gateway cannot honour it",
        "line 9: field `read_timeout` of service `a` must be a whole number from 1 to 2147483646",
        "line 14: path `b` of route `a-routes` must begin with `/`, or with `~/` as a regular expression",
        "line 15: path `~/c(?=d)` of route `a-routes` is not a regular expression: error: look-around, including look-ahead and look-behind, is not supported",
        "line 16: field `hosts` of route `a-routes`: Kong knows it, the local gateway cannot honour it",
        "line 17: field `strip_path` of route `a-routes` must be true or false",
        "line 19: plugin `request-id` is not known",
        "line 20: plugin `key-auth`: Kong knows it, the local gateway does not run it",
        "line 23: field `origin` of plugin `cors` is not known",
        "line 24: field `max_age` of plugin `cors` must be a whole number from 0 to 2147483647",
        "line 25: field `private_network` of plugin `cors` is not known",
    ];
    assert_eq!(found, expected);
}

#[test]
fn services_and_routes_are_checked() {
    let service = |rest: &str| format!("_format_version: \"3.0\"\nservices:\n- name: a\n{rest}\n");
    let cases = [
        ("  url: user-service", "line 4: field `url` of service `a` must be a URL such as http://user-service:3001"),
        (
            "  url: https://a:3001",
            "line 4: field `url` of service `a` is `https://a:3001`: Kong knows it, the local gateway cannot honour it",
        ),
        ("  tags: [x]", "line 3: field `url` of service `a` is missing"),
        (
            "  url: http://a\n  port: 3001",
            "line 5: field `port` of service `a` stands beside `url`, which says it already",
        ),
        (
            "  host: a\n  protocol: grpc",
            "line 5: field `protocol` of service `a` is `grpc`: Kong knows it, the local gateway cannot honour it",
        ),
        ("  host: a\n  port: 70000", "line 5: field `port` of service `a` must be a whole number from 0 to 65535"),
        (
            "  host: a\n  path: docs",
            "line 5: field `path` of service `a` must have a path that begins with `/` and holds neither `//` nor `?`",
        ),
        ("  url: http://a\n- name: a\n  url: http://b", "line 5: service `a` is there twice"),
        ("  url: http://a\n  routes:\n  - name: r\n    tags: []", "line 6: field `paths` of route `r` is missing"),
        (
            "  url: http://a\n  routes:\n  - name: r\n    paths: [/a b]",
            "line 7: path `/a b` of route `r` holds a character that is not one of a path",
        ),
        (
            "  url: http://a\n  routes:\n  - name: r\n    paths: [/a]\n    methods: [get]",
            "line 8: method `get` of route `r` is none",
        ),
        (
            "  url: http://a\n  routes:\n  - name: r\n    paths: [/a]\n    path_handling: v1",
            "line 8: field `path_handling` of route `r` is `v1`: Kong knows it, the local gateway cannot honour it",
        ),
        (
            "  url: http://a\n  routes:\n  - name: r\n    paths: [/a]\n    protocols: [https]",
            "line 8: field `protocols` of route `r` must hold `http`: the local gateway speaks nothing else",
        ),
        ("  url: http://a\n  routes:\n  - paths: [/a]", "line 6: field `name` of a route is missing"),
        (
            "  url: http://a\n  routes:\n  - {name: r, paths: [/a]}\n  - {name: r, paths: [/b]}",
            "line 7: route `r` is there twice",
        ),
        ("  url: http://a\n  routes: none", "line 5: field `routes` of service `a` must be a list"),
    ];
    for (rest, expected) in cases {
        assert_eq!(problems(&service(rest)), [expected], "{rest}");
    }
    let whole = service(
        "  host: a\n  port: 3001\n  path: /v1\n  protocol: http\n  retries: 0\n  connect_timeout: 1\n  \
         read_timeout: 2\n  write_timeout: 3\n  tags: [x]\n  enabled: true\n  routes:\n  - name: r\n    paths: [/a, '~/b/\\d+$']\n    \
         methods: [GET]\n    strip_path: false\n    preserve_host: true\n    protocols: [http, https]\n    tags: [y]\n    \
         regex_priority: 3\n    path_handling: v0\n    request_buffering: false\n    response_buffering: false\n    plugins: []",
    );
    assert_eq!(problems(&whole), Vec::<String>::new());
}

#[test]
fn settings_of_plugins_are_checked() {
    let cases = [
        (
            "cors",
            "methods: [FETCH]",
            "field `methods` of plugin `cors` must hold only methods of GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS, TRACE, CONNECT",
        ),
        ("cors", "headers: ['a b']", "field `headers` of plugin `cors` must hold names of headers only"),
        (
            "cors",
            "origins: ['http://(']",
            "field `origins` of plugin `cors` has `http://(`, neither an origin nor a regular expression",
        ),
        (
            "correlation-id",
            "generator: snowflake",
            "field `generator` of plugin `correlation-id` must be one of uuid, uuid#counter, tracker",
        ),
        (
            "correlation-id",
            "generator: tracker",
            "field `generator` of plugin `correlation-id` is `tracker`: Kong knows it, the local gateway cannot honour it",
        ),
        (
            "correlation-id",
            "header_name: 'a b'",
            "field `header_name` of plugin `correlation-id` must be the name of a header",
        ),
        ("prometheus", "per_consumer: 1", "field `per_consumer` of plugin `prometheus` must be true or false"),
        ("prometheus", "status_codes: true", "field `status_codes` of plugin `prometheus` is not known"),
        (
            "request-size-limiting",
            "size_unit: kb",
            "field `size_unit` of plugin `request-size-limiting` must be one of megabytes, kilobytes, bytes",
        ),
        (
            "request-transformer",
            "remove: {headers: ['a b']}",
            "field `headers` of `remove` of plugin `request-transformer` has `a b`, which is not the name of a header",
        ),
        (
            "request-transformer",
            "remove: {headers: [Host]}",
            "field `headers` of `remove` of plugin `request-transformer` names `Host`, which Kong never removes",
        ),
        (
            "request-transformer",
            "remove: {querystring: [a]}",
            "field `querystring` of `remove` of plugin `request-transformer` is `a`: Kong knows it, the local gateway cannot honour it",
        ),
        (
            "request-transformer",
            "remove: {header: [a]}",
            "field `header` of `remove` of plugin `request-transformer` is not known",
        ),
        (
            "request-transformer",
            "remove: [a]",
            "`remove` of plugin `request-transformer` must be an object with named fields",
        ),
        (
            "request-transformer",
            "rename: {headers: ['a:b']}",
            "field `headers` of `rename` of plugin `request-transformer` is `a:b`: Kong knows it, the local gateway cannot honour it",
        ),
        (
            "request-transformer",
            "add: {headers: [a]}",
            "field `headers` of `add` of plugin `request-transformer` has `a`, which is not of the form name:value",
        ),
        (
            "request-transformer",
            "append: {body: ['a:b']}",
            "field `body` of `append` of plugin `request-transformer` is `a:b`: Kong knows it, the local gateway cannot honour it",
        ),
        (
            "request-transformer",
            "replace: {uri: /x}",
            "field `uri` of `replace` of plugin `request-transformer` is `/x`: Kong knows it, the local gateway cannot honour it",
        ),
        ("request-transformer", "add: {uri: /x}", "field `uri` of `add` of plugin `request-transformer` is not known"),
        (
            "request-transformer",
            "http_method: POST",
            "field `http_method` of plugin `request-transformer` is `POST`: Kong knows it, the local gateway cannot honour it",
        ),
        (
            "request-transformer",
            "dots_in_keys: true",
            "field `dots_in_keys` of plugin `request-transformer` is not known",
        ),
        ("rate-limiting", "limit_by: ip", "field `minute` of plugin `rate-limiting` is missing"),
        (
            "rate-limiting",
            "minute: 0",
            "field `minute` of plugin `rate-limiting` must be a whole number from 1 to 2147483647",
        ),
        (
            "rate-limiting",
            "minute: 100, hour: 10",
            "field `hour` of plugin `rate-limiting` is 10, lower than the limit for minute (100)",
        ),
        (
            "rate-limiting",
            "minute: 1, limit_by: header",
            "field `limit_by` of plugin `rate-limiting` is `header`: Kong knows it, the local gateway cannot honour it",
        ),
        (
            "rate-limiting",
            "minute: 1, policy: cluster",
            "field `policy` of plugin `rate-limiting` is `cluster`, which Kong refuses without a database",
        ),
        ("rate-limiting", "minute: 1, policy: redis", "field `redis_host` of plugin `rate-limiting` is missing"),
        ("rate-limiting", "minute: 1, redis: {host: redis}", "field `redis` of plugin `rate-limiting` is not known"),
    ];
    for (plugin, config, expected) in cases {
        let found = problems(&with_plugin(plugin, config));
        assert_eq!(found.len(), 1, "{config}: {found:?}");
        let (line, text) = found[0].split_once(": ").unwrap();
        assert!(line == "line 3" || line == "line 4", "{line}");
        assert_eq!(text, expected);
    }
}

#[test]
fn plugins_are_checked_at_every_level() {
    let twice = "_format_version: \"3.0\"\nplugins:\n- name: cors\n- name: cors\n";
    assert_eq!(problems(twice), ["line 4: plugin `cors` is there twice at the same place"]);
    let by_reference = "_format_version: \"3.0\"\nplugins:\n- name: cors\n  service: a\n";
    assert_eq!(
        problems(by_reference),
        ["line 4: field `service` of plugin `cors`: Kong knows it, the local gateway cannot honour it"]
    );
    let deep = "_format_version: \"3.0\"\nservices:\n- name: a\n  url: http://a\n  routes:\n  - name: r\n    paths: [/]\n    \
                plugins:\n    - name: jwt\n";
    assert_eq!(problems(deep), ["line 9: plugin `jwt`: Kong knows it, the local gateway does not run it"]);
}

#[test]
fn what_is_switched_off_is_not_run() {
    let yaml = "_format_version: \"3.0\"\nservices:\n- {name: a, url: 'http://a', enabled: false}\n\
                plugins:\n- {name: cors, enabled: false}\n";
    let config = GatewayConfig::parse(yaml).unwrap();
    assert!(config.services.is_empty());
    assert!(config.plugins.cors.is_none());
}
