//! What makes this crate somebody else's: none of our code, and the messages as published.

#![cfg(test)]

use std::process::Command;

use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

#[test]
fn none_of_our_crates_is_in_its_dependency_tree() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let tree = Command::new(cargo)
        .args(["tree", "--package", "published", "--offline", "--locked", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    // Only crates of this workspace are named with the folder where they lie.
    let ours: Vec<&str> = tree.lines().filter(|line| line.contains("(/")).collect();
    assert_eq!(ours.len(), 1, "it is itself ours, and depends on none of ours: {ours:?}");
    assert!(ours[0].starts_with("published "), "{ours:?}");
    assert!(tree.lines().count() > 20, "the tree was walked");
}

fn worker_proto(folder: &str) -> FileDescriptorProto {
    let root = format!("{}/../../proto/{folder}", env!("CARGO_MANIFEST_DIR"));
    let files = protox::compile(["worker.proto"], [root]).unwrap();
    files.file.into_iter().find(|file| file.name() == "worker.proto").unwrap()
}

/// Name, number, type and cardinality: all that others rely on.
fn shape(field: &FieldDescriptorProto) -> (String, i32, i32, i32) {
    let numbers = (field.number(), field.r#type() as i32, field.label() as i32);
    (field.name().to_owned(), numbers.0, numbers.1, numbers.2)
}

#[test]
fn what_was_published_stands_unchanged_in_todays_messages() {
    let (published, today) = (worker_proto("published"), worker_proto(""));
    assert_eq!(published.package(), today.package());
    let named = |file: &FileDescriptorProto, name: &str| -> DescriptorProto {
        file.message_type.iter().find(|message| message.name() == name).unwrap().clone()
    };
    for message in &published.message_type {
        let now = named(&today, message.name());
        for field in &message.field {
            assert!(now.field.iter().any(|known| shape(known) == shape(field)), "{field:?}");
        }
    }
    let status = |file: &FileDescriptorProto| {
        let found = file.enum_type.iter().find(|kind| kind.name() == "WorkerStatus").unwrap();
        found.value.iter().map(|v| (v.name().to_owned(), v.number())).collect::<Vec<_>>()
    };
    assert_eq!(status(&published), status(&today));
    assert_eq!(published.service[0].name(), today.service[0].name());
    let (then, now) = (&published.service[0].method[0], &today.service[0].method[0]);
    assert_eq!(then.name(), now.name());
    assert_eq!((then.input_type(), then.output_type()), (now.input_type(), now.output_type()));
    assert_eq!(
        (then.client_streaming(), then.server_streaming()),
        (now.client_streaming(), now.server_streaming())
    );
}
