//! Messages of any type with values that mean something to somebody, chosen by bytes.

use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
    prost::Message,
};

use crate::services::{BOOT, TASK};

/// Messages within messages.
const DEPTH: usize = 3;

const TEXTS: [&str; 20] = [
    "",
    "x",
    "hello [sim:ok]",
    TASK,
    BOOT,
    "0190b6f0-7f3c-7c3a-9d5e-2f6a1c0b4e21",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "127.0.0.1:1",
    ":0",
    "[::1",
    "{}",
    r#"{"stream": true}"#,
    r#"{"model": 7, "messages": {}}"#,
    "/v1/chat/completions",
    "/v1/embeddings",
    "o1:0",
    "t1:ffffffffffffffff:ffffffffffffffff:-",
    "p1:ffffffff-ffff-ffff-ffff-ffffffffffff:0",
    "\0🦀\u{202e}",
    "leases",
];

const NUMBERS: [u64; 10] =
    [0, 1, 2, 3, 1_000, 10_001, 1 << 24, u32::MAX as u64, i64::MAX as u64, u64::MAX];

/// Bytes as choices; when they are used up, the first of everything.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % count
    }

    fn number(&mut self) -> u64 {
        NUMBERS[self.below(NUMBERS.len())]
    }

    fn text(&mut self) -> String {
        match self.below(TEXTS.len() + 2) {
            0 => "x".repeat(300),
            1 => {
                char::from_u32(u32::from(self.0.next().copied().unwrap_or(0))).into_iter().collect()
            }
            nth => TEXTS[nth - 2].to_owned(),
        }
    }
}

pub(crate) fn message(of: &MessageDescriptor, choices: &[u8]) -> Vec<u8> {
    filled(of, &mut Choices(choices.iter()), DEPTH).encode_to_vec()
}

fn filled(of: &MessageDescriptor, choices: &mut Choices<'_>, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for field in of.fields() {
        if choices.below(2) == 1 {
            let value = value(&field, choices, depth);
            message.set_field(&field, value);
        }
    }
    message
}

fn value(field: &FieldDescriptor, choices: &mut Choices<'_>, depth: usize) -> Value {
    if field.is_map() {
        let key = MapKey::String(choices.text());
        return Value::Map([(key, Value::String(choices.text()))].into());
    }
    if field.cardinality() == Cardinality::Repeated {
        let count = choices.below(4);
        return Value::List((0..count).map(|_| single(&field.kind(), choices, depth)).collect());
    }
    single(&field.kind(), choices, depth)
}

#[expect(clippy::cast_possible_truncation, reason = "any number will do")]
fn single(kind: &Kind, choices: &mut Choices<'_>, depth: usize) -> Value {
    match kind {
        Kind::Message(of) if depth == 0 => Value::Message(DynamicMessage::new(of.clone())),
        Kind::Message(of) => Value::Message(filled(of, choices, depth - 1)),
        Kind::String => Value::String(choices.text()),
        Kind::Bytes => Value::Bytes(choices.text().into_bytes().into()),
        Kind::Bool => Value::Bool(choices.below(2) == 1),
        Kind::Enum(_) => Value::EnumNumber(choices.number() as i32),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(choices.number() as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(choices.number().cast_signed()),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(choices.number() as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(choices.number()),
        Kind::Float => Value::F32(0.5),
        Kind::Double => Value::F64(f64::NAN),
    }
}
