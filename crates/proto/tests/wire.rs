//! The wire may grow, but what stands on it never changes: every service, method, field
//! name, type and number, enum value and number is compared with `wire.txt`.
//!
//! After adding to the .proto files, run the test with `UPDATE_WIRE=1` and read the
//! difference: lines may be added, none may change or go.

#![cfg(test)]

use std::{fmt::Write, fs, path::Path};

use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto, field_descriptor_proto::Label,
};

#[test]
fn the_wire_is_as_it_was_published() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire.txt");
    let now = describe_all();
    if std::env::var_os("UPDATE_WIRE").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap();
    for line in published.lines() {
        assert!(now.lines().any(|known| known == line), "gone or changed: {line}");
    }
    for line in now.lines() {
        let known = published.lines().any(|known| known == line);
        assert!(known, "new, so far unpublished (UPDATE_WIRE=1 adds it): {line}");
    }
}

#[test]
fn the_published_part_of_the_worker_contract_stands() {
    let wire = describe_all();
    for line in [
        "worker.WorkerService.ProcessTask: worker.TaskRequest -> stream worker.TaskResponse",
        "worker.TaskRequest.task_id = 1: string",
        "worker.TaskRequest.content = 2: string",
        "worker.TaskRequest.api_key = 3: string",
        "worker.TaskResponse.task_id = 1: string",
        "worker.TaskResponse.result = 2: string",
        "worker.TaskResponse.error = 3: string",
        "worker.TaskResponse.status = 4: worker.WorkerStatus",
        "worker.WorkerStatus.UNKNOWN = 0",
        "worker.WorkerStatus.PROCESSING = 1",
        "worker.WorkerStatus.COMPLETED = 2",
        "worker.WorkerStatus.FAILED = 3",
    ] {
        assert!(wire.lines().any(|known| known == line), "gone or changed: {line}");
    }
}

fn describe_all() -> String {
    let set = FileDescriptorSet::decode(taskfleet_proto::DESCRIPTORS).unwrap();
    let mut out = String::new();
    for file in set.file.iter().filter(|file| !file.package().starts_with("google.")) {
        describe_file(file, &mut out);
    }
    out
}

fn describe_file(file: &FileDescriptorProto, out: &mut String) {
    let package = file.package();
    file.service.iter().for_each(|service| describe_service(package, service, out));
    file.message_type.iter().for_each(|message| describe_message(package, message, out));
    file.enum_type.iter().for_each(|values| describe_enum(package, values, out));
}

fn describe_service(package: &str, service: &ServiceDescriptorProto, out: &mut String) {
    let side = |name: &str, streams: bool| {
        let stream = if streams { "stream " } else { "" };
        format!("{stream}{}", name.trim_start_matches('.'))
    };
    for method in &service.method {
        let takes = side(method.input_type(), method.client_streaming());
        let gives = side(method.output_type(), method.server_streaming());
        let name = format!("{package}.{}.{}", service.name(), method.name());
        writeln!(out, "{name}: {takes} -> {gives}").unwrap();
    }
}

fn describe_message(parent: &str, message: &DescriptorProto, out: &mut String) {
    let name = format!("{parent}.{}", message.name());
    for field in &message.field {
        let (field_name, number) = (field.name(), field.number());
        writeln!(out, "{name}.{field_name} = {number}: {}", type_of(field)).unwrap();
    }
    message.nested_type.iter().for_each(|nested| describe_message(&name, nested, out));
    message.enum_type.iter().for_each(|values| describe_enum(&name, values, out));
}

fn describe_enum(parent: &str, values: &EnumDescriptorProto, out: &mut String) {
    for value in &values.value {
        writeln!(out, "{parent}.{}.{} = {}", values.name(), value.name(), value.number()).unwrap();
    }
}

fn type_of(field: &FieldDescriptorProto) -> String {
    let name = if field.type_name().is_empty() {
        field.r#type().as_str_name().trim_start_matches("TYPE_").to_lowercase()
    } else {
        field.type_name().trim_start_matches('.').to_owned()
    };
    match field.label() {
        Label::Repeated => format!("repeated {name}"),
        _ if field.proto3_optional() => format!("optional {name}"),
        _ => name,
    }
}
