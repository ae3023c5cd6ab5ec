//! Pages, from templates that are checked when the program is built. Everything in them is escaped.

use askama::Template;

use crate::runtime::protocol::{Context, Page, PageName};

/// What the frame of every page shows.
struct Frame<'a> {
    context: &'a Context,
    csrf: &'a str,
}

#[derive(Template)]
#[template(path = "pages/configuration.html")]
struct Configuration<'a> {
    frame: Frame<'a>,
}

#[derive(Template)]
#[template(path = "pages/error.html")]
struct Error<'a> {
    frame: Frame<'a>,
    faults: Vec<&'a str>,
}

#[derive(Template)]
#[template(path = "pages/refused.html")]
struct Refused<'a> {
    frame: Frame<'a>,
    status: u64,
    message: &'a str,
}

#[derive(Template)]
#[template(path = "pages/plain.html")]
struct Plain<'a> {
    status: u16,
    message: &'a str,
}

/// The HTML of a page.
///
/// # Errors
/// The page does not have the data that its template needs.
pub fn render(page: &Page, csrf: &str) -> Result<String, askama::Error> {
    let frame = Frame { context: &page.context, csrf };
    let data = &page.data;
    match page.name {
        PageName::Configuration => Configuration { frame }.render(),
        PageName::Error => {
            let faults = data["faults"].as_array().map_or(&[][..], Vec::as_slice);
            Error { frame, faults: faults.iter().filter_map(|fault| fault.as_str()).collect() }.render()
        }
        PageName::Refused => {
            let message = data["message"].as_str().unwrap_or_default();
            Refused { frame, status: data["status"].as_u64().unwrap_or(500), message }.render()
        }
        _ => Err(askama::Error::Fmt),
    }
}

/// A page that needs nothing from the core.
pub fn plain(status: u16, message: &str) -> String {
    Plain { status, message }.render().unwrap_or_else(|_| message.to_string())
}
