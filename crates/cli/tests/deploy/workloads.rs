//! Each pod runs a program of ours as it wants to be run, is asked what it answers, and is left
//! the time and the room that it takes.

use std::time::Duration;

use serde_json::{Value, json};
use taskfleet_core::limits;
use taskfleet_runtime::health::LIVE;

use crate::{
    container::POD_IP,
    kustomize::{OVERLAYS, overlay},
    pods::{Workload, object, workload, workloads},
    quantity::bytes,
    yaml::{at, list, text},
};

fn each(check: impl Fn(&[Value], &Workload<'_>)) {
    for name in OVERLAYS {
        let all = overlay(name);
        workloads(&all).iter().for_each(|workload| check(&all, workload));
    }
}

fn each_overlay(check: impl Fn(&str, &[Value])) {
    OVERLAYS.iter().for_each(|name| check(name, &overlay(name)));
}

#[test]
fn every_variable_and_argument_is_one_that_the_program_takes() {
    each(|_, workload| workload.container().check());
}

#[test]
fn services_listen_for_other_pods_at_the_ports_that_are_told() {
    each_overlay(|_, all| {
        let (supervisor, worker) = (workload(all, "supervisor"), workload(all, "worker"));
        let settings = supervisor.container().supervisor();
        listens(&supervisor, "grpc", settings.grpc_listen);
        listens(&supervisor, "http", settings.http_listen);
        let settings = worker.container().worker();
        listens(&worker, "grpc", settings.grpc_listen);
        listens(&worker, "http", settings.http_listen);
    });
    let all = overlay("try-out");
    let sim = workload(&all, "openai-sim");
    listens(&sim, "http", sim.container().sim().listen);
}

fn listens(workload: &Workload<'_>, port: &str, address: std::net::SocketAddr) {
    assert!(address.ip().is_unspecified(), "no other pod reaches {address}");
    assert_eq!(u64::from(address.port()), workload.port(port), "{} {port}", workload.name());
}

#[test]
fn workers_announce_their_pods_address_and_name() {
    each_overlay(|_, all| {
        let worker = workload(all, "worker");
        let settings = worker.container().worker();
        assert_eq!(settings.advertise, format!("{POD_IP}:{}", worker.port("grpc")));
        let named = list(worker.spec(), "/env")
            .iter()
            .find(|variable| at(variable, "/valueFrom/fieldRef/fieldPath") == "metadata.name");
        assert_eq!(named.unwrap()["name"], "TASKFLEET_WORKER__NAME");
    });
}

#[test]
fn supervisor_and_workers_have_the_join_token_out_of_one_secret_and_no_secret_is_written_down() {
    let wanted = json!({"secretKeyRef": {"name": "taskfleet", "key": "join-token"}});
    each_overlay(|_, all| {
        for program in ["supervisor", "worker"] {
            let workload = workload(all, program);
            let token = format!("TASKFLEET_{}__JOIN_TOKEN", program.to_uppercase());
            let variables = list(workload.spec(), "/env");
            let found = variables.iter().find(|variable| variable["name"] == token.as_str());
            assert_eq!(found.unwrap()["valueFrom"], wanted, "{token}");
            for variable in variables {
                let name = text(variable, "/name");
                let secret = ["TOKEN", "KEY", "SECRET"].iter().any(|word| name.contains(word));
                assert!(!secret || variable.get("value").is_none(), "{name} is written down");
            }
        }
    });
    let maps = overlay("production");
    let mut maps = maps.iter().filter(|object| object["kind"] == "ConfigMap");
    assert!(maps.all(|map| map["data"].get("OPENAI_API_KEY").is_none()));
    let production = overlay("production");
    assert!(production.iter().all(|object| object["kind"] != "Secret"), "it is made beforehand");
}

#[test]
fn the_real_api_is_never_called_without_a_key_and_the_simulated_one_wants_none() {
    let key = |all: &[Value]| {
        let worker = workload(all, "worker");
        let variables = list(worker.spec(), "/env").to_vec();
        variables.into_iter().find(|variable| variable["name"] == "OPENAI_API_KEY").unwrap()
    };
    let optional = |all: &[Value]| at(&key(all), "/valueFrom/secretKeyRef/optional").clone();
    assert_eq!(optional(&overlay("production")), false);
    assert_eq!(optional(&overlay("try-out")), true);
}

#[test]
fn probes_ask_what_is_served_and_only_that_the_process_turns_decides_on_its_life() {
    each(|_, workload| {
        if workload.name() == "openai-sim" {
            return;
        }
        let asked = |probe: &str| {
            let probe = at(workload.spec(), &format!("/{probe}/grpc"));
            assert_eq!(probe["port"], workload.port("grpc"), "{}", workload.name());
            probe.get("service").map_or("", |service| service.as_str().unwrap())
        };
        assert_eq!(asked("startupProbe"), LIVE);
        assert_eq!(asked("livenessProbe"), LIVE);
        assert_eq!(asked("readinessProbe"), "");
    });
}

#[tokio::test]
async fn the_simulated_api_answers_its_probes() {
    // Whoever asks by HTTP needs one, though nothing is encrypted here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let all = overlay("try-out");
    let sim = workload(&all, "openai-sim");
    let listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let running = openai_sim::Sim::bind(openai_sim::Settings { listen, ..sim.container().sim() });
    let running = running.await.unwrap();
    let address = running.local_addr();
    let asking = async {
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let http = at(sim.spec(), &format!("/{probe}/httpGet"));
            assert_eq!(http["port"], "http");
            let url = format!("http://{address}{}", text(http, "/path"));
            assert!(reqwest::get(&url).await.unwrap().status().is_success(), "{url}");
        }
    };
    tokio::select! {
        () = asking => {}
        ended = running.run(std::future::pending()) => panic!("{ended:?}"),
    }
}

/// What stopping takes by the code's own budgets.
fn stopping(workload: &Workload<'_>) -> Duration {
    match workload.name() {
        "supervisor" => taskfleet_supervisor::SHUTDOWN_BUDGET,
        "worker" => {
            let others = taskfleet_worker::SHUTDOWN_BUDGET
                - taskfleet_worker::Settings::default().shutdown_grace;
            workload.container().worker().shutdown_grace + others
        }
        _ => Duration::ZERO,
    }
}

#[test]
fn nobody_is_killed_before_its_own_time_to_stop_is_over() {
    each(|_, workload| {
        let seconds =
            |pointer| Duration::from_secs(at(workload.spec(), pointer).as_u64().unwrap_or(0));
        let granted = at(workload.pod(), "/terminationGracePeriodSeconds").as_u64().unwrap();
        let taken = seconds("/lifecycle/preStop/sleep/seconds") + stopping(workload);
        assert!(granted >= taken.as_secs(), "{}: {granted} s, {taken:?} taken", workload.name());
        // More is a process that hangs for so long.
        assert!(granted <= taken.as_secs() + 15, "{}: {granted} s for {taken:?}", workload.name());
    });
}

#[test]
fn in_production_no_update_cuts_off_a_call_that_keeps_to_the_usual_time() {
    let all = overlay("production");
    let grace = workload(&all, "worker").container().worker().shutdown_grace;
    assert!(grace > limits::DEFAULT_ATTEMPT_TIMEOUT, "{grace:?}");
}

#[test]
fn a_workers_memory_holds_its_outbox_and_the_largest_call_in_every_slot() {
    each_overlay(|name, all| {
        let worker = workload(all, "worker");
        let settings = worker.container().worker();
        let call = (limits::MAX_CONTENT_BYTES + limits::MAX_RESULT_BYTES) as u64;
        let most = settings.outbox_bytes as u64 + u64::from(settings.slots) * call;
        let limit = bytes(text(worker.spec(), "/resources/limits/memory"));
        assert!(limit >= most, "{name}: {} MiB are needed", most >> 20);
    });
}

#[test]
fn the_volume_is_the_stores_and_holds_twice_what_may_wait() {
    each_overlay(|name, all| {
        let supervisor = workload(all, "supervisor");
        let settings = supervisor.container().supervisor();
        let claim = at(supervisor.object, "/spec/volumeClaimTemplates/0");
        let mounts = list(supervisor.spec(), "/volumeMounts");
        let mount = mounts.iter().find(|mount| mount["name"] == claim["metadata"]["name"]);
        let mount = text(mount.unwrap(), "/mountPath");
        assert_eq!(settings.store.parent().unwrap().to_str().unwrap(), mount);
        assert_eq!(at(claim, "/spec/accessModes"), &json!(["ReadWriteOncePod"]));
        let size = bytes(text(claim, "/spec/resources/requests/storage"));
        assert!(size >= 2 * settings.max_queued_bytes, "{name}: {size} bytes");
    });
}

#[test]
fn there_is_one_supervisor_and_its_tasks_outlive_it() {
    each_overlay(|_, all| {
        let supervisor = object(all, "StatefulSet", "supervisor");
        assert_eq!(at(supervisor, "/spec/replicas"), 1);
        let kept = at(supervisor, "/spec/persistentVolumeClaimRetentionPolicy");
        assert_eq!(kept, &json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
    });
}

#[test]
fn pods_keep_to_the_restricted_standard_that_their_namespace_enforces() {
    each(|all, workload| {
        let namespace = object(all, "Namespace", "taskfleet");
        let labels = at(namespace, "/metadata/labels");
        assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
        let pod = at(workload.pod(), "/securityContext");
        assert_eq!((&pod["runAsNonRoot"], &pod["runAsUser"]), (&json!(true), &json!(65532)));
        assert_eq!(pod["seccompProfile"], json!({"type": "RuntimeDefault"}));
        let own = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(at(workload.spec(), "/securityContext"), &own, "{}", workload.name());
    });
}

#[test]
fn no_pod_gets_a_token_of_the_cluster_or_variables_of_its_services() {
    each(|all, workload| {
        assert_eq!(at(workload.pod(), "/automountServiceAccountToken"), false);
        assert_eq!(at(workload.pod(), "/enableServiceLinks"), false);
        let account = object(all, "ServiceAccount", text(workload.pod(), "/serviceAccountName"));
        assert_eq!(account["automountServiceAccountToken"], false);
    });
}

#[test]
fn every_container_says_what_it_needs_and_how_much_memory_it_gets() {
    each(|_, workload| {
        let resources = at(workload.spec(), "/resources");
        assert!(!text(resources, "/requests/cpu").is_empty());
        let (asked, limit) =
            (text(resources, "/requests/memory"), text(resources, "/limits/memory"));
        assert!(bytes(asked) <= bytes(limit), "{}", workload.name());
        // A throttled process answers late and looks dead.
        assert_eq!(at(resources, "/limits/cpu"), &Value::Null, "{}", workload.name());
    });
}
