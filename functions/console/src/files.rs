//! The files of `page/`, as they were when the function was built.

use std::collections::BTreeMap;

use api::StaticFile;

/// The page, and what it is made of.
#[derive(Debug)]
pub(crate) struct Files {
    page: StaticFile,
    others: BTreeMap<&'static str, StaticFile>,
}

macro_rules! files {
    ($($content_type:literal: $($name:literal),+;)+) => {
        [$($(($name, StaticFile::text($content_type, include_str!(concat!("../page/", $name))))),+),+]
    };
}

impl Files {
    /// All of them.
    pub(crate) fn new() -> Self {
        let page = StaticFile::text("text/html; charset=utf-8", include_str!("../page/index.html"));
        let others = files! {
            "image/svg+xml": "icon.svg";
            "text/css; charset=utf-8": "console.css", "views.css";
            "text/javascript; charset=utf-8":
                "account-view.js", "chart.js", "dialog.js", "elements.js", "format.js",
                "forms.js", "library-view.js", "log-in-view.js", "main.js", "media-api.js",
                "media-edit.js", "media-view.js", "player.js", "remembered-uploads.js",
                "s3.js", "session.js", "technical-data.js", "thumbnail.js", "transfers.js", "uploads.js",
                "uploads-view.js", "user-view.js", "users-view.js", "views-section.js";
        };
        Self { page, others: others.into() }
    }

    /// The page.
    pub(crate) fn page(&self) -> &StaticFile {
        &self.page
    }

    /// What the page, or a module of it, names so.
    pub(crate) fn named(&self, name: &str) -> Option<&StaticFile> {
        self.others.get(name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        let mut expected: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
        assert!(expected.remove("index.html"));
        let files = Files::new();
        let there: BTreeSet<String> = files.others.keys().map(|name| (*name).to_owned()).collect();
        assert_eq!(there, expected);
    }
}
