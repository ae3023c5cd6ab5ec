//! The OpenAPI document, made from the table of routes: it lists exactly the routes that there are.

use serde_json::{Map, Value, json};

use super::api::results::SERIES;
use super::configuration::{FIELDS, Group};
use super::input::MOST_FIELD;
use super::jobs;
use super::jobs::spec::{FIELDS as FIELDS_OF_JOBS, Shape};
use super::logs::LogName;
use super::routes::{Access, Kind, Method, Op, ROUTES, Route};
use crate::vault::Category;

/// Parameters of queries, in the notation of [`fields`].
const QUERIES: &[(Op, &str)] = &[
    (Op::Audit, "offset?:integer limit?:integer"),
    (Op::LogLines, "offset?:integer limit?:integer"),
    (Op::LogStream, "from?:integer"),
    (Op::Test, "id?"),
    (Op::Backtests, "offset?:integer limit?:integer"),
    (Op::BacktestSeries, "from? to? px?:integer symbol?"),
    (Op::BacktestTrades, "sort? symbol? strategy? offset?:integer limit?:integer"),
    (Op::Sweeps, "offset?:integer limit?:integer"),
    (Op::SweepSeries, "from? to? px?:integer"),
    (Op::SweepTrials, "sort? filter? offset?:integer limit?:integer"),
    (Op::SweepHeatmap, "x? y? stat?:median|best|count"),
    (Op::Ledger, "offset?:integer limit?:integer account? from? to?"),
    (Op::Discrepancies, "offset?:integer limit?:integer open?:boolean"),
    (Op::LedgerExport, "format?:csv|json|ofx"),
    (Op::CoaExport, "format?:md|csv|json"),
    (Op::CoaHistory, "offset?:integer limit?:integer"),
    (Op::TaxReport, "year?:integer format?:json|csv"),
    (Op::ActivityReport, "year?:integer format?:json|csv"),
];

/// What bodies hold, in the notation of [`fields`]. A route that changes something and is not here takes `{}`.
const BODIES: &[(Op, &str)] = &[
    (Op::ConfigurationSubmit, "setup_token?"),
    (Op::Register, "username? email? password? password_confirm? current_password? setup_token?"),
    (Op::ErrorReset, "setup_token action backup? passphrase?"),
    (Op::Login, "username password"),
    (Op::Logout, ""),
    (Op::UserCreate, "username email role?:viewer|admin password current_password"),
    (Op::UserChange, "username? email? role?:viewer|admin disabled?:boolean password? current_password?"),
    (Op::UserDelete, "current_password"),
    (Op::UserSessionsRevoke, "session?:integer all?:boolean"),
    (Op::SettingsValidate, "values:object"),
    (Op::SettingsPut, "version:integer values:object"),
    (Op::ConfigurationPut, "current_password values:object"),
    (Op::ControlStart, "mode:paper|live confirm? current_password?"),
    (Op::ControlStop, ""),
    (Op::ControlKill, ""),
    (Op::ControlAcknowledge, ""),
    (Op::OrderConfirm, ""),
    (Op::OrderReject, ""),
    (Op::TestStart, "data? date? seconds?:integer"),
    (Op::TestReset, "only?:stop|results"),
    (Op::KeyRotate, "current_password"),
    (Op::BackupCreate, "kind:full|portable passphrase?"),
    (Op::BackupUpload, "current_password file:binary"),
    (Op::BackupRestore, "current_password passphrase?"),
    (Op::BacktestSubmit, ""),
    (Op::BacktestCancel, ""),
    (Op::SweepSubmit, "kind?:sweep|walk_forward resume?"),
    (Op::SweepCheck, "kind?:sweep|walk_forward"),
    (Op::SweepCancel, ""),
    (Op::NotifyTest, "channel:email|slack|sms|pagerduty"),
    (Op::LedgerCreate, "date memo flags?:array lines:array version?:integer"),
    (Op::LedgerUpdate, "date memo flags?:array lines:array version:integer"),
    (Op::LedgerUpload, "file:binary"),
    (Op::LedgerReconcile, "upload_id:integer"),
    (Op::DiscrepancyResolve, "action:keep_ledger|corrected|book|ignored note"),
    (Op::CoaPut, "coa_version accounts:array reason"),
];

/// The document.
pub fn document(version: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.name()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "TradeBot",
            "version": version.trim_start_matches('v'),
            "description": "Pages and API of one bot. Whatever changes something needs the CSRF token of the session, \
                from GET /api/v1/session or the page's meta element csrf-token. Times are UTC in RFC 3339, money is a \
                decimal string.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "tbot_session",
                    "description": "Set by POST /login. Under TLS its name is __Host-tbot_session.",
                },
            },
            "parameters": {
                "csrf": {
                    "name": "X-CSRF-Token", "in": "header", "required": false, "schema": { "type": "string" },
                    "description": "Forms may send it as the field csrf_token instead.",
                },
            },
            "schemas": { "Error": error_schema() },
            "responses": {
                "Error": {
                    "description": "A refusal, with a word for programs and a sentence for people.",
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
                },
            },
        },
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": { "type": "string" },
                    "message": { "type": "string" },
                    "fields": { "type": "object", "additionalProperties": { "type": "string" } },
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = path_parameters(route);
    for (name, required, schema) in fields(notation(QUERIES, route.op).unwrap_or("")) {
        parameters.push(json!({ "name": name, "in": "query", "required": required, "schema": schema }));
    }
    if !route.method.is_safe() {
        parameters.push(json!({ "$ref": "#/components/parameters/csrf" }));
    }
    let security = match route.access {
        Access::Public => json!([]),
        Access::Viewer | Access::Admin => json!([{ "session": [] }]),
    };
    let role = match route.access {
        Access::Public => "public",
        Access::Viewer => "viewer",
        Access::Admin => "admin",
    };
    let mut operation = json!({
        "operationId": json!(route.op),
        "summary": route.summary,
        "tags": [role],
        "x-role": role,
        "parameters": parameters,
        "security": security,
        "responses": responses(route),
    });
    if let Some(body) = body(route) {
        operation["requestBody"] = body;
    }
    operation
}

/// The parts of a path in braces.
fn path_parameters(route: &Route) -> Vec<Value> {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let schema = match (name, route.op) {
                ("category", Op::KeyRotate) => json!({ "type": "string", "enum": Category::ALL.map(Category::name) }),
                ("category", _) => {
                    let words = Group::ALL.map(Group::word);
                    json!({ "type": "string", "enum": words })
                }
                ("name", Op::LogLines | Op::LogStream | Op::LogDownload) => {
                    json!({ "type": "string", "enum": LogName::SHOWN.map(LogName::name) })
                }
                ("id", _) if route.path.contains("/backtest") || route.path.contains("/sweep") => {
                    json!({ "type": "string", "pattern": "^[0-9a-zA-Z-]{1,64}$" })
                }
                ("name", Op::BacktestSeries | Op::SweepSeries) => json!({ "type": "string", "enum": SERIES }),
                ("id", _) => json!({ "type": "integer", "minimum": 1 }),
                _ => json!({ "type": "string" }),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect()
}

fn body(route: &Route) -> Option<Value> {
    if matches!(route.method, Method::Get | Method::Delete) && notation(BODIES, route.op).is_none() {
        return None;
    }
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, is_required, schema) in fields(notation(BODIES, route.op).unwrap_or("")) {
        properties.insert(name.to_string(), schema);
        if is_required {
            required.push(name);
        }
    }
    if route.op == Op::ConfigurationSubmit {
        let text = |name: &str| (name.to_string(), json!({ "type": "string", "maxLength": MOST_FIELD }));
        properties.extend(FIELDS.iter().map(|field| text(field.name)));
        required.extend(Group::Identity.fields().map(|field| field.name));
    }
    properties.extend(specification(route.op));
    let is_form = matches!(route.kind, Kind::Form | Kind::Upload);
    if is_form {
        properties.insert("csrf_token".to_string(), json!({ "type": "string" }));
    }
    let content_type = match route.kind {
        Kind::Form => "application/x-www-form-urlencoded",
        Kind::Upload => "multipart/form-data",
        _ => "application/json",
    };
    let schema = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    let content = json!({ content_type: { "schema": schema } });
    Some(json!({ "required": true, "content": content }))
}

/// What a backtest or a sweep may say of itself.
fn specification(op: Op) -> Vec<(String, Value)> {
    let kinds: &[jobs::Kind] = match op {
        Op::BacktestSubmit => &[jobs::Kind::Backtest],
        Op::SweepSubmit | Op::SweepCheck => &[jobs::Kind::Sweep, jobs::Kind::WalkForward],
        _ => &[],
    };
    let one = json!({ "type": ["string", "number"] });
    let many = json!({ "anyOf": [one, { "type": "array", "items": one }] });
    let schema = |shape: Shape| match shape {
        Shape::One => one.clone(),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Many | Shape::Joined => many.clone(),
        Shape::Pairs => json!({ "type": "object" }),
        Shape::Data | Shape::Trial => json!({ "type": "string" }),
    };
    let fields = FIELDS_OF_JOBS.iter().filter(|field| field.kinds.iter().any(|kind| kinds.contains(kind)));
    fields.map(|field| (field.key.to_string(), schema(field.shape))).collect()
}

fn responses(route: &Route) -> Value {
    let content_type = match route.kind {
        Kind::Page | Kind::Form => "text/html",
        Kind::Api | Kind::Upload | Kind::Series => "application/json",
        Kind::Stream => "text/event-stream",
        Kind::Download if notation(QUERIES, route.op).is_some_and(|fields| fields.contains("format")) => "*/*",
        Kind::Download => "application/octet-stream",
    };
    let success = match (route.op, route.kind, route.method) {
        (Op::BackupCreate | Op::BackupUpload | Op::LedgerCreate, ..) => "201",
        (Op::BacktestSubmit | Op::BacktestCancel | Op::SweepSubmit | Op::SweepCancel, ..) => "202",
        (Op::Root, ..) | (_, Kind::Form, _) => "303",
        (_, _, Method::Delete) => "204",
        _ => "200",
    };
    let mut responses = json!({
        success: { "description": "Done.", "content": { content_type: { "schema": {} } } },
    });
    if matches!(success, "204" | "303") {
        responses[success] = json!({ "description": "Done." });
    }
    let is_public = route.access == Access::Public;
    let changes = !route.method.is_safe();
    let has_parameters = route.path.contains('{') || notation(QUERIES, route.op).is_some();
    let refusals = [
        ("401", !is_public),
        ("403", route.access == Access::Admin || changes),
        ("404", true),
        ("409", changes),
        ("413", changes),
        ("415", changes),
        ("422", changes || has_parameters),
        ("429", changes || route.kind == Kind::Stream),
        ("503", true),
    ];
    for (status, _) in refusals.into_iter().filter(|(_, possible)| *possible) {
        responses[status] = json!({ "$ref": "#/components/responses/Error" });
    }
    responses
}

fn notation(table: &'static [(Op, &'static str)], op: Op) -> Option<&'static str> {
    table.iter().find(|(row, _)| *row == op).map(|(_, fields)| *fields)
}

/// Fields as `name`, `name?` for one that may be missing, `name:type` for one that is no text: `integer`, `boolean`,
/// `object`, `array`, `binary`, or words divided by `|`.
fn fields(notation: &'static str) -> impl Iterator<Item = (&'static str, bool, Value)> {
    notation.split_whitespace().map(|field| {
        let (name, kind) = field.split_once(':').unwrap_or((field, "string"));
        let schema = match kind {
            "binary" => json!({ "type": "string", "format": "binary" }),
            words if words.contains('|') => json!({ "type": "string", "enum": words.split('|').collect::<Vec<_>>() }),
            kind => json!({ "type": kind }),
        };
        (name.trim_end_matches('?'), !name.ends_with('?'), schema)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_lists_exactly_the_routes_that_there_are() {
        let document = document("v1.2.3");
        assert_eq!(document["info"]["version"], "1.2.3");
        let mut listed = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            listed.extend(methods.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())));
        }
        let table: BTreeSet<_> =
            ROUTES.iter().map(|route| (route.path.to_string(), route.method.name().to_string())).collect();
        assert_eq!(listed, table);
    }

    #[test]
    fn names_of_operations_are_unique_and_references_lead_somewhere() {
        let document = document("v1.0.0");
        let mut ids = BTreeSet::new();
        for methods in document["paths"].as_object().unwrap().values() {
            for operation in methods.as_object().unwrap().values() {
                assert!(ids.insert(operation["operationId"].as_str().unwrap().to_string()));
            }
        }
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }

    #[test]
    fn what_changes_something_says_what_it_takes() {
        for route in ROUTES.iter().filter(|route| matches!(route.method, Method::Post | Method::Put | Method::Patch)) {
            assert!(notation(BODIES, route.op).is_some(), "{} {}", route.method.name(), route.path);
            let operation = operation(route);
            assert!(operation["requestBody"]["content"].is_object());
            let has_csrf = operation["parameters"].as_array().unwrap().iter().any(|p| p["$ref"].is_string());
            assert!(has_csrf, "{}", route.path);
        }
        let rotate = operation(Route::of(Op::KeyRotate));
        assert_eq!(rotate["parameters"][0]["schema"]["enum"].as_array().unwrap().len(), 14);
        let body = &rotate["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["required"], json!(["current_password"]));
    }

    #[test]
    fn a_session_is_asked_for_where_the_gate_asks_for_one() {
        for route in ROUTES {
            let needs = !operation(route)["security"].as_array().unwrap().is_empty();
            assert_eq!(needs, route.access != Access::Public, "{}", route.path);
        }
    }
}
