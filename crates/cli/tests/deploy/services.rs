//! What is named exists: services, ports, selectors, targets and images.

use serde_json::Value;

use crate::{
    container::PROGRAMS,
    kustomize::{OVERLAYS, overlay},
    pods::{Workload, object, workload, workloads},
    yaml::{at, documents, list, text},
};

fn each_overlay(check: impl Fn(&[Value])) {
    OVERLAYS.iter().for_each(|name| check(&overlay(name)));
}

/// Whether pods with these labels are meant.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    selector.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Where a Service leads that has this name and port.
fn behind<'a>(all: &'a [Value], host: &str, port: u16) -> (Workload<'a>, u64) {
    let service = object(all, "Service", host);
    let ports = list(service, "/spec/ports");
    let found = ports.iter().find(|found| found["port"] == port);
    let found = found.unwrap_or_else(|| panic!("the Service {host} has no port {port}"));
    let selector = at(service, "/spec/selector");
    let mut selected =
        workloads(all).into_iter().filter(|workload| selects(selector, workload.labels()));
    let workload = selected.next().unwrap_or_else(|| panic!("{host} selects nothing"));
    assert!(selected.next().is_none(), "{host} selects more than one workload");
    let port = workload.port(text(found, "/targetPort"));
    (workload, port)
}

#[test]
fn workers_find_the_supervisor_by_a_service() {
    each_overlay(|all| {
        let settings = workload(all, "worker").container().worker();
        let (host, port) = settings.supervisor.split_once(':').unwrap();
        let (found, port) = behind(all, host, port.parse().unwrap());
        assert_eq!((found.name(), port), ("supervisor", found.port("grpc")));
        // A supervisor that is not ready still has to hear its workers.
        let service = object(all, "Service", host);
        assert_eq!(at(service, "/spec/publishNotReadyAddresses"), true);
    });
}

#[test]
fn the_try_outs_workers_find_the_simulated_api_by_a_service_and_productions_call_the_real_one() {
    let all = overlay("try-out");
    let (host, port) = workload(&all, "worker").container().model_api();
    let (found, port) = behind(&all, &host, port);
    assert_eq!((found.name(), port), ("openai-sim", found.port("http")));
    let all = overlay("production");
    let api = workload(&all, "worker").container().model_api();
    assert_eq!(api, ("api.openai.com".to_owned(), 443));
}

#[test]
fn metrics_are_where_annotations_and_services_say() {
    each_overlay(|all| {
        for (program, port) in [("supervisor", 8080), ("worker", 8081)] {
            let (found, http) = behind(all, program, port);
            assert_eq!((found.name(), http), (program, found.port("http")));
            let annotations = at(found.object, "/spec/template/metadata/annotations");
            assert_eq!(annotations["prometheus.io/port"], http.to_string());
            assert_eq!(annotations["prometheus.io/path"], "/metrics");
        }
    });
}

#[test]
fn whatever_selects_pods_selects_some() {
    each_overlay(|all| {
        let pointers =
            ["/spec/selector", "/spec/selector/matchLabels", "/spec/podSelector/matchLabels"];
        let workloads = workloads(all);
        for object in all {
            for selector in pointers.iter().map(|pointer| at(object, pointer)) {
                let labels = selector.as_object().filter(|map| map.values().all(Value::is_string));
                let Some(_) = labels else { continue };
                let some = workloads.iter().any(|workload| selects(selector, workload.labels()));
                assert!(some, "{} {selector} selects nothing", object["kind"]);
            }
        }
    });
}

#[test]
fn a_workloads_own_selector_its_spread_and_its_service_are_its_own() {
    each_overlay(|all| {
        for workload in workloads(all) {
            let matched = at(workload.object, "/spec/selector/matchLabels");
            assert!(selects(matched, workload.labels()), "{}", workload.name());
            for spread in list(workload.pod(), "/topologySpreadConstraints") {
                assert_eq!(at(spread, "/labelSelector/matchLabels"), matched);
            }
        }
        let supervisor = object(all, "StatefulSet", "supervisor");
        let service = object(all, "Service", text(supervisor, "/spec/serviceName"));
        assert_eq!(at(service, "/spec/clusterIP"), "None", "a StatefulSet's is headless");
    });
}

#[test]
fn workers_are_scaled_where_their_number_is_not_fixed_and_budgets_let_nodes_be_drained() {
    let all = overlay("production");
    let scaler = object(&all, "HorizontalPodAutoscaler", "worker");
    let target = at(scaler, "/spec/scaleTargetRef");
    let scaled = object(&all, text(target, "/kind"), text(target, "/name"));
    assert_eq!(at(scaled, "/spec/replicas"), &Value::Null, "each apply would reset it");
    let all = overlay("try-out");
    assert_eq!(at(object(&all, "Deployment", "worker"), "/spec/replicas"), 3);
    assert!(all.iter().all(|object| object["kind"] != "HorizontalPodAutoscaler"));
    for budget in all.iter().filter(|object| object["kind"] == "PodDisruptionBudget") {
        assert_ne!(at(budget, "/spec/maxUnavailable"), &Value::Null);
    }
}

#[test]
fn the_component_scales_by_a_metric_of_workers() {
    let patch = &documents("deploy/kubernetes/components/scale-by-slots/scaling.yaml")[0];
    object(&overlay("production"), text(patch, "/kind"), text(patch, "/metadata/name"));
    let pods = at(patch, "/spec/metrics/0/pods");
    let slots = taskfleet_worker::Settings::default().slots;
    let aimed: u32 = text(pods, "/target/averageValue").parse().unwrap();
    assert!(aimed < slots, "with {aimed} of {slots} in use no worker is ever added");
}

#[test]
fn every_image_is_one_of_ours_and_has_a_tag() {
    each_overlay(|all| {
        for workload in workloads(all) {
            assert!(PROGRAMS.contains(&workload.name()));
            let image = text(workload.spec(), "/image");
            let (name, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{image}: no tag"));
            assert!(name.ends_with(workload.name()), "{image} for the {}", workload.name());
            assert!(["local", env!("CARGO_PKG_VERSION")].contains(&tag), "{image}");
        }
    });
}
