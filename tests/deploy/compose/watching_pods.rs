//! Monitoring in a cluster: Prometheus' jobs as in Compose, limits of the manifests, and log files of the node.

use std::collections::{BTreeMap, BTreeSet};

use common::config::ServiceName;
use serde_json::Value;

use super::addresses::SCRAPES;
use super::kubernetes::ports;
use super::manifests::{Manifests, secrets};
use crate::support::{read, yaml};

/// Returns Prometheus' jobs of some files, by name.
fn jobs(files: &[&str]) -> BTreeMap<String, Value> {
    let mut jobs = BTreeMap::new();
    for file in files {
        for job in yaml(file)["scrape_configs"].as_array().unwrap() {
            let name = job["job_name"].as_str().unwrap().to_owned();
            assert!(jobs.insert(name.clone(), job.clone()).is_none(), "{name} stands there twice");
        }
    }
    jobs
}

/// Rules and dashboards depend on the names of jobs and their targets.
#[test]
fn scrape_jobs_match_compose() {
    let (compose, cluster) = (jobs(&["monitoring/prometheus.yml"]), jobs(&SCRAPES));
    assert_eq!(compose.keys().collect::<Vec<_>>(), cluster.keys().collect::<Vec<_>>());
    for (name, job) in &compose {
        for field in ["metrics_path", "params", "metric_relabel_configs", "file_sd_configs"] {
            assert_eq!(cluster[name][field], job[field], "{name}: {field}");
        }
        if job["consul_sd_configs"].is_null() {
            assert_eq!(cluster[name]["relabel_configs"], job["relabel_configs"], "{name}");
        } else {
            // In Compose, Consul names the service; here the file does.
            let rules = cluster[name]["relabel_configs"].as_array().unwrap();
            assert_eq!(
                (&rules[0]["target_label"], &rules[0]["replacement"]),
                (&"service".into(), &name.as_str().into())
            );
        }
    }
    let (compose, cluster) = (yaml("monitoring/prometheus.yml"), yaml(SCRAPES[0]));
    for field in ["global", "alerting", "rule_files"] {
        assert_eq!(cluster[field], compose[field], "{field}");
    }
}

/// Each pod of a replicated workload is scraped, even if it is not ready, through a headless Service.
#[test]
fn all_pods_of_a_service_are_scraped() {
    let (manifests, jobs) = (Manifests::of("dev"), jobs(&SCRAPES));
    let names: Vec<_> = ServiceName::ALL.iter().map(|name| name.as_str()).chain(["kong"]).collect();
    for name in names {
        let search = &jobs[name]["dns_sd_configs"][0];
        assert_eq!(search["type"], "A", "{name}");
        let service = manifests.kind("Service")[search["names"][0].as_str().unwrap()];
        assert_eq!(service["spec"]["clusterIP"], "None", "{name}");
        assert_eq!(service["spec"]["publishNotReadyAddresses"], true, "{name}");
        assert_eq!(service["spec"]["selector"]["app"], name);
        assert_eq!(service["spec"]["ports"][0]["port"], search["port"], "{name}");
    }
}

/// The scrape annotations of pods match our jobs.
#[test]
fn scrape_targets_serve_metrics() {
    let (manifests, jobs) = (Manifests::of("dev"), jobs(&SCRAPES));
    let mut seen = 0;
    for (name, pod) in manifests.pods() {
        let notes = &pod["metadata"]["annotations"];
        // PostgreSQL, MongoDB and Redis are scraped through exporters.
        let store = ["postgres", "mongodb", "redis"].contains(&name);
        let job = jobs.get(name.strip_suffix("-exporter").unwrap_or(name)).filter(|_| !store);
        let Some(job) = job else {
            assert!(notes["prometheus.io/port"].is_null(), "{name} says that it is scraped");
            continue;
        };
        let port = notes["prometheus.io/port"].as_str().unwrap_or_else(|| panic!("{name} does not say its port"));
        let path = job["metrics_path"].as_str().unwrap_or("/metrics");
        assert_eq!((&notes["prometheus.io/scrape"], &notes["prometheus.io/path"]), (&"true".into(), &path.into()));
        assert!(ports(manifests.container(name)).values().any(|listens| listens.to_string() == port), "{name}: {port}");
        assert!(job.to_string().contains(port), "{name} is asked on another port");
        seen += 1;
    }
    assert_eq!(seen, 13, "the services, Kong, RabbitMQ, the exporters, and what watches");
}

#[test]
fn watched_limit_matches_the_configured_limit() {
    let manifests = Manifests::of("dev");
    let rules = yaml("k8s/components/observability/limits.yml")["groups"][0]["rules"].as_array().unwrap().clone();
    assert_eq!((rules.len(), &rules[0]["record"]), (1, &"job:memory_limit:bytes".into()));
    let parts: Vec<_> = rules[0]["expr"].as_str().unwrap().trim().split("\nor\n").collect();
    for name in ServiceName::ALL {
        let limit = manifests.container(name.as_str())["resources"]["limits"]["memory"].as_str().unwrap();
        let limit = limit.strip_suffix("Mi").unwrap().parse::<u64>().unwrap() * 1024 * 1024;
        let short = name.as_str().strip_suffix("-service").unwrap();
        let own: Vec<_> = parts.iter().filter(|part| part.contains(short)).collect();
        assert!(own.len() == 1 && own[0].ends_with(&format!("* 0 + {limit}")), "{name}: {limit} and {own:?}");
    }
}

/// With Jaeger, the services send it their traces as in Compose; without it they send none.
#[test]
fn trace_endpoint_has_a_collector() {
    let variable = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let file = read("deploy/env");
    let url = file.lines().find_map(|line| line.strip_prefix(&format!("#{variable}="))).unwrap();
    for name in ServiceName::ALL {
        let sent =
            |overlay: &str| Manifests::of(overlay).environment(name.as_str(), &secrets(overlay)).remove(variable);
        assert_eq!(sent("dev").as_deref(), Some(url), "{name}");
        assert_eq!(sent("production"), None, "{name}");
    }
}

/// Filebeat, Kibana and Grafana use the generated passwords.
#[test]
fn passwords_match_the_secrets() {
    let secrets = secrets("dev");
    let elastic = &secrets["elasticsearch-secrets"];
    assert_eq!(secrets["filebeat-secrets"]["shipper-password"], elastic["shipper-password"]);
    let different: BTreeSet<_> = elastic.values().collect();
    assert_eq!(different.len(), elastic.len(), "a password is given twice");
    let monitor = &secrets["mongodb-secrets"]["monitor-db-password"];
    assert_eq!(secrets["mongodb-secrets"]["monitor-url"], format!("mongodb://monitor:{monitor}@mongodb:27017/admin"));
}

/// Filebeat reads the mounted folder, the fleet's namespace only, and derives the service from the file's name.
#[test]
fn log_files_match_the_fleets_pods() {
    let manifests = Manifests::of("dev");
    let maker = manifests.makers()["filebeat"];
    let own = Manifests::namespace(maker);
    assert_eq!(
        manifests.kind("Namespace")[own]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
        "privileged"
    );
    let volumes = maker["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    let folder = volumes.iter().find(|volume| volume["name"] == "pods").unwrap()["hostPath"]["path"].as_str().unwrap();
    let mounts = manifests.container("filebeat")["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["name"] == "pods").unwrap();
    assert_eq!((&mount["mountPath"], &mount["readOnly"]), (&folder.into(), &true.into()));
    let input = &yaml("monitoring/filebeat/filebeat.yml")["filebeat.inputs"][0];
    let fleet = manifests.kind("Namespace").into_keys().find(|name| *name != own).unwrap();
    let paths: Vec<_> = input["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert!(paths.contains(&format!("{folder}/{fleet}_*/*/*.log").as_str()), "{paths:?}");
    let processors = input["processors"].as_array().unwrap();
    let at = |name: &str| processors.iter().position(|step| step[name].is_object()).unwrap();
    // The service is extracted from the file's name before that field is dropped.
    assert!(at("dissect") < at("drop_fields"));
    let name = processors[at("dissect")]["dissect"]["tokenizer"].as_str().unwrap();
    assert!(name.starts_with(&format!("{folder}/%{{namespace}}_%{{pod.name}}_")), "{name}");
}
