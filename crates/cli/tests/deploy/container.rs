//! A container of ours, whatever starts it: which program, with which arguments and variables;
//! and whether the program takes them.

use std::{collections::BTreeMap, net::SocketAddr};

use clap::{CommandFactory, Parser};
use taskfleet_runtime::{
    health::probe,
    process,
    settings::{OWN_VARIABLES, Section, fields, load_from},
    telemetry,
};
use taskfleet_worker::ApiSettings;

/// What a variable that comes out of a secret is taken for.
pub(crate) const SECRET: &str = "out-of-a-secret";
/// The address that a pod would have.
pub(crate) const POD_IP: &str = "10.1.2.3";

/// Our programs that run in containers, by the names of their components.
pub(crate) const PROGRAMS: [&str; 3] = ["supervisor", "worker", "openai-sim"];

pub(crate) struct Container {
    /// One of [`PROGRAMS`].
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
}

#[derive(Debug, Parser)]
pub(crate) struct SimFlags {
    #[command(flatten)]
    pub(crate) settings: openai_sim::Settings,
}

/// What the services' programs take.
#[derive(Debug, Parser)]
struct ServiceFlags {
    #[command(flatten)]
    _run: process::Options,
    #[command(subcommand)]
    _command: Option<probe::Command>,
}

impl Container {
    /// What the supervisor reads of it. Unknown names and values that do not fit are errors.
    pub(crate) fn supervisor(&self) -> taskfleet_supervisor::Settings {
        let settings: taskfleet_supervisor::Settings = self.load();
        settings.check().unwrap_or_else(|error| panic!("{}: {error}", self.program));
        settings
    }

    /// The same for a worker.
    pub(crate) fn worker(&self) -> taskfleet_worker::Settings {
        let settings: taskfleet_worker::Settings = self.load();
        settings.check().unwrap_or_else(|error| panic!("{}: {error}", self.program));
        settings
    }

    /// The same for the simulated API.
    pub(crate) fn sim(&self) -> openai_sim::Settings {
        let flags = SimFlags::command();
        let variables = flags.get_arguments().filter_map(|flag| {
            let value = self.env.get(flag.get_env()?.to_str()?)?;
            Some(format!("--{}={value}", flag.get_long()?))
        });
        let words = ["openai-sim".to_owned()].into_iter().chain(variables).chain(self.args.clone());
        SimFlags::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).settings
    }

    /// Where it listens.
    pub(crate) fn listens(&self) -> Vec<SocketAddr> {
        match self.program.as_str() {
            "supervisor" => {
                let settings = self.supervisor();
                vec![settings.grpc_listen, settings.http_listen]
            }
            "worker" => vec![self.worker().grpc_listen, self.worker().http_listen],
            _ => vec![self.sim().listen],
        }
    }

    fn load<T: Section>(&self) -> T {
        load_from(None, self.env.clone().into_iter().collect())
            .unwrap_or_else(|error| panic!("the {}'s environment: {error}", self.program))
    }

    /// The API that a worker calls: host and port.
    pub(crate) fn model_api(&self) -> (String, u16) {
        let built_in = ApiSettings::default().base_url;
        let url = self.env.get("OPENAI_BASE_URL").filter(|url| !url.is_empty());
        let url: reqwest::Url = url.unwrap_or(&built_in).parse().unwrap();
        (url.host_str().unwrap().to_owned(), url.port_or_known_default().unwrap())
    }

    /// Whether the program reads every variable, and takes its arguments.
    pub(crate) fn check(&self) {
        match self.program.as_str() {
            "openai-sim" => drop(self.sim()),
            // Each service refuses what it does not know of its own section only.
            _ => drop((self.supervisor(), self.worker(), self.check_args())),
        }
        for name in self.env.keys() {
            assert!(self.reads(name), "{name} is set for the {}: nobody reads it", self.program);
        }
    }

    fn check_args(&self) {
        let words = [&self.program].into_iter().chain(&self.args);
        ServiceFlags::try_parse_from(words).unwrap_or_else(|e| panic!("{}: {e}", self.program));
    }

    fn reads(&self, name: &str) -> bool {
        if self.program == "openai-sim" {
            let flags = SimFlags::command();
            return flags.get_arguments().any(|flag| flag.get_env() == Some(name.as_ref()));
        }
        is_setting(&self.program, name)
            || OWN_VARIABLES.contains(&name)
            || ApiSettings::VARIABLES.contains(&name)
            || telemetry::VARIABLES.contains(&name)
            || name == "RUST_LOG"
    }
}

/// Whether it is a setting of that service.
pub(crate) fn is_setting(program: &str, name: &str) -> bool {
    let keys = match program {
        "supervisor" => fields::<taskfleet_supervisor::Settings>(),
        "worker" => fields::<taskfleet_worker::Settings>(),
        _ => &[],
    };
    let section = format!("TASKFLEET_{}__", program.to_uppercase());
    let key = name.strip_prefix(&section).map(str::to_lowercase);
    key.is_some_and(|key| keys.contains(&key.as_str()))
}
