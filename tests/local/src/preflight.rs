//! `cargo local preflight`: looks at an AWS account before `sam deploy` does, and says what is missing and what to do.
//!
//! It only asks, and changes nothing: who the credentials belong to, what the account's quotas are, whether the names are
//! free, what the policies allow as far as IAM tells, and which tools are there. Calls are signed here and sent to AWS as
//! they are; there is no SDK of five more services to compile for a handful of questions.

mod account;
mod checks;
mod credentials;
mod permissions;
mod profile;
mod tools;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use self::account::Account;
use self::credentials::Resolver;
use self::profile::Profiles;

/// What is to be deployed, and as whom.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The profile; `AWS_PROFILE` or the keys of the environment by default.
    pub profile: Option<String>,
    /// The region; the profile's by default.
    pub region: Option<String>,
    /// The stack's name.
    pub stack_name: String,
    /// Whether the template's parameter `CdnEnabled` will be true.
    pub with_cdn: bool,
}

/// Asks for the code that the device with this serial number shows.
pub type AskCode = Box<dyn Fn(&str) -> std::io::Result<String> + Send + Sync>;

/// What the process has around it, so that tests can choose it.
pub struct Surroundings {
    /// Environment variables: those of the AWS CLI, `HOME` and `PATH`.
    pub variables: BTreeMap<String, String>,
    /// Whoever sits in front of it.
    pub ask_code: AskCode,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Good,
    /// It can be deployed, but something may go wrong.
    Doubtful,
    /// It cannot be deployed as it is.
    Missing,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub verdict: Verdict,
    /// What was looked at.
    pub subject: &'static str,
    /// What was seen, and what to do.
    pub text: String,
}

impl Finding {
    fn good(subject: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, subject, text: text.into() }
    }

    fn doubtful(subject: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Doubtful, subject, text: text.into() }
    }

    fn missing(subject: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Missing, subject, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Good => "ok",
            Verdict::Doubtful => "warning",
            Verdict::Missing => "missing",
        };
        write!(formatter, "{mark:<8} {:<12} {}", self.subject, self.text)
    }
}

impl Surroundings {
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A file that a variable names, or one in the home directory.
    fn file(&self, variable: &str, in_home: &str) -> Option<PathBuf> {
        let named = self.variable(variable).map(PathBuf::from);
        named.or_else(|| Some(PathBuf::from(self.variable("HOME")?).join(in_home)))
    }
}

/// Looks at everything, in the order in which it has to be mended. Without credentials nothing of the account can be asked.
pub async fn check(plan: &Plan, surroundings: &Surroundings) -> Vec<Finding> {
    let mut findings = tools::check(surroundings);
    findings.push(checks::stack_name(&plan.stack_name));
    match account(plan, surroundings).await {
        Ok(account) => findings.extend(checks::account(&account, plan).await),
        Err(finding) => findings.push(finding),
    }
    findings
}

async fn account(plan: &Plan, surroundings: &Surroundings) -> Result<Account, Finding> {
    let profiles =
        Profiles::read(surroundings).map_err(|error| Finding::missing("profile", error.to_string()))?;
    let name = plan.profile.as_deref().or(surroundings.variable("AWS_PROFILE"));
    let variables =
        ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| surroundings.variable(name));
    let region =
        plan.region.as_deref().or(variables).or_else(|| profiles.value(name.unwrap_or("default"), "region"));
    let Some(region) = region else {
        return Err(Finding::missing("region", "Give --region, or set region in the profile."));
    };
    let endpoint = surroundings.variable("AWS_ENDPOINT_URL").map(str::to_owned);
    let resolver = Resolver { profiles: &profiles, surroundings, region, endpoint: endpoint.clone() };
    match resolver.resolve(name).await {
        Ok(credentials) => Ok(Account::new(credentials, region, endpoint)),
        Err(error) => Err(Finding::missing("credentials", error.to_string())),
    }
}
