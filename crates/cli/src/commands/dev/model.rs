//! Who answers: the environment says.

/// Where the workers of this fleet send their calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// No key and no endpoint: a simulated API on this machine.
    Simulated,
    /// An endpoint and no key: many local servers want none, yet the client library wants one.
    Keyless,
    /// The key, and the endpoint if there is one, are in the environment.
    Configured,
}

impl Model {
    /// What OPENAI_API_KEY and OPENAI_BASE_URL ask for; empty counts as unset.
    pub(super) fn from_environment() -> Self {
        Self::of(is_set("OPENAI_API_KEY"), is_set("OPENAI_BASE_URL"))
    }

    fn of(key: bool, base_url: bool) -> Self {
        match (key, base_url) {
            (true, _) => Self::Configured,
            (false, true) => Self::Keyless,
            (false, false) => Self::Simulated,
        }
    }

    /// What a person should know of it.
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Simulated => {
                "no OPENAI_API_KEY and no OPENAI_BASE_URL: answers come from a simulated model"
            }
            Self::Keyless => "answers come from OPENAI_BASE_URL, without a key",
            Self::Configured if is_set("OPENAI_BASE_URL") => "answers come from OPENAI_BASE_URL",
            Self::Configured => "answers come from the OpenAI API",
        }
    }

    /// The variables that the workers need beside those of the environment.
    pub(super) fn variables(self, sim: Option<&str>) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        if self != Self::Configured {
            variables.push(("OPENAI_API_KEY", "none".to_owned()));
        }
        if let Some(sim) = sim {
            variables.push(("OPENAI_BASE_URL", format!("http://{sim}/v1")));
            variables.push(("OPENAI_MODEL", "simulated".to_owned()));
        }
        variables
    }
}

/// Whether a variable is there and says something.
pub(super) fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_without_key_and_endpoint_the_model_is_simulated() {
        assert_eq!(Model::of(false, false), Model::Simulated);
        assert_eq!(Model::of(false, true), Model::Keyless);
        assert_eq!(Model::of(true, false), Model::Configured);
    }
}
