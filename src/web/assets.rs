//! Styles, scripts and icons, compiled in.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "web/static"]
struct Static;

/// A file of `/static/` or an icon; `None` if there is none of that name.
pub fn get(path: &str, headers: &HeaderMap) -> Option<Response> {
    let file = Static::get(path)?;
    let tag = tag(&file);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let common = [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache".to_string())];
    if known {
        return Some((StatusCode::NOT_MODIFIED, common).into_response());
    }
    Some((common, [(header::CONTENT_TYPE, content_type(path))], file.data).into_response())
}

fn tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("ico") => "image/x-icon",
        Some("gif") => "image/gif",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
