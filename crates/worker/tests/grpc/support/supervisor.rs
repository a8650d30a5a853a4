//! A supervisor made of bare clients.

use taskfleet_core::StoreId;
use taskfleet_proto::{
    v1::{
        AdoptRequest, AdoptResponse, Caller, CancelRequest, SetDrainedRequest, SettleRequest,
        Settlement, Verdict, worker_control_client::WorkerControlClient,
    },
    worker::{TaskRequest, worker_service_client::WorkerServiceClient},
};
use taskfleet_runtime::transport::MAX_MESSAGE_BYTES;
use tonic::{Status, transport::Channel};

use super::{Messages, Rig, task};

#[derive(Clone)]
pub(crate) struct Supervisor {
    caller: Caller,
    boot_id: String,
    work: WorkerServiceClient<Channel>,
    control: WorkerControlClient<Channel>,
}

impl Supervisor {
    pub(crate) async fn new(rig: &Rig, store: StoreId, epoch: u64) -> Self {
        let link = rig.link().await;
        Self {
            caller: Caller { store_id: store.to_string(), supervisor_id: String::new(), epoch },
            boot_id: rig.boot_id.clone(),
            work: WorkerServiceClient::new(link.channel())
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(MAX_MESSAGE_BYTES),
            control: WorkerControlClient::new(link.channel()),
        }
    }

    pub(crate) async fn adopt(&mut self) -> Result<AdoptResponse, Status> {
        let boot_id = self.boot_id.clone();
        let request = AdoptRequest { caller: Some(self.caller.clone()), boot_id };
        Ok(self.control.adopt(request).await?.into_inner())
    }

    /// The supervisor of another store adopts the process `boot_id`; empty: any.
    pub(crate) async fn adopt_as(
        &mut self,
        store: StoreId,
        boot_id: &str,
    ) -> Result<AdoptResponse, Status> {
        let caller = Some(Caller { store_id: store.to_string(), ..self.caller.clone() });
        let request = AdoptRequest { caller, boot_id: boot_id.to_owned() };
        Ok(self.control.adopt(request).await?.into_inner())
    }

    pub(crate) async fn set_drained(&mut self, drained: bool) -> Result<(), Status> {
        let request = SetDrainedRequest { caller: Some(self.caller.clone()), drained };
        self.control.set_drained(request).await.map(drop)
    }

    /// A request for a lease of a task, as this supervisor makes it.
    pub(crate) fn request(&self, number: u8, lease: u64, content: &str) -> TaskRequest {
        TaskRequest {
            task_id: task(number),
            content: content.into(),
            store_id: self.caller.store_id.clone(),
            epoch: self.caller.epoch,
            boot_id: self.boot_id.clone(),
            lease,
            ..TaskRequest::default()
        }
    }

    pub(crate) fn attach(&self, number: u8, lease: u64, from_offset: u64) -> TaskRequest {
        TaskRequest { attach_only: true, from_offset, ..self.request(number, lease, "") }
    }

    pub(crate) async fn send(&self, request: TaskRequest) -> Result<Messages, Status> {
        let mut client = self.work.clone();
        Ok(Messages::new(client.process_task(request).await?.into_inner()))
    }

    /// Starts a lease of a task.
    pub(crate) async fn start(&self, number: u8, lease: u64, content: &str) -> Messages {
        self.send(self.request(number, lease, content)).await.unwrap()
    }

    pub(crate) async fn settle(
        &mut self,
        number: u8,
        lease: u64,
        verdict: Verdict,
    ) -> Result<(), Status> {
        let settlement = Settlement { task_id: task(number), lease, verdict: verdict.into() };
        let request =
            SettleRequest { caller: Some(self.caller.clone()), settlements: vec![settlement] };
        self.control.settle(request).await.map(drop)
    }

    /// True when it ran.
    pub(crate) async fn cancel(&mut self, number: u8, lease: u64) -> Result<bool, Status> {
        let caller = Some(self.caller.clone());
        let request = CancelRequest { caller, task_id: task(number), lease };
        Ok(self.control.cancel(request).await?.into_inner().was_running)
    }
}
