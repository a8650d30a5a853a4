//! Who may talk to whom: exactly those who have to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    kustomize::{OVERLAYS, overlay},
    pods::{Workload, workload, workloads},
    services::selects,
    yaml::{at, list},
};

fn policies<'a>(all: &'a [Value], workload: &'a Workload<'a>) -> impl Iterator<Item = &'a Value> {
    let policies = all.iter().filter(|object| object["kind"] == "NetworkPolicy");
    policies.filter(|policy| applies(at(policy, "/spec/podSelector"), workload.labels()))
}

fn applies(selector: &Value, labels: &Value) -> bool {
    selector.get("matchLabels").is_none_or(|wanted| selects(wanted, labels))
}

/// The rules of one direction for a workload. Without a policy of that direction all is allowed.
fn rules<'a>(all: &'a [Value], workload: &'a Workload<'a>, direction: &str) -> Vec<&'a Value> {
    let types = |policy: &&Value| list(policy, "/spec/policyTypes").contains(&direction.into());
    assert!(policies(all, workload).any(|p| types(&p)), "{} is open", workload.name());
    let key = format!("/spec/{}", direction.to_lowercase());
    policies(all, workload).filter(types).flat_map(|policy| list(policy, &key)).collect()
}

/// Whether a rule names these pods of our own namespace, and the port.
fn allows(rule: &Value, peers: &str, other: &Workload<'_>, port: u64) -> bool {
    let own = |peer: &&Value| peer.get("namespaceSelector").is_none();
    let named = |peer: &Value| peer.get("podSelector").is_some_and(|s| applies(s, other.labels()));
    list(rule, peers).iter().filter(own).any(named) && has_port(rule, port)
}

fn has_port(rule: &Value, port: u64) -> bool {
    list(rule, "/ports").iter().any(|found| found["port"] == port && found["protocol"] == "TCP")
}

/// All pairs that can talk: who calls, who is called, at which port.
fn talks(all: &[Value]) -> BTreeSet<(String, String, u64)> {
    let workloads = workloads(all);
    let mut talks = BTreeSet::new();
    for (caller, called) in workloads.iter().flat_map(|a| workloads.iter().map(move |b| (a, b))) {
        for port in list(called.spec(), "/ports") {
            let port = port["containerPort"].as_u64().unwrap();
            let out = rules(all, caller, "Egress").iter().any(|r| allows(r, "/to", called, port));
            let into =
                rules(all, called, "Ingress").iter().any(|r| allows(r, "/from", caller, port));
            assert_eq!(out, into, "{} to {} at {port}: half open", caller.name(), called.name());
            if out {
                talks.insert((caller.name().to_owned(), called.name().to_owned(), port));
            }
        }
    }
    talks
}

#[test]
fn pods_talk_to_whom_they_have_to_and_to_nobody_else() {
    for name in OVERLAYS {
        let all = overlay(name);
        let port = |program: &str, port| workload(&all, program).port(port);
        let mut wanted = vec![
            ("supervisor", "worker", port("worker", "grpc")),
            ("worker", "supervisor", port("supervisor", "grpc")),
        ];
        if name == "try-out" {
            wanted.push(("worker", "openai-sim", port("openai-sim", "http")));
        }
        let wanted = wanted.into_iter().map(|(a, b, port)| (a.to_owned(), b.to_owned(), port));
        assert_eq!(talks(&all), wanted.collect(), "{name}");
    }
}

#[test]
fn a_pod_that_no_policy_names_talks_to_nobody_but_dns() {
    let nameless = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    for name in OVERLAYS {
        assert!(overlay(name).iter().any(|policy| policy["spec"] == nameless), "{name}");
    }
}

/// Which of our ports pods of a namespace with this label reach.
fn from_namespaces(all: &[Value], label: &str) -> BTreeSet<(String, u64)> {
    let peer = json!({"namespaceSelector": {"matchLabels": {label: "true"}}});
    let reached = workloads(all).into_iter().flat_map(|workload| {
        let rules = rules(all, &workload, "Ingress").into_iter().cloned().collect::<Vec<_>>();
        let named = rules.into_iter().filter(|rule| list(rule, "/from").contains(&peer));
        let ports = named.flat_map(|rule| list(&rule, "/ports").to_vec()).collect::<Vec<_>>();
        let name = workload.name().to_owned();
        ports.into_iter().map(move |port| (name.clone(), port["port"].as_u64().unwrap()))
    });
    reached.collect()
}

#[test]
fn clients_reach_the_supervisor_and_scrapes_the_metrics() {
    for name in OVERLAYS {
        let all = overlay(name);
        let at = |program: &str, port| (program.to_owned(), workload(&all, program).port(port));
        assert_eq!(from_namespaces(&all, "taskfleet-clients"), [at("supervisor", "grpc")].into());
        let scraped = [at("supervisor", "http"), at("worker", "http")];
        assert_eq!(from_namespaces(&all, "taskfleet-metrics"), scraped.into());
    }
}

#[test]
fn everybody_reaches_dns() {
    for name in OVERLAYS {
        let all = overlay(name);
        for workload in workloads(&all) {
            let rules = rules(&all, &workload, "Egress");
            let dns = |rule: &&Value| {
                let both = [
                    json!({"protocol": "UDP", "port": 53}),
                    json!({"protocol": "TCP", "port": 53}),
                ];
                both.iter().all(|port| list(rule, "/ports").contains(port))
            };
            assert!(rules.iter().any(dns), "{name}: {}", workload.name());
        }
    }
}

/// The blocks of addresses outside of the cluster that a program reaches at a port.
fn blocks(all: &[Value], program: &str, port: u64) -> Vec<Value> {
    let workload = workload(all, program);
    let rules = rules(all, &workload, "Egress");
    let open = rules.into_iter().filter(|rule| has_port(rule, port));
    open.flat_map(|rule| list(rule, "/to"))
        .filter_map(|peer| peer.get("ipBlock").cloned())
        .collect()
}

#[test]
fn only_productions_workers_reach_the_internet_and_only_for_the_model_api() {
    let all = overlay("production");
    let (_, port) = workload(&all, "worker").container().model_api();
    let open = blocks(&all, "worker", port.into());
    let any: Vec<&Value> = open.iter().map(|block| &block["cidr"]).collect();
    assert_eq!(any, ["0.0.0.0/0", "::/0"]);
    for inside in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"] {
        assert!(list(&open[0], "/except").contains(&inside.into()), "{inside} is reached");
    }
    assert_eq!(blocks(&all, "supervisor", port.into()), [] as [Value; 0]);
    assert_eq!(blocks(&overlay("try-out"), "worker", port.into()), [] as [Value; 0]);
}
