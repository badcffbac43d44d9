//! The part of `/docs` that explains the error codes: for each an element whose id is the code, so that the `type` of a
//! problem leads to it.

use api::Code;

/// All codes, in the order of their statuses.
pub(crate) fn html() -> String {
    let mut codes = Code::ALL.to_vec();
    codes.sort_by_key(|code| code.status());
    codes.into_iter().map(section).collect()
}

fn section(code: Code) -> String {
    let (name, status, title) = (code.as_str(), code.status().as_u16(), escaped(code.title()));
    format!(
        "<section id=\"{name}\"><h3><a href=\"#{name}\"><code>{name}</code></a> <span>{status}</span></h3>\
         <p>{title}.</p></section>\n"
    )
}

/// A text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_place_on_the_page() {
        let html = html();
        for code in Code::ALL {
            assert_eq!(html.matches(&format!("id=\"{}\"", code.as_str())).count(), 1, "{}", code.as_str());
        }
    }

    #[test]
    fn a_text_is_no_markup() {
        assert_eq!(escaped("<b> & \"c\""), "&lt;b&gt; &amp; \"c\"");
    }
}
