//! How a worker becomes a member: by registering, or because its address is listed.

use std::sync::Arc;

use taskfleet_core::{BootId, RegistrationId};
use taskfleet_proto::feature;
use taskfleet_runtime::transport::Link;
use tokio::sync::oneshot;

use super::{
    Description, Member, Registrant,
    connection::MAX_REQUEST_BYTES,
    dial::{self, DialError, Peer},
    post::{self, Answer, Post},
    serving,
};
use crate::{
    engine::Engine,
    settings::{DIAL_TIMEOUT, StaticWorker},
};

/// A worker that was let in.
pub(crate) struct Joined {
    pub(crate) registration: RegistrationId,
    /// It knows leases and WorkerControl, not just the published messages.
    pub(crate) speaks_all: bool,
}

impl Engine {
    /// A worker asks to join, or somebody does so for it: it is dialled back, and what it
    /// holds is adopted. Without a `boot_id` whoever answers at the address is meant.
    ///
    /// # Errors
    /// When the address does not lead to the worker that is meant.
    pub(crate) async fn join(
        self: &Arc<Self>,
        boot_id: Option<BootId>,
        description: Description,
    ) -> Result<Joined, DialError> {
        let joined = match boot_id {
            Some(boot_id) => self.join_process(boot_id, description.clone()).await,
            None => Err(DialError::PublishedOnly),
        };
        let leases = description.features.iter().any(|known| known == feature::LEASES);
        let registrant = match joined {
            // Who announces leases and serves none is not who answers at the address.
            Err(DialError::PublishedOnly) if !(leases && boot_id.is_some()) => {
                self.join_whoever_answers(description).await?
            }
            joined => Registrant::Process(joined?),
        };
        let registration = RegistrationId::from_random(self.entropy.bytes());
        let speaks_all = matches!(registrant, Registrant::Process(_));
        self.fleet.remember(registration, registrant);
        Ok(Joined { registration, speaks_all })
    }

    async fn join_process(
        self: &Arc<Self>,
        boot_id: BootId,
        description: Description,
    ) -> Result<BootId, DialError> {
        let member = self.take_over(boot_id, description).await?;
        member.offer(self);
        self.fleet.joined.notify_waiters();
        tracing::info!(worker = member.name(), %boot_id, "worker joined");
        Ok(boot_id)
    }

    async fn join_whoever_answers(
        self: &Arc<Self>,
        description: Description,
    ) -> Result<Registrant, DialError> {
        if let Some(post) = self.fleet.post(&description.address)
            && post.member().is_some_and(|member| member.is_published_only())
        {
            let trust = description.trust;
            post.describe(self, description);
            return Ok(Registrant::Address(post, trust));
        }
        match dial::meet(self, &description.address).await? {
            Peer::Process(boot_id) => {
                self.join_process(boot_id, description).await.map(Registrant::Process)
            }
            Peer::PublishedOnly(link) => {
                let trust = description.trust;
                let post = self.stand(description.clone(), false, Some(link));
                // What answered is taken in at once; the bound is for a process that stops.
                let answer = tokio::time::timeout(DIAL_TIMEOUT, post.answered()).await;
                match answer {
                    Ok(Answer::Up(_)) => {
                        // Another connection may have been made meanwhile.
                        post.describe(self, description);
                        Ok(Registrant::Address(post, trust))
                    }
                    _ => Err(DialError::Silent),
                }
            }
        }
    }

    /// Keeps an address dialled from now on, if it is not already.
    fn stand(
        self: &Arc<Self>,
        description: Description,
        is_static: bool,
        found: Option<Link>,
    ) -> Arc<Post> {
        let (post, is_new) = self.fleet.post_at(&description, is_static);
        if let Some(link) = found {
            post.expect(link, description.clone());
        }
        if is_new {
            self.tasks.spawn(post::keep(self.clone(), post.clone()));
        } else {
            post.describe(self, description);
        }
        post
    }

    /// Dials a worker that the settings list, for ever.
    pub(crate) fn stand_static(self: &Arc<Self>, listed: &StaticWorker) {
        let description = Description {
            name: listed.address.clone(),
            address: listed.address.clone(),
            slots: listed.slots,
            max_request_bytes: MAX_REQUEST_BYTES,
            registered_at: self.time.now(),
            ..Description::default()
        };
        self.stand(description, true, None);
    }

    /// A process that answers at a listed address. If it has registered too, what it said of
    /// itself holds; if not, it knows what every worker knows that has WorkerControl.
    pub(super) async fn take_in_listed(
        self: &Arc<Self>,
        boot_id: BootId,
        mut description: Description,
    ) -> Result<Arc<Member>, DialError> {
        description.registered = false;
        if description.features.is_empty() {
            description.features = feature::ALL.map(str::to_owned).to_vec();
        }
        let member = self.take_over(boot_id, description).await?;
        member.offer(self);
        Ok(member)
    }

    /// The member of a process, reachable at the address that `description` tells.
    async fn take_over(
        self: &Arc<Self>,
        boot_id: BootId,
        description: Description,
    ) -> Result<Arc<Member>, DialError> {
        let (member, fresh) = self.fleet.enter(boot_id, &description);
        // Before it is dialled: whoever finds it at a listed address sees that it registered.
        if description.registered {
            member.describe(description);
        } else {
            member.describe_as_listed(description);
        }
        if let Some(settlements) = fresh {
            // In a task of its own: a worker that gives up waiting for the answer must not
            // leave a member behind that nobody dials.
            let (answer, answered) = oneshot::channel();
            self.tasks.spawn(serving::welcome(self.clone(), member.clone(), settlements, answer));
            answered.await.unwrap_or(Err(DialError::Silent))?;
        } else {
            member.redial_now();
            member.wait_up().await?;
        }
        Ok(member)
    }
}
