//! `Debug` for messages that carry secrets: ids, states and sizes, never the content.

use std::fmt;

use crate::{v1, worker};

/// `redacted!(Type: shown fields; sized fields)`.
macro_rules! redacted {
    ($type:path: $($shown:ident),*; $($sized:ident),*) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type))
                    $(.field(stringify!($shown), &self.$shown))*
                    $(.field(concat!(stringify!($sized), "_bytes"), &self.$sized.len()))*
                    .finish_non_exhaustive()
            }
        }
    };
}

redacted!(worker::TaskRequest: task_id, lease, epoch, attach_only, from_offset, requires; content);
redacted!(worker::TaskResponse: task_id, status, lease, sequence, offset, outcome; result, delta);
redacted!(worker::ApiRequest: endpoint; body);
redacted!(worker::Outcome: disposition, kind, delivery, http_status, provider_request_id; body);
redacted!(v1::TaskSpec: model, group, tenant, priority; content);
redacted!(v1::HttpRequest: endpoint; body);
redacted!(v1::TaskResult: kind, http_status, truncated, size_bytes; text, body);
redacted!(v1::Attempt: lease, worker, end, kind, possibly_paid;);
redacted!(v1::GetResultResponse: offset, size_bytes; chunk);
redacted!(v1::TextDelta: lease, offset; text);
redacted!(v1::TextSnapshot: lease; text);
redacted!(v1::RegisterRequest: name, address, boot_id, slots;);
redacted!(v1::LocalProcess: store_id, number, pid;);
