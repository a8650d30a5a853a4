//! How many executions are started in one go.

/// Between two times that others come to their turn.
const IN_ONE_GO: u32 = 32;

/// Lets others come to their turn while very many executions are started: each is a background
/// task with work of its own to do at once, and whoever calls meanwhile, perhaps with a single
/// task, would stand behind all of them.
#[derive(Default)]
pub(crate) struct Pace {
    steps: u32,
}

impl Pace {
    /// Before each start.
    pub(crate) async fn step(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(IN_ONE_GO) {
            tokio::task::yield_now().await;
        }
    }
}
