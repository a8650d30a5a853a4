//! Pods as an overlay makes them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    container::{Container, POD_IP, SECRET},
    yaml::{at, list, text},
};

/// A StatefulSet or Deployment, and the objects that it stands among.
pub(crate) struct Workload<'a> {
    pub(crate) object: &'a Value,
    all: &'a [Value],
}

/// Those of an overlay's objects.
pub(crate) fn workloads(all: &[Value]) -> Vec<Workload<'_>> {
    let is = |object: &&Value| object.pointer("/spec/template/spec").is_some();
    all.iter().filter(is).map(|object| Workload { object, all }).collect()
}

/// The workload of one program.
pub(crate) fn workload<'a>(all: &'a [Value], program: &str) -> Workload<'a> {
    let mut all = workloads(all).into_iter().filter(|workload| workload.name() == program);
    all.next().unwrap_or_else(|| panic!("no {program}"))
}

/// The object of that kind and name.
pub(crate) fn object<'a>(all: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is = |object: &&Value| object["kind"] == kind && at(object, "/metadata/name") == name;
    all.iter().find(is).unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

impl<'a> Workload<'a> {
    pub(crate) fn name(&self) -> &'a str {
        text(self.object, "/metadata/name")
    }

    pub(crate) fn pod(&self) -> &'a Value {
        at(self.object, "/spec/template/spec")
    }

    pub(crate) fn labels(&self) -> &'a Value {
        at(self.object, "/spec/template/metadata/labels")
    }

    /// Its one container, as it is written.
    pub(crate) fn spec(&self) -> &'a Value {
        let [container] = list(self.pod(), "/containers") else { panic!("not one container") };
        container
    }

    pub(crate) fn container(&self) -> Container {
        let args = list(self.spec(), "/args").iter().map(|arg| arg.as_str().unwrap().to_owned());
        Container { program: self.name().to_owned(), args: args.collect(), env: self.env() }
    }

    /// The port of that name.
    pub(crate) fn port(&self, name: &str) -> u64 {
        let ports = list(self.spec(), "/ports");
        let found = ports.iter().find(|port| port["name"] == name);
        let found = found.unwrap_or_else(|| panic!("the {} has no port {name}", self.name()));
        found["containerPort"].as_u64().unwrap()
    }

    fn env(&self) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        for source in list(self.spec(), "/envFrom") {
            let map = object(self.all, "ConfigMap", text(source, "/configMapRef/name"));
            let data = map["data"].as_object().unwrap();
            env.extend(data.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())));
        }
        let variables = list(self.spec(), "/env");
        for variable in variables {
            let value = value(variable, &env);
            env.insert(text(variable, "/name").to_owned(), value);
        }
        // What others are made of is for them and not for the program.
        env.retain(|name, _| !variables.iter().any(|other| uses(other, name)));
        env
    }
}

/// What a variable is in a pod. `$(NAME)` is replaced only by what stands before it.
fn value(variable: &Value, before: &BTreeMap<String, String>) -> String {
    if variable.pointer("/valueFrom/secretKeyRef").is_some() {
        return SECRET.to_owned();
    }
    match at(variable, "/valueFrom/fieldRef/fieldPath").as_str() {
        Some("status.podIP") => return POD_IP.to_owned(),
        Some("metadata.name") => return "worker-7d4b9c-x2x".to_owned(),
        Some(other) => panic!("teach this test what the field {other} is"),
        None => {}
    }
    let written = text(variable, "/value").to_owned();
    let replaced =
        |text: String, (name, value): (&String, &String)| text.replace(&reference(name), value);
    let value = before.iter().fold(written, replaced);
    assert!(!value.contains("$("), "{value}: nothing of that name stands before it");
    value
}

fn reference(name: &str) -> String {
    format!("$({name})")
}

fn uses(variable: &Value, name: &str) -> bool {
    variable["value"].as_str().is_some_and(|value| value.contains(&reference(name)))
}
