//! Messages as JSON, by the rules that protobuf has for it: the same that grpcurl prints.
//! 64-bit numbers are strings there, and need to be: a lease does not fit into a double.

use anyhow::Context;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};

/// The message, whose full name is `taskfleet.v1.{name}`, as JSON on one line.
///
/// # Errors
/// Only when the descriptors do not fit the messages.
pub(crate) fn line<M: Message>(name: &str, message: &M) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&dynamic(name, message)?)?)
}

/// As [`line`], with one field more: which task it is about, where the message does not say.
///
/// # Errors
/// As [`line`].
pub(crate) fn line_with<M: Message>(
    name: &str,
    message: &M,
    field: &str,
    value: &str,
) -> anyhow::Result<String> {
    let mut json = serde_json::to_value(dynamic(name, message)?)?;
    json[field] = value.into();
    Ok(json.to_string())
}

/// The message as JSON over several lines.
///
/// # Errors
/// As [`line`].
pub(crate) fn pretty<M: Message>(name: &str, message: &M) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&dynamic(name, message)?)?)
}

fn dynamic<M: Message>(name: &str, message: &M) -> anyhow::Result<DynamicMessage> {
    let pool = DescriptorPool::decode(taskfleet_proto::DESCRIPTORS)?;
    let descriptor = pool
        .get_message_by_name(&format!("taskfleet.v1.{name}"))
        .with_context(|| format!("there is no message {name}"))?;
    Ok(DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskfleet_proto::v1;

    #[test]
    fn messages_are_written_as_grpcurl_does() {
        let mut task = v1::Task { id: "a".into(), lease: 7, ..v1::Task::default() };
        task.set_state(v1::TaskState::Running);
        let expected = r#"{"id":"a","state":"TASK_STATE_RUNNING","lease":"7"}"#;
        assert_eq!(line("Task", &task).unwrap(), expected);
    }
}
