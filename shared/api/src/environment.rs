//! The environment of a function: the variables that `template.yaml` declares, and the clock.
//!
//! On Lambda it is the process's own; the local stack hands each function its own set, so that all of them can run in
//! one process. A variable that is missing or malformed is an error that names it, at start and never later.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use domain::{Timestamp, UnixMicroseconds};
use uuid::{NoContext, Uuid};

/// Where the present comes from, so that tests can move it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(SystemTime::now))
    }

    /// A clock that reads `now`.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        Timestamp::from((self.0)())
    }

    /// The present, for what a second is too coarse for.
    pub fn now_in_microseconds(&self) -> UnixMicroseconds {
        let since_epoch = (self.0)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixMicroseconds::new(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
    }

    /// A fresh UUID of version 7, of the present millisecond.
    pub fn new_id(&self) -> Uuid {
        let since_epoch = (self.0)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, since_epoch.as_secs(), since_epoch.subsec_nanos()))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// Why a function cannot start with the environment that it was given.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The variable is not set, or empty.
    #[error("environment variable {0} is missing")]
    Missing(&'static str),
    /// The variable cannot be read as what it stands for.
    #[error("environment variable {name} is malformed: {reason}")]
    Malformed {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// A function's environment variables and clock.
#[derive(Clone)]
pub struct Environment {
    variables: Arc<BTreeMap<String, String>>,
    clock: Clock,
}

impl Environment {
    /// The process's own variables and the system's clock. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { variables: Arc::new(variables), clock: Clock::system() }
    }

    /// These variables and this clock.
    pub fn new(variables: BTreeMap<String, String>, clock: Clock) -> Self {
        Self { variables: Arc::new(variables), clock }
    }

    /// The clock.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// A variable that may be absent; an empty one counts as absent.
    pub fn optional(&self, name: &'static str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that has to be there.
    pub fn required(&self, name: &'static str) -> Result<&str, EnvironmentError> {
        self.optional(name).ok_or(EnvironmentError::Missing(name))
    }

    /// A variable that has to be there and to be `expected`, as `is_well_formed` tells.
    pub(crate) fn well_formed(
        &self,
        name: &'static str,
        expected: &str,
        is_well_formed: impl FnOnce(&str) -> bool,
    ) -> Result<&str, EnvironmentError> {
        let value = self.required(name)?;
        if is_well_formed(value) {
            Ok(value)
        } else {
            Err(EnvironmentError::Malformed { name, reason: format!("not {expected}") })
        }
    }

    /// A variable that has to be there, parsed.
    pub fn parsed<T>(&self, name: &'static str) -> Result<T, EnvironmentError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.required(name)?
            .parse()
            .map_err(|error: T::Err| EnvironmentError::Malformed { name, reason: error.to_string() })
    }
}

impl fmt::Debug for Environment {
    /// Names only: values may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.variables.keys()).finish()
    }
}
