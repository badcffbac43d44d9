//! Profiles: the files that the AWS CLI shares with everybody.
//!
//! Follows <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>. Nested settings (indented lines) are passed
//! over; of a setting in both files, that of the credentials file counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Surroundings;

/// Why the profiles cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub(super) struct ProfileError {
    path: PathBuf,
    source: std::io::Error,
}

/// Settings by profile.
#[derive(Debug, Default)]
pub(super) struct Profiles(BTreeMap<String, BTreeMap<String, String>>);

impl Profiles {
    /// Those of both files; a file that is not there has none.
    pub(super) fn read(surroundings: &Surroundings) -> Result<Self, ProfileError> {
        let mut profiles = Self::default();
        for (variable, in_home, is_config) in [
            ("AWS_CONFIG_FILE", ".aws/config", true),
            ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", false),
        ] {
            let Some(path) = surroundings.file(variable, in_home) else { continue };
            profiles.add(&read_file(&path)?, is_config);
        }
        Ok(profiles)
    }

    /// Adds a file's settings; in the configuration file every profile but the default one says that it is one.
    fn add(&mut self, text: &str, is_config: bool) {
        let mut profile = None;
        for line in text.lines() {
            if line.starts_with([' ', '\t', '#', ';']) {
                continue;
            }
            let line = line.trim_end();
            if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                let name = header.0.trim();
                let named = name.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']));
                profile = match named {
                    Some(name) if is_config => Some(name.trim().to_owned()),
                    _ if is_config && name != "default" => None,
                    _ => Some(name.to_owned()),
                };
                if let Some(name) = &profile {
                    self.0.entry(name.clone()).or_default();
                }
            } else if let (Some(name), Some((key, value))) = (&profile, line.split_once('=')) {
                let settings = self.0.entry(name.clone()).or_default();
                settings.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
            }
        }
    }

    /// Whether there is a profile of this name.
    pub(super) fn has(&self, profile: &str) -> bool {
        self.0.contains_key(profile)
    }

    /// A setting that is not empty.
    pub(super) fn value(&self, profile: &str, key: &str) -> Option<&str> {
        self.0.get(profile)?.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

fn read_file(path: &Path) -> Result<String, ProfileError> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        result => result.map_err(|source| ProfileError { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_of_both_files_are_one() {
        let mut profiles = Profiles::default();
        profiles.add(
            "# comment\n[default]\nregion=eu-west-1\n[profile  media ]\nREGION = eu-central-1\ns3 =\n  region = nested\n\
             aws_access_key_id = of config\n[sso-session media]\nregion = of session\n[other]\nregion = none\n",
            true,
        );
        profiles.add("[media]\naws_access_key_id = AKIA=\n;a = b\n[profile]\nregion = x\n", false);
        assert_eq!(profiles.value("default", "region"), Some("eu-west-1"));
        assert_eq!(profiles.value("media", "region"), Some("eu-central-1"));
        assert_eq!(profiles.value("media", "aws_access_key_id"), Some("AKIA="));
        assert_eq!(profiles.value("media", "s3"), None);
        assert_eq!(profiles.value("profile", "region"), Some("x"));
        assert!(!profiles.has("other"));
    }
}
