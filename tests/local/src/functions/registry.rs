//! Which crate implements which binary name.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use api::{Environment, StartError};
use futures::future::BoxFuture;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::InvocationError;

/// A function that has been built, with its types erased: event JSON in, answer JSON out.
pub type Instance = Arc<dyn Invoke>;

/// Makes an instance from an environment.
pub type Build = Arc<dyn Fn(Environment) -> BoxFuture<'static, Result<Instance, StartError>> + Send + Sync>;

/// One invocation of an instance.
pub trait Invoke: Send + Sync {
    /// Hands the event over and waits for the answer.
    fn invoke(
        self: Arc<Self>,
        event: Value,
        context: Context,
    ) -> BoxFuture<'static, Result<Value, InvocationError>>;
}

struct Erased<F>(F);

impl<F: api::Function> Invoke for Erased<F> {
    fn invoke(
        self: Arc<Self>,
        event: Value,
        context: Context,
    ) -> BoxFuture<'static, Result<Value, InvocationError>> {
        Box::pin(async move {
            let payload = serde_json::from_value(event).map_err(|error| InvocationError::Function {
                error_type: "Runtime.UnmarshalError".to_owned(),
                message: error.to_string(),
            })?;
            let answer = self.0.call(LambdaEvent::new(payload, context)).await.map_err(|error| {
                InvocationError::Function { error_type: "Error".to_owned(), message: error.to_string() }
            })?;
            serde_json::to_value(answer).map_err(|error| InvocationError::Function {
                error_type: "Runtime.MarshalError".to_owned(),
                message: error.to_string(),
            })
        })
    }
}

/// Function crates by binary name.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<String, Build>);

impl Registry {
    /// Adds a function crate: its binary name, and its `build`.
    #[must_use]
    pub fn with<B, Fut, F>(mut self, binary: &str, build: B) -> Self
    where
        B: Fn(Environment) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<F, StartError>> + Send + 'static,
        F: api::Function,
    {
        self.0.insert(
            binary.to_owned(),
            Arc::new(move |environment| {
                let function = build(environment);
                Box::pin(async move { Ok(Arc::new(Erased(function.await?)) as Instance) })
            }),
        );
        self
    }

    /// The crate behind a binary name.
    pub fn get(&self, binary: &str) -> Option<&Build> {
        self.0.get(binary)
    }

    /// All binary names.
    pub fn binaries(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// One line a function crate: its binary name is the crate's name with hyphens. What is behind the HTTP API says how it is
/// documented.
macro_rules! function_crates {
    ($($name:ident $(: $documentation:ident)?),* $(,)?) => {
        impl Registry {
            /// Every function crate of the platform.
            pub fn platform() -> Self {
                Self::default()$(.with(&binary(stringify!($name)), $name::build))*
            }
        }

        /// What the function crates say of their routes, by binary name.
        pub fn documentations() -> BTreeMap<String, OpenApi> {
            let mut documentations = BTreeMap::new();
            $($(
                let documentation = <$name::$documentation as utoipa::OpenApi>::openapi();
                documentations.insert(binary(stringify!($name)), documentation);
            )?)*
            documentations
        }
    };
}

/// The binary name of a crate.
fn binary(crate_name: &str) -> String {
    crate_name.replace('_', "-")
}

function_crates!(
    abort_upload: Documentation,
    bulk_upload: Documentation,
    change_password: Documentation,
    check_health: Documentation,
    check_storage: Documentation,
    complete_upload: Documentation,
    console: Documentation,
    create_admin,
    create_media: Documentation,
    create_stream_url: Documentation,
    create_upload_token: Documentation,
    create_user: Documentation,
    delete_media: Documentation,
    delete_user: Documentation,
    docs: Documentation,
    extract_metadata,
    get_analytics: Documentation,
    get_jwks: Documentation,
    get_media: Documentation,
    get_profile: Documentation,
    get_thumbnail: Documentation,
    get_user: Documentation,
    list_jobs: Documentation,
    list_media: Documentation,
    list_parts: Documentation,
    list_users: Documentation,
    log_in: Documentation,
    log_out: Documentation,
    ping: Documentation,
    provision_keys,
    record_view: Documentation,
    refresh_token: Documentation,
    search_media: Documentation,
    set_password: Documentation,
    sign_part: Documentation,
    sign_up: Documentation,
    stream_media: Documentation,
    sweep,
    unmatched_route,
    update_media: Documentation,
    update_user: Documentation,
    upload_file: Documentation,
    uppy_companion: Documentation,
    version: Documentation,
);
