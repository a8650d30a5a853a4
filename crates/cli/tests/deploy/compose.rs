//! docker-compose.yml, in both of its settings: with a key, and with simulated answers.

use std::{collections::BTreeSet, fs, time::Duration};

use serde_json::Value;

use crate::{
    container::{Container, PROGRAMS, is_setting},
    image,
    interpolation::{Variables, interpolated},
    kustomize::overlay,
    pods::workload,
    yaml::{at, documents, list, text, top},
};

const SIMULATED: &str = "deploy/simulated.env";

/// As somebody with a key has them.
fn with_key() -> Variables {
    [("OPENAI_API_KEY".to_owned(), "key-of-the-user".to_owned())].into()
}

/// As the file for simulated answers sets them.
fn simulated() -> Variables {
    let text = fs::read_to_string(top(SIMULATED)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
}

struct Compose(Value);

impl Compose {
    fn with(variables: &Variables) -> Self {
        let file = documents("docker-compose.yml").remove(0);
        Self(interpolated(&file, variables).unwrap_or_else(|words| panic!("{words}")))
    }

    fn both() -> [Self; 2] {
        [Self::with(&with_key()), Self::with(&simulated())]
    }

    fn service(&self, name: &str) -> &Value {
        let found = at(&self.0, "/services").get(name);
        found.unwrap_or_else(|| panic!("there is no service {name}"))
    }

    fn container(&self, name: &str) -> Container {
        let service = self.service(name);
        let variables = at(service, "/environment").as_object().unwrap().iter();
        let own = variables.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        let mut env = image::env(name);
        env.extend(own);
        let args = list(service, "/command").iter().map(|arg| arg.as_str().unwrap().to_owned());
        Container { program: name.to_owned(), args: args.collect(), env }
    }

    /// Where the program listens in its container, for others.
    fn ports(&self, name: &str) -> Vec<u16> {
        let addresses = self.container(name).listens();
        assert!(addresses.iter().all(|address| address.ip().is_unspecified()), "{addresses:?}");
        addresses.iter().map(std::net::SocketAddr::port).collect()
    }
}

#[test]
fn every_variable_and_command_is_one_that_the_program_takes() {
    for compose in Compose::both() {
        PROGRAMS.iter().for_each(|name| compose.container(name).check());
    }
}

#[test]
fn programs_listen_where_other_containers_reach_them() {
    for (name, expected) in [("supervisor", 2), ("worker", 2), ("openai-sim", 1)] {
        assert_eq!(Compose::with(&with_key()).ports(name).len(), expected);
    }
}

#[test]
fn workers_find_the_supervisor_and_the_simulated_api_by_their_services() {
    for compose in Compose::both() {
        let supervisor = compose.container("worker").worker().supervisor;
        let (host, port) = supervisor.split_once(':').unwrap();
        assert_eq!((host, port.parse().unwrap()), ("supervisor", compose.ports(host)[0]));
        let (own, theirs) = (compose.container(host), compose.container("worker"));
        let token = |container: &Container, name: &str| container.env.get(name).cloned().unwrap();
        let own = token(&own, "TASKFLEET_SUPERVISOR__JOIN_TOKEN");
        assert_eq!(own, token(&theirs, "TASKFLEET_WORKER__JOIN_TOKEN"));
    }
    let compose = Compose::with(&simulated());
    let (host, port) = compose.container("worker").model_api();
    assert_eq!((host.as_str(), port), ("openai-sim", compose.ports("openai-sim")[0]));
}

#[test]
fn no_key_of_the_users_shell_reaches_the_simulated_setting() {
    let mut variables = simulated();
    let theirs = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"];
    // A shell's variables go over those of the file.
    variables.extend(theirs.map(|name| (name.to_owned(), "http://real.example/v1".to_owned())));
    let compose = Compose::with(&variables);
    for name in PROGRAMS {
        let env = compose.container(name).env;
        assert!(env.values().all(|value| !value.contains("real.example")), "{name}");
    }
}

#[test]
fn without_a_key_it_is_refused_in_words_that_name_both_ways() {
    let file = documents("docker-compose.yml").remove(0);
    let words = interpolated(&file, &Variables::new()).unwrap_err();
    for part in ["OPENAI_API_KEY", ".env", SIMULATED] {
        assert!(words.contains(part), "{part}: {words}");
    }
}

#[test]
fn the_simulated_settings_file_sets_what_somebody_reads() {
    let compose = fs::read_to_string(top("docker-compose.yml")).unwrap();
    for name in simulated().keys() {
        let read = compose.contains(&format!("${{{name}"))
            || name.starts_with("COMPOSE_")
            || PROGRAMS.iter().any(|program| is_setting(program, name));
        assert!(read, "{name} in {SIMULATED}: nobody reads it");
    }
}

#[test]
fn ports_are_published_on_loopback_and_lead_to_where_the_programs_listen() {
    let compose = Compose::with(&with_key());
    for name in PROGRAMS {
        for published in list(compose.service(name), "/ports") {
            let published: Vec<&str> = published.as_str().unwrap().split(':').collect();
            let ["127.0.0.1", _, inside] = published[..] else { panic!("{published:?}") };
            assert!(compose.ports(name).contains(&inside.parse().unwrap()), "{name} {inside}");
        }
    }
}

#[test]
fn health_is_asked_by_the_programs_own_subcommand() {
    let compose = Compose::with(&with_key());
    for name in PROGRAMS {
        let test = list(compose.service(name), "/healthcheck/test");
        let [cmd, program, args @ ..] = test else { panic!("{name}: {test:?}") };
        assert_eq!(cmd, "CMD");
        assert_eq!(program.as_str().unwrap(), image::entrypoint(name), "{name}");
        assert_eq!(args[0], "health", "{name}");
        let args = args.iter().map(|arg| arg.as_str().unwrap().to_owned()).collect();
        if name != "openai-sim" {
            Container { program: name.to_owned(), args, env: Variables::new() }.check();
        }
    }
}

#[test]
fn images_are_those_that_the_try_out_on_kubernetes_runs() {
    let compose = Compose::with(&simulated());
    let objects = overlay("try-out");
    for name in PROGRAMS {
        let service = compose.service(name);
        assert_eq!(at(service, "/image"), &workload(&objects, name).spec()["image"]);
        assert_eq!(text(service, "/build/target"), name, "the Dockerfile's stage");
    }
}

#[test]
fn nobody_is_killed_before_its_own_time_to_stop_is_over() {
    let compose = Compose::with(&with_key());
    let granted = |name| {
        let period = text(compose.service(name), "/stop_grace_period");
        humantime::parse_duration(period).unwrap()
    };
    let air = Duration::from_secs(2);
    assert!(granted("supervisor") >= taskfleet_supervisor::SHUTDOWN_BUDGET + air);
    let others =
        taskfleet_worker::SHUTDOWN_BUDGET - taskfleet_worker::Settings::default().shutdown_grace;
    let grace = compose.container("worker").worker().shutdown_grace;
    assert!(granted("worker") >= grace + others + air);
}

#[test]
fn the_store_lies_on_the_volume() {
    let compose = Compose::with(&with_key());
    let store = compose.container("supervisor").supervisor().store;
    let mounts = list(compose.service("supervisor"), "/volumes");
    let (volume, folder) = mounts[0].as_str().unwrap().split_once(':').unwrap();
    assert_eq!(store.parent().unwrap().to_str().unwrap(), folder);
    assert!(at(&Compose::with(&with_key()).0, "/volumes").get(volume).is_some());
}

#[test]
fn containers_have_no_rights_and_what_they_wait_for_exists() {
    let compose = Compose::with(&with_key());
    let services: BTreeSet<&String> =
        at(&compose.0, "/services").as_object().unwrap().keys().collect();
    for name in PROGRAMS {
        let service = compose.service(name);
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["user"], "65532:65532", "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert!(list(service, "/security_opt").contains(&"no-new-privileges:true".into()));
        for awaited in at(service, "/depends_on").as_object().into_iter().flatten() {
            assert!(services.contains(awaited.0), "{name} waits for {}", awaited.0);
        }
    }
}
