//! Tenants take turns: who was served longest ago comes first.

use std::{collections::HashMap, sync::Arc};

/// A tenant that was not served within so many turns is taken for one that was served then.
/// So a newcomer goes before all that were served lately, but a stream of newcomers without
/// end cannot keep out those that wait; and nobody has to be remembered longer than this.
const LOOKBACK: u64 = 1_024;

type Tenant = (i32, Arc<str>);

/// When each tenant was last served at each priority, in turns.
#[derive(Debug)]
pub(super) struct Turns {
    now: u64,
    tenants: HashMap<Tenant, Turn>,
    /// Those that need not be remembered are forgotten when there are so many.
    forget_at: usize,
}

#[derive(Debug, Default)]
struct Turn {
    last: u64,
    /// Tasks that are held.
    waiting: usize,
}

impl Default for Turns {
    fn default() -> Self {
        Self { now: LOOKBACK, tenants: HashMap::new(), forget_at: 4_096 }
    }
}

impl Turns {
    /// A task of this tenant waits; answers with the tenant's place among the others, the
    /// least first. It stays until the tenant is served.
    pub(super) fn wait(&mut self, priority: i32, tenant: &Arc<str>) -> u64 {
        self.forget();
        let turn = self.tenants.entry((priority, tenant.clone())).or_default();
        if turn.waiting == 0 {
            self.now += 1;
            turn.last = turn.last.max(self.now - LOOKBACK);
        }
        turn.waiting += 1;
        turn.last
    }

    /// A task of this tenant does not wait any more.
    pub(super) fn leave(&mut self, priority: i32, tenant: &Arc<str>) {
        if let Some(turn) = self.tenants.get_mut(&(priority, tenant.clone())) {
            turn.waiting = turn.waiting.saturating_sub(1);
        }
    }

    /// The tenant's place.
    pub(super) fn place(&self, priority: i32, tenant: &Arc<str>) -> u64 {
        self.tenants.get(&(priority, tenant.clone())).map_or(0, |turn| turn.last)
    }

    /// The tenant was served: its place, before and now.
    pub(super) fn serve(&mut self, priority: i32, tenant: &Arc<str>) -> (u64, u64) {
        self.forget();
        self.now += 1;
        let turn = self.tenants.entry((priority, tenant.clone())).or_default();
        (std::mem::replace(&mut turn.last, self.now), self.now)
    }

    fn forget(&mut self) {
        if self.tenants.len() < self.forget_at {
            return;
        }
        let old = self.now - LOOKBACK;
        self.tenants.retain(|_, turn| turn.waiting > 0 || turn.last > old);
        self.forget_at = self.tenants.len() * 2 + 4_096;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_newcomers_keeps_nobody_out_for_ever() {
        let mut turns = Turns::default();
        let old: Arc<str> = "old".into();
        turns.wait(0, &old);
        let (_, place) = turns.serve(0, &old);
        let newcomers = (0..2_000).map(|n| Arc::<str>::from(n.to_string()));
        let before = newcomers.filter(|name| turns.wait(0, name) < place).count();
        assert!((1_000..=1_024).contains(&before), "{before} of 2,000 went before it");
    }

    #[test]
    fn those_that_need_not_be_remembered_are_forgotten() {
        let mut turns = Turns::default();
        for n in 0..100_000 {
            turns.serve(0, &n.to_string().into());
        }
        assert!(turns.tenants.len() < 10_000);
    }
}
