//! Every method that our services have, from their descriptors: a new one is tried, too.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, MessageDescriptor};

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(taskfleet_proto::DESCRIPTORS).unwrap());

#[derive(Debug, Clone)]
pub(crate) struct Method {
    /// "/package.Service/Method"
    pub(crate) path: String,
    pub(crate) input: MessageDescriptor,
    pub(crate) is_workers: bool,
}

pub(crate) fn methods() -> Vec<Method> {
    let services = POOL.services();
    let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    methods
        .map(|method| {
            let service = method.parent_service().full_name().to_owned();
            Method {
                path: format!("/{service}/{}", method.name()),
                input: method.input(),
                is_workers: ["worker.WorkerService", "taskfleet.v1.WorkerControl"]
                    .contains(&service.as_str()),
            }
        })
        .collect()
}
