//! What an answer says that it cost.

use serde_json::{Map, Value, value::RawValue};
use taskfleet_core::outcome::Usage;

/// The usage in this JSON, by whichever names the endpoint has for it; what a server leaves out
/// is 0. One that cannot be read must not lose the answer that it came with.
pub(super) fn read(json: Option<&RawValue>) -> Option<Usage> {
    let wire: Map<String, Value> = serde_json::from_str(json?.get()).ok()?;
    let input = first(&wire, ["prompt_tokens", "input_tokens"], count);
    let output = first(&wire, ["completion_tokens", "output_tokens"], count);
    let total = wire.get("total_tokens").and_then(count);
    // Nothing known is no usage, rather than one that was free.
    input.or(output).or(total)?;
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let of_input = first(&wire, ["prompt_tokens_details", "input_tokens_details"], details);
    let of_output = first(&wire, ["completion_tokens_details", "output_tokens_details"], details);
    let detail = |details: Option<&Map<String, Value>>, name: &str| {
        details.and_then(|details| details.get(name)).and_then(count).unwrap_or(0)
    };
    Some(Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: total.unwrap_or(input.saturating_add(output)),
        cached_input_tokens: detail(of_input, "cached_tokens"),
        reasoning_tokens: detail(of_output, "reasoning_tokens"),
    })
}

fn first<'a, T>(
    wire: &'a Map<String, Value>,
    names: [&str; 2],
    read: impl Fn(&'a Value) -> Option<T>,
) -> Option<T> {
    names.into_iter().find_map(|name| wire.get(name).and_then(&read))
}

fn details(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object()
}

/// A number of tokens; some servers write whole numbers as 12.0.
fn count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|number| (0.0..1e15).contains(number))?;
        format!("{number:.0}").parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(json: &str) -> Option<Usage> {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        read(Some(raw))
    }

    #[test]
    fn each_endpoint_has_names_of_its_own_for_the_same() {
        let chat = r#"{"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 1}}"#;
        let responses = r#"{"input_tokens": 5, "output_tokens": 2, "total_tokens": 7,
            "input_tokens_details": {"cached_tokens": 3},
            "output_tokens_details": {"reasoning_tokens": 1}}"#;
        let expected = Usage {
            input_tokens: 5,
            output_tokens: 2,
            total_tokens: 7,
            cached_input_tokens: 3,
            reasoning_tokens: 1,
        };
        assert_eq!(usage(chat), Some(expected));
        assert_eq!(usage(responses), Some(expected));
        let embeddings = usage(r#"{"prompt_tokens": 5, "total_tokens": 5}"#).unwrap();
        assert_eq!((embeddings.input_tokens, embeddings.output_tokens), (5, 0));
    }

    #[test]
    fn what_is_odd_is_left_out() {
        let odd = usage(
            r#"{"prompt_tokens": 5.0, "completion_tokens": -1,
            "prompt_tokens_details": "none", "completion_tokens_details": null}"#,
        );
        let odd = odd.unwrap();
        assert_eq!((odd.input_tokens, odd.output_tokens, odd.total_tokens), (5, 0, 5));
        for nothing in ["null", "{}", "[]", r#""free""#, r#"{"prompt_tokens": "5"}"#] {
            assert_eq!(usage(nothing), None, "{nothing}");
        }
    }
}
