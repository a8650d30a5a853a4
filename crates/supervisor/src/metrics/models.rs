//! Models as labels. Their names come from outside, so there is no end to them.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use taskfleet_runtime::trace;

/// Models that are counted by their names; all further ones are "other".
const NAMED: usize = 64;

/// The names that have been seen.
#[derive(Default)]
pub(super) struct Models {
    seen: Mutex<HashSet<String>>,
}

impl Models {
    /// The label for a model; empty: the worker did not say.
    pub(super) fn label(&self, served: &str) -> String {
        let name = trace::name(served);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&name) {
            return name;
        }
        if seen.len() >= NAMED {
            return "other".to_owned();
        }
        seen.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_names_ever_new_models_makes_no_more_labels_than_there_is_room_for() {
        let models = Models::default();
        let labels: HashSet<String> =
            (0..1_000).map(|n| models.label(&format!("model-{n}"))).collect();
        assert_eq!(labels.len(), NAMED + 1);
        assert!(labels.contains("other") && labels.contains("model-0"));
        assert_eq!(models.label("model-0"), "model-0", "who has a name keeps it");
        assert_eq!(models.label("words of a prompt"), "other");
    }
}
