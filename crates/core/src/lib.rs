//! The rules of taskfleet as pure code.
//!
//! Nothing here waits, sends, stores or looks at a clock: `now` and randomness are
//! arguments. The services and the store call these functions and do what they say, so
//! the rules can be tested against crashes, delays and reorderings in milliseconds.
//!
//! - [`machine`]: the one `match` that decides every change of a task's state;
//! - [`lease`]: the numbers that fence executions;
//! - [`failure`]: what went wrong, and what follows from it;
//! - [`retry`]: how long to wait before the next try;
//! - [`demand`]: what a task demands of a worker;
//! - [`placement`], [`queue`]: which task goes to which worker, and in which order;
//! - [`conduct`]: which worker gets nothing for a while;
//! - [`account`]: who pays for a call, without showing a key;
//! - [`execution`]: what a worker runs and holds;
//! - [`adoption`]: what a supervisor does about what a worker holds;
//! - [`text`]: the text of an execution and who has seen how much of it;
//! - [`words`]: words of others without the keys in them.

pub mod account;
pub mod adoption;
pub mod conduct;
pub mod demand;
pub mod digest;
pub mod execution;
pub mod failure;
pub mod id;
pub mod lease;
pub mod limits;
pub mod machine;
pub mod outcome;
pub mod placement;
pub mod queue;
pub mod retry;
pub mod task;
pub mod text;
pub mod time;
pub mod words;

pub use id::{BootId, InvalidId, RegistrationId, StoreId, SupervisorId, TaskId};
pub use lease::{Epoch, Lease};
pub use time::{Instant, Timestamp};
