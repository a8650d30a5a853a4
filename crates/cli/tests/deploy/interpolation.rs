//! Compose's interpolation: `${NAME}`, `${NAME:-otherwise}`, `${NAME:+then}`, `${NAME:?words}`,
//! one in another.

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) type Variables = BTreeMap<String, String>;

/// Every text of a file, with these variables. What has to be set and is not is an error.
pub(crate) fn interpolated(value: &Value, variables: &Variables) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => expand(text, variables)?.into(),
        Value::Array(items) => {
            items.iter().map(|item| interpolated(item, variables)).collect::<Result<_, _>>()?
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let each =
                fields.map(|(key, value)| Ok((key.clone(), interpolated(value, variables)?)));
            Value::Object(each.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

fn expand(text: &str, variables: &Variables) -> Result<String, String> {
    let Some((before, rest)) = text.split_once("${") else { return Ok(text.to_owned()) };
    let end = closing(rest);
    let inside = inside(&rest[..end], variables)?;
    Ok(format!("{before}{inside}{}", expand(&rest[end + 1..], variables)?))
}

/// Where the brace is closed that was open before.
fn closing(text: &str) -> usize {
    let mut open = 1;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return at;
        }
    }
    panic!("a brace is not closed: {text}")
}

fn inside(text: &str, variables: &Variables) -> Result<String, String> {
    let (name, how) = text.split_once(':').unwrap_or((text, "-"));
    let value = variables.get(name).filter(|value| !value.is_empty());
    match (how.split_at(1), value) {
        (("+", then), Some(_)) => expand(then, variables),
        (("+", _), None) => Ok(String::new()),
        (_, Some(value)) => Ok(value.clone()),
        (("-", otherwise), None) => expand(otherwise, variables),
        (("?", words), None) => Err(format!("{name}: {words}")),
        _ => panic!("teach this test what ${{{text}}} means"),
    }
}
