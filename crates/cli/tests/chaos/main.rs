//! What the chaos run plans and how it judges, by made-up histories: a run that held every
//! promise proves something only if one that broke it would have failed.

#![cfg(test)]

#[expect(dead_code, reason = "the run uses the rest")]
#[path = "../../benches/chaos"]
mod chaos {
    pub(crate) mod delays;
    pub(crate) mod history;
    pub(crate) mod judge;
    pub(crate) mod kind;
    pub(crate) mod plan;
    pub(crate) mod shape;
}

mod attribution;
mod delays;
mod made_up;
mod outcomes;
mod plan;
mod shape;
