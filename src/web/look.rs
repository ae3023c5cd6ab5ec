//! How a browser wants a page: in which theme, and whether inside a frame of the dashboard.

use axum::http::HeaderMap;

use super::browser;

/// The cookie that remembers the choice of theme. Scripts set it, so that the server can answer in the right colours
/// from the first byte on; it is not secret.
const THEME_COOKIE: &str = "tbot_theme";

/// How a page is to look.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The chosen theme; `None`: as the system has it.
    pub theme: Option<&'static str>,
    /// Whether the page is shown inside a frame of the dashboard, which has its own header.
    pub framed: bool,
}

impl Look {
    /// What the headers of a request say.
    pub fn of(headers: &HeaderMap) -> Look {
        let theme = browser::cookies(headers, THEME_COOKIE).find_map(|value| match value {
            "dark" => Some("dark"),
            "light" => Some("light"),
            _ => None,
        });
        Look { theme, framed: browser::text(headers, "sec-fetch-dest").is_some_and(|dest| dest == "iframe") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_is_one_of_two_words_and_anything_else_is_none() {
        let theme = |cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("cookie", cookie.parse().unwrap());
            Look::of(&headers).theme
        };
        assert_eq!(theme("a=b; tbot_theme=dark"), Some("dark"));
        assert_eq!(theme("tbot_theme=light"), Some("light"));
        assert_eq!(theme("tbot_theme=\" onload=x"), None);
        assert_eq!(theme("other=dark"), None);
    }
}
