//! What every page of results carries in itself: style, scripts, and its data.

use serde::Serialize;

/// The style of all pages.
pub(crate) const STYLE: &str = concat!(
    include_str!("../../../web/static/css/tokens.css"),
    include_str!("../../../web/report.css"),
    include_str!("../../../web/static/css/charts.css")
);

/// The scripts that all pages share, before their own.
pub(crate) const SHARED_SCRIPTS: &str = concat!(
    include_str!("../../../web/static/js/charts.js"),
    include_str!("../../../web/static/js/charts_series.js"),
    include_str!("../../../web/static/js/charts_bars.js"),
    include_str!("../../../web/static/js/page.js")
);

/// Data as JSON, safe inside a `<script>` element: no `<` is left that could end it or open a comment.
pub(crate) fn to_script(data: &impl Serialize) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string(data)?;
    Ok(text.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"))
}
