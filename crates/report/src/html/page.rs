//! The frame of a page: one file, no script, no network, light and dark.

use super::escape::Escaped;

/// The page's style.
const STYLE: &str = include_str!("style.css");

/// What the page may load: its own style, and the pictures and recordings that are in it. No
/// script, no network.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; \
                      base-uri 'none'; form-action 'none'";

/// A page with this title, `header` above and `main` below it, which are HTML.
pub(super) fn page(title: &str, header: &str, main: &str) -> String {
    let title = Escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<a class=\"skip\" href=\"#results\">To the results</a>\n{header}\n<main id=\"results\">\n\
         {main}</main>\n</body>\n</html>\n",
    )
}

/// The choice of theme.
pub(super) fn themes() -> String {
    let theme = |id: &str, label: &str, checked: &str| {
        format!(
            "<label><input type=\"radio\" name=\"theme\" id=\"theme-{id}\"{checked}>{label}</label>"
        )
    };
    format!(
        "<fieldset><legend class=\"hidden\">Theme</legend>{}{}{}</fieldset>",
        theme("system", "System", " checked"),
        theme("light", "Light", ""),
        theme("dark", "Dark", ""),
    )
}
