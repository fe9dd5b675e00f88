//! Services start with the environment of their containers.

use std::collections::BTreeMap;

use common::config::ServiceName;
use common::config::{ConfigError, Environment};
use contracts::Scope;

use super::file::{env, environment, services};

/// Starts a service with an environment and returns its port, or its error.
pub(crate) fn starts(name: ServiceName, variables: BTreeMap<String, String>) -> Result<u16, ConfigError> {
    let env = Environment::from_pairs(variables);
    match name {
        ServiceName::User => user_service::config::Config::from_env(&env).map(|config| config.platform.port),
        ServiceName::Product => {
            product_service::config::Config::from_env(&env).map(|config| config.backend.platform.port)
        }
        ServiceName::Order => order_service::config::Config::from_env(&env).map(|config| config.backend.platform.port),
        ServiceName::Payment => {
            payment_service::config::Config::from_env(&env).map(|config| config.backend.platform.port)
        }
    }
}

/// Returns the port that a service logs once its configuration is complete.
pub(crate) fn port_of(name: ServiceName, variables: BTreeMap<String, String>) -> u16 {
    starts(name, variables).unwrap_or_else(|error| panic!("{name} does not start:\n{error}"))
}

#[test]
fn services_have_complete_configurations() {
    let (services, env) = (services(), env());
    for (number, name) in (3001_u16..).zip(ServiceName::ALL) {
        let variables = environment(&services[name.as_str()], &env);
        assert_eq!(variables["ADVERTISE_HOST"], name.as_str());
        assert_eq!(port_of(*name, variables), number, "{name}");
    }
}

#[test]
fn user_service_has_the_secret_of_each_client() {
    let (services, env) = (services(), env());
    let known = environment(&services["user-service"], &env)["CLIENT_CREDENTIALS"].clone();
    for name in [ServiceName::Product, ServiceName::Order, ServiceName::Payment] {
        let own = environment(&services[name.as_str()], &env);
        let scopes: Vec<_> = name.scopes().iter().map(|scope| scope.as_str()).collect();
        let client = format!("{}:{}:{}", own["CLIENT_ID"], own["CLIENT_SECRET"], scopes.join("+"));
        assert!(known.split(',').any(|one| one == client), "{name} has not just the scopes that it needs");
    }
    let auditor = environment(&services["auditor"], &env);
    let client = format!("{}:{}:{}", auditor["CLIENT_ID"], auditor["CLIENT_SECRET"], Scope::OpsRead);
    assert!(known.split(',').any(|one| one == client), "the auditor reads /ops and nothing else");
    assert!(!auditor.contains_key("ADMIN_PASSWORD"));
}

/// Container logs do not fill the disk.
#[test]
fn logs_are_rotated() {
    for (name, service) in services() {
        let logging = &service["logging"];
        assert_eq!(logging["driver"], "json-file", "{name}: Filebeat reads these");
        let size = logging["options"]["max-size"].as_str().and_then(|size| size.strip_suffix('m')?.parse::<u32>().ok());
        let files = logging["options"]["max-file"].as_str().and_then(|files| files.parse::<u32>().ok());
        let whole = size.zip(files).map(|(size, files)| size * files);
        assert!(whole.is_some_and(|whole| whole <= 100), "{name}: {logging}");
    }
}

/// A health check that ran first as root would write the Erlang cookie, which the server could not read.
#[test]
fn rabbitmq_and_its_health_check_use_one_user() {
    assert_eq!(services()["rabbitmq"]["user"], "rabbitmq");
}

#[test]
fn containers_are_hardened() {
    for (name, service) in services() {
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        if service.get("build").is_some() {
            assert_eq!(service["read_only"], true, "{name}");
            assert_eq!(service["cap_drop"][0], "ALL", "{name}");
            assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
        }
    }
}
