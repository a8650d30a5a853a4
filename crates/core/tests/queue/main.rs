//! Which waiting task goes to which worker: what holds whatever waits and whoever is there,
//! and though the queue holds only a little of what waits.

#[cfg(test)]
mod decision;
#[cfg(test)]
mod draft;
#[cfg(test)]
mod store;
#[cfg(test)]
mod window;
