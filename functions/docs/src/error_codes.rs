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
    let (name, status) = (code.as_str(), code.status().as_u16());
    let (title, explanation, advice) =
        (marked_up(code.title()), marked_up(code.explanation()), marked_up(code.advice()));
    format!(
        "<section id=\"{name}\">\
         <h3><a href=\"#{name}\"><code>{name}</code></a> <span>{status} {title}</span></h3>\
         <p>{explanation} {advice}</p>\
         </section>\n"
    )
}

/// A text as HTML, with what stands between backticks as code.
fn marked_up(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let parts = escaped.split('`').enumerate();
    parts
        .map(|(index, part)| if index % 2 == 0 { part.to_owned() } else { format!("<code>{part}</code>") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_place_on_the_page() {
        let html = html();
        for code in Code::ALL {
            let place = format!("<section id=\"{}\">", code.as_str());
            assert_eq!(html.matches(&place).count(), 1, "{place}");
        }
    }

    #[test]
    fn codes_are_in_the_order_of_their_statuses() {
        let html = html();
        let place = |code: Code| html.find(&format!("id=\"{}\"", code.as_str()));
        assert!(place(Code::NotFound) < place(Code::Invalid));
        assert!(place(Code::Invalid) < place(Code::Internal));
    }

    #[test]
    fn what_is_explained_is_text_and_code() {
        assert_eq!(
            marked_up("Send `<b> & \"c\"`, or `d`."),
            "Send <code>&lt;b&gt; &amp; \"c\"</code>, or <code>d</code>."
        );
    }
}
