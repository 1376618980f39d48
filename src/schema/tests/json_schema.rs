//! As much of JSON Schema (2020-12) as the schemas of OCSF use. Of patterns it knows two, by what they are for.
//! `tests/foreign/run` lets a validator of others look at the same.

use std::net::IpAddr;

use serde_json::Value;

/// What is wrong with a value, with its place; empty where it conforms.
pub(super) fn problems(schema: &Value, value: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check(schema, schema, value, "", &mut problems);
    problems
}

fn check(schema: &Value, root: &Value, value: &Value, place: &str, problems: &mut Vec<String>) {
    let mut wrong = |what: String| problems.push(format!("{place}: {what}"));
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "type" => {
                let is_one = |name: &Value| is_type(value, name.as_str().unwrap());
                if !rule
                    .as_array()
                    .map_or_else(|| is_one(rule), |names| names.iter().any(is_one))
                {
                    wrong(format!("{value} is no {rule}"));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => wrong(format!("{value} is none of {rule}")),
            "const" if rule != value => wrong(format!("{value} is not {rule}")),
            "minimum" if value.as_f64() < rule.as_f64() => wrong(format!("{value} is below {rule}")),
            "maximum" if value.as_f64() > rule.as_f64() => wrong(format!("{value} is beyond {rule}")),
            "maxLength" if value.as_str().unwrap().chars().count() as u64 > rule.as_u64().unwrap() => {
                wrong(format!("{value} is longer than {rule}"));
            }
            "pattern" if !is_of_pattern(value.as_str().unwrap(), rule.as_str().unwrap()) => {
                wrong(format!("{value} is not of its pattern"));
            }
            "required" => {
                let missing = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|name| value.get(name.as_str().unwrap()).is_none());
                missing.into_iter().for_each(|name| wrong(format!("{name} is missing")));
            }
            "additionalProperties" if rule == false => {
                let known = &schema["properties"];
                let unknown = value.as_object().unwrap().keys().find(|name| known.get(name).is_none());
                unknown.into_iter().for_each(|name| wrong(format!("{name} is unknown")));
            }
            "anyOf" | "oneOf" => {
                let fits = |option: &&Value| {
                    let mut problems = Vec::new();
                    check(option, root, value, place, &mut problems);
                    problems.is_empty()
                };
                let count = rule.as_array().unwrap().iter().filter(fits).count();
                if count == 0 || keyword == "oneOf" && count > 1 {
                    wrong(format!("{count} of {keyword}"));
                }
            }
            "enum"
            | "const"
            | "minimum"
            | "maximum"
            | "maxLength"
            | "additionalProperties"
            | "$defs"
            | "$id"
            | "$schema"
            | "$ref"
            | "title"
            | "deprecated"
            | "pattern"
            | "properties"
            | "items" => {}
            other => panic!("{other} is not known"),
        }
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        check(&root["$defs"][name], root, value, place, problems);
    }
    for (name, rule) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            check(rule, root, value, &format!("{place}.{name}"), problems);
        }
    }
    for item in value.as_array().into_iter().flatten() {
        if let Some(rule) = schema.get("items") {
            check(rule, root, item, &format!("{place}[]"), problems);
        }
    }
}

fn is_of_pattern(text: &str, pattern: &str) -> bool {
    match pattern {
        ip if ip.contains("25[0-5]") => text.parse::<IpAddr>().is_ok(),
        "^[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\\.[a-zA-Z0-9-.]+$" => {
            let (local, domain) = text.split_once('@').unwrap_or_default();
            let is_plain = |char: char| char.is_ascii_graphic() && !"\"(),:;<>@[\\]".replace(',', "").contains(char);
            !local.is_empty() && text.chars().all(|char| char == '@' || is_plain(char)) && domain.contains('.')
        }
        other => panic!("{text:?} against {other}"),
    }
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    }
}

#[test]
fn what_does_not_conform_is_found() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"items": {"enum": [1, 2]}}},
        "$defs": {"a": {"type": "integer", "maximum": 3}},
    });
    let found = |value| problems(&schema, &value);
    assert_eq!(found(serde_json::json!({"a": 3, "b": [1, 2]})), Vec::<String>::new());
    assert_eq!(
        found(serde_json::json!({"b": [1, 3]})),
        [": \"a\" is missing", ".b[]: 3 is none of [1,2]"]
    );
    assert_eq!(
        found(serde_json::json!({"a": 4, "c": 1})),
        [": c is unknown", ".a: 4 is beyond 3"]
    );
    assert_eq!(found(serde_json::json!({"a": 1.5})), [".a: 1.5 is no \"integer\""]);
}
