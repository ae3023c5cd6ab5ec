//! What is wrong with the JSON of a body: where, and what is expected there. Never what was found: a secret may have
//! been typed into the wrong field, and an answer must not repeat it.

use super::reply::Refusal;

/// Longest name of a field, and longest path to one, in an answer.
const LONGEST: usize = 64;

/// The refusal of a body that is no `T`: 400 if it is no JSON, otherwise 422 with the field.
pub fn refusal(text: &str, error: &serde_json::Error) -> Refusal {
    if error.classify() != serde_json::error::Category::Data {
        return Refusal::new(400, "malformed", "The body is not JSON.");
    }
    let place = place(before(text, error));
    let (name, why) = explain(&error.to_string());
    let field = match name {
        // It is missing in the object that has just ended.
        Some((name, false)) if place.is_empty() => name,
        Some((name, false)) => format!("{place}.{name}"),
        // It has just been read, so that the place ends with it.
        Some((_, true)) | None if place.is_empty() => "body".to_string(),
        Some((_, true)) | None => place,
    };
    Refusal::invalid_field(&field.chars().take(LONGEST).collect::<String>(), why)
}

/// What serde says, without what was found: the name it gives and whether the sender gave it, and a sentence.
fn explain(message: &str) -> (Option<(String, bool)>, String) {
    // Whatever was found stands before the last of these words.
    let message = message.rfind(" at line ").map_or(message, |end| &message[..end]);
    let quoted = |beginning: &str| {
        let name = message.strip_prefix(beginning)?.strip_prefix('`')?;
        Some(name.split('`').next().unwrap_or("").to_string())
    };
    if let Some(name) = quoted("missing field ") {
        return (Some((name, false)), "This is missing.".to_string());
    }
    if let Some(name) = quoted("unknown field ") {
        return (Some((name, true)), "There is no such field.".to_string());
    }
    if let Some(name) = quoted("duplicate field ") {
        return (Some((name, true)), "Given twice.".to_string());
    }
    let expected = message.rfind("expected ").map(|at| &message[at + "expected ".len()..]);
    let known = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant ", "expected "];
    match expected.filter(|_| known.iter().any(|beginning| message.starts_with(beginning))) {
        Some(expected) => (None, format!("Expected {}.", plain(expected))),
        // The words of other errors are those of other libraries, which may repeat what they read.
        None => (None, "This is not as it must be.".to_string()),
    }
}

/// The words of serde for a type, in those of people.
fn plain(expected: &str) -> &str {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "str" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

/// The text up to where the error was found.
fn before<'a>(text: &'a str, error: &serde_json::Error) -> &'a str {
    let lines = error.line().saturating_sub(1);
    let whole: usize = text.split_inclusive('\n').take(lines).map(str::len).sum();
    let mut end = (whole + error.column()).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

enum Level<'a> {
    /// The last name, in its quotes, and whether the next text is one.
    Object(&'a str, bool),
    /// The number of the element.
    Array(usize),
}

/// Which value the end of the beginning of a JSON text belongs to, such as `accounts[2].name`; empty for the whole.
fn place(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let next = at + 1;
        match (bytes[at], levels.last_mut()) {
            (b'"', level) => {
                let end = end_of_string(bytes, at);
                if let Some(Level::Object(name, is_name @ true)) = level {
                    (*name, *is_name) = (&text[at..end], false);
                }
                at = end;
                continue;
            }
            // What has only just begun is itself what is wrong.
            (b'{', _) if next < bytes.len() => levels.push(Level::Object("", true)),
            (b'[', _) if next < bytes.len() => levels.push(Level::Array(0)),
            (b'}' | b']', _) => drop(levels.pop()),
            (b',', Some(Level::Object(_, is_name))) => *is_name = true,
            (b',', Some(Level::Array(number))) => *number += 1,
            _ => {}
        }
        at = next;
    }
    let mut place = String::new();
    for level in &levels {
        match level {
            Level::Object("", _) => {}
            Level::Object(name, _) => {
                let name = serde_json::from_str(name).unwrap_or_else(|_| name.trim_matches('"').to_string());
                place = if place.is_empty() { name } else { format!("{place}.{name}") };
            }
            Level::Array(number) => place = format!("{place}[{number}]"),
        }
    }
    place
}

/// The end of the text that begins at `at`, its quotes included.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Body {
        count: u64,
        #[serde(default)]
        rows: Vec<Row>,
        #[serde(default)]
        role: Option<Role>,
        #[serde(default)]
        amount: Option<rust_decimal::Decimal>,
        #[serde(default)]
        given: std::collections::BTreeMap<String, Number>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Row {
        name: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Role {
        Admin,
        Viewer,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged, expecting = "expected a text or a whole number")]
    #[allow(dead_code)]
    enum Number {
        Text(String),
        Number(u64),
    }

    fn fault(text: &str) -> (String, String) {
        let refusal = refusal(text, &serde_json::from_str::<Body>(text).unwrap_err());
        assert_eq!((refusal.status, refusal.code), (422, "invalid"), "{text}");
        let shown = serde_json::to_string(&refusal.fields).unwrap() + &refusal.message;
        assert!(!shown.contains("hunter2"), "{shown}");
        refusal.fields.into_iter().next().unwrap()
    }

    #[test]
    fn a_fault_names_the_field_and_what_is_expected_and_never_what_was_found() {
        let cases = [
            (r#"{"count": "hunter2"}"#, "count", "Expected a whole number."),
            (r#"{"count": "hunter2, expected hunter2 at line 1"}"#, "count", "Expected a whole number."),
            (r#"{"count": -5}"#, "count", "Expected a whole number."),
            (r#"{"count": {"hunter2": 1}}"#, "count", "Expected a whole number."),
            (r#"{"count": ["hunter2"]}"#, "count", "Expected a whole number."),
            (r#"{"count": null}"#, "count", "Expected a whole number."),
            (
                "{\n \"count\": 1,\n \"rows\": [{\"name\": \"\u{e4}\"}, {\"name\": 7}]}",
                "rows[1].name",
                "Expected a text.",
            ),
            (r#"{"rows": [{"name": "a"}, {}], "count": 1}"#, "rows[1].name", "This is missing."),
            (r#"{"rows": "hunter2", "count": 1}"#, "rows", "Expected a list."),
            (r#"{"rows": []}"#, "count", "This is missing."),
            (r#"{"count": 1, "count": 2}"#, "count", "Given twice."),
            (r#"{"count": 1, "rows": [{"name": "a", "nam": "hunter2"}]}"#, "rows[0].nam", "There is no such field."),
            (r#"{"count": 1, "role": "hunter2"}"#, "role", "Expected `admin` or `viewer`."),
            (r#"{"count": 1, "role": "hunter2`, expected `x"}"#, "role", "Expected `admin` or `viewer`."),
            (r#"{"count": 1, "given": {"a\"b": ["hunter2"]}}"#, "given", "Expected a text or a whole number."),
            (r#""hunter2""#, "body", "Expected an object."),
            (r#"["hunter2"]"#, "[0]", "Expected a whole number."),
        ];
        for (text, field, why) in cases {
            assert_eq!(fault(text), (field.to_string(), why.to_string()), "{text}");
        }
        let (field, why) = fault(r#"{"count": 1, "amount": "hunter2"}"#);
        assert_eq!(field, "amount");
        assert!(!why.is_empty());
    }

    #[test]
    fn names_are_cut_and_what_is_no_json_is_malformed() {
        let (field, _) = fault(&format!("{{\"{}\": 1}}", "x".repeat(500)));
        assert_eq!(field, "x".repeat(64));
        let text = r#"{"count": hunter2}"#;
        let refusal = refusal(text, &serde_json::from_str::<Body>(text).unwrap_err());
        assert_eq!((refusal.status, refusal.message.as_str()), (400, "The body is not JSON."));
    }

    #[test]
    fn a_place_is_found_in_any_beginning_of_a_text() {
        let text = r#"{"a\\": {"b}": [1, {"c": "\"]"}], "d": "ä"}}"#;
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            place(&text[..end]);
        }
        assert_eq!(place(&text[..text.len() - 2]), "a\\.d");
    }
}
